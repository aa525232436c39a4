import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeBlob } from '../../test/support/blobs.ts';
import { Growth } from '../bytes/growth.ts';
import type { Extent } from '../bytes/extents.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { piecesFromBytes } from './claims.ts';
import { overTime, PlayUpstream } from './testing.ts';
import type { Manners } from './testing.ts';
import { Transfer } from './transfer.ts';
import type { Target } from './transfer.ts';

const MiB = 1024 * 1024;
const small = makeBlob(300_000, 'small').bytes();
const big = makeBlob(5 * piecesFromBytes + 12_345, 'big').bytes();

/** A place in memory, in which no byte is ever written twice. */
class Place implements Target {
  readonly growth: Growth;
  readonly bytes: Buffer;
  failure: Error | undefined;

  constructor(bytes: number, size: number, there: readonly Extent[], onDemand: () => void) {
    this.bytes = Buffer.alloc(bytes);
    this.growth = new Growth(size, there, onDemand);
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

interface Stage {
  readonly transfer: Transfer;
  readonly clock: FakeClock;
  readonly upstream: PlayUpstream;
  readonly place: () => Place;
  /** Resolves to how it ended, over as much time as it takes. */
  readonly run: () => Promise<'complete' | 'absent'>;
}

interface Setting {
  readonly content?: Buffer;
  readonly manners?: (nth: number) => Manners;
  readonly ranges?: number;
  /** What a manifest says; `undefined` for nothing. Default: the truth. */
  readonly expected?: number | undefined;
  readonly left?: readonly Extent[];
}

function setUp(setting: Setting = {}): Stage {
  const content = setting.content ?? small;
  const clock = new FakeClock();
  const upstream = new PlayUpstream(content, setting.manners);
  const expected = 'expected' in setting ? setting.expected : content.length;
  const pump = (): void => transfer.pump();
  let place = setting.left === undefined ? undefined : new Place(content.length, content.length, setting.left, pump);
  for (const { start, end } of setting.left ?? []) place?.bytes.set(content.subarray(start, end), start);
  const begin = async (size: number | undefined): Promise<Target> => {
    await nextTurn();
    place = new Place(content.length, size ?? Infinity, [], pump);
    return place;
  };
  const source = upstream.source(setting.ranges ?? 4);
  const transfer: Transfer = new Transfer(digestOf(content), source, expected, place, begin, clock);
  const begun = (): Place => place ?? assert.fail('it has not begun');
  return { transfer, clock, upstream, place: begun, run: () => overTime(clock, transfer.run()) };
}

async function assertBrought(stage: Stage, content: Buffer): Promise<void> {
  assert.equal(await stage.run(), 'complete');
  assert.ok(stage.place().bytes.equals(content), 'the bytes are right');
  assert.equal(stage.place().growth.size, content.length);
}

function broke(upstreamStatus?: number, retryAfterSeconds?: number): RegistryError {
  const status = upstreamStatus === undefined ? {} : { upstreamStatus };
  const retry = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new RegistryError('UPSTREAM_FAILED', 'it broke', { ...status, ...retry });
}

describe('a transfer', () => {
  test('asks for a small blob as a whole, in one request', async () => {
    const stage = setUp();
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, ['0-']);
    assert.equal(stage.upstream.sentBytes, small.length);
  });

  test('asks for a big one in ranges, several at once, and for every byte once', async () => {
    const stage = setUp({ content: big });
    await assertBrought(stage, big);
    assert.equal(stage.upstream.runningMost, 4);
    assert.equal(stage.upstream.sentBytes, big.length);
    assert.ok(stage.upstream.asked.every((range) => /^\d+-\d+$/.test(range)));
  });

  test('asks for a big one as a whole where ranges are switched off', async () => {
    const stage = setUp({ content: big, ranges: 1 });
    await assertBrought(stage, big);
    assert.deepEqual(stage.upstream.asked, ['0-']);
  });

  test('learns the size from the upstream where no manifest tells it', async () => {
    for (const content of [small, big]) {
      const stage = setUp({ content, expected: undefined });
      await assertBrought(stage, content);
      assert.equal(stage.upstream.asked[0], `0-${piecesFromBytes}`);
      assert.equal(stage.upstream.sentBytes, content.length);
    }
  });

  test('brings what neither a manifest nor the upstream tells the size of', async () => {
    const stage = setUp({ expected: undefined, manners: () => ({ hidesSize: true, ignoresRange: true }) });
    await assertBrought(stage, small);
    assert.equal(stage.upstream.requests.length, 1);
  });

  test('asks for the whole when an upstream answers with a part of something without a size', async () => {
    const content = makeBlob(piecesFromBytes, 'exactly').bytes();
    const stage = setUp({ content, expected: undefined, manners: () => ({ hidesSize: true }) });
    await assertBrought(stage, content);
    assert.deepEqual(stage.upstream.asked, [`0-${piecesFromBytes}`, '0-']);
  });

  test('tells that the upstream does not have it', async () => {
    assert.equal(await setUp({ manners: () => ({ absent: true }) }).run(), 'absent');
  });

  test('brings a blob of no bytes from an upstream that has no range of it', async () => {
    const stage = setUp({ content: Buffer.alloc(0), expected: undefined });
    await assertBrought(stage, Buffer.alloc(0));
    assert.deepEqual(stage.upstream.asked, [`0-${piecesFromBytes}`, '0-']);
  });

  test('does not take an empty answer for content that is not empty', async () => {
    for (const expected of [undefined, 0]) {
      const stage = setUp({ expected, manners: () => ({ content: Buffer.alloc(0), ignoresRange: true }) });
      await assert.rejects(stage.run(), { code: 'UPSTREAM_INVALID' });
    }
  });

  test('refuses content of another size than its manifest says', async () => {
    const stage = setUp({ expected: small.length + 1 });
    await assert.rejects(stage.run(), { code: 'UPSTREAM_INVALID', message: /300000 bytes, its manifest says 300001/ });
    assert.equal(stage.upstream.requests.length, 1);
  });

  test('passes on why the upstream refused before it sent anything, without trying again', async () => {
    const refuses = new RegistryError('UPSTREAM_DENIED', 'no', { upstreamStatus: 403 });
    const stage = setUp({ manners: () => ({ refuses }) });
    await assert.rejects(stage.run(), refuses);
    assert.equal(stage.upstream.requests.length, 1);
  });
});

describe('a transfer that breaks off', () => {
  test('goes on where it was, with the validator of the first answer', async () => {
    const stage = setUp({ manners: (nth) => ({ etag: '"v1"', ...(nth === 0 ? { breaksAfter: 100_000 } : {}) }) });
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, ['0-', '100000-300000']);
    assert.equal(stage.upstream.requests[1]?.etag, '"v1"');
    assert.equal(stage.upstream.sentBytes, small.length);
  });

  test('goes on in good order when the upstream ignores that it was to go on', async () => {
    const stage = setUp({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : { ignoresRange: true }) });
    await assertBrought(stage, small);
  });

