import { parseDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { parseRepositoryName, parseTag } from './reference.ts';
import type { Reference, RepositoryName, Tag } from './reference.ts';

/** An image as people name it; which registry has it without a `host` is not said here. */
export interface ImageName {
  /** The registry's host in lower case, with its port where one was given. */
  readonly host: string | undefined;
  readonly name: RepositoryName;
  /** `latest` where neither a tag nor a digest was given; undefined where only a digest was. */
  readonly tag: Tag | undefined;
  readonly digest: Digest | undefined;
  /** Whether a tag or a digest was written down, and not only implied. */
  readonly explicit: boolean;
}

/** Longest text that is looked at, in characters: a name, a tag and a sha512 digest fit. */
export const imageNameCharactersMax = 1024;

/**
 * Parses `[host[:port]/]name[:tag][@digest]` as Docker does: what stands before the first slash is a host only if it
 * holds a dot, a colon or an upper-case letter, or is `localhost` (the reference grammar of
 * github.com/distribution/reference).
 * @throws RegistryError `NAME_INVALID`, `TAG_INVALID` or `DIGEST_INVALID`
 */
export function parseImageName(text: string): ImageName {
  if (text.length > imageNameCharactersMax) {
    throw new RegistryError('NAME_INVALID', `an image name has at most ${imageNameCharactersMax} characters`);
  }
  const { head, digest } = splitDigest(text);
  const { path, tag } = splitTag(head);
  const { host, rest } = splitHost(path);
  if (/^[0-9a-f]{64}$/.test(rest) && host === undefined) {
    throw new RegistryError(
      'NAME_INVALID',
      `"${rest}" looks like the ID of an image; give its name, or NAME@sha256:ID`,
    );
  }
  return {
    host,
    name: parseRepositoryName(rest),
    tag: tag ?? (digest === undefined ? parseTag('latest') : undefined),
    digest,
    explicit: tag !== undefined || digest !== undefined,
  };
}

/** What is asked for: the digest where there is one, because a tag beside it says nothing more. */
export function referenceOf(image: ImageName): Reference {
  return image.digest ?? image.tag ?? parseTag('latest');
}

/** Its name with the registry in front, where that was given. */
export function repositoryPart({ host, name }: ImageName): string {
  return host === undefined ? name : `${host}/${name}`;
}

/** What follows the name: `:7`, `@sha256:...`, or both. */
export function referencePart({ tag, digest }: ImageName): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function splitDigest(text: string): { head: string; digest: Digest | undefined } {
  const at = text.indexOf('@');
  return at < 0
    ? { head: text, digest: undefined }
    : { head: text.slice(0, at), digest: parseDigest(text.slice(at + 1)) };
}

/** A colon after the last slash begins a tag; one before it belongs to the host. */
function splitTag(text: string): { path: string; tag: Tag | undefined } {
  const colon = text.lastIndexOf(':');
  if (colon <= text.lastIndexOf('/')) return { path: text, tag: undefined };
  return { path: text.slice(0, colon), tag: parseTag(text.slice(colon + 1)) };
}

const hostForm = /^(?:\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]{1,5})?$/;

function splitHost(path: string): { host: string | undefined; rest: string } {
  const slash = path.indexOf('/');
  const first = path.slice(0, Math.max(slash, 0));
  if (slash < 0 || !looksLikeHost(first)) return { host: undefined, rest: path };
  const host = first.toLowerCase();
  if (!hostForm.test(host))
    throw new RegistryError(
      'NAME_INVALID',
      `"${first.slice(0, 160)}" is not a registry host; write an image as in docker pull`,
    );
  return { host, rest: path.slice(slash + 1) };
}

function looksLikeHost(text: string): boolean {
  return text.includes('.') || text.includes(':') || text === 'localhost' || text !== text.toLowerCase();
}
