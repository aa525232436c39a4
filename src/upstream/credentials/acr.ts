import { readFile } from 'node:fs/promises';
import { Secret } from '../../config/secret.ts';
import type { CredentialSource, CredentialSurroundings } from '../credentials.ts';
import { jsonOf, textIn } from './provider-http.ts';
import { Remembered, usableMs } from './remembered.ts';
import type { Lent } from './remembered.ts';

const resource = 'https://management.azure.com/';
const formType = { 'content-type': 'application/x-www-form-urlencoded' };
/** A refresh token lives for three hours; this is for one that does not say. In milliseconds. */
const lifeMsDefault = 3_600_000;

/**
 * Azure: an access token of the machine's or workload's identity, exchanged at the registry for a refresh token
 * (https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md).
 */
export function acrCredentials(surroundings: CredentialSurroundings): CredentialSource {
  return new Remembered(surroundings.clock, () => lend(surroundings));
}

async function lend(surroundings: CredentialSurroundings): Promise<Lent> {
  const { http, url: registry, clock, environment } = surroundings;
  const whom = "the registry's exchange of identities";
  const tenant = environment['AZURE_TENANT_ID'];
  const form = new URLSearchParams({
    grant_type: 'access_token',
    service: registry.host,
    ...(tenant ? { tenant } : {}),
    access_token: (await identityToken(surroundings)).reveal(),
  });
  const url = new URL('/oauth2/exchange', registry).href;
  const answer = await http.ask({ method: 'POST', url, headers: formType, body: form.toString(), whom });
  const token = new Secret(textIn(jsonOf(answer, whom), 'refresh_token', whom));
  return { credential: { kind: 'refresh', token }, forMs: usableMs(lifeMs(token, clock.now())) };
}

/** From a client's secret, a workload's token (AKS), or the machine's managed identity. */
async function identityToken({ environment, http }: CredentialSurroundings): Promise<Secret> {
  const client = environment['AZURE_CLIENT_ID'];
  const proof = await clientProof(environment);
  if (client && proof !== undefined) {
    const whom = "Azure's login";
    const authority = environment['AZURE_AUTHORITY_HOST']?.replace(/\/$/, '') ?? 'https://login.microsoftonline.com';
    const form = { client_id: client, grant_type: 'client_credentials', scope: `${resource}.default`, ...proof };
    const url = `${authority}/${environment['AZURE_TENANT_ID'] ?? ''}/oauth2/v2.0/token`;
    const body = new URLSearchParams(form).toString();
    const answer = await http.ask({ method: 'POST', url, headers: formType, body, whom });
    return new Secret(textIn(jsonOf(answer, whom), 'access_token', whom));
  }
  const whom = "Azure's metadata service";
  const host = environment['AZURE_POD_IDENTITY_AUTHORITY_HOST']?.replace(/\/$/, '') ?? 'http://169.254.169.254';
  const query = new URLSearchParams({
    'api-version': '2018-02-01',
    resource,
    ...(client ? { client_id: client } : {}),
  });
  const url = `${host}/metadata/identity/oauth2/token?${query.toString()}`;
  const answer = await http.ask({ method: 'GET', url, headers: { metadata: 'true' }, whom });
  return new Secret(textIn(jsonOf(answer, whom), 'access_token', whom));
}

async function clientProof(
  environment: CredentialSurroundings['environment'],
): Promise<Readonly<Record<string, string>> | undefined> {
  const secret = environment['AZURE_CLIENT_SECRET'];
  if (secret) return { client_secret: secret };
  const file = environment['AZURE_FEDERATED_TOKEN_FILE'];
  if (!file) return undefined;
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: (await readFile(file, 'utf8')).trim(),
  };
}

/** By the `exp` of a JSON Web Token; it is only a hint when to ask again, so nothing is verified. */
function lifeMs(token: Secret, nowMs: number): number {
  const [, payload = ''] = token.reveal().split('.');
  try {
    const claims: { exp?: unknown } = Object(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    if (typeof claims.exp === 'number') return Math.max(0, claims.exp * 1000 - nowMs);
  } catch {
    // Not such a token.
  }
  return lifeMsDefault;
}
