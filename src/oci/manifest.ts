import { digestOf, algorithmOf, isDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import {
  bareMediaType,
  isIndexMediaType,
  isJsonMediaType,
  isManifestMediaType,
  isSchema1MediaType,
  mediaTypes,
} from './media-types.ts';
import { excessOf } from './strict-json.ts';

/** What points at content (OCI image specification, descriptor.md). `size` is in bytes. */
export interface Descriptor {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
}

/** A descriptor inside a manifest: a blob (config, layer) or, in an index, a manifest. */
export interface ChildDescriptor extends Descriptor {
  readonly kind: 'blob' | 'manifest';
  /** `os/architecture[/variant]` where an index says so. */
  readonly platform?: string;
  /** Where else it is, for content that may not be handed on. */
  readonly urls?: readonly string[];
}

/** A manifest as it travels: what a reply needs, nothing parsed. */
export interface ManifestContent extends Descriptor {
  readonly bytes: Uint8Array;
}

/**
 * A manifest: small, always whole, always verified, kept and served byte for byte. Nothing converts it, nothing trims
 * it; what it says about other content is read once, here.
 */
export interface Manifest extends ManifestContent {
  readonly children: readonly ChildDescriptor[];
  readonly subject: Digest | undefined;
  /** The specification's `artifactType`, or the config's media type of an image manifest without one. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** The distribution specification recommends accepting at least 4 MiB ("Pushing Manifests"). */
export const manifestBytesMax = 4 * 1024 * 1024;
/** An index of more entries than this is not an image. */
export const manifestChildrenMax = 10_000;

/**
 * @param contentType what the sender declared; empty when it declared nothing
 * @throws RegistryError `MANIFEST_INVALID` when it is not a manifest of that type, `DIGEST_INVALID` when it is not the one expected
 */
export function parseManifest(bytes: Uint8Array, contentType: string, expected?: Digest): Manifest {
  if (bytes.length > manifestBytesMax) invalid(`larger than ${manifestBytesMax} bytes`);
  const digest = digestOf(bytes, expected === undefined ? 'sha256' : algorithmOf(expected));
  if (expected !== undefined && digest !== expected) {
    throw new RegistryError('DIGEST_INVALID', `the manifest's bytes have digest ${digest}, not ${expected}`);
  }
  const content = parseObject(bytes);
  const mediaType = mediaTypeOf(content, bareMediaType(contentType));
  const config = member(content, 'config');
  const children = [
    ...(config === undefined ? [] : [child(config, 'blob')]),
    ...list(content, 'layers').map((item) => child(item, 'blob')),
    ...list(content, 'blobs').map((item) => child(item, 'blob')),
    ...list(content, 'manifests').map((item) => child(item, 'manifest')),
  ];
  if (children.length > manifestChildrenMax) invalid(`more than ${manifestChildrenMax} descriptors`);
  const subject = member(content, 'subject');
  return {
    digest,
    size: bytes.length,
    mediaType,
    bytes,
    children,
    subject: subject === undefined ? undefined : descriptor(subject).digest,
    artifactType: text(content, 'artifactType') ?? (config === undefined ? undefined : text(config, 'mediaType')),
    annotations: annotationsOf(content),
  };
}

type Json = Readonly<Record<string, unknown>>;

function invalid(why: string): never {
  throw new RegistryError('MANIFEST_INVALID', `not a manifest: ${why}`);
}

function parseObject(bytes: Uint8Array): Json {
  const excess = excessOf(bytes);
  if (excess !== undefined) invalid(`its content is ${excess}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    invalid('its content is not JSON');
  }
  if (!isObject(value)) invalid('its content is not a JSON object');
  return value;
}

/** The content's own `mediaType` and the declared type must agree (image specification, manifest.md); one may be silent. */
function mediaTypeOf(content: Json, declared: string): string {
  if (content['schemaVersion'] === 1 || isSchema1MediaType(declared)) {
    invalid('schema 1 is not supported; push or pull the image as schema 2 or OCI');
  }
  if (content['schemaVersion'] !== undefined && content['schemaVersion'] !== 2) invalid('its schemaVersion is not 2');
  const own = text(content, 'mediaType');
  if (own !== undefined && !saysNothing.has(declared) && own !== declared) {
    invalid(`it says ${own} but was sent as ${declared}`);
  }
  const mediaType = own ?? (isManifestMediaType(declared) || isCustom(declared) ? declared : guess(content));
  if (!isJsonMediaType(mediaType)) invalid('its media type is none for JSON');
  const index = isIndexMediaType(mediaType);
  if (index && !Array.isArray(content['manifests'])) invalid(`${mediaType} without "manifests"`);
  const image = mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
  if (image && !(isObject(content['config']) && Array.isArray(content['layers']))) {
    invalid(`${mediaType} without "config" and "layers"`);
  }
  return mediaType;
}

/** What servers send for files that they know nothing about. */
const saysNothing: ReadonlySet<string> = new Set([
  '',
  'application/json',
  'application/octet-stream',
  'binary/octet-stream',
  'text/plain',
]);

/** A media type of somebody's own, for a manifest that says nothing about itself. */
function isCustom(declared: string): boolean {
  return /^application\/vnd\.[^\s;]+\+json$/.test(declared);
}

function guess(content: Json): string {
  if (Array.isArray(content['manifests'])) return mediaTypes.ociIndex;
  if (isObject(content['config']) && Array.isArray(content['layers'])) return mediaTypes.ociManifest;
  return invalid('it neither has nor was sent with a media type of a manifest');
}

function child(value: unknown, kind: 'blob' | 'manifest'): ChildDescriptor {
  const platform = kind === 'manifest' && isObject(value) ? platformOf(value) : undefined;
  const urls = isObject(value) ? list(value, 'urls').map(String) : [];
  return {
    ...descriptor(value),
    kind,
    ...(platform === undefined ? {} : { platform }),
    ...(urls.length === 0 ? {} : { urls }),
  };
}

function descriptor(value: unknown): Descriptor {
  if (!isObject(value)) return invalid('a descriptor is not an object');
  const { digest, size, mediaType } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) return invalid('a descriptor has no valid digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    return invalid('a descriptor has no valid size');
  return { digest, size, mediaType: typeof mediaType === 'string' ? mediaType : '' };
}

function platformOf(value: Json): string | undefined {
  const platform = member(value, 'platform');
  if (platform === undefined) return undefined;
  const parts = [text(platform, 'os'), text(platform, 'architecture'), text(platform, 'variant')];
  return parts.filter((part) => part !== undefined && part !== '').join('/');
}

function annotationsOf(content: Json): Readonly<Record<string, string>> | undefined {
  const annotations = member(content, 'annotations');
  if (annotations === undefined) return undefined;
  const entries = Object.entries(annotations).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(entries);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function member(value: Json, key: string): Json | undefined {
  const found = value[key];
  if (found === undefined || found === null) return undefined;
  return isObject(found) ? found : invalid(`"${key}" is not an object`);
}

function list(value: Json, key: string): readonly unknown[] {
  const found = value[key];
  if (found === undefined || found === null) return [];
  return Array.isArray(found) ? found : invalid(`"${key}" is not a list`);
}

function text(value: Json, key: string): string | undefined {
  const found = value[key];
  return typeof found === 'string' && found !== '' ? found : undefined;
}