  test('goes on when only the answer after the break tells the size', async () => {
    const first = { hidesSize: true, ignoresRange: true, breaksAfter: 100_000 };
    const stage = setUp({ expected: undefined, manners: (nth) => (nth === 0 ? first : {}) });
    await assertBrought(stage, small);
  });

  test('never gives up while each attempt brings something', async () => {
    const stage = setUp({ manners: () => ({ breaksAfter: 10_000 }) });
    await assertBrought(stage, small);
    assert.equal(stage.upstream.requests.length, 30 + 1 - 1);
  });

  test('waits longer and longer, and gives up in the end, when nothing comes any more', async () => {
    const refuses = broke(502);
    const stage = setUp({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : { refuses }) });
    await assert.rejects(stage.run(), refuses);
    assert.equal(stage.upstream.requests.length, 9);
    assert.ok(stage.clock.monotonic() > 30_000, 'it was patient');
  });

  test('waits as long as the upstream asks for, within reason', async () => {
    for (const [asked, waited] of [
      [10, 10_000],
      [3600, 30_000],
    ] as const) {
      const again = (nth: number): Manners => (nth === 1 ? { refuses: broke(503, asked) } : {});
      const stage = setUp({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : again(nth)) });
      await assertBrought(stage, small);
      assert.ok(stage.clock.monotonic() >= waited && stage.clock.monotonic() < waited + 1_000);
    }
  });

  test('does not ask for ever when answers end in good order without anything in them', async () => {
    const stage = setUp({ manners: () => ({ endsAfter: 0, hidesSize: true, ignoresRange: true }) });
    await assert.rejects(stage.run(), { code: 'UPSTREAM_INVALID' });
    assert.ok(stage.upstream.requests.length < 20);
  });

  test('goes on when an answer ends early in good order', async () => {
    const stage = setUp({ manners: (nth) => (nth === 0 ? { endsAfter: 100_000, hidesSize: true } : {}) });
    await assertBrought(stage, small);
  });

  test('does not count one broken range against the others', async () => {
    const stage = setUp({ content: big, manners: (nth) => (nth % 3 === 1 ? { breaksAfter: 3 * MiB } : {}) });
    await assertBrought(stage, big);
    assert.equal(stage.upstream.sentBytes, big.length);
  });

  test('ends at once when what it brings cannot be written', async () => {
    const stage = setUp({ manners: () => ({ chunkBytes: 10_000 }) });
    const running = stage.run();
    const failure = new RegistryError('UNAVAILABLE', 'ENOSPC', { origin: 'store' });
    while (stage.upstream.sentBytes < 50_000) await nextTurn();
    stage.place().failure = failure;
    await assert.rejects(running, failure);
    assert.equal(stage.upstream.requests.length, 1);
  });

  test('ends at once when it is stopped, and lets go of the upstream', async () => {
    const stage = setUp({ content: big });
    const running = stage.run();
    while (stage.upstream.running < 4) await nextTurn();
    const reason = new Error('shutting down');
    stage.transfer.stop(reason);
    await assert.rejects(running, reason);
    assert.ok(stage.upstream.requests.every(({ signal }) => signal.aborted));
    const asked = stage.upstream.requests.length;
    stage.transfer.pump();
    await stage.clock.advance(60_000);
    assert.equal(stage.upstream.requests.length, asked);
  });
});

