import { createPublicKey, hash, X509Certificate } from 'node:crypto';
import type { KeyObject, webcrypto } from 'node:crypto';
import type { AuthFiles } from '../config/auth-files.ts';

/** The part of a token's header that says who signed it (RFC 7515, 4.1). */
export interface SignedBy {
  readonly alg?: string | undefined;
  readonly kid?: string | undefined;
  readonly x5c?: unknown;
  readonly jwk?: unknown;
}

interface TrustedKey {
  readonly key: KeyObject;
  readonly names: readonly string[];
  readonly algorithm: string | undefined;
}

/** Certificates between the one that signs and the root, both included. */
const chainMax = 6;
/** Keys that are tried for a token that names none. */
const triedMax = 16;

/** Whose tokens are believed: by name, by a chain of certificates to a root, or by the key itself where it is known. */
export class TrustedKeys {
  readonly #roots: readonly X509Certificate[];
  readonly #keys: readonly TrustedKey[];

  constructor({ rootCertificates, keys }: Pick<AuthFiles, 'rootCertificates' | 'keys'>) {
    this.#roots = rootCertificates;
    this.#keys = [
      ...rootCertificates.map(({ publicKey }) => ({
        key: publicKey,
        names: namesOf(publicKey),
        algorithm: undefined,
      })),
      ...keys.map(({ id, algorithm, key }) => ({
        key,
        names: [...(id === undefined ? [] : [id]), ...(key.type === 'public' ? namesOf(key) : [])],
        algorithm,
      })),
    ];
  }

  /** Keys that a token may have been signed with. None of them is the token's own say. */
  candidates({ alg, kid, x5c, jwk }: SignedBy, nowMs: number): readonly KeyObject[] {
    if (x5c !== undefined) return this.#byChain(x5c, nowMs);
    const fitting = this.#keys.filter(({ algorithm }) => algorithm === undefined || algorithm === alg);
    if (jwk !== undefined) return this.#byKey(jwk, fitting, nowMs);
    const named = kid === undefined ? fitting.slice(0, triedMax) : fitting.filter(({ names }) => names.includes(kid));
    return named.map(({ key }) => key);
  }

  #byKey(jwk: unknown, fitting: readonly TrustedKey[], nowMs: number): readonly KeyObject[] {
    const brought = publicKeyOf(jwk);
    if (brought === undefined) return [];
    const { x5c } = jwk as { readonly x5c?: unknown };
    const chained = x5c === undefined ? [] : this.#byChain(x5c, nowMs);
    return [...fitting.map(({ key }) => key), ...chained].filter((key) => key.type === 'public' && key.equals(brought));
  }

  #byChain(x5c: unknown, nowMs: number): readonly KeyObject[] {
    const chain = chainOf(x5c);
    const [leaf] = chain;
    if (leaf === undefined || !chain.every((each) => isValid(each, nowMs))) return [];
    const isLinked = chain.every((each, at) => at === 0 || isIssuedBy(chain[at - 1] ?? each, each));
    const last = chain.at(-1) ?? leaf;
    const isRooted = this.#roots.some(
      (root) => isValid(root, nowMs) && (root.fingerprint256 === last.fingerprint256 || isIssuedBy(last, root)),
    );
    return isLinked && isRooted ? [leaf.publicKey] : [];
  }
}

function chainOf(x5c: unknown): readonly X509Certificate[] {
  if (!Array.isArray(x5c) || x5c.length > chainMax) return [];
  try {
    return x5c.map((each) => new X509Certificate(Buffer.from(String(each), 'base64')));
  } catch {
    return [];
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValid({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  return validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime();
}

function publicKeyOf(jwk: unknown): KeyObject | undefined {
  try {
    return createPublicKey({ format: 'jwk', key: jwk as webcrypto.JsonWebKey });
  } catch {
    return undefined;
  }
}

/** What a token may call a key without a name: its thumbprint (RFC 7638), or libtrust's id, which many services use. */
function namesOf(key: KeyObject): readonly string[] {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' });
  const members = Object.fromEntries(
    Object.entries({ crv, e, kty, n, x, y }).filter(([, value]) => value !== undefined),
  );
  const thumbprint = hash('sha256', JSON.stringify(members), 'base64url');
  return [thumbprint, libtrustId(key.export({ format: 'der', type: 'spki' }))];
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Thirty bytes of the hash of the key, in twelve groups of four letters. */
function libtrustId(spki: Uint8Array): string {
  const bits = [...hash('sha256', spki, 'buffer').subarray(0, 30)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => base32[Number.parseInt(five, 2)]).join('');
  return (letters.match(/.{4}/g) ?? []).join(':');
}
