import { createHash, randomBytes } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { MEDIA_TYPES } from '../../test/support/images.ts';
import { answerWith } from './helper.ts';
import { MIB } from './statistics.ts';

export interface BigPush {
  readonly origin: string;
  readonly repository: string;
  /** In MiB. */
  readonly size: number;
}

/** A push whose last request has not been made. */
export interface Sent {
  readonly location: string;
  readonly digest: string;
  readonly ms: number;
}

export interface ManyPushes {
  readonly origin: string;
  readonly clients: number;
  readonly layers: number;
  readonly layerBytes: number;
}

export interface ManyManifests {
  readonly origin: string;
  readonly repository: string;
  readonly count: number;
  readonly clients: number;
}

const trunk = randomBytes(MIB);
const agent = new Agent({ keepAlive: true });
let serial = Date.now();

const operations = {
  /** As dockerd does: POST, one PATCH in chunked encoding. */
  async send({ origin, repository, size }: BigPush): Promise<Sent> {
    const end = Buffer.from(String((serial += 1)));
    const digest = `sha256:${hashOfTrunks(size).update(end).digest('hex')}`;
    const startedAt = performance.now();
    const started = await ask(`${origin}/v2/${repository}/blobs/uploads/`, 'POST', 202);
    const patched = await ask(started.location, 'PATCH', 202, bigBody(size, end));
    return { location: patched.location, digest, ms: performance.now() - startedAt };
  },

  /** The last request, which is empty. Resolves to how long it took, in milliseconds. */
  async finish({ location, digest }: Sent): Promise<number> {
    const startedAt = performance.now();
    await ask(withDigest(location, digest), 'PUT', 201);
    return performance.now() - startedAt;
  },

  /** Every client pushes an image of its own, as containerd does. Resolves to how long all of it took, in milliseconds. */
  async images({ origin, clients, layers, layerBytes }: ManyPushes): Promise<number> {
    const images = Array.from({ length: clients }, () => makeImage(layers, layerBytes));
    const startedAt = performance.now();
    await Promise.all(images.map((image, nth) => pushImage(`${origin}/v2/local/image-${nth}-${serial}`, image)));
    return performance.now() - startedAt;
  },

  /** Manifests of one config, each under a tag of its own. Resolves to requests a second. */
  async manifests({ origin, repository, count, clients }: ManyManifests): Promise<number> {
    const url = `${origin}/v2/${repository}`;
    const config = blobOf(Buffer.from('{}'));
    await pushBlob(url, config);
    const bodies = Array.from({ length: count }, () => manifestOf([config, config], String((serial += 1))));
    const left = bodies.entries();
    const startedAt = performance.now();
    const client = async (): Promise<void> => {
      for (const [nth, body] of left) await putManifest(url, `t${serial}-${nth}`, body);
    };
    await Promise.all(Array.from({ length: clients }, client));
    return (count * 1000) / (performance.now() - startedAt);
  },

  /** Resolves to how long the answer took, in milliseconds. */
  async page(url: string): Promise<number> {
    const startedAt = performance.now();
    await ask(url, 'GET', 200);
    return performance.now() - startedAt;
  },
};

export type PusherOperations = typeof operations;

answerWith(operations);

interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

function* bigBody(size: number, end: Buffer): Iterable<Buffer> {
  for (let sent = 0; sent < size; sent += 1) yield trunk;
  yield end;
}

const trunkHashes = new Map<number, Hash>();

/** Once for each size: a push is not to wait for its client's hash. */
function hashOfTrunks(count: number): Hash {
  const hash = trunkHashes.get(count) ?? createHash('sha256');
  if (!trunkHashes.has(count)) for (let done = 0; done < count; done += 1) hash.update(trunk);
  trunkHashes.set(count, hash);
  return hash.copy();
}

function digestOf(pieces: readonly Buffer[]): string {
  const hash: Hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}

function blobOf(bytes: Buffer): Blob {
  return { digest: digestOf([bytes]), bytes };
}

function makeImage(layers: number, layerBytes: number): readonly Blob[] {
  return Array.from({ length: layers + 1 }, (_, nth) => {
    const own = Buffer.from(`{"number":${(serial += 1)}}`);
    return blobOf(nth === 0 ? own : Buffer.concat([trunk.subarray(0, layerBytes), own]));
  });
}

function manifestOf([config, ...layers]: readonly Blob[], note: string): Buffer {
  const descriptor = (mediaType: string) => (blob: Blob | undefined) => ({
    mediaType,
    digest: blob?.digest,
    size: blob?.bytes.length,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.oci.manifest,
      config: descriptor('application/vnd.oci.image.config.v1+json')(config),
      layers: layers.map(descriptor('application/vnd.oci.image.layer.v1.tar+gzip')),
      annotations: { note },
    }),
  );
}

async function pushImage(url: string, image: readonly Blob[]): Promise<void> {
  const left = image.values();
  const three = Array.from({ length: 3 }, async () => {
    for (const blob of left) await pushBlob(url, blob);
  });
  await Promise.all(three);
  await putManifest(url, 'latest', manifestOf(image, ''));
}

async function pushBlob(url: string, { digest, bytes }: Blob): Promise<void> {
  const started = await ask(`${url}/blobs/uploads/`, 'POST', 202);
  await ask(withDigest(started.location, digest), 'PUT', 201, [bytes], { 'content-length': bytes.length });
}

async function putManifest(url: string, tag: string, body: Buffer): Promise<void> {
  const headers = { 'content-type': MEDIA_TYPES.oci.manifest, 'content-length': body.length };
  await ask(`${url}/manifests/${tag}`, 'PUT', 201, [body], headers);
}

function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
}

async function ask(
  url: string,
  method: string,
  expected: number,
  body: Iterable<Buffer> = [],
  headers: Readonly<Record<string, string | number>> = {},
): Promise<{ readonly location: string }> {
  const asking = request(url, { method, agent, headers });
  const answered = once(asking, 'response') as Promise<[IncomingMessage]>;
  answered.catch(() => {});
  for (const piece of body) if (!asking.write(piece)) await once(asking, 'drain');
  asking.end();
  const [answer] = await answered;
  const said = await text(answer);
  if (answer.statusCode !== expected) throw new Error(`${method} ${url} says ${answer.statusCode}: ${said}`);
  return { location: new URL(answer.headers.location ?? '', url).href };
}