describe('a transfer of what was left', () => {
  test('asks for what is missing only', async () => {
    const stage = setUp({ left: [{ start: 0, end: 100_000 }] });
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, ['100000-300000']);
  });

  test('asks for nothing when nothing is missing', async () => {
    const stage = setUp({ left: [{ start: 0, end: small.length }] });
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, []);
  });

  test('knows its size, though neither a manifest nor the upstream tells it', async () => {
    const manners = (): Manners => ({ hidesSize: true, ignoresRange: true });
    const stage = setUp({ left: [{ start: 0, end: 100_000 }], expected: undefined, manners });
    await assertBrought(stage, small);
  });

  test('never writes over what is there, though the upstream ignores what was asked for', async () => {
    const left = [
      { start: 10_000, end: 20_000 },
      { start: 70_000, end: 71_000 },
      { start: 200_000, end: 299_999 },
    ];
    const stage = setUp({ left, manners: () => ({ ignoresRange: true }) });
    await assertBrought(stage, small);
  });
});

describe('a reader who waits', () => {
  test('is served where he is, and still every byte comes once', async () => {
    const stage = setUp({ content: big, ranges: 1, manners: () => ({ chunkBytes: MiB }) });
    const running = stage.run();
    while (stage.upstream.sentBytes < 2 * MiB) await nextTurn();
    const position = 40 * MiB;
    const waiting = stage.place().growth.wait(position, false);
    await waiting;
    assert.ok(stage.upstream.sentBytes < 20 * MiB, 'he did not wait for what comes before');
    assert.ok(stage.upstream.asked.some((range) => range.startsWith(`${position}-`)));
    assert.equal(await running, 'complete');
    assert.ok(stage.place().bytes.equals(big));
    assert.ok(stage.upstream.sentBytes <= big.length + MiB, 'all but a piece that was under way');
  });
});

describe('whatever an upstream does', () => {
  const manners: fc.Arbitrary<Manners> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ breaksAfter: fc.nat(400_000), chunkBytes: fc.integer({ min: 500, max: 100_000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ endsAfter: fc.nat(400_000), hidesSize: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ ignoresRange: fc.boolean(), hidesSize: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant({ refuses: broke(503) }) },
  );

  test('the bytes that are brought are right, or the transfer fails', async () => {
    const left = fc.array(fc.tuple(fc.nat(300_000), fc.nat(100_000)), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(manners, { maxLength: 8 }),
        fc.option(left),
        fc.boolean(),
        async (story, there, isTold) => {
          const extents = there?.map(([start, length]) => ({ start, end: Math.min(start + length, small.length) }));
          const stage = setUp({
            manners: (nth) => story[nth] ?? {},
            expected: isTold ? small.length : undefined,
            ...(extents === undefined ? {} : { left: extents }),
          });
          try {
            await assertBrought(stage, small);
          } catch (error) {
            assert.ok(error instanceof RegistryError && error.origin === 'upstream', String(error));
          }
          assert.ok(stage.upstream.requests.length < 40);
        },
      ),
      { numRuns: 150 },
    );
  });
});
