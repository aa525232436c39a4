import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ManifestContent } from '../../oci/manifest.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import { tarOf } from './tar.ts';

/**
 * An image that exists nowhere else: whoever pulls it has come here. All of it follows from its name, so every process
 * has it, and nothing is kept of it. Docker Hub gives nobody a name with a hyphen in it: there, it can never be somebody's.
 */
export interface ProbeImage {
  readonly tagged: ManifestContent;
  readonly manifests: ReadonlyMap<string, ManifestContent>;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

export const probeTag = 'latest';

const probeName = /^entrepot-probe\/[0-9a-f]{32}$/;

export function isProbeName(name: string): boolean {
  return probeName.test(name);
}

/** Known to whoever made it alone, until the pull: it is also the right to ask what became of it. */
export function newProbeName(): string {
  return `entrepot-probe/${randomBytes(16).toString('hex')}`;
}

/** Of every machine that might ask; nothing in it is ever run. */
const platforms = ['amd64', 'arm64', 'arm/v7', 'arm/v6', '386', 'ppc64le', 's390x', 'riscv64', 'loong64'] as const;

export function probeImage(name: string): ProbeImage {
  const tar = tarOf('entrepot-probe', `${name}\n`);
  // Stored, not compressed: the same bytes from every version of the library.
  const layer = gzipSync(tar, { level: 0 });
  const blobs = new Map<Digest, Uint8Array>([[digestOf(layer), layer]]);
  const manifests = new Map<Digest, ManifestContent>();
  const entries = platforms.map((platform) => {
    const [architecture = '', variant] = platform.split('/');
    const where = { architecture, ...(variant === undefined ? {} : { variant }), os: 'linux' };
    const config = json({ ...where, config: { Labels: { probe: name } }, rootfs: rootfsOf(tar) });
    blobs.set(digestOf(config), config);
    const manifest = manifestOf(config, layer);
    manifests.set(manifest.digest, manifest);
    return { ...describe(mediaTypes.ociManifest, manifest.bytes), platform: where };
  });
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries };
  const tagged = contentOf(mediaTypes.ociIndex, index);
  return { tagged, manifests: manifests.set(tagged.digest, tagged), blobs };
}

function rootfsOf(tar: Uint8Array): object {
  return { type: 'layers', diff_ids: [digestOf(tar)] };
}

function manifestOf(config: Uint8Array, layer: Uint8Array): ManifestContent {
  return contentOf(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describe('application/vnd.oci.image.config.v1+json', config),
    layers: [describe('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
  });
}

function contentOf(mediaType: string, value: object): ManifestContent {
  const bytes = json(value);
  return { bytes, ...describe(mediaType, bytes) };
}

function describe(mediaType: string, bytes: Uint8Array) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
