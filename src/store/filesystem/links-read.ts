import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { Dirent } from 'node:fs';
import { isDigest, isDigestAlgorithm } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { isRepositoryName, isTag } from '../../oci/reference.ts';
import type { RepositoryName, Tag } from '../../oci/reference.ts';
import { errorCode } from '../failure.ts';
import type { LinkPlace, LinkTrouble, RepositoryLinks, Told } from '../link-tree.ts';
import { layersPath, linkPath, repositoriesPath, revisionsPath, tagLinkPath, tagsPath } from './layout.ts';
import type { Layout } from './layout.ts';
import { together } from './together.ts';

/** Files of one repository that are looked at together. */
const lookedAtTogether = 8;

/**
 * Repositories lie in each other: `a/b` may be one below `a`. What begins with `_` is never part of a name. Symbolic links
 * are not followed here, since they may lead in circles; whoever asks for such a name is answered nevertheless.
 */
export async function* linkedRepositories(layout: Layout, told: Told): AsyncIterable<RepositoryName> {
  const top = repositoriesPath(layout);
  const left = [''];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const path = name === '' ? top : `${top}/${name}`;
    const entries = await entriesOf(path, told);
    if (entries.some((entry) => entry.name === '_manifests' || entry.name === '_layers')) {
      if (isRepositoryName(name)) yield name;
      else told({ path, reason: 'no repository can be called so', hides: true });
    }
    for (const entry of entries) {
      if (entry.name.startsWith('_')) continue;
      if (entry.isDirectory()) left.push(name === '' ? entry.name : `${name}/${entry.name}`);
      else told({ path: `${path}/${entry.name}`, ...whatItIs(entry) });
    }
  }
}

function whatItIs(entry: Dirent): Omit<LinkTrouble, 'path'> {
  return entry.isSymbolicLink() ? { reason: 'it is a symbolic link', hides: true } : { reason: 'it is no directory' };
}

/**
 * Of where each link lies and which file it is, as the file system tells: `ctime` moves whatever is done to a file, also
 * when a backup puts it back with its old time.
 */
export async function fingerprintOf(layout: Layout, repository: RepositoryName): Promise<string | undefined> {
  const silent: Told = () => {};
  const links = await placesOf(layout, repository, silent);
  if (links.places.length === 0) return undefined;
  const lines: string[] = [];
  await together(links.places, lookedAtTogether, async ({ path }) => {
    lines.push(`${path} ${await looks(path)}`);
  });
  const hash = createHash('sha256');
  for (const line of lines.sort()) hash.update(`${line}\n`);
  return hash.digest('base64url');
}

export async function readLinksOf(layout: Layout, repository: RepositoryName, told: Told): Promise<RepositoryLinks> {
  const links = {
    layers: new Set<Digest>(),
    manifests: new Set<Digest>(),
    tags: new Map<Tag, Digest>(),
    unclear: new Set<string>(),
  };
  const { places, whole } = await placesOf(layout, repository, told);
  let readable = whole;
  await together(places, lookedAtTogether, async (place) => {
    const { path, name } = place;
    const found = await readLink(path);
    if (found === undefined) return;
    const { text } = found;
    if (place.kind === 'tag' && isDigest(text)) links.tags.set(place.name, text);
    else if (place.kind !== 'tag' && text === name) links[place.kind].add(place.name);
    else {
      links.unclear.add(name);
      if (found.unreadable === true) readable = false;
      told({ path, reason: reasonOf(found) });
    }
  });
  return { ...links, whole: readable };
}

export async function readLinkOf(
  layout: Layout,
  repository: RepositoryName,
  place: LinkPlace,
): Promise<Digest | undefined> {
  const { text } = (await readLink(pathOf(layout, repository, place))) ?? {};
  if (text === undefined || !isDigest(text)) return undefined;
  return place.kind === 'tag' || place.digest === text ? text : undefined;
}

function pathOf(layout: Layout, repository: RepositoryName, place: LinkPlace): string {
  if (place.kind === 'tag') return tagLinkPath(tagsPath(layout, repository), place.tag);
  const directory = place.kind === 'layer' ? layersPath : revisionsPath;
  return linkPath(directory(layout, repository), place.digest);
}

