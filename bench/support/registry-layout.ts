/**
 * Content in the layout of registry:2, written straight to the disk: ten thousand manifests in seconds.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Content, Manifest } from '../../test/support/images.ts';

export class RegistryLayout {
  readonly #root: string;

  /** @param rootDirectory what registry calls `rootdirectory` */
  constructor(rootDirectory: string) {
    this.#root = join(rootDirectory, 'docker/registry/v2');
  }

  /** Where a blob's bytes are. */
  pathOf(digest: string): string {
    return join(this.#root, 'blobs', directoryOf(digest, digest.slice(7, 9)), 'data');
  }

  async addBlob(repository: string, blob: Content): Promise<void> {
    const path = this.pathOf(blob.digest);
    await mkdir(dirname(path), { recursive: true });
    await pipeline(Readable.from(blob.slices()), createWriteStream(path));
    await this.#link(repository, `_layers/${directoryOf(blob.digest)}`, blob.digest);
  }

  /** The blobs that it refers to are not looked at: only pushes check them. */
  async addManifest(repository: string, tag: string, { digest, content }: Manifest): Promise<void> {
    const path = this.pathOf(digest);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content.bytes());
    await this.#link(repository, `_manifests/revisions/${directoryOf(digest)}`, digest);
    await this.#link(repository, `_manifests/tags/${tag}/current`, digest);
  }

  async #link(repository: string, directory: string, digest: string): Promise<void> {
    const path = join(this.#root, 'repositories', repository, directory);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'link'), digest);
  }
}

function directoryOf(digest: string, ...between: readonly string[]): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return join(algorithm, ...between, hex);
}
