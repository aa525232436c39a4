import { sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Secret } from '../../config/secret.ts';
import type { CredentialSource, CredentialSurroundings } from '../credentials.ts';
import { jsonOf, secondsIn, textIn } from './provider-http.ts';
import type { ProviderAnswer } from './provider-http.ts';
import { Remembered, usableMs } from './remembered.ts';
import type { Lent } from './remembered.ts';

const scope = 'https://www.googleapis.com/auth/cloud-platform.read-only';
const tokenUrl = 'https://oauth2.googleapis.com/token';
const lifeSecondsDefault = 300;
const assertionSeconds = 3600;

/**
 * Google: an access token as the password of `oauth2accesstoken`
 * (https://cloud.google.com/artifact-registry/docs/docker/authentication#token), from the service account's key that
 * GOOGLE_APPLICATION_CREDENTIALS names, or from the machine's metadata.
 */
export function gcrCredentials(surroundings: CredentialSurroundings): CredentialSource {
  return new Remembered(surroundings.clock, async () => {
    const file = surroundings.environment['GOOGLE_APPLICATION_CREDENTIALS'];
    return file ? await fromKeyFile(file, surroundings) : await fromMetadata(surroundings);
  });
}

async function fromMetadata({ environment, http }: CredentialSurroundings): Promise<Lent> {
  const whom = "Google's metadata service";
  const host = environment['GCE_METADATA_HOST'] ?? 'metadata.google.internal';
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
  return lent(await http.ask({ method: 'GET', url, headers: { 'metadata-flavor': 'Google' }, whom }), whom);
}

/** RFC 7523: a signed assertion for an access token. */
async function fromKeyFile(path: string, { clock, http }: CredentialSurroundings): Promise<Lent> {
  const whom = "Google's token service";
  const key = jsonOf({ status: 200, text: await readFile(path, 'utf8') }, path);
  const url = typeof key['token_uri'] === 'string' ? key['token_uri'] : tokenUrl;
  const now = Math.floor(clock.now() / 1000);
  const claims = { iss: textIn(key, 'client_email', path), scope, aud: url, iat: now, exp: now + assertionSeconds };
  const text = [{ alg: 'RS256', typ: 'JWT' }, claims].map(encoded).join('.');
  const signature = sign('sha256', Buffer.from(text), textIn(key, 'private_key', path)).toString('base64url');
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${text}.${signature}`,
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return lent(await http.ask({ method: 'POST', url, headers, body: form.toString(), whom }), whom);
}

function lent(answer: ProviderAnswer, whom: string): Lent {
  const fields = jsonOf(answer, whom);
  const password = new Secret(textIn(fields, 'access_token', whom));
  return {
    credential: { kind: 'password', username: 'oauth2accesstoken', password },
    forMs: usableMs(secondsIn(fields, 'expires_in', lifeSecondsDefault) * 1000),
  };
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
