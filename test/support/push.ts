/**
 * Pushes content as real clients do, request for request (their order was recorded from the real ones).
 */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Content } from './blobs.ts';
import { get } from './client.ts';
import type { Answer, RequestOptions } from './client.ts';
import type { Manifest } from './images.ts';

export type PushOptions = Pick<RequestOptions, 'headers' | 'ca' | 'agent'>;

/** As dockerd does: HEAD, POST, one PATCH in chunked encoding, an empty PUT, HEAD; five blobs at once; a connection each. */
export async function pushAsDockerd(
  base: string,
  repository: string,
  tag: string,
  image: Manifest,
  options: PushOptions = {},
): Promise<Answer> {
  return pushWith({ base, repository, options }, tag, image, async (url, blob) => {
    if ((await get(`${url}/blobs/${blob.digest}`, { ...options, method: 'HEAD' })).status === 200) return;
    const started = await startUpload(url, options);
    const patch = { ...options, method: 'PATCH', headers: { ...options.headers, 'Transfer-Encoding': 'chunked' } };
    const patched = await get(started, { ...patch, body: blob.bytes() });
    assert.equal(patched.status, 202, patched.body.toString());
    const put = await get(withDigest(locationOf(url, patched), blob.digest), { ...options, method: 'PUT' });
    assert.equal(put.status, 201, put.body.toString());
    assert.equal((await get(`${url}/blobs/${blob.digest}`, { ...options, method: 'HEAD' })).status, 200);
  });
}

/** As containerd, ctr and buildx do: POST, then one PUT with everything; children by digest, the tag last. */
export async function push(
  base: string,
  repository: string,
  tag: string,
  image: Manifest,
  options: PushOptions = {},
): Promise<Answer> {
  return pushWith({ base, repository, options }, tag, image, (url, blob) => pushBlob(url, blob, options));
}

/** @param url of the repository: `http://127.0.0.1:5000/v2/app` */
export async function pushBlob(url: string, blob: Content, options: PushOptions = {}): Promise<void> {
  const started = await startUpload(url, options);
  const put = await get(withDigest(started, blob.digest), { ...options, method: 'PUT', body: blob.bytes() });
  assert.equal(put.status, 201, put.body.toString());
}

/** Where to send the bytes to. */
export async function startUpload(url: string, options: PushOptions = {}): Promise<string> {
  const answer = await get(`${url}/blobs/uploads/`, { ...options, method: 'POST' });
  assert.equal(answer.status, 202, answer.body.toString());
  return locationOf(url, answer);
}

export async function putManifest(
  url: string,
  reference: string,
  manifest: Pick<Manifest, 'bytes' | 'mediaType'>,
  options: PushOptions = {},
): Promise<Answer> {
  const headers = { ...options.headers, 'Content-Type': manifest.mediaType };
  return get(`${url}/manifests/${reference}`, { ...options, method: 'PUT', body: manifest.bytes, headers });
}

export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
}

/** Absolute, as a client resolves it (RFC 9110, 10.2.2). */
export function locationOf(url: string, answer: Answer): string {
  assert.ok(answer.headers.location, 'the answer has no Location');
  return new URL(answer.headers.location, url).href;
}

interface Destination {
  readonly base: string;
  readonly repository: string;
  readonly options: PushOptions;
}

async function pushWith(
  to: Destination,
  tag: string,
  image: Manifest,
  bring: (url: string, blob: Content) => Promise<void>,
): Promise<Answer> {
  const url = `${to.base}/v2/${to.repository}`;
  for (const child of image.manifests) await pushWith(to, child.digest, child, bring);
  for (const five of inFives(image.blobs)) await Promise.all(five.map((blob) => bring(url, blob)));
  const answer = await putManifest(url, tag, image, to.options);
  assert.equal(answer.status, 201, answer.body.toString());
  return answer;
}

function inFives<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 5) }, (_, at) => items.slice(at * 5, at * 5 + 5));
}

/** A request whose body is sent by the piece, in chunked encoding. */
export function openRequest(url: string, method: string, headers: Readonly<Record<string, string>> = {}): Sending {
  const asked = request(url, { method, agent: false, headers });
  const response = Promise.withResolvers<Answer>();
  response.promise.catch(() => {});
  asked.on('error', (error) => response.reject(error));
  asked.on('response', (incoming) => {
    const { statusCode = 0, rawHeaders } = incoming;
    buffer(incoming).then(
      (body) => response.resolve({ status: statusCode, headers: incoming.headers, rawHeaders, body }),
      response.reject,
    );
  });
  return {
    answer: response.promise,
    write: (bytes) =>
      new Promise((resolve, reject) => asked.write(bytes, (error) => (error ? reject(error) : resolve()))),
    end: () => asked.end(),
    abort: () => asked.destroy(),
  };
}

export interface Sending {
  readonly answer: Promise<Answer>;
  /** Resolves when the kernel has taken it. */
  write(bytes: Uint8Array): Promise<void>;
  end(): void;
  /** As a client does that was killed. */
  abort(): void;
}

/** How many bytes of an upload the server says it has. */
export async function receivedBytes(location: string): Promise<number> {
  const answer = await get(location);
  assert.equal(answer.status, 204, answer.body.toString());
  const match = /^0-(\d+)$/.exec(answer.headers.range ?? '');
  const last = Number(match?.[1]);
  return last === 0 ? 0 : last + 1;
}

/** Asks until it has so many. */
export async function untilReceived(location: string, bytes: number): Promise<void> {
  while ((await receivedBytes(location)) < bytes);
}
