import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RegistryError } from '../oci/errors.ts';
import { assertBrought, big, PlayUpstream, small, transferStage } from './testing.ts';
import type { Manners } from './testing.ts';

const MiB = 1024 * 1024;

function broke(upstreamStatus?: number, retryAfterSeconds?: number): RegistryError {
  const status = upstreamStatus === undefined ? {} : { upstreamStatus };
  const retry = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new RegistryError('UPSTREAM_FAILED', 'it broke', { ...status, ...retry });
}

describe('a transfer with several sources', () => {
  test('turns to the next one where the first breaks off, and fetches every byte once', async () => {
    const other = new PlayUpstream(big);
    const stage = transferStage({
      content: big,
      manners: (nth) => (nth < 2 ? { breaksAfter: 100_000 } : { refuses: broke(502) }),
    });
    stage.sources.offer(other.source(1, 'other.example'));
    await assertBrought(stage, big);
    assert.equal(stage.upstream.sentBytes + other.sentBytes, big.length);
    assert.ok(other.requests.length > 0);
    assert.ok(stage.upstream.requests.length <= 4, 'the first one is left alone');
  });

  test('sends no validator of one to the other', async () => {
    const other = new PlayUpstream(small);
    const stage = transferStage({ manners: () => ({ etag: '"v1"', breaksAfter: 100_000 }) });
    stage.sources.offer(other.source(1, 'other.example'));
    await assertBrought(stage, small);
    assert.equal(other.requests[0]?.etag, undefined);
  });

  test('comes back to the first one from one that does not have it', async () => {
    const other = new PlayUpstream(small, () => ({ absent: true }));
    const stage = transferStage({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : {}) });
    stage.sources.offer(other.source(1, 'other.example'));
    await assertBrought(stage, small);
    assert.equal(other.requests.length, 1);
    assert.deepEqual(stage.upstream.asked, ['0-', '100000-300000']);
  });

  test('asks nobody in the name of a client of another', async () => {
    const other = new PlayUpstream(small);
    const stage = transferStage({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : {}) });
    const identity = { id: 'c', authorization: undefined };
    stage.sources.offer({ ...other.source(1, 'other.example'), identity });
    await assertBrought(stage, small);
    assert.equal(other.requests.length, 0);
  });
});

describe('a transfer that breaks off', () => {
  test('goes on where it was, with the validator of the first answer', async () => {
    const stage = transferStage({
      manners: (nth) => ({ etag: '"v1"', ...(nth === 0 ? { breaksAfter: 100_000 } : {}) }),
    });
    await assertBrought(stage, small);
    assert.deepEqual(stage.upstream.asked, ['0-', '100000-300000']);
    assert.equal(stage.upstream.requests[1]?.etag, '"v1"');
    assert.equal(stage.upstream.sentBytes, small.length);
  });

  test('goes on in good order when the upstream ignores that it was to go on', async () => {
    const stage = transferStage({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : { ignoresRange: true }) });
    await assertBrought(stage, small);
  });

  test('goes on when only the answer after the break tells the size', async () => {
    const first = { hidesSize: true, ignoresRange: true, breaksAfter: 100_000 };
    const stage = transferStage({ expected: undefined, manners: (nth) => (nth === 0 ? first : {}) });
    await assertBrought(stage, small);
  });

  test('never gives up while each attempt brings something', async () => {
    const stage = transferStage({ manners: () => ({ breaksAfter: 10_000 }) });
    await assertBrought(stage, small);
    assert.equal(stage.upstream.requests.length, 30 + 1 - 1);
  });

  test('waits longer and longer, and gives up in the end, when nothing comes any more', async () => {
    const refuses = broke(502);
    const stage = transferStage({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : { refuses }) });
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
      const stage = transferStage({ manners: (nth) => (nth === 0 ? { breaksAfter: 100_000 } : again(nth)) });
      await assertBrought(stage, small);
      assert.ok(stage.clock.monotonic() >= waited && stage.clock.monotonic() < waited + 1_000);
    }
  });

  test('does not ask for ever when answers end in good order without anything in them', async () => {
    const stage = transferStage({ manners: () => ({ endsAfter: 0, hidesSize: true, ignoresRange: true }) });
    await assert.rejects(stage.run(), { code: 'UPSTREAM_INVALID' });
    assert.ok(stage.upstream.requests.length < 20);
  });

  test('goes on when an answer ends early in good order', async () => {
    const stage = transferStage({ manners: (nth) => (nth === 0 ? { endsAfter: 100_000, hidesSize: true } : {}) });
    await assertBrought(stage, small);
  });

  test('does not count one broken range against the others', async () => {
    const stage = transferStage({ content: big, manners: (nth) => (nth % 3 === 1 ? { breaksAfter: 3 * MiB } : {}) });
    await assertBrought(stage, big);
    assert.equal(stage.upstream.sentBytes, big.length);
  });

  test('ends at once when what it brings cannot be written', async () => {
    const stage = transferStage({ manners: () => ({ chunkBytes: 10_000 }) });
    const running = stage.run();
    const failure = new RegistryError('UNAVAILABLE', 'ENOSPC', { origin: 'store' });
    while (stage.upstream.sentBytes < 50_000) await nextTurn();
    stage.place().failure = failure;
    await assert.rejects(running, failure);
    assert.equal(stage.upstream.requests.length, 1);
  });

  test('ends at once when it is stopped, and lets go of the upstream', async () => {
    const stage = transferStage({ content: big });
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
