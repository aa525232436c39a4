import { generateKeyPairSync } from 'node:crypto';
import type { Clock } from '../observe/clock.ts';
import { AuthorityFiles } from './authority-files.ts';
import type { NumberedFile } from './authority-files.ts';
import type { AuthorityKind, RenewableAuthority, Trusted } from './authority.ts';
import { constraintsTo } from './constraints.ts';
import { mintRoot } from './mint.ts';
import { readSigner } from './signer.ts';
import type { Signer } from './signer.ts';

export interface KeptOptions {
  readonly kind: AuthorityKind;
  /** Without one it is made anew at each start. */
  readonly directory: string | undefined;
  /** Domains and addresses that one that is made may sign for; empty is all of them. */
  readonly constrain: readonly string[];
  readonly clock: Clock;
}

/** One that was made here, and how it stands to those before and after it. */
interface Generation {
  readonly number: number;
  readonly signer: Signer;
  readonly signsFrom: number;
}

const dayMs = 86_400_000;
const lifeMs = 3_652 * dayMs;
/** Clocks of clients that are behind. */
const skewMs = dayMs;

/** Opens the authority in that directory; the first start makes it. */
export async function openKeptAuthority(options: KeptOptions): Promise<RenewableAuthority> {
  const authority = new KeptAuthority(options);
  await authority.open();
  return authority;
}

class KeptAuthority implements RenewableAuthority {
  readonly kind: AuthorityKind;
  readonly #options: KeptOptions;
  readonly #files: AuthorityFiles | undefined;
  #generations: readonly Generation[] = [];

  constructor(options: KeptOptions) {
    this.kind = options.kind;
    this.#options = options;
    this.#files = options.directory === undefined ? undefined : new AuthorityFiles(options.directory);
  }

  async open(): Promise<void> {
    await this.reload();
    if (this.#generations.length === 0) await this.#make(1, this.#options.clock.now());
  }

  signer(): Signer {
    return this.#current().signer;
  }

  trusted(): readonly Trusted[] {
    const current = this.#current();
    const now = this.#options.clock.now();
    const others = this.#generations.filter((each) => each !== current && each.signer.validTo > now);
    return [current, ...others.toReversed()].map(trustedOf);
  }

  async reload(): Promise<void> {
    if (this.#files === undefined) return;
    this.#generations = (await this.#files.read()).map(generationOf);
  }

  async renew(signsFrom: number): Promise<Trusted> {
    await this.reload();
    const now = this.#options.clock.now();
    const waiting = this.#generations.find((each) => each.signsFrom > now);
    if (waiting !== undefined) return trustedOf(waiting);
    return trustedOf(await this.#make((this.#generations.at(-1)?.number ?? 0) + 1, signsFrom));
  }

  /** The last whose turn has come; where none may sign any more or yet, one that at least some clients trust. */
  #current(): Generation {
    const now = this.#options.clock.now();
    const valid = this.#generations.filter(({ signer }) => signer.validTo > now);
    const current = valid.findLast(({ signsFrom }) => signsFrom <= now) ?? valid[0] ?? this.#generations.at(-1);
    if (current === undefined) throw new Error('the authority was not opened');
    return current;
  }

  async #make(number: number, signsFrom: number): Promise<Generation> {
    const text = this.#newText(signsFrom);
    if (this.#files === undefined) {
      const made = generationOf({ number, path: 'memory', text });
      this.#generations = [...this.#generations, made];
      return made;
    }
    await this.#files.add(number, text);
    await this.reload();
    const made = this.#generations.find((each) => each.number === number);
    if (made === undefined) throw new Error('a certificate authority vanished while it was made; start again');
    return made;
  }

  #newText(signsFrom: number): string {
    const { kind, constrain, clock } = this.#options;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = clock.now();
    const span = { from: now - skewMs, to: now + lifeMs };
    const constraints = constrain.length === 0 ? undefined : constraintsTo(constrain);
    const certificate = mintRoot(`Entrepot ${kind} CA`, privateKey, span, constraints);
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    return `${warning(kind)}\n${signsFromField}: ${new Date(signsFrom).toISOString()}\n${certificate}${key}`;
  }
}

/** A file's own words, before what is PEM in it. */
const signsFromField = 'Signs-From';

function warning(kind: AuthorityKind): string {
  const reach = kind === 'server' ? 'this server' : 'any server';
  return `Keep this secret: whoever has it can pose as ${reach} to everybody who trusts it.`;
}

function generationOf({ number, path, text }: NumberedFile): Generation {
  const [, from] = new RegExp(`^${signsFromField}: (\\S+)$`, 'm').exec(text) ?? [];
  const signsFrom = from === undefined ? 0 : Date.parse(from);
  return { number, signer: readSigner(text, text, path), signsFrom: Number.isNaN(signsFrom) ? 0 : signsFrom };
}

function trustedOf({ signer, signsFrom }: Generation): Trusted {
  return { root: signer.root, fingerprint: signer.fingerprint, validTo: signer.validTo, signsFrom };
}
