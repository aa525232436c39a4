/** Blobs and manifests of every kind that the specification knows, with digests of either algorithm. */
import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';

export type Algorithm = 'sha256' | 'sha512';

export interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface Manifest extends Blob {
  readonly mediaType: string;
  /** What a referrers list says of it. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly subject: string | undefined;
}

/** What is pushed together: blobs first, then manifests in this order, then tags. */
export interface Content {
  readonly blobs: readonly Blob[];
  readonly manifests: readonly Manifest[];
  readonly tags: Readonly<Record<string, string>>;
}

export type Json = Readonly<Record<string, unknown>>;

export const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  undistributed: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
  artifact: 'application/vnd.example.entrepot.artifact.v1',
} as const;

export function digestOf(bytes: Buffer, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export function literal(bytes: Buffer | string, algorithm: Algorithm = 'sha256'): Blob {
  const buffer = Buffer.from(bytes);
  return { digest: digestOf(buffer, algorithm), bytes: buffer };
}

export function noise(size: number, algorithm: Algorithm = 'sha256'): Blob {
  return literal(randomBytes(size), algorithm);
}

export function describe(mediaType: string, { digest, bytes }: Blob, more: Json = {}): Json {
  return { mediaType, digest, size: bytes.length, ...more };
}

/** `fields` may say `artifactType`, `annotations`, `subject` and anything else that goes into the manifest. */
export function manifest(mediaType: string, fields: Json, algorithm: Algorithm = 'sha256'): Manifest {
  const { artifactType, annotations, subject, config } = fields;
  const content = { schemaVersion: 2, mediaType, ...fields };
  const ofConfig = (config as { readonly mediaType?: string } | undefined)?.mediaType;
  return {
    ...literal(JSON.stringify(content), algorithm),
    mediaType,
    artifactType: (artifactType as string | undefined) ?? ofConfig,
    annotations: annotations as Manifest['annotations'],
    subject: (subject as { readonly digest: string } | undefined)?.digest,
  };
}

export interface Image {
  readonly blobs: readonly [Blob, ...Blob[]];
  readonly manifest: Manifest;
}

export interface ImageOptions {
  readonly algorithm?: Algorithm;
  readonly layers?: readonly Blob[];
  /** Beside `config` and `layers`; may replace them. */
  readonly fields?: Json;
  /** In every descriptor. */
  readonly inDescriptors?: (blob: Blob) => Json;
}

export function image({
  algorithm = 'sha256',
  layers,
  fields = {},
  inDescriptors = () => ({}),
}: ImageOptions = {}): Image {
  const parts = layers ?? [
    literal(gzipSync(randomBytes(300)), algorithm),
    literal(gzipSync(randomBytes(200)), algorithm),
  ];
  const diffs = parts.map(({ digest }) => digest);
  const config = literal(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      author: randomBytes(8).toString('hex'),
      rootfs: { type: 'layers', diff_ids: diffs },
    }),
    algorithm,
  );
  const all = {
    config: describe(types.config, config, inDescriptors(config)),
    layers: parts.map((layer) => describe(types.layer, layer, inDescriptors(layer))),
    ...fields,
  };
  return { blobs: [config, ...parts], manifest: manifest(types.manifest, all, algorithm) };
}

export function artifact(fields: Json, layer: Blob = noise(500)): Image {
  const config = literal('{}');
  const all = {
    artifactType: types.artifact,
    config: describe(types.empty, config),
    layers: [describe(layer.bytes.length === 2 ? types.empty : types.artifact, layer)],
    ...fields,
  };
  return { blobs: [config, layer], manifest: manifest(types.manifest, all) };
}

export function index(manifests: readonly Manifest[], fields: Json = {}, algorithm: Algorithm = 'sha256'): Manifest {
  const platforms = ['amd64', 'arm64', 's390x'].map((architecture) => ({ os: 'linux', architecture }));
  const entries = manifests.map((each, position) =>
    describe(each.mediaType, each, { platform: platforms[position % 3] }),
  );
  return manifest(types.index, { manifests: entries, ...fields }, algorithm);
}
