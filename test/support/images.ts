/**
 * Images, indexes and artifacts, byte for byte the same in every run.
 */
import { literalBlob, makeBlob } from './blobs.ts';
import type { Content } from './blobs.ts';

export { digestOf, literalBlob, makeBlob } from './blobs.ts';
export type { Content } from './blobs.ts';

/** A manifest and everything below it, so that publishing one publishes all of it. */
export interface Manifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly bytes: Buffer;
  readonly content: Content;
  readonly blobs: readonly Content[];
  readonly manifests: readonly Manifest[];
  readonly platform: string | undefined;
  readonly artifactType: string | undefined;
  readonly annotations: Record<string, string> | undefined;
  /** The digest of the manifest that this one refers to. */
  readonly subject: string | undefined;
}

export interface Image extends Manifest {
  readonly config: Content;
  readonly layers: readonly Content[];
}

export type Family = 'oci' | 'docker';

export interface ImageOptions {
  /** A size makes a new layer; content given here is shared with whoever else holds it. Default: 20,000 and 3,000 bytes. */
  readonly layers?: readonly (number | Content)[];
  readonly seed?: string | number;
  /** `os/architecture[/variant]`; default `linux/amd64`. */
  readonly platform?: string;
  readonly mediaTypes?: Family;
  readonly subject?: Manifest;
  readonly annotations?: Record<string, string>;
}

export interface ArtifactOptions {
  readonly subject?: Manifest;
  readonly artifactType?: string;
  readonly size?: number;
  readonly seed?: string | number;
  readonly annotations?: Record<string, string>;
}

/**
 * An image for one platform. Its layers are noise, not archives of files: nothing here is ever unpacked, and a client that
 * unpacks is a matter for test/interop.
 */
export function makeImage(options: ImageOptions = {}): Image {
  const { seed = 'image', platform = 'linux/amd64', mediaTypes = 'oci' } = options;
  const types = MEDIA_TYPES[mediaTypes];
  const layers = (options.layers ?? [20_000, 3_000]).map((layer, position) =>
    typeof layer === 'number' ? makeBlob(layer, `${seed}/${platform}/layer ${position}`) : layer,
  );
  const config = literalBlob(
    JSON.stringify({
      ...platformFields(platform),
      config: { Env: [`SEED=${seed}`] },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
      history: layers.map((_, position) => ({ created_by: `layer ${position}` })),
    }),
  );
  const manifest = makeManifest({
    mediaType: types.manifest,
    fields: {
      config: describe(types.config, config),
      layers: layers.map((layer) => describe(types.layer, layer)),
    },
    blobs: [config, ...layers],
    platform,
    subject: options.subject,
    annotations: options.annotations,
  });
  return { ...manifest, config, layers };
}

/** An index (`oci`) or a manifest list (`docker`) over images of several platforms. */
export function makeIndex(
  manifests: readonly Manifest[],
  kind: Family = 'oci',
  options: { readonly subject?: Manifest; readonly annotations?: Record<string, string> } = {},
): Manifest {
  return makeManifest({
    mediaType: MEDIA_TYPES[kind].index,
    fields: { manifests: manifests.map(describeManifest) },
    manifests,
    subject: options.subject,
    annotations: options.annotations,
  });
}

/** What signing and scanning tools attach to an image: a manifest with a `subject` and an `artifactType`. */
export function makeArtifact(options: ArtifactOptions = {}): Image {
  const { artifactType = 'application/vnd.example.signature', seed = 'artifact' } = options;
  const config = literalBlob('{}');
  const layers = [makeBlob(options.size ?? 500, `${seed}/${artifactType}`)];
  const manifest = makeManifest({
    mediaType: MEDIA_TYPES.oci.manifest,
    fields: {
      artifactType,
      config: describe('application/vnd.oci.empty.v1+json', config),
      layers: layers.map((layer) => describe('application/octet-stream', layer)),
    },
    blobs: [config, ...layers],
    artifactType,
    subject: options.subject,
    annotations: options.annotations,
  });
  return { ...manifest, config, layers };
}

/** The descriptor by which an index or a list of referrers names a manifest. */
export function describeManifest(manifest: Manifest): object {
  return {
    ...describe(manifest.mediaType, manifest),
    ...(manifest.platform && { platform: platformFields(manifest.platform) }),
    ...(manifest.artifactType && { artifactType: manifest.artifactType }),
    ...(manifest.artifactType && manifest.annotations && { annotations: manifest.annotations }),
  };
}

export const MEDIA_TYPES = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

interface ManifestParts {
  readonly mediaType: string;
  readonly fields: object;
  readonly blobs?: readonly Content[];
  readonly manifests?: readonly Manifest[];
  readonly platform?: string | undefined;
  readonly artifactType?: string | undefined;
  readonly subject: Manifest | undefined;
  readonly annotations: Record<string, string> | undefined;
}

/** Indented by three spaces, as Docker's tools do: whoever parses and prints it again changes its digest and is found out. */
function makeManifest(parts: ManifestParts): Manifest {
  const { mediaType, subject, annotations } = parts;
  const document = {
    schemaVersion: 2,
    mediaType,
    ...parts.fields,
    ...(subject && { subject: describe(subject.mediaType, subject) }),
    ...(annotations && { annotations }),
  };
  const content = literalBlob(JSON.stringify(document, undefined, 3));
  return {
    digest: content.digest,
    mediaType,
    size: content.size,
    bytes: content.bytes(),
    content,
    blobs: parts.blobs ?? [],
    manifests: parts.manifests ?? [],
    platform: parts.platform,
    artifactType: parts.artifactType,
    annotations,
    subject: subject?.digest,
  };
}

function describe(mediaType: string, { digest, size }: { readonly digest: string; readonly size: number }): object {
  return { mediaType, digest, size };
}

function platformFields(platform: string): object {
  const [os, architecture, variant] = platform.split('/');
  return { architecture, os, ...(variant && { variant }) };
}
