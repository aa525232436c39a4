import { mkdir, open, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Link } from '../../oci/link.ts';
import { errorCode, storeFailure } from '../failure.ts';
import { fileSize } from './blob.ts';
import { syncDirectory } from './directories.ts';
import type { Yard } from './ingest.ts';
import { dataPath, layersPath, linkPath, revisionsPath, tagLinkPath, tagsPath } from './layout.ts';
import { together } from './together.ts';

/** Files that are written together. Each waits for the disk, and who serves needs threads, too. */
const writtenTogether = 4;

/**
 * Writes and deletes links, each whole at any moment. Whoever reads the tree meanwhile finds nothing that points at what is
 * not there: what is new is written from the blobs up, what is gone is deleted from the tags down.
 */
export async function writeLinks(yard: Yard, links: readonly Link[]): Promise<void> {
  const writing = new Writing(yard);
  try {
    for (const step of steps) {
      const due = links.filter((link) => step.when === isHeld(link) && step.kind === link.kind);
      await together(due, writtenTogether, (link) => (step.when ? writing.put(link) : writing.remove(link)));
    }
    await writing.sync();
  } catch (error) {
    throw storeFailure('writing the links of registry:2', error);
  }
}

const kinds = ['layer', 'manifest', 'tag'] as const;
const steps = [
  ...kinds.map((kind) => ({ kind, when: true })),
  ...kinds.toReversed().map((kind) => ({ kind, when: false })),
];

function isHeld(link: Link): boolean {
  if (link.kind === 'layer') return link.held;
  return (link.kind === 'manifest' ? link.bytes : link.digest) !== undefined;
}

class Writing {
  readonly #yard: Yard;
  /** Whose names are not on the disk yet. */
  readonly #changed = new Set<string>();
  /** Several repositories may hold the same manifest: its bytes are written once. */
  readonly #contents = new Map<Digest, Promise<void>>();

  constructor(yard: Yard) {
    this.#yard = yard;
  }

  async put(link: Link): Promise<void> {
    const { layout } = this.#yard;
    if (link.kind === 'layer')
      return this.#write(linkPath(layersPath(layout, link.repository), link.digest), link.digest);
    if (link.digest === undefined) return;
    if (link.kind === 'manifest') {
      await this.#contentOnce(link.digest, link.bytes);
      return this.#write(linkPath(revisionsPath(layout, link.repository), link.digest), link.digest);
    }
    const tags = tagsPath(layout, link.repository);
    await this.#write(linkPath(`${tags}/${link.tag}/index`, link.digest), link.digest);
    await this.#write(tagLinkPath(tags, link.tag), link.digest);
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

  async sync(): Promise<void> {
    await together(this.#changed, writtenTogether, (path) => syncDirectory(path).catch(unlessMissing));
  }

  #contentOnce(digest: Digest, bytes: Uint8Array | undefined): Promise<void> {
    const running = this.#contents.get(digest) ?? this.#writeContent(digest, bytes);
    this.#contents.set(digest, running);
    return running;
  }

  /** Where `registry:2` looks for manifests: among the blobs. */
  async #writeContent(digest: Digest, bytes: Uint8Array | undefined): Promise<void> {
    const path = dataPath(this.#yard.layout, digest);
    if (bytes !== undefined && (await fileSize(path)) !== bytes.length) await this.#write(path, bytes);
  }

  async #write(path: string, content: string | Uint8Array): Promise<void> {
    const { layout, directories } = this.#yard;
    // The same file has the same name here whenever it is written: what a crash leaves behind is written over.
    const aside = `${layout.aside}/${hexOf(digestOf(path))}`;
    await directories.within(layout.aside, 0o700, () => writeDurably(aside, content));
    try {
      await rename(aside, path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      await this.#makeDirectories(dirname(path));
      await rename(aside, path);
    }
    this.#changed.add(dirname(path));
  }

  async #makeDirectories(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) this.#changed.add(dirname(made));
  }
}

async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  await using file = await open(path, 'w', 0o644);
  await file.writeFile(content);
  await file.sync();
}

function unlessMissing(error: unknown): void {
  const code = errorCode(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
}
