import type { KeyObject } from 'node:crypto';
import { createHash, createPublicKey, sign } from 'node:crypto';

/** An account's key, P-256, and what is signed with it (RFC 8555, 6.2; RFC 7515, 7.2.2). */
export class AccountKey {
  readonly #key: KeyObject;
  readonly #jwk: Readonly<Record<string, string>>;

  constructor(key: KeyObject) {
    this.#key = key;
    const { crv = '', x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' });
    // In the order that a thumbprint wants (RFC 7638, 3).
    this.#jwk = { crv, kty: 'EC', x, y };
  }

  /** @param account its URL, once there is one: until then the key itself says who signs */
  sign(url: string, nonce: string, account: string | undefined, payload: object | undefined): string {
    const who = account === undefined ? { jwk: this.#jwk } : { kid: account };
    const head = base64url(JSON.stringify({ alg: 'ES256', nonce, url, ...who }));
    // Without a payload it is a GET that says who asks (RFC 8555, 6.3).
    const body = payload === undefined ? '' : base64url(JSON.stringify(payload));
    const signature = sign('sha256', Buffer.from(`${head}.${body}`), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return JSON.stringify({ protected: head, payload: body, signature: signature.toString('base64url') });
  }

  /** What proves that a challenge was answered by who ordered (RFC 8555, 8.1). */
  authorization(token: string): string {
    const thumbprint = createHash('sha256').update(JSON.stringify(this.#jwk)).digest('base64url');
    return `${token}.${thumbprint}`;
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
