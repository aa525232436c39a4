/** Repositories, manifests and blobs small enough to count by hand. */
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import type { Descriptor, Manifest } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { parseRepositoryName, parseTag } from '../../src/oci/reference.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';
import { parseUploadId } from '../../src/oci/upload.ts';
import type { Index, Lease, ManifestPush } from '../../src/index/contract.ts';

export const redis = repository('docker.io', 'library/redis');
export const etcd = repository('quay.io', 'coreos/etcd');
/** Hosted here. */
export const app = repository(undefined, 'app');

export function repository(upstream: string | undefined, name: string): RepositoryKey {
  return { upstream, name: parseRepositoryName(name) };
}

export function displayOf(key: RepositoryKey): string {
  return key.upstream === undefined ? key.name : `${key.upstream}/${key.name}`;
}

export const latest: Tag = parseTag('latest');

export function tag(text: string): Tag {
  return parseTag(text);
}

/** Its size is in its name: `blob('config', 3)`. */
export function blob(name: string, size: number): Descriptor {
  return { digest: digestOf(`${name} of ${size}`), size, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' };
}

export interface Extras {
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
}

/** An image whose first blob is its config. */
export function image(blobs: readonly Descriptor[], extras: Extras = {}): Manifest {
  const [config, ...layers] = blobs;
  return manifest({ mediaType: mediaTypes.ociManifest, config, layers, ...extras });
}

export function imageIndex(manifests: readonly Descriptor[], extras: Extras = {}): Manifest {
  return manifest({ mediaType: mediaTypes.ociIndex, manifests: manifests.map(descriptorOf), ...extras });
}

function manifest(fields: { readonly subject?: Descriptor } & Readonly<Record<string, unknown>>): Manifest {
  const subject = fields.subject === undefined ? {} : { subject: descriptorOf(fields.subject) };
  return parseManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, ...fields, ...subject })), '');
}

function descriptorOf({ digest, size, mediaType }: Descriptor): Descriptor {
  return { digest, size, mediaType };
}

/** As after a download: under a lease of its own. */
export async function store(index: Index, content: Descriptor, atMs: number): Promise<void> {
  const lease = await takeLease(index, `download:${content.digest}`, atMs);
  if (!(await index.blobs.store(content.digest, content.size, lease, atMs))) throw new Error('the lease is stale');
  await index.leases.release(lease, '');
}

export async function takeLease(index: Index, key: string, nowMs: number): Promise<Lease> {
  const lease = await index.leases.acquire(key, 'tester', 1_000, nowMs);
  if (lease === undefined) throw new Error(`${key} is leased already`);
  return lease;
}

/** Everything that a manifest needs: itself and its blobs. */
export async function hold(index: Index, key: RepositoryKey, held: Manifest, atMs: number): Promise<void> {
  await index.manifests.put(key, held, atMs);
  for (const child of held.children) if (child.kind === 'blob') await store(index, child, atMs);
}

export function digests(contents: readonly Descriptor[]): readonly Digest[] {
  return contents.map(({ digest }) => digest).sort();
}

export const upload = parseUploadId('0b6ad5dc-2f1b-4a52-9b1e-7a4f0a8d6d3e');

export const plain: ManifestPush = { tags: [], isImmutable: () => false, sparse: false, atMs: 5 };

/** As after an upload. */
export async function addBlob(
  index: Index,
  key: RepositoryKey,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  atMs = 1,
): Promise<void> {
  const lease = await takeLease(index, `settle:${digest}`, 0);
  if (!(await index.hosted.addBlob(key, { digest, size, upload }, lease, atMs))) throw new Error('the lease is stale');
  await index.leases.release(lease, '');
}
