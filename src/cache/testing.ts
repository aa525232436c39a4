import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { makeBlob } from '../../test/support/blobs.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Extent } from '../bytes/extents.ts';
import { Growth } from '../bytes/growth.ts';
import type { Lease, LeaseIndex, LeaseView } from '../index/contract.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import type { BlobRequest, BlobSink, UpstreamRepository } from '../upstream/contract.ts';
import { piecesFromBytes } from './claims.ts';
import type { Target } from './intake.ts';
import { Transfer } from './transfer.ts';
import { Sources } from './sources.ts';
import type { Source } from './sources.ts';

/** For this room's tests: how an upstream answers one request for a blob. */
export interface Manners {
  /** It does not have it. */
  readonly absent?: boolean;
  /** It refuses before it sends anything. */
  readonly refuses?: Error;
  /** The connection breaks after so many bytes of the answer. */
  readonly breaksAfter?: number;
  /** The answer ends in good order after so many bytes. */
  readonly endsAfter?: number;
  /** It never answers. */
  readonly hangs?: boolean;
  readonly ignoresRange?: boolean;
  readonly hidesSize?: boolean;
  readonly content?: Uint8Array;
  readonly etag?: string;
  /** How many bytes arrive at once. */
  readonly chunkBytes?: number;
}

/** A blob of an upstream that behaves as the test says, request by request. */
export class PlayUpstream {
  readonly requests: BlobRequest[] = [];
  /** Bytes that were given to sinks, over all requests. */
  sentBytes = 0;
  /** Requests that are being answered. */
  running = 0;
  runningMost = 0;
  readonly #content: Uint8Array;
  readonly #manners: (nth: number, request: BlobRequest) => Manners;

  /** @param manners by the number of the request, counted from 0 */
  constructor(content: Uint8Array, manners: (nth: number, request: BlobRequest) => Manners = () => ({})) {
    this.#content = content;
    this.#manners = manners;
  }

  source(ranges = 4, upstream = 'play.example'): Source {
    const unplayed = async (): Promise<never> => {
      throw new Error('nobody asks for that here');
    };
    const repository: UpstreamRepository = {
      isAiling: false,
      prove: async () => undefined,
      resolve: unplayed,
      manifest: unplayed,
      blobSize: unplayed,
      tags: unplayed,
      referrers: unplayed,
      blob: (_digest: Digest, request, sink) => this.#answer(request, sink),
    };
    const key = { upstream, name: parseRepositoryName('a') };
    return { key, repository, identity: 'own', ranges };
  }

  /** What was asked for, as `start-end`. */
  get asked(): readonly string[] {
    return this.requests.map(({ start, end }) => `${start}-${end ?? ''}`);
  }

  async #answer(request: BlobRequest, sink: BlobSink): Promise<boolean> {
    const manners = this.#manners(this.requests.length, request);
    this.requests.push(request);
    this.running += 1;
    this.runningMost = Math.max(this.runningMost, this.running);
    try {
      await nextTurn();
      if (manners.refuses !== undefined) throw manners.refuses;
      if (manners.hangs === true && !request.signal.aborted) await once(request.signal, 'abort');
      request.signal.throwIfAborted();
      return manners.absent === true ? false : await this.#send(request, sink, manners);
    } finally {
      this.running -= 1;
    }
  }

  async #send(request: BlobRequest, sink: BlobSink, manners: Manners): Promise<boolean> {
    const content = manners.content ?? this.#content;
    const ranged = request.start > 0 || request.end !== undefined;
    const honoured = ranged && manners.ignoresRange !== true;
    if (honoured && request.start >= content.length) {
      throw new RegistryError('UPSTREAM_FAILED', 'Range Not Satisfiable', { upstreamStatus: 416 });
    }
    const [start, end] = honoured ? [request.start, request.end ?? content.length] : [0, content.length];
    const size = manners.hidesSize === true ? undefined : content.length;
    const ranges = manners.ignoresRange !== true;
    if (!sink.head({ start, size, etag: manners.etag, ranges })) return true;
    const body = content.subarray(start, end);
    const last = Math.min(manners.endsAfter ?? Infinity, manners.breaksAfter ?? Infinity, body.length);
    const step = manners.chunkBytes ?? Math.max(64 * 1024, content.length >> 7);
    for (let position = 0; position < last; position += step) {
      await nextTurn();
      request.signal.throwIfAborted();
      const chunk = body.slice(position, Math.min(position + step, last));
      this.sentBytes += chunk.length;
      if (!(await sink.data(chunk))) return true;
    }
    if (manners.breaksAfter !== undefined && manners.breaksAfter <= body.length) {
      throw new RegistryError('UPSTREAM_FAILED', 'the connection broke');
    }
    return true;
  }
}

/** Leases in memory, for one test. */
export class PlayLeases implements LeaseIndex {
  readonly views = new Map<string, LeaseView>();
  acquired = 0;

  async acquire(key: string, holder: string, ttlMs: number, nowMs: number): Promise<Lease | undefined> {
    const view = this.views.get(key);
    if (view !== undefined && view.expiresAtMs > nowMs) return undefined;
    const lease = { key, holder, epoch: (view?.epoch ?? 0) + 1 };
    this.views.set(key, { ...lease, state: '', expiresAtMs: nowMs + ttlMs });
    this.acquired += 1;
    return lease;
  }