/** Where a link may lie. */
type Place =
  | { readonly path: string; readonly kind: 'layers' | 'manifests'; readonly name: Digest }
  | { readonly path: string; readonly kind: 'tag'; readonly name: Tag };

interface Places {
  readonly places: readonly Place[];
  readonly whole: boolean;
}

async function placesOf(layout: Layout, repository: RepositoryName, told: Told): Promise<Places> {
  const places: Place[] = [];
  let whole = true;
  const list = async (path: string): Promise<readonly string[]> => {
    try {
      return await namesIn(path);
    } catch (error) {
      whole = false;
      told({ path, reason: `it cannot be read (${errorCode(error)})` });
      return [];
    }
  };
  for (const [kind, directory] of [
    ['layers', layersPath(layout, repository)],
    ['manifests', revisionsPath(layout, repository)],
  ] as const) {
    for (const algorithm of await list(directory)) {
      if (!isDigestAlgorithm(algorithm)) {
        told({ path: `${directory}/${algorithm}`, reason: 'it is no algorithm of digests that is known here' });
        continue;
      }
      for (const hex of await list(`${directory}/${algorithm}`)) {
        const name = `${algorithm}:${hex}`;
        if (isDigest(name)) places.push({ path: linkPath(directory, name), kind, name });
        else told({ path: `${directory}/${algorithm}/${hex}`, reason: 'it is called like no digest' });
      }
    }
  }
  const tags = tagsPath(layout, repository);
  for (const name of await list(tags)) {
    if (isTag(name)) places.push({ path: tagLinkPath(tags, name), kind: 'tag', name });
    else told({ path: `${tags}/${name}`, reason: 'no tag can be called so' });
  }
  return { places, whole };
}

/** Longer than any digest, in bytes: what somebody has put there by hand may be of any size. */
const linkBytesMax = 256;

interface Found {
  readonly text: string;
  /** Why there is no text. */
  readonly failure?: string;
  /** Some other time, or for some other user, there may be one. */
  readonly unreadable?: boolean;
}

/** What can never be read: a directory, a pipe, a circle of symbolic links. */
const noFile: ReadonlySet<string> = new Set(['EISDIR', 'ENXIO', 'ENODEV', 'ELOOP']);

/** `undefined` when there is none: that is how `registry:2` leaves a link that was deleted. */
function readLink(path: string): Promise<Found | undefined> {
  return new Promise((resolve) => {
    const end = (error: NodeJS.ErrnoException): void => {
      const failure = `it cannot be read (${error.code})`;
      resolve(isMissing(error) ? undefined : { text: '', failure, unreadable: !noFile.has(error.code ?? '') });
    };
    // What is no file, such as a pipe, must not be waited for.
    fs.open(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK, (failure, file) => {
      if (failure !== null) return end(failure);
      const buffer = Buffer.allocUnsafe(linkBytesMax);
      fs.read(file, buffer, 0, linkBytesMax, 0, (error, count) => {
        // Nothing was written to it: that waits for nothing.
        fs.closeSync(file);
        if (error === null) resolve({ text: buffer.toString('latin1', 0, count) });
        else end(error);
      });
    });
  });
}

function reasonOf({ text, failure }: Found): string {
  if (failure !== undefined) return failure;
  return text === '' ? 'it is empty' : `it says ${JSON.stringify(text.slice(0, 80))}`;
}

function looks(path: string): Promise<string> {
  return new Promise((resolve) => {
    fs.stat(path, (error, found) => {
      resolve(error === null ? `${found.ino} ${found.size} ${found.ctimeMs}` : (error.code ?? ''));
    });
  });
}

/** None where there is no such directory. */
function namesIn(path: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    fs.readdir(path, (error, names) => {
      if (error === null) resolve(names);
      else if (isMissing(error)) resolve([]);
      else reject(error);
    });
  });
}

function entriesOf(path: string, told: Told): Promise<readonly Dirent[]> {
  return new Promise((resolve) => {
    fs.readdir(path, { withFileTypes: true }, (error, entries) => {
      if (error !== null && !isMissing(error)) told({ path, reason: `it cannot be read (${error.code})`, hides: true });
      resolve(error === null ? entries : []);
    });
  });
}

function isMissing(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
