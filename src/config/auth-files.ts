import { createPublicKey, createSecretKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Config } from './config.ts';
import { Secret } from './secret.ts';
import { parseHtpasswd } from './value/htpasswd.ts';
import type { Resolving } from './resolve/resolving.ts';
import type { Path } from './tree/tree.ts';
import { ValueError } from './value/value-error.ts';

/** What the files that `auth` names held when they were last read. */
export interface AuthFiles {
  /** Hashes by user; `undefined` where there is no file. */
  readonly users: ReadonlyMap<string, string> | undefined;
  readonly rootCertificates: readonly X509Certificate[];
  /** Of a set of JSON Web Keys (RFC 7517, 5). */
  readonly keys: readonly AuthKey[];
  /** What remote administration has to show; `undefined` where there is none. */
  readonly adminToken: Secret | undefined;
}

export interface AuthKey {
  /** Its name, where it has one. */
  readonly id: string | undefined;
  /** The only algorithm that it is for, where it says so. */
  readonly algorithm: string | undefined;
  readonly key: KeyObject;
}

/** Reads them; what is wrong with one becomes a problem of its key. Those that cannot be read are one already. */
export async function readAuthFiles(
  { auth, admin }: Pick<Config, 'auth' | 'admin'>,
  resolving: Resolving,
): Promise<AuthFiles> {
  const read = async <T>(file: string | undefined, key: Path, parse: (text: string) => T): Promise<T | undefined> => {
    const text = file === undefined ? undefined : await readFile(file, 'utf8').catch(() => undefined);
    try {
      return text === undefined ? undefined : parse(text);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      resolving.problem(key, `${file} ${error.message}`);
      return undefined;
    }
  };
  const adminToken = await read(admin.tokenPath, ['admin', 'tokenfile'], parseToken);
  const none: AuthFiles = { users: undefined, rootCertificates: [], keys: [], adminToken };
  if (auth.kind === 'none') return none;
  if (auth.kind === 'htpasswd')
    return { ...none, users: await read(auth.path, ['auth', 'htpasswd', 'path'], parseHtpasswd) };
  return {
    ...none,
    rootCertificates:
      (await read(auth.rootCertificatesPath, ['auth', 'token', 'rootcertbundle'], parseCertificates)) ?? [],
    keys: (await read(auth.keysPath, ['auth', 'token', 'jwks'], parseKeySet)) ?? [],
  };
}

/** A token that can be guessed is none. */
const tokenCharactersMin = 20;

function parseToken(text: string): Secret {
  const token = text.trim();
  if (/^[!-~]+$/u.test(token) && token.length >= tokenCharactersMin) return new Secret(token);
  throw new ValueError(
    `does not hold a token of ${tokenCharactersMin} characters or more, without spaces; write what \`openssl rand -hex 32\` prints`,
  );
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function parseCertificates(text: string): readonly X509Certificate[] {
  const certificates = (text.match(pemCertificate) ?? []).map((pem, at) => {
    try {
      return new X509Certificate(pem);
    } catch {
      throw new ValueError(`has a certificate that cannot be read, the ${at + 1}. one; export it again as PEM`);
    }
  });
  if (certificates.length > 0) return certificates;
  throw new ValueError('has no certificate; give PEM, from BEGIN CERTIFICATE on');
}

function parseKeySet(text: string): AuthFiles['keys'] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Said below.
  }
  const keys = isObject(parsed) ? parsed['keys'] : undefined;
  if (Array.isArray(keys) && keys.length > 0 && keys.every(isObject)) return keys.map(parseKey);
  throw new ValueError('is not a set of JSON Web Keys; write {"keys": [...]} with at least one');
}

/** A private key is as good as its public one. */
function parseKey(jwk: Readonly<Record<string, unknown>>, at: number): AuthKey {
  const { kty, k, kid, alg } = jwk;
  try {
    return {
      id: typeof kid === 'string' ? kid : undefined,
      algorithm: typeof alg === 'string' ? alg : undefined,
      key: kty === 'oct' ? createSecretKey(String(k), 'base64url') : createPublicKey({ format: 'jwk', key: jwk }),
    };
  } catch {
    throw new ValueError(`has a key that cannot be read, the ${at + 1}. one; export it again as a JSON Web Key`);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
