import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { makeBlob } from '../../test/support/blobs.ts';
import { digestOf } from '../oci/digest.ts';
import { HashThread } from './hash-thread.ts';
import { Tally } from './tally.ts';

const bytes = makeBlob(2_500_000, 'tally').bytes();

const shared = Buffer.from(new SharedArrayBuffer(bytes.length));
shared.set(bytes);
const thread = new HashThread();
after(() => thread[Symbol.dispose]());

describe('a tally', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    for (const [where, from, step] of [
      ['here', bytes, 777_777],
      ['in a thread', shared, 777_777],
      ['here, because it begins small', shared, 77_777],
    ] as const) {
      test(`of ${algorithm} is proof of what came by the piece (${where})`, async () => {
        using tally = new Tally(algorithm, thread);
        const added: Promise<void>[] = [];
        for (let at = 0; at < from.length; at += step) added.push(tally.add(from.subarray(at, at + step)));
        await Promise.all(added);
        const digest = digestOf(bytes, algorithm);
        assert.deepEqual({ ...(await tally.verify(digest)) }, { digest, size: bytes.length });
        const other = tally.verify(digestOf('other', algorithm));
        await assert.rejects(other, { code: 'DIGEST_INVALID', origin: 'client' });
        await tally.add(from);
        await assert.rejects(tally.verify(digest), { code: 'DIGEST_INVALID' });
      });
    }
  }

  test('goes on after what was written before, read back in whatever pieces the store gives', async () => {
    const half = 1_234_567;
    const tally = await Tally.of({ algorithm: 'sha256', thread }, half, async (into, position) => {
      const length = Math.min(into.length, 100_001, half - position);
      into.set(bytes.subarray(position, position + length));
      return length;
    });
    assert.equal(tally.size, half);
    await tally.add(shared.subarray(half));
    assert.equal((await tally.verify(digestOf(bytes))).size, bytes.length);
  });

  test('of nothing is that of no bytes', async () => {
    assert.equal((await new Tally('sha256').verify(digestOf(''))).size, 0);
  });

  test('is not made of what is not there any more', async () => {
    const missing = Tally.of({ algorithm: 'sha256' }, 10, async (_into, position) => (position < 5 ? 1 : 0));
    await assert.rejects(missing, { code: 'UNAVAILABLE', origin: 'store', detail: { code: 'TRUNCATED' } });
  });

  test('of one algorithm is no proof of a digest of another', async () => {
    await assert.rejects(new Tally('sha256').verify(digestOf('', 'sha512')), /cannot verify others/);
  });
});
