import { readFile } from 'node:fs/promises';
import type { TlsOptions as NodeTlsOptions } from 'node:tls';
import { createSecureContext, DEFAULT_CIPHERS } from 'node:tls';
import { RegistryError } from '../oci/errors.ts';

/** A certificate with its chain, and its key: PEM as text, or files that hold it. */
export interface TlsOptions {
  readonly certificate: PemSource;
  readonly key: PemSource;
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3';
}

export type PemSource = { readonly pem: string } | { readonly path: string };

export type TlsMaterial = Pick<NodeTlsOptions, 'cert' | 'key' | 'minVersion' | 'ciphers'>;

/** Node's own list, but AES with 128 bits first: no weaker in practice, and a quarter cheaper for each byte. */
const ciphers = [...new Set(['TLS_AES_128_GCM_SHA256', ...DEFAULT_CIPHERS.split(':')])].join(':');

/**
 * Reads the files again and checks that they can be used.
 * @throws RegistryError `UNAVAILABLE` (origin `operator`), naming the file or the setting
 */
export async function readTls(options: TlsOptions): Promise<TlsMaterial> {
  const cert = await readPem(options.certificate, 'http.tls.certificate');
  const key = await readPem(options.key, 'http.tls.key');
  const material = { cert, key, minVersion: options.minimumVersion, ciphers } as const;
  try {
    createSecureContext(material);
  } catch (cause) {
    throw unusable(`http.tls: certificate and key cannot be used together (${reason(cause)})`, cause);
  }
  return material;
}

async function readPem(source: PemSource, setting: string): Promise<string> {
  if ('pem' in source) return source.pem;
  try {
    return await readFile(source.path, 'utf8');
  } catch (cause) {
    throw unusable(`${setting}: cannot read ${source.path} (${reason(cause)})`, cause);
  }
}

function unusable(what: string, cause: unknown): RegistryError {
  const message = `${what}; give PEM files of a certificate and its key that this process may read`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
