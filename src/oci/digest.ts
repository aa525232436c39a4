import { createHash, hash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { RegistryError } from './errors.ts';

/** A checked digest, `algorithm:hex` (OCI image specification, descriptor.md, "Digests"). */
export type Digest = string & { readonly __digest: unique symbol };

export type DigestAlgorithm = 'sha256' | 'sha512';

/** Registered algorithms and the length of their hexadecimal form, in characters. */
const hexLengths: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

const form = /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** @throws RegistryError `DIGEST_INVALID`, also for an algorithm that we cannot verify. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryError('DIGEST_INVALID', `"${text.slice(0, 160)}" is not a digest: ${whyNot(text)}`);
}

export function isDigest(text: string): text is Digest {
  return form.test(text);
}

export function isDigestAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(hexLengths, text);
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

export function hexOf(digest: Digest): string {
  return digest.slice(7);
}

/** The digest of content that is in memory whole. */
export function digestOf(content: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return digestFrom(algorithm, hash(algorithm, content, 'hex'));
}

/** A running hash for content that arrives in pieces; `digestOfHash` ends it. `copy()` forks its state. */
export function startHash(algorithm: DigestAlgorithm): Hash {
  return createHash(algorithm);
}

export function digestOfHash(algorithm: DigestAlgorithm, running: Hash): Digest {
  return digestFrom(algorithm, running.digest('hex'));
}

function digestFrom(algorithm: DigestAlgorithm, hex: string): Digest {
  return `${algorithm}:${hex}` as Digest;
}

function whyNot(text: string): string {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, Math.max(colon, 0));
  if (colon < 0) return 'expected ALGORITHM:HEX, such as sha256:e3b0c442…';
  if (!isDigestAlgorithm(algorithm)) return `algorithm "${algorithm.slice(0, 32)}" is not one of sha256, sha512`;
  return `expected ${hexLengths[algorithm]} lower-case hexadecimal characters after "${algorithm}:"`;
}
