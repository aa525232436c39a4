import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { createSecureContext } from 'node:tls';
import type { PemFiles } from '../config/config.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { Identity } from './identity.ts';
import { certificateLabel, pemBlocks } from './pem.ts';

/** A certificate that somebody else made for us. */
export interface PemPair extends Identity {
  /** Milliseconds since the epoch. */
  readonly validTo: number;
  /** Whether clients believe it for that name or address. */
  covers(name: string): boolean;
}

/**
 * Reads the files and checks that they can be used.
 * @throws RegistryError `UNAVAILABLE` (origin `operator`), naming the file or the setting
 */
export async function readPemPair(
  { certificatePath, keyPath }: PemFiles,
  context: SecureContextOptions,
  setting: string,
): Promise<PemPair> {
  const cert = await readPem(certificatePath, `${setting}.certificate`);
  const key = await readPem(keyPath, `${setting}.key`);
  return pemPair(cert, key, context, setting);
}

/** @throws as `readPemPair` */
export function pemPair(cert: string, key: string, context: SecureContextOptions, setting: string): PemPair {
  try {
    const [first = ''] = pemBlocks(cert, certificateLabel);
    const certificate = new X509Certificate(first);
    return {
      cert,
      key,
      context: createSecureContext({ ...context, cert, key }),
      validTo: certificate.validToDate.getTime(),
      covers: (name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined,
    };
  } catch (cause) {
    throw unusable(`${setting}: certificate and key cannot be used together (${messageOf(cause)})`, cause);
  }
}

/** @throws as `readPemPair` */
export async function readPem(path: string, setting: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw unusable(`${setting}: cannot read ${path} (${messageOf(cause)})`, cause);
  }
}

function unusable(what: string, cause: unknown): RegistryError {
  const message = `${what}; give PEM files of a certificate and its key that this process may read`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
}
