import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../observe/clock.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Authority } from './authority.ts';
import { preferredCiphers } from './ciphers.ts';
import type { Identity } from './identity.ts';
import { mintLeaf } from './mint.ts';
import { maySign } from './signer.ts';
import type { Signer } from './signer.ts';
import { parseSubjectName } from './subject-name.ts';
import type { SubjectName } from './subject-name.ts';

/** What a TLS server shows to clients, for whatever name they ask for. */
export interface Leaves {
  /**
   * For a DNS name or an IP address, as clients write them. Minted once a name; a name that is asked for again gets a new
   * certificate in time before the old one ends. Sessions are resumed across all of them.
   * @throws RegistryError `NAME_INVALID` for what no certificate can name, `DENIED` for what the authority may not sign for
   */
  secureContextFor(name: string): Promise<SecureContext>;
  /**
   * The same, with more than one name where a client cannot say which of them it used.
   * @throws as `secureContextFor`
   */
  leafFor(...names: readonly [string, ...(readonly string[])]): Identity;
}

export interface LeavesOptions {
  readonly authority: Authority;
  readonly clock: Clock;
  /** Versions, ciphers, who may sign the certificates of clients, whose sessions are resumed. */
  readonly context?: SecureContextOptions;
  /** Names remembered at once. */
  readonly entriesMax?: number;
}

export function createLeaves(options: LeavesOptions): Leaves {
  return new LeafTable(options);
}

const hourMs = 3_600_000;
const lifeMs = 90 * 24 * hourMs;
/** Clocks of clients that are behind. */
const skewMs = hourMs;
/** A leaf is replaced when this share of its life is over. */
const renewedAfter = 2 / 3;
/** Far more names than registries: whoever asks for more only makes us mint. */
const defaultEntriesMax = 1_000;

interface Entry {
  readonly identity: Identity;
  /** Of the authority's certificate. */
  readonly fingerprint: string;
  readonly renewAt: number;
}

class LeafTable implements Leaves {
  readonly #options: LeavesOptions;
  readonly #entriesMax: number;
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** One for all leaves: they lie in the same memory. */
  readonly #key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  readonly #publicKey = createPublicKey(this.#key);
  readonly #keyPem = this.#key.export({ type: 'pkcs8', format: 'pem' });
  /** A client that opens a connection a request, as dockerd does, resumes whichever leaf it saw before. */
  readonly #sessions = { ticketKeys: randomBytes(48), sessionIdContext: randomBytes(16).toString('hex') };

  constructor(options: LeavesOptions) {
    this.#options = options;
    this.#entriesMax = options.entriesMax ?? defaultEntriesMax;
  }

  async secureContextFor(name: string): Promise<SecureContext> {
    return this.leafFor(name).context;
  }

  /** Minting waits for nothing, so that two who ask at once cannot mint twice. */
  leafFor(...texts: readonly string[]): Identity {
    const spelled = keyOf(texts);
    const key = this.#entries.has(spelled) ? spelled : keyOf(texts.map((each) => parsed(each).text));
    const signer = this.#options.authority.signer();
    const held = this.#entries.get(key);
    this.#entries.delete(key);
    const isGood = held?.fingerprint === signer.fingerprint && this.#options.clock.now() < held.renewAt;
    const entry = isGood ? held : this.#mint(texts.map(parsed), signer);
    this.#entries.set(key, entry);
    this.#forget();
    return entry.identity;
  }

  #mint(names: readonly SubjectName[], signer: Signer): Entry {
    const forbidden = names.find((name) => !maySign(signer, name));
    if (forbidden !== undefined) throw denied(forbidden, signer);
    const now = this.#options.clock.now();
    const to = Math.max(now + hourMs, Math.min(now + lifeMs, signer.validTo));
    const span = { from: now - skewMs, to };
    const pair = { cert: mintLeaf(signer.issuer, names, this.#publicKey, span) + signer.chain, key: this.#keyPem };
    // No authorities instead of all that Node knows: clients show certificates only where somebody says whose.
    const context = createSecureContext({
      ca: [],
      ciphers: preferredCiphers,
      ...this.#sessions,
      ...this.#options.context,
      ...pair,
    });
    const renewAt = now + (to - now) * renewedAfter;
    return { identity: { ...pair, context }, fingerprint: signer.fingerprint, renewAt };
  }

  #forget(): void {
    const [oldest] = this.#entries.size > this.#entriesMax ? this.#entries.keys() : [];
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

/** No text that is several names in one can be taken for them. */
function keyOf(names: readonly string[]): string {
  return `${names.length} ${names.join(' ')}`;
}

function parsed(text: string): SubjectName {
  const name = parseSubjectName(text);
  if (name !== undefined) return name;
  const shown = JSON.stringify(text.slice(0, 100));
  throw new RegistryError('NAME_INVALID', `${shown} is no host name and no address; ask for one that is`);
}

function denied({ text }: SubjectName, { constraints }: Signer): RegistryError {
  const permitted = constraints?.permitted.join(', ') ?? '';
  return new RegistryError(
    'DENIED',
    `the certificate authority may not sign for ${text} (it may for ${permitted || 'nothing of the kind'}); add the name to its constraints and renew it`,
    { origin: 'operator' },
  );
}
