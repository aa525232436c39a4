import { createHmac } from 'node:crypto';
import type { ProofIndex } from '../index/contract.ts';
import { isStandIn, readStandIn } from './stand-in.ts';

/** What a client showed, as what can be kept of it. */
export interface Shown {
  /** The hash of the very token or password: what proofs are remembered under. */
  readonly subject: string;
  /** The hash of the account behind it: itself for a password; for a token what it was granted for, where that was seen. */
  readonly credential: string | undefined;
  /** When it ends by itself, as far as is known. */
  readonly expiresAtMs: number;
  /** Nobody but us has granted it: it proves who somebody is, to us alone. */
  readonly isStandIn: boolean;
}

/**
 * Keyed hashes of what clients show. The key is the store's own: who finds the hashes cannot try passwords on them
 * elsewhere, nor compare them with those of another store.
 */
export class Fingerprints {
  readonly #proofs: ProofIndex;
  #key: Promise<Uint8Array> | undefined;

  constructor(proofs: ProofIndex) {
    this.#proofs = proofs;
  }

  async of(kind: 'token' | 'password' | 'refresh' | 'ticket', text: string): Promise<string> {
    this.#key ??= this.#proofs.key().catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return createHmac('sha256', await this.#key)
      .update(`${kind}\0${text}`)
      .digest('base64url');
  }

  /** Of an Authorization field that is for that upstream. */
  async shown(authorization: string, upstream: string): Promise<Shown> {
    const [, scheme = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(authorization.trim()) ?? [];
    if (scheme.toLowerCase() === 'basic') {
      const credential = await this.of('password', Buffer.from(rest, 'base64').toString());
      return { subject: credential, credential, expiresAtMs: Infinity, isStandIn: false };
    }
    const token = scheme.toLowerCase() === 'bearer' ? rest : authorization;
    const subject = await this.of('token', token);
    if (isStandIn(token)) {
      const standIn = await readStandIn(this, token, upstream);
      const { credential, expiresAtMs = 0 } = standIn ?? {};
      return { subject, credential, expiresAtMs, isStandIn: true };
    }
    const granted =
      (await this.#proofs.granted(await this.of('token', atAlone(upstream, token)))) ??
      (await this.#proofs.granted(subject));
    const expiresAtMs = Math.min(granted?.expiresAtMs ?? Infinity, expiryIn(rest));
    return { subject, credential: granted?.credential, expiresAtMs, isStandIn: false };
  }
}

/** A token of somebody whom nobody has named: what he says of it counts at that upstream, and of nobody else's tokens. */
export function atAlone(upstream: string, token: string): string {
  return `${upstream}\0${token}`;
}

/** What a token says of its own end (RFC 7519, 4.1.4), where it is one that does. It can only make its life shorter. */
function expiryIn(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const isObject = typeof claims === 'object' && claims !== null && 'exp' in claims;
    return isObject && typeof claims.exp === 'number' ? claims.exp * 1000 : Infinity;
  } catch {
    return Infinity;
  }
}
