import { join } from 'node:path';
import { tag } from './catalogue.ts';
import type { Backend, ImageFacts, ManifestFacts, Publication } from './catalogue.ts';
import { LayerBuilder } from './layers.ts';
import type { Layer } from './layers.ts';
import { RegistryStorage } from './storage.ts';

interface MediaTypes {
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

const oci: MediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};
const docker: MediaTypes = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
};
const ociIndex = 'application/vnd.oci.image.index.v1+json';

/** Packed into every image that can run something. */
export const busybox = '/bin/busybox';

/** Builds images into one storage for each back end, under `directory`. */
export class ImageBuilder {
  readonly #directory: string;
  readonly #storages = new Map<Backend, RegistryStorage>();
  #big: { storage: RegistryStorage; layers: readonly Layer[] } | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async publish({ backend, repository, image }: Publication): Promise<ImageFacts> {
    const storage = this.#storage(backend);
    const layers = new LayerBuilder(storage, this.#directory);
    const system = (platform: string) => layers.system(busybox, `${backend}/${repository}`, platform);
    const put = (types: MediaTypes, platform: string, contents: readonly Layer[], as: string | undefined) =>
      putManifest({ storage, repository, types, platform, layers: contents, tag: as });
    if (image === 'pair') {
      // The arm64 image holds this machine's busybox: it is pulled, never run.
      const children = [];
      for (const platform of ['linux/amd64', 'linux/arm64']) {
        children.push(await put(oci, platform, [await system(platform)], undefined));
      }
      const index = await putIndex(storage, repository, children);
      return { root: index.digest, manifests: [index, ...children] };
    }
    const only =
      image === 'tiny'
        ? await put(docker, 'linux/amd64', [await system('linux/amd64')], tag)
        : await put(oci, 'linux/amd64', await this.#bigLayers(storage, layers), tag);
    return { root: only.digest, manifests: [only] };
  }

  #storage(backend: Backend): RegistryStorage {
    const known = this.#storages.get(backend);
    if (known !== undefined) return known;
    const made = new RegistryStorage(join(this.#directory, backend));
    this.#storages.set(backend, made);
    return made;
  }

  /** About 350 MB, built once and shared by every back end that publishes it. */
  async #bigLayers(storage: RegistryStorage, builder: LayerBuilder): Promise<readonly Layer[]> {
    if (this.#big !== undefined) {
      for (const layer of this.#big.layers) await storage.shareBlob(this.#big.storage, layer.digest);
      return this.#big.layers;
    }
    const layers = [await builder.system(busybox, 'everywhere', 'linux/amd64')];
    for (const mebibytes of [30, 60, 100, 145]) layers.push(await builder.noise(`noise-${mebibytes}`, mebibytes));
    layers.push(await builder.zeros('zeros', 64));
    this.#big = { storage, layers };
    return layers;
  }
}

interface ManifestParts {
  readonly storage: RegistryStorage;
  readonly repository: string;
  readonly types: MediaTypes;
  readonly platform: string;
  readonly layers: readonly Layer[];
  readonly tag: string | undefined;
}

interface StoredManifest extends ManifestFacts {
  readonly mediaType: string;
  readonly size: number;
}

async function putManifest({
  storage,
  repository,
  types,
  platform,
  layers,
  tag: as,
}: ManifestParts): Promise<StoredManifest> {
  const [os, architecture] = platform.split('/');
  const config = await storage.putBytes(
    json({
      architecture,
      os,
      created: '2026-01-01T00:00:00Z',
      config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
      history: layers.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'lab' })),
    }),
  );
  const manifest = await storage.putBytes(
    json({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, digest: config.digest, size: config.size },
      layers: layers.map(({ digest, size }) => ({ mediaType: types.layer, digest, size })),
    }),
  );
  const blobs = Object.fromEntries([config, ...layers].map(({ digest, size }) => [digest, size]));
  for (const digest of Object.keys(blobs)) await storage.linkBlob(repository, digest);
  await storage.linkManifest(repository, manifest.digest, as);
  return { ...manifest, platform, blobs, mediaType: types.manifest };
}

async function putIndex(
  storage: RegistryStorage,
  repository: string,
  children: readonly StoredManifest[],
): Promise<StoredManifest> {
  const manifests = children.map(({ mediaType, digest, size, platform }) => {
    const [os, architecture] = (platform ?? '').split('/');
    return { mediaType, digest, size, platform: { architecture, os } };
  });
  const index = await storage.putBytes(json({ schemaVersion: 2, mediaType: ociIndex, manifests }));
  await storage.linkManifest(repository, index.digest, tag);
  return { ...index, platform: undefined, blobs: {}, mediaType: ociIndex };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
