/**
 * One upstream, one cache before it, and one blob that nobody has asked for yet: where every story of this directory
 * begins.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/observe/clock.ts';
import type { Clock } from '../../src/observe/clock.ts';
import { drain, open } from '../support/client.ts';
import type { Drained, Reading, RequestOptions } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import type { UpstreamOptions } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import type { EntrepotOptions } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { digestOf, makeBlob } from '../support/images.ts';
import type { Content } from '../support/images.ts';
import { overTime } from '../support/over-time.ts';

export const kib = 1024;
export const mib = 1024 * 1024;

export interface WorldOptions extends Omit<EntrepotOptions, 'upstreams' | 'config'> {
  /** Of the blob, in bytes; default 3 MiB and a little. */
  readonly size?: number;
  readonly upstream?: UpstreamOptions;
  /** Keys of the upstream's configuration. */
  readonly habits?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** `await using world = await World.start();` */
export class World implements AsyncDisposable {
  readonly upstream: CountingUpstream;
  readonly entrepot: Entrepot;
  readonly blob: Content;
  readonly clock: Clock;

  private constructor(upstream: CountingUpstream, entrepot: Entrepot, blob: Content, clock: Clock) {
    this.clock = clock;
    this.upstream = upstream;
    this.entrepot = entrepot;
    this.blob = blob;
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const { size = 3 * mib + 1_234, upstream: manners, habits = {}, config, ...rest } = options;
    const upstream = await CountingUpstream.start(manners);
    const blob = makeBlob(size, 'cold');
    upstream.publishBlob('library/redis', blob);
    try {
      const entrepot = await Entrepot.start({
        ...rest,
        upstreams: { 'docker.io': upstream },
        config: { ...config, upstreams: { 'docker.io': habits } },
      });
      return new World(upstream, entrepot, blob, options.clock ?? systemClock);
    } catch (error) {
      await upstream[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return urlOf(this.entrepot.origin, this.blob);
  }

  /** A client that reads everything and keeps nothing. */
  drain(options: RequestOptions = {}): Promise<Drained> {
    return drain(this.url, options);
  }

  /** A client that reads when it is told to. */
  open(options: RequestOptions = {}): Promise<Reading> {
    return open(this.url, options);
  }

  /** Bytes of the blob that left the upstream, and how many of them were different. */
  get sent(): ReturnType<CountingUpstream['blobBytes']> {
    return this.upstream.blobBytes(this.blob.digest);
  }

  /** The upstream was asked for each byte of the blob, and for none of them twice. */
  assertFetchedOnce(): void {
    const { sent, distinct } = this.sent;
    assert.deepEqual({ sent, distinct }, { sent: this.blob.size, distinct: this.blob.size }, this.upstream.summary());
  }

  /** What the store says it holds under the blob's digest is the blob; false when it holds nothing. */
  async isKept(): Promise<boolean> {
    return (await keptIn(this.entrepot.storeDirectory)).includes(this.blob.digest);
  }

  /** Resolves when the store has neither a blob nor an unfinished file. */
  async nothingKept(): Promise<void> {
    await becomes([], async () => [
      ...(await keptIn(this.entrepot.storeDirectory)),
      ...(await unfinishedIn(this.entrepot.storeDirectory)),
    ]);
  }

  /** Resolves when the blob, and nothing unfinished, is in the store. */
  async onlyKept(): Promise<void> {
    await becomes([this.blob.digest], async () => [
      ...(await keptIn(this.entrepot.storeDirectory)),
      ...(await unfinishedIn(this.entrepot.storeDirectory)),
    ]);
  }

  /** Moves the fake clock on until the work is done. */
  overTime<T>(work: Promise<T>, stepMs?: number): Promise<T> {
    if (!(this.clock instanceof FakeClock)) throw new Error('this world has a real clock');
    return overTime(this.clock, work, stepMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.entrepot[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
  }
}

export function urlOf(origin: string, { digest }: { readonly digest: string }, repository = 'library/redis'): string {
  return `${origin}/v2/${repository}/blobs/${digest}?ns=docker.io`;
}

/** The client has the whole, and it is right. */
export function assertWhole(drained: Drained, blob: Content): void {
  assert.equal(drained.status, 200);
  assert.ok(drained.complete, `the body broke off after ${drained.bytes} of ${blob.size} bytes`);
  assert.equal(drained.bytes, blob.size);
  assert.equal(drained.digest, blob.digest, 'the client has other bytes');
}

/** The client has noticed: an error, or a body that broke off before its end. */
export function assertRefused(drained: Drained): void {
  assert.ok(drained.status >= 400 || !drained.complete, `the client took ${drained.bytes} bytes for the whole`);
}

/** Bytes of the blob from `start` are these, however many they are. */
export function assertPiece(piece: Buffer, blob: Content, start = 0): void {
  const expected = Buffer.concat([...blob.slices(start, Math.min(blob.size, start + piece.length))]);
  assert.ok(piece.equals(expected), `${piece.length} bytes from ${start} are not those of the blob`);
}

/** Digests of all blobs in a store; each is read and hashed. */
export async function keptIn(root: string): Promise<readonly string[]> {
  const top = join(root, 'docker/registry/v2/blobs/sha256');
  const found = await readdir(top, { recursive: true }).catch(none);
  const kept = found.filter((path) => path.endsWith('/data')).toSorted();
  for (const path of kept) {
    const hex = path.split('/').at(-2);
    assert.equal(digestOf([await readFile(join(top, path))]), `sha256:${hex}`, 'the store holds a wrong blob');
  }
  return kept.map((path) => `sha256:${path.split('/').at(-2)}`);
}

/** Names of unfinished files in a store. */
export async function unfinishedIn(root: string): Promise<readonly string[]> {
  return (await readdir(join(root, 'entrepot/ingest')).catch(none)).toSorted();
}

const none = (): string[] => [];

/** A machine that is busy may need seconds for what is a matter of milliseconds. */
const becomesMsMax = 60_000;

/** For what the disk shows and nobody tells: looks every few milliseconds. */
export async function becomes<T>(expected: T, look: () => Promise<T>): Promise<void> {
  const until = performance.now() + becomesMsMax;
  for (;;) {
    try {
      return assert.deepEqual(await look(), expected);
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    await delay(5);
  }
}
