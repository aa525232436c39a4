/**
 * Pulls an image as real clients do, request for request (their order was recorded from the real ones), verifies every
 * digest, and keeps nothing.
 */
import assert from 'node:assert/strict';
import { drain, get, head } from './client.ts';
import type { Answer, Drained, RequestOptions } from './client.ts';
import { digestOf, MEDIA_TYPES } from './images.ts';

export interface PullOptions extends Pick<RequestOptions, 'headers' | 'ca' | 'agent'> {
  /** The registry that is meant, for the `?ns=` door. */
  readonly ns?: string;
  /** Default `linux/amd64`. */
  readonly platform?: string;
}

export interface Pulled {
  /** What the reference resolved to. */
  readonly digest: string;
  /** Of the manifest of the platform: the same as `digest` where there is no index. */
  readonly manifestDigest: string;
  /** Config first, then the layers. */
  readonly blobs: readonly Drained[];
  /** Of all bodies. */
  readonly bytes: number;
  /** From the start of the pull, in milliseconds. */
  readonly totalMs: number;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

interface Document {
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

const MANIFEST_TYPES = [MEDIA_TYPES.docker, MEDIA_TYPES.oci].flatMap((family) => [family.manifest, family.index]);

/**
 * As containerd does: HEAD of the tag, GETs by digest only, `?ns=` on each, connections kept.
 *
 * @param base `http://127.0.0.1:5000`, with the prefix of a path if there is one
 * @param reference a tag or a digest
 */
export function pull(base: string, repository: string, reference: string, options: PullOptions = {}): Promise<Pulled> {
  return new Puller(base, repository, options, [...MANIFEST_TYPES, '*/*']).run(reference);
}

/** As dockerd does with its mirror: a ping first, no `ns`, a new connection for every request. */
export async function pullAsDockerd(
  base: string,
  repository: string,
  reference: string,
  options: Omit<PullOptions, 'ns' | 'agent'> = {},
): Promise<Pulled> {
  const headers = { ...options.headers, connection: 'close' };
  const ping = await get(`${base}/v2/`, { ...options, headers });
  assert.equal(ping.status, 200, 'dockerd pings /v2/ and needs 200');
  return new Puller(base, repository, { ...options, headers }, MANIFEST_TYPES).run(reference);
}

class Puller {
  readonly #root: string;
  readonly #options: PullOptions;
  readonly #accept: string;
  readonly #startedAt = performance.now();
  #manifestBytes = 0;

  constructor(base: string, repository: string, options: PullOptions, accept: readonly string[]) {
    this.#root = `${base}/v2/${repository}`;
    this.#options = options;
    this.#accept = accept.join(', ');
  }

  async run(reference: string): Promise<Pulled> {
    const digest = reference.includes(':') ? reference : await this.#resolve(reference);
    const top = await this.#manifest(digest);
    const chosen = top.manifests ? this.#choose(top.manifests) : digest;
    const manifest = top.manifests ? await this.#manifest(chosen) : top;
    const descriptors = [manifest.config, ...(manifest.layers ?? [])].filter((descriptor) => descriptor !== undefined);
    const blobs = await Promise.all(descriptors.map((descriptor) => this.#blob(descriptor)));
    return {
      digest,
      manifestDigest: chosen,
      blobs,
      bytes: blobs.reduce((sum, blob) => sum + blob.bytes, this.#manifestBytes),
      totalMs: performance.now() - this.#startedAt,
    };
  }

  async #resolve(tag: string): Promise<string> {
    const answer = await head(this.#url('manifests', tag), this.#request());
    check(answer, `HEAD of the tag ${tag}`);
    const digest = answer.headers['docker-content-digest'];
    assert.ok(typeof digest === 'string', `HEAD of the tag ${tag} has no Docker-Content-Digest`);
    assert.match(answer.headers['content-length'] ?? '', /^[1-9]\d*$/, `HEAD of the tag ${tag} has no Content-Length`);
    return digest;
  }

  async #manifest(digest: string): Promise<Document> {
    const answer = await get(this.#url('manifests', digest), this.#request());
    check(answer, `GET of the manifest ${digest}`);
    assert.equal(digestOf([answer.body]), digest, 'the manifest has other bytes than its digest says');
    this.#manifestBytes += answer.body.length;
    const document = JSON.parse(answer.body.toString()) as Document & { readonly mediaType?: string };
    assert.equal(
      answer.headers['content-type'],
      document.mediaType,
      'the Content-Type is not what the manifest says it is',
    );
    return document;
  }

  async #blob({ digest, size }: Descriptor): Promise<Drained> {
    const blob = await drain(this.#url('blobs', digest), { ...this.#options, headers: this.#options.headers ?? {} });
    assert.equal(blob.status, 200, `GET of the blob ${digest} says ${blob.status}`);
    assert.ok(blob.complete, `the blob ${digest} broke off after ${blob.bytes} of ${size} bytes`);
    assert.equal(blob.digest, digest, `the blob ${digest} has other bytes`);
    return blob;
  }

  #choose(manifests: readonly Descriptor[]): string {
    const wanted = this.#options.platform ?? 'linux/amd64';
    const named = ({ platform }: Descriptor): string =>
      platform ? [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/') : '';
    const found = manifests.find((descriptor) => named(descriptor) === wanted);
    assert.ok(found, `the index has no ${wanted}`);
    return found.digest;
  }

  #request(): RequestOptions {
    return { ...this.#options, headers: { accept: this.#accept, ...this.#options.headers } };
  }

  #url(kind: 'manifests' | 'blobs', reference: string): string {
    const { ns } = this.#options;
    return `${this.#root}/${kind}/${reference}${ns === undefined ? '' : `?ns=${encodeURIComponent(ns)}`}`;
  }
}

function check({ status, body }: Answer, what: string): void {
  assert.equal(status, 200, `${what} says ${status}: ${body.toString().slice(0, 500)}`);
}
