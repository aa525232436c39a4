import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { makeBlob } from '../../test/support/blobs.ts';
import { RegistryError } from '../oci/errors.ts';
import { piecesFromBytes } from './claims.ts';
import { assertBeginning, assertBrought, big, small, transferStage } from './testing.ts';
import type { Manners } from './testing.ts';

const MiB = 1024 * 1024;

describe('a transfer', () => {
  test('asks for a small blob as a whole, in one request', async () => {
    const stage = transferStage();
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, ['0-']);
    assert.equal(stage.upstream.sentBytes, small.length);
  });

  test('asks for a big one in ranges, several at once, and for every byte once', async () => {
    const stage = transferStage({ content: big });
    await assertBrought(stage, big);
    assert.equal(stage.upstream.runningMost, 4);
    assert.equal(stage.upstream.sentBytes, big.length);
    assert.ok(stage.upstream.asked.every((range) => /^\d+-\d+$/.test(range)));
  });

  test('goes before others only with the request that nobody has a byte before', async () => {
    const refuses = new RegistryError('UPSTREAM_FAILED', 'Range Not Satisfiable', { upstreamStatus: 416 });
    for (const [manners, colds] of [
      [() => ({}), 1],
      [(nth: number) => (nth === 0 ? { refuses } : {}), 2],
    ] as const) {
      const stage = transferStage({ content: big, manners });
      await assertBrought(stage, big);
      const { requests } = stage.upstream;
      assert.deepEqual(
        requests.map(({ cold }) => cold),
        requests.map((_, nth) => nth < colds),
      );
      assert.ok(requests.every(({ paced }) => paced === undefined));
    }
  });

  test('asks for a big one as a whole where ranges are switched off', async () => {
    const stage = transferStage({ content: big, ranges: 1 });
    await assertBrought(stage, big);
    assert.deepEqual(stage.upstream.asked, ['0-']);
  });

  test('learns the size from the upstream where no manifest tells it', async () => {
    for (const content of [small, big]) {
      const stage = transferStage({ content, expected: undefined });
      await assertBrought(stage, content);
      assert.equal(stage.upstream.asked[0], `0-${piecesFromBytes}`);
      assert.equal(stage.upstream.sentBytes, content.length);
    }
  });

  test('brings what neither a manifest nor the upstream tells the size of', async () => {
    const stage = transferStage({ expected: undefined, manners: () => ({ hidesSize: true, ignoresRange: true }) });
    await assertBrought(stage, small);
    assert.equal(stage.upstream.requests.length, 1);
  });

  test('asks for the whole when an upstream answers with a part of something without a size', async () => {
    const content = makeBlob(piecesFromBytes, 'exactly').bytes();
    const stage = transferStage({ content, expected: undefined, manners: () => ({ hidesSize: true }) });
    await assertBrought(stage, content);
    assert.deepEqual(stage.upstream.asked, [`0-${piecesFromBytes}`, '0-']);
  });

  test('tells that the upstream does not have it', async () => {
    assert.equal(await transferStage({ manners: () => ({ absent: true }) }).run(), 'absent');
  });

  test('brings a blob of no bytes from an upstream that has no range of it', async () => {
    const stage = transferStage({ content: Buffer.alloc(0), expected: undefined });
    await assertBrought(stage, Buffer.alloc(0));
    assert.deepEqual(stage.upstream.asked, [`0-${piecesFromBytes}`, '0-']);
  });

  test('does not take an empty answer for content that is not empty', async () => {
    for (const expected of [undefined, 0]) {
      const stage = transferStage({ expected, manners: () => ({ content: Buffer.alloc(0), ignoresRange: true }) });
      await assert.rejects(stage.run(), { code: 'UPSTREAM_INVALID' });
    }
  });

  test('refuses content of another size than its manifest says', async () => {
    const stage = transferStage({ expected: small.length + 1 });
    await assert.rejects(stage.run(), { code: 'UPSTREAM_INVALID', message: /300000 bytes, its manifest says 300001/ });
    assert.equal(stage.upstream.requests.length, 1);
  });

  test('passes on why the upstream refused before it sent anything, without trying again', async () => {
    const refuses = new RegistryError('UPSTREAM_DENIED', 'no', { upstreamStatus: 403 });
    const stage = transferStage({ manners: () => ({ refuses }) });
    await assert.rejects(stage.run(), refuses);
    assert.equal(stage.upstream.requests.length, 1);
  });
});

describe('a transfer of what was left', () => {
  test('asks for what is missing only', async () => {
    const stage = transferStage({ left: [{ start: 0, end: 100_000 }] });
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, ['100000-300000']);
  });

  test('asks for nothing when nothing is missing', async () => {
    const stage = transferStage({ left: [{ start: 0, end: small.length }] });
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, []);
  });

  test('knows its size, though neither a manifest nor the upstream tells it', async () => {
    const manners = (): Manners => ({ hidesSize: true, ignoresRange: true });
    const stage = transferStage({ left: [{ start: 0, end: 100_000 }], expected: undefined, manners });
    await assertBrought(stage, small);
  });

  test('never writes over what is there, though the upstream ignores what was asked for', async () => {
    const left = [
      { start: 10_000, end: 20_000 },
      { start: 70_000, end: 71_000 },
      { start: 200_000, end: 299_999 },
    ];
    const stage = transferStage({ left, manners: () => ({ ignoresRange: true }) });
    await assertBrought(stage, small);
  });
});

describe('a reader who waits', () => {
  test('is served where he is, and still every byte comes once', async () => {
    const stage = transferStage({ content: big, ranges: 1, manners: () => ({ chunkBytes: MiB }) });
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
    {
      weight: 1,
      arbitrary: fc.constant({ refuses: new RegistryError('UPSTREAM_FAILED', 'it broke', { upstreamStatus: 503 }) }),
    },
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
          const stage = transferStage({
            manners: (nth) => story[nth] ?? {},
            expected: isTold ? small.length : undefined,
            ...(extents === undefined ? {} : { left: extents }),
          });
          try {
            // An answer that hides its size and ends early looks whole: its digest tells, and is not the transfer's matter.
            if (!isTold && story.some(endsUnannounced)) await assertBeginning(stage, small);
            else await assertBrought(stage, small);
          } catch (error) {
            assert.ok(error instanceof RegistryError && error.origin === 'upstream', String(error));
          }
          assert.ok(stage.upstream.requests.length < 40);
        },
      ),
      {
        numRuns: 150,
        // An answer of unknown size that ends before its first byte.
        examples: [
          [
            [
              { endsAfter: 0, hidesSize: true },
              { endsAfter: 0, hidesSize: true },
            ],
            null,
            false,
          ],
          // One that ends early, and looks whole.
          [
            [
              { endsAfter: 0, hidesSize: true },
              { endsAfter: 1, hidesSize: true },
            ],
            null,
            false,
          ],
        ],
      },
    );
  });
});

function endsUnannounced({ endsAfter, hidesSize }: Manners): boolean {
  return endsAfter !== undefined && hidesSize === true;
}
