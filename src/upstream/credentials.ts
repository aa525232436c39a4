import { createHmac, randomBytes } from 'node:crypto';
import type { UpstreamCredentials } from '../config/config.ts';
import type { Secret } from '../config/secret.ts';

/** What a request of ours proves itself with. */
export type Credential =
  /** A user name and a password: Basic, or exchanged for a token. */
  | { readonly kind: 'password'; readonly username: string; readonly password: Secret }
  /** An OAuth2 refresh token, exchanged for an access token. */
  | { readonly kind: 'refresh'; readonly token: Secret }
  /** A token that is sent as it is. */
  | { readonly kind: 'bearer'; readonly token: Secret };

/** Where the credential of one upstream comes from. It may change at any time. */
export interface CredentialSource {
  /**
   * The credential now; `undefined` when there is none for this registry.
   * @throws Error in words for the operator, without a secret
   */
  get(): Promise<Credential | undefined>;
  /** The upstream refused it: whatever was remembered is forgotten. */
  refused(): void;
}

const salt = randomBytes(32);

/** Tells credentials apart without telling what they are; good for this process only. */
export function fingerprint(credential: Credential): string {
  const parts =
    credential.kind === 'password'
      ? [credential.username, credential.password.reveal()]
      : ['', credential.token.reveal()];
  return createHmac('sha256', salt)
    .update([credential.kind, ...parts].join('\0'))
    .digest('base64url');
}

export function createCredentialSource(credentials: UpstreamCredentials): CredentialSource | undefined {
  if (credentials.kind !== 'static') return undefined;
  const { username, password } = credentials;
  return { get: async () => ({ kind: 'password', username, password }), refused: () => {} };
}
