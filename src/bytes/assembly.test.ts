import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { Assembly } from './assembly.ts';
import { Growth } from './growth.ts';

/** Content in memory, which counts how often each of its bytes is read back. */
class Scratch {
  readonly content: Buffer;
  readonly reads: Uint8Array;
  #turns: number;

  /** @param turns of the event loop that a read takes */
  constructor(size: number, turns = 0) {
    this.content = Buffer.alloc(size);
    this.reads = new Uint8Array(size);
    this.#turns = turns;
  }

  readonly readBack = async (into: Uint8Array, position: number): Promise<number> => {
    for (let turn = 0; turn < this.#turns; turn += 1) await nextTurn();
    const piece = this.content.subarray(position, position + Math.min(into.length, 7));
    into.set(piece);
    for (let at = position; at < position + piece.length; at += 1) this.reads[at] = (this.reads[at] ?? 0) + 1;
    return piece.length;
  };

  assemble(digest = digestOf(this.content), size = this.content.length): Assembly {
    return new Assembly(digest, new Growth(size, [], () => {}, new FakeClock()), this.readBack);
  }

  put(assembly: Assembly, piece: Uint8Array, position: number): void {
    this.content.set(piece, position);
    assembly.add(piece, position);
  }
}

const content = Buffer.from(Array.from({ length: 200 }, (_, index) => index));
const right = digestOf(content);

/** Where the content is cut, and the order in which the pieces come. */
const pieces = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: content.length - 1 })),
    fc.infiniteStream(fc.nat()),
    fc.constantFrom<'sha256' | 'sha512'>('sha256', 'sha512'),
  )
  .map(([cuts, ranks, algorithm]) => {
    const ends = [...cuts.toSorted((a, b) => a - b), content.length];
    const list = ends.map((end, index) => ({ start: ends[index - 1] ?? 0, end }));
    const ranked = list.map((piece) => ({ piece, rank: ranks.next().value }));
    return { algorithm, list: ranked.toSorted((a, b) => a.rank - b.rank).map(({ piece }) => piece) };
  });

describe('content coming together', () => {
  test('is verified in whatever order its pieces come, and no byte is read back twice', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.nat(2), fc.boolean(), async ({ list, algorithm }, turns, hurried) => {
        const scratch = new Scratch(content.length, turns);
        const digest = digestOf(content, algorithm);
        const assembly = scratch.assemble(digest, content.length);
        for (const { start, end } of list) {
          scratch.put(assembly, content.subarray(start, end), start);
          if (!hurried) await nextTurn();
        }
        const verified = await assembly.verified;
        assert.deepEqual([verified.digest, verified.size], [digest, content.length]);
        assert.ok(Math.max(...scratch.reads) <= 1, 'a byte was read back twice');
      }),
    );
  });

  test('is never verified before its last piece, nor with one wrong byte', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.nat(content.length - 1), async ({ list }, wrong) => {
        const scratch = new Scratch(content.length);
        const assembly = scratch.assemble(right);
        const spoiled = Buffer.from(content);
        spoiled[wrong] = (spoiled[wrong] ?? 0) ^ 1;
        let ended = false;
        const outcome = assembly.verified.then(
          () => assert.fail('it was verified'),
          (error: unknown) => {
            ended = true;
            return error;
          },
        );
        for (const { start, end } of list) {
          await nextTurn();
          assert.equal(ended, false, 'it ended before its last piece');
          scratch.put(assembly, spoiled.subarray(start, end), start);
        }
        const error = await outcome;
        assert.ok(error instanceof RegistryError && error.code === 'DIGEST_INVALID' && error.origin === 'upstream');
      }),
    );
  });

  test('that comes in order is hashed from memory alone', async () => {
    const scratch = new Scratch(content.length);
    const assembly = scratch.assemble(right);
    for (let start = 0; start < content.length; start += 10) {
      scratch.put(assembly, content.subarray(start, start + 10), start);
    }
    await assembly.verified;
    assert.equal(Math.max(...scratch.reads), 0);
  });

  test('that an earlier process left is read back from its start', async () => {
    const scratch = new Scratch(content.length);
    scratch.content.set(content.subarray(0, 150));
    const growth = new Growth(content.length, [{ start: 0, end: 150 }], () => {}, new FakeClock());
    const assembly = new Assembly(right, growth, scratch.readBack);
    scratch.put(assembly, content.subarray(150), 150);
    await assembly.verified;
    assert.deepEqual([...scratch.reads.subarray(0, 150)], Array(150).fill(1));
  });

  test('of no bytes at all is verified at once', async () => {
    const verified = await new Scratch(0).assemble().verified;
    assert.deepEqual([verified.digest, verified.size], [digestOf(''), 0]);
  });

  test('whose size nobody knew is verified when its end is told', async () => {
    const scratch = new Scratch(content.length);
    const assembly = scratch.assemble(right, Infinity);
    scratch.put(assembly, content, 0);
    await nextTurn();
    assembly.endAt(content.length);
    assert.equal((await assembly.verified).size, content.length);
  });

  test('whose size nobody knew is wrong when it ends too early', async () => {
    const scratch = new Scratch(content.length);
    const assembly = scratch.assemble(right, Infinity);
    scratch.put(assembly, content.subarray(0, 100), 0);
    assembly.endAt(100);
    await assert.rejects(assembly.verified, { code: 'DIGEST_INVALID' });
  });

  test('that ends before what has come of it is wrong, though that has the right digest', async () => {
    const scratch = new Scratch(content.length);
    const assembly = scratch.assemble(right, Infinity);
    scratch.put(assembly, content, 0);
    assembly.endAt(100);
    await assert.rejects(assembly.verified, { code: 'DIGEST_INVALID' });
  });

  test('that cannot be read back is the fault of the store', async () => {
    for (const broken of [
      async () => 0,
      async () => {
        throw new RegistryError('UNAVAILABLE', 'EIO', { origin: 'store' });
      },
    ]) {
      const assembly = new Assembly(right, new Growth(content.length, [], () => {}, new FakeClock()), broken);
      assembly.add(content.subarray(100), 100);
      assembly.add(content.subarray(0, 100), 0);
      await assert.rejects(assembly.verified, { code: 'UNAVAILABLE', origin: 'store' });
    }
  });

  test('can be hashed on elsewhere from where its hash is', async () => {
    const scratch = new Scratch(content.length);
    const assembly = scratch.assemble(right);
    scratch.put(assembly, content.subarray(0, 60), 0);
    const { position, hash } = assembly.fork();
    assert.equal(position, 60);
    assert.equal(`sha256:${hash.update(content.subarray(position)).digest('hex')}`, right);
    scratch.put(assembly, content.subarray(60), 60);
    await assembly.verified;
  });
});
