import { mkdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { Link } from '../../oci/link.ts';
import { errorCode, storeFailure } from '../failure.ts';
import { fileSize } from './blob.ts';
import { makeDirectory, syncDirectory } from './directories.ts';
import type { Yard } from './ingest.ts';
import { dataPath, layersPath, linkPath, revisionsPath, tagLinkPath, tagsPath } from './layout.ts';
import type { Layout } from './layout.ts';
import { syncPath } from './sync-path.ts';
import { together } from './together.ts';

/** Files that are written together. Each waits for the disk, and who serves needs threads, too. */
const writtenTogether = 4;
/** From the blobs up. */
const kinds = ['layer', 'manifest', 'tag'] as const;

/**
 * Writes and deletes links, each whole at any moment. Whoever reads the tree meanwhile finds nothing that points at what is
 * not there: what is new is put in its place from the blobs up, what is gone is deleted from the tags down. All that is new
 * is written before any of it is synced: the file system then takes the whole of it to the disk at once.
 */
export async function writeLinks(yard: Yard, links: readonly Link[]): Promise<void> {
  const writing = new Writing(yard);
  const [held, gone] = [links.filter(isHeld), links.filter((link) => !isHeld(link))];
  try {
    await together(held, writtenTogether, (link) => writing.lay(link));
    await writing.syncLaid();
    await writing.placeContents();
    for (const kind of kinds) await together(ofKind(held, kind), writtenTogether, (link) => writing.place(link));
    for (const kind of kinds.toReversed())
      await together(ofKind(gone, kind), writtenTogether, (link) => writing.remove(link));
    await writing.syncNames();
  } catch (error) {
    throw storeFailure('writing the links of registry:2', error);
  }
}

function ofKind(links: readonly Link[], kind: Link['kind']): readonly Link[] {
  return links.filter((link) => link.kind === kind);
}

function isHeld(link: Link): boolean {
  if (link.kind === 'layer') return link.held;
  return (link.kind === 'manifest' ? link.bytes : link.digest) !== undefined;
}

class Writing {
  readonly #yard: Yard;
  /** Where files lie aside, by where they belong. */
  readonly #laid = new Map<string, string>();
  /** Of manifests, where `registry:2` looks for them: among the blobs. Several repositories may hold the same. */
  readonly #contents = new Set<string>();
  /** Whose names are not on the disk yet. */
  readonly #changed = new Set<string>();

  constructor(yard: Yard) {
    this.#yard = yard;
  }

  /** Writes what is to be put in its place. */
  async lay(link: Link): Promise<void> {
    const { layout } = this.#yard;
    if (link.kind === 'manifest' && link.bytes !== undefined) {
      const path = dataPath(layout, link.digest);
      if (!this.#contents.has(path)) {
        this.#contents.add(path);
        if ((await fileSize(path)) !== link.bytes.length) await this.#layFile(path, link.bytes);
      }
    }
    for (const path of linksOf(layout, link)) await this.#layFile(path, link.digest ?? '');
  }

  async syncLaid(): Promise<void> {
    await together(this.#laid.values(), writtenTogether, (path) => syncPath(path, 'data'));
  }

  async placeContents(): Promise<void> {
    await together(this.#contents, writtenTogether, (path) => this.#placeFile(path));
  }

  async place(link: Link): Promise<void> {
    for (const path of linksOf(this.#yard.layout, link)) await this.#placeFile(path);
  }

  async remove(link: Link): Promise<void> {
    const { layout } = this.#yard;
    if (link.kind === 'tag') {
      const tags = tagsPath(layout, link.repository);
      await rm(`${tags}/${link.tag}`, { recursive: true, force: true });
      this.#changed.add(tags);
      return;
    }
    const place = link.kind === 'layer' ? layersPath : revisionsPath;
    const path = linkPath(place(layout, link.repository), link.digest);
    await unlink(path).catch(unlessMissing);
    // What else lies there, such as signatures of old images, stays, and the directory with it.
    await rmdir(dirname(path)).catch(() => this.#changed.add(dirname(path)));
    this.#changed.add(dirname(dirname(path)));
  }

  async syncNames(): Promise<void> {
    await together(this.#changed, writtenTogether, (path) => syncDirectory(path).catch(unlessMissing));
  }

  async #layFile(path: string, content: string | Uint8Array): Promise<void> {
    const { layout, directories } = this.#yard;
    // The same file has the same name here whenever it is written: what a crash leaves behind is written over.
    const aside = `${layout.aside}/${hexOf(digestOf(path))}`;
    await directories.within(layout.aside, 0o700, () => writeFile(aside, content, { mode: 0o644 }));
    this.#laid.set(path, aside);
  }

  async #placeFile(path: string): Promise<void> {
    const aside = this.#laid.get(path);
    if (aside === undefined) return;
    await this.#makeDirectories(dirname(path));
    await rename(aside, path);
    this.#changed.add(dirname(path));
  }

  /** Mostly all but the last one is there. */
  async #makeDirectories(path: string): Promise<void> {
    try {
      if (await makeDirectory(path)) this.#changed.add(dirname(path));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      const first = await mkdir(path, { recursive: true });
      if (first === undefined) return;
      for (let made = path; made.length >= first.length; made = dirname(made)) this.#changed.add(dirname(made));
    }
  }
}

/** The files that a link consists of, in the order of their making. */
function linksOf(layout: Layout, link: Link): readonly string[] {
  const { repository, digest } = link;
  if (digest === undefined) return [];
  if (link.kind === 'layer') return [linkPath(layersPath(layout, repository), digest)];
  if (link.kind === 'manifest') return [linkPath(revisionsPath(layout, repository), digest)];
  const tags = tagsPath(layout, repository);
  return [linkPath(`${tags}/${link.tag}/index`, digest), tagLinkPath(tags, link.tag)];
}

function unlessMissing(error: unknown): void {
  const code = errorCode(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
}
