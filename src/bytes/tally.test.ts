import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeBlob } from '../../test/support/blobs.ts';
import { digestOf } from '../oci/digest.ts';
import { Tally } from './tally.ts';

const bytes = makeBlob(2_500_000, 'tally').bytes();

describe('a tally', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    test(`of ${algorithm} is proof of what came by the piece`, () => {
      const tally = new Tally(algorithm);
      for (let at = 0; at < bytes.length; at += 777_777) tally.add(bytes.subarray(at, at + 777_777));
      const digest = digestOf(bytes, algorithm);
      assert.deepEqual({ ...tally.verify(digest) }, { digest, size: bytes.length });
      assert.throws(() => tally.verify(digestOf('other', algorithm)), { code: 'DIGEST_INVALID', origin: 'client' });
      tally.add(bytes);
      assert.throws(() => tally.verify(digest), { code: 'DIGEST_INVALID' });
    });
  }

  test('goes on after what was written before, read back in whatever pieces the store gives', async () => {
    const half = 1_234_567;
    const tally = await Tally.of('sha256', half, async (into, position) => {
      const length = Math.min(into.length, 100_001, half - position);
      into.set(bytes.subarray(position, position + length));
      return length;
    });
    assert.equal(tally.size, half);
    tally.add(bytes.subarray(half));
    assert.equal(tally.verify(digestOf(bytes)).size, bytes.length);
  });

  test('is not made of what is not there any more', async () => {
    const missing = Tally.of('sha256', 10, async (_into, position) => (position < 5 ? 1 : 0));
    await assert.rejects(missing, { code: 'UNAVAILABLE', origin: 'store', detail: { code: 'TRUNCATED' } });
  });

  test('of one algorithm is no proof of a digest of another', () => {
    assert.throws(() => new Tally('sha256').verify(digestOf('', 'sha512')), /cannot verify others/);
  });
});
