/** A volume as `registry:2` leaves it, written file for file as it writes them. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Manifest } from './images.ts';

interface Content {
  readonly digest: string;
  bytes(): Uint8Array;
}

export class RegistryVolume {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** With all that it refers to. */
  async push(repository: string, tag: string | undefined, manifest: Manifest): Promise<void> {
    for (const child of manifest.manifests) await this.push(repository, undefined, child);
    for (const blob of manifest.blobs) {
      await this.blob(blob);
      await this.link(repository, `_layers/${pathOf(blob.digest)}`, blob.digest);
    }
    await this.blob(manifest.content);
    await this.link(repository, `_manifests/revisions/${pathOf(manifest.digest)}`, manifest.digest);
    if (tag !== undefined) await this.tag(repository, tag, manifest.digest);
  }

  async tag(repository: string, tag: string, digest: string): Promise<void> {
    await this.link(repository, `_manifests/tags/${tag}/index/${pathOf(digest)}`, digest);
    await this.link(repository, `_manifests/tags/${tag}/current`, digest);
  }

  async blob(content: Content): Promise<void> {
    await this.write(dataOf(content.digest), content.bytes());
  }

  /** Of a digest, or of whatever somebody has written there. */
  async link(repository: string, place: string, text: string): Promise<void> {
    await this.write(`${repositories}/${repository}/${place}/link`, text);
  }

  /** As its garbage collection does. */
  async dropBlob(digest: string): Promise<void> {
    await rm(this.path(dirname(dataOf(digest))), { recursive: true });
  }

  /** As its API does, with the tags that point at it. */
  async dropManifest(repository: string, digest: string, tags: readonly string[]): Promise<void> {
    await rm(this.path(`${repositories}/${repository}/_manifests/revisions/${pathOf(digest)}/link`));
    for (const tag of tags) await this.dropTag(repository, tag);
  }

  async dropTag(repository: string, tag: string): Promise<void> {
    await rm(this.path(`${repositories}/${repository}/_manifests/tags/${tag}`), { recursive: true });
  }

  async write(path: string, content: string | Uint8Array): Promise<void> {
    await mkdir(dirname(this.path(path)), { recursive: true });
    await writeFile(this.path(path), content);
  }

  path(path: string): string {
    return join(this.root, path);
  }
}

export const repositories = 'docker/registry/v2/repositories';

export function dataOf(digest: string): string {
  const [algorithm, hex = ''] = digest.split(':');
  return `docker/registry/v2/blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`;
}

export function pathOf(digest: string): string {
  return digest.replace(':', '/');
}
