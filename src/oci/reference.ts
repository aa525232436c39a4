import { isDigest, parseDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';

/** A checked repository name, without a registry: `library/redis` (distribution specification, "Pulling manifests"). */
export type RepositoryName = string & { readonly __repositoryName: unique symbol };

/** A checked tag (same clause): at most 128 characters. */
export type Tag = string & { readonly __tag: unique symbol };

/** What a manifest is asked for by. */
export type Reference = Tag | Digest;

/** Docker's limit for a name including its registry, kept by every client: 255 characters. */
export const repositoryNameCharactersMax = 255;

const nameComponent = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagForm = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** @throws RegistryError `NAME_INVALID` */
export function parseRepositoryName(text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new RegistryError(
    'NAME_INVALID',
    `"${text.slice(0, 300)}" is not a repository name: lower-case letters, digits and single separators, components joined by "/", at most ${repositoryNameCharactersMax} characters`,
  );
}

export function isRepositoryName(text: string): text is RepositoryName {
  if (text.length === 0 || text.length > repositoryNameCharactersMax) return false;
  return text.split('/').every((component) => nameComponent.test(component));
}

/** @throws RegistryError `TAG_INVALID` */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text;
  throw new RegistryError(
    'TAG_INVALID',
    `"${text.slice(0, 160)}" is not a tag: a letter, digit or "_", then at most 127 letters, digits, ".", "_" and "-"`,
  );
}

export function isTag(text: string): text is Tag {
  return tagForm.test(text);
}

/**
 * A tag or a digest; anything with a colon is meant as a digest.
 * @throws RegistryError `DIGEST_INVALID` or `TAG_INVALID`
 */
export function parseReference(text: string): Reference {
  return text.includes(':') ? parseDigest(text) : parseTag(text);
}

export function isDigestReference(reference: Reference): reference is Digest {
  return isDigest(reference);
}