  async renew(lease: Lease, state: string, ttlMs: number, nowMs: number): Promise<boolean> {
    if (this.views.get(lease.key)?.epoch !== lease.epoch) return false;
    this.views.set(lease.key, { ...lease, state, expiresAtMs: nowMs + ttlMs });
    return true;
  }

  async release(lease: Lease, state: string): Promise<void> {
    if (this.views.get(lease.key)?.epoch !== lease.epoch) return;
    this.views.set(lease.key, { ...lease, state, expiresAtMs: 0 });
  }

  async forget(lease: Lease): Promise<void> {
    if (this.views.get(lease.key)?.epoch === lease.epoch) this.views.delete(lease.key);
  }

  async peek(key: string): Promise<LeaseView | undefined> {
    return this.views.get(key);
  }

  async list(prefix: string): Promise<readonly LeaseView[]> {
    return [...this.views.values()].filter(({ key, expiresAtMs }) => key.startsWith(prefix) && expiresAtMs > 0);
  }

  async prune(): Promise<void> {}
}

/** How much time the clock may be moved before the test is considered stuck, in milliseconds. */
const patienceMs = 120_000;

/** Moves time on until the work is done. */
export async function overTime<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  const state = { done: false };
  const done = work.finally(() => {
    state.done = true;
  });
  done.catch(() => {});
  for (let ms = 0; !state.done; ms += 50) {
    if (ms > patienceMs) throw new Error(`not done after ${patienceMs} ms`);
    await clock.advance(50);
  }
  return done;
}

/** A place in memory, in which no byte is ever written twice. */
export class Place implements Target {
  readonly growth: Growth;
  readonly bytes: Buffer;
  failure: Error | undefined;

  constructor(bytes: number, size: number, there: readonly Extent[], onDemand: () => void, clock: FakeClock) {
    this.bytes = Buffer.alloc(bytes);
    this.growth = new Growth(size, there, onDemand, clock);
  }

  async write(chunk: Uint8Array, position: number): Promise<void> {
    await nextTurn();
    if (this.failure !== undefined) throw this.failure;
    const gap = this.growth.extents.gapFrom(position, position + chunk.length);
    assert.deepEqual(gap, { start: position, end: position + chunk.length }, 'it overwrites what is there');
    this.bytes.set(chunk, position);
    this.growth.add(position, position + chunk.length);
  }

  endAt(size: number): void {
    this.growth.endAt(size);
  }
}

/** A transfer of a blob of an upstream that plays, into a place in memory. */
export interface TransferStage {
  readonly transfer: Transfer;
  readonly clock: FakeClock;
  readonly upstream: PlayUpstream;
  readonly sources: Sources;
  readonly place: () => Place;
  /** Resolves to how it ended, over as much time as it takes. */
  readonly run: () => Promise<'complete' | 'absent'>;
}

/** A blob that is fetched in one piece, and one that is not. */
export const small: Buffer = makeBlob(300_000, 'small').bytes();
export const big: Buffer = makeBlob(5 * piecesFromBytes + 12_345, 'big').bytes();

export interface TransferSetting {
  readonly content?: Buffer;
  readonly manners?: (nth: number) => Manners;
  readonly ranges?: number;
  /** What a manifest says; `undefined` for nothing. Default: the truth. */
  readonly expected?: number | undefined;
  readonly left?: readonly Extent[];
}

export function transferStage(setting: TransferSetting = {}): TransferStage {
  const content = setting.content ?? small;
  const clock = new FakeClock();
  const upstream = new PlayUpstream(content, setting.manners);
  const expected = 'expected' in setting ? setting.expected : content.length;
  const pump = (): void => transfer.pump();
  let place =
    setting.left === undefined ? undefined : new Place(content.length, content.length, setting.left, pump, clock);
  for (const { start, end } of setting.left ?? []) place?.bytes.set(content.subarray(start, end), start);
  const begin = async (size: number | undefined): Promise<Target> => {
    await nextTurn();
    place = new Place(content.length, size ?? Infinity, [], pump, clock);
    return place;
  };
  const sources = new Sources(upstream.source(setting.ranges ?? 4));
  const transfer: Transfer = new Transfer(digestOf(content), sources, expected, place, begin, clock);
  const begun = (): Place => place ?? assert.fail('it has not begun');
  return { transfer, clock, upstream, sources, place: begun, run: () => overTime(clock, transfer.run()) };
}

export async function assertBrought(stage: TransferStage, content: Buffer): Promise<void> {
  assert.equal(await stage.run(), 'complete');
  assert.ok(stage.place().bytes.equals(content), 'the bytes are right');
  assert.equal(stage.place().growth.size, content.length);
}

/** As much of the content as the upstream let on. */
export async function assertBeginning(stage: TransferStage, content: Buffer): Promise<void> {
  assert.equal(await stage.run(), 'complete');
  const { bytes, growth } = stage.place();
  const size = growth.size ?? 0;
  assert.ok(size > 0 && size <= content.length, `${size} bytes`);
  assert.ok(bytes.subarray(0, size).equals(content.subarray(0, size)), 'the bytes are right');
}
