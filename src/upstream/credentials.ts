import { createHmac, randomBytes } from 'node:crypto';
import type { UpstreamCredentials } from '../config/config.ts';
import type { Secret } from '../config/secret.ts';
import type { Clock } from '../observe/clock.ts';
import { commandCredentials } from './credentials/command.ts';
import { acrCredentials } from './credentials/acr.ts';
import { dockerConfigCredentials } from './credentials/docker-config.ts';
import { ecrCredentials } from './credentials/ecr.ts';
import { gcrCredentials } from './credentials/gcr.ts';
import { helperCredentials } from './credentials/helper.ts';
import { passwordFileCredentials } from './credentials/password-file.ts';
import type { ProviderHttp } from './credentials/provider-http.ts';

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
  /** The upstream refused it: what was remembered for long enough is asked for anew. */
  refused(): void;
}

export interface CredentialSurroundings {
  /** The upstream's URL: what it is asked for by. */
  readonly url: URL;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For the clouds' own services. */
  readonly http: ProviderHttp;
}

/** @returns `undefined` when the configuration has no credentials */
export function createCredentialSource(
  credentials: UpstreamCredentials,
  surroundings: CredentialSurroundings,
): CredentialSource | undefined {
  switch (credentials.kind) {
    case 'none':
      return undefined;
    case 'static':
      return staticCredentials(credentials);
    case 'passwordFile':
      return passwordFileCredentials(credentials.path, credentials.username);
    case 'dockerConfig':
      return dockerConfigCredentials(credentials.path, surroundings);
    case 'helper':
      return helperCredentials(credentials.name, surroundings);
    case 'command':
      return commandCredentials(credentials, surroundings);
    case 'provider':
      return providers[credentials.provider](surroundings);
  }
}

const providers = { ecr: ecrCredentials, gcr: gcrCredentials, acr: acrCredentials };

function staticCredentials({ username, password }: { username: string; password: Secret }): CredentialSource {
  return { get: async () => ({ kind: 'password', username, password }), refused: () => {} };
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
