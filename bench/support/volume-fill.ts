/** A big volume as registry:2 leaves it, for `collection.ts`: small blobs, some of which no manifest refers to. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';

/** Of a repository: as many images, of so many layers each, and blobs that no manifest refers to. */
const images = 45;
const layersPerImage = 20;
export const loosePerRepository = 100;
export const blobsPerRepository = images * layersPerImage + loosePerRepository;

/** What clients pull: paths of manifests and of one blob of each. */
export interface FilledVolume {
  readonly paths: readonly string[];
}

/** @param root what registry calls `rootdirectory` */
export async function fillVolume(root: string, repositories: number): Promise<FilledVolume> {
  const volume = new Volume(root);
  for (let each = 0; each < repositories; each += 1) {
    volume.addRepository(`local/r${each}`);
    await setImmediate();
  }
  return volume;
}

/** One file after the other: beside a disk that is waited for, nothing is gained by many at once. */
class Volume implements FilledVolume {
  readonly paths: string[] = [];
  readonly #root: string;

  constructor(root: string) {
    this.#root = join(root, 'docker/registry/v2');
  }

  addRepository(name: string): void {
    for (let nth = 0; nth < images; nth += 1) {
      const layers = Array.from({ length: layersPerImage }, (_, layer) => this.#addLayer(name, `${nth}.${layer}`));
      this.#addManifest(name, `t${nth}`, layers);
      if (nth === 0) this.paths.push(`/v2/${name}/manifests/t0`, `/v2/${name}/blobs/${layers[0]?.digest}`);
    }
    for (let nth = 0; nth < loosePerRepository; nth += 1) this.#addLayer(name, `loose ${nth}`);
  }

  #addLayer(repository: string, what: string): { readonly digest: Digest; readonly size: number } {
    const bytes = Buffer.from(`${repository} ${what}`);
    const digest = this.#addBlob(bytes);
    this.#link(repository, `_layers/${pathOf(digest)}`, digest);
    return { digest, size: bytes.length };
  }

  #addManifest(repository: string, tag: string, layers: readonly { digest: Digest; size: number }[]): void {
    const described = layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...layer }));
    const [config, ...rest] = described;
    const content = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: rest };
    const digest = this.#addBlob(Buffer.from(JSON.stringify(content)));
    this.#link(repository, `_manifests/revisions/${pathOf(digest)}`, digest);
    this.#link(repository, `_manifests/tags/${tag}/current`, digest);
    this.#link(repository, `_manifests/tags/${tag}/index/${pathOf(digest)}`, digest);
  }

  #addBlob(bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    const [algorithm = '', hex = ''] = digest.split(':');
    this.#write(join(this.#root, 'blobs', algorithm, hex.slice(0, 2), hex), 'data', bytes);
    return digest;
  }

  #link(repository: string, path: string, digest: Digest): void {
    this.#write(join(this.#root, 'repositories', repository, path), 'link', digest);
  }

  #write(directory: string, name: string, content: string | Buffer): void {
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${directory}/${name}`, content);
  }
}

function pathOf(digest: Digest): string {
  return digest.replace(':', '/');
}
