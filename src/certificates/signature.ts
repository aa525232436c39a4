import type { KeyObject } from 'node:crypto';
import { sign } from 'node:crypto';
import { AlgorithmIdentifier } from '@peculiar/asn1-x509';

/** How a key signs: what the certificate says of it, and what Node is told. */
export interface Scheme {
  readonly algorithm: AlgorithmIdentifier;
  readonly hash: string | null;
}

/** `undefined` for a kind of key that clients do not take from a certificate authority. */
export function schemeOf(key: KeyObject): Scheme | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec') return ecSchemes[details?.namedCurve ?? ''];
  if (type === 'rsa') return rsaScheme;
  return type === 'ed25519' ? ed25519Scheme : undefined;
}

export function signed(bytes: ArrayBuffer, key: KeyObject, { hash }: Scheme): ArrayBuffer {
  const signature = sign(hash, new Uint8Array(bytes), key);
  return new Uint8Array(signature).buffer;
}

const scheme = (oid: string, hash: string | null, parameters?: ArrayBuffer): Scheme => ({
  algorithm: new AlgorithmIdentifier({ algorithm: oid, ...(parameters === undefined ? {} : { parameters }) }),
  hash,
});

/** RFC 5758, 3.2. */
const ecSchemes: Readonly<Record<string, Scheme>> = {
  prime256v1: scheme('1.2.840.10045.4.3.2', 'sha256'),
  secp384r1: scheme('1.2.840.10045.4.3.3', 'sha384'),
  secp521r1: scheme('1.2.840.10045.4.3.4', 'sha512'),
};

/** RFC 4055, 5: its parameters are NULL. */
const rsaScheme = scheme('1.2.840.113549.1.1.11', 'sha256', new Uint8Array([5, 0]).buffer);

/** RFC 8410, 3. */
const ed25519Scheme = scheme('1.3.101.112', null);
