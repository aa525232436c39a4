import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { makeBlob } from '../../test/support/blobs.ts';
import { promisesMade } from '../../test/support/promises.ts';
import { withheldBytes } from '../bytes/growth.ts';
import type { ByteSource } from '../oci/blob.ts';
import { digestOf, startHash } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { Passage } from './passage.ts';
import type { Fork } from './passage.ts';
import { PlayUpstream } from './testing.ts';
import type { Manners } from './testing.ts';

const content = makeBlob(2_000_000, 'passage').bytes();
const spoiled = Buffer.from(content);
spoiled[1_999_999] = (spoiled[1_999_999] ?? 0) ^ 1;

/** A hash of what came before `position`, as a download leaves it. */
function forkAt(position: number): Fork {
  return { position, hash: startHash('sha256').update(content.subarray(0, position)) };
}

function setUp(manners: (nth: number) => Manners = () => ({}), fork: Fork = forkAt(0)) {
  const upstream = new PlayUpstream(content, manners);
  return { upstream, ...passageFrom(upstream, fork) };
}

function passageFrom(upstream: PlayUpstream, fork: Fork | undefined) {
  const lies: string[] = [];
  const load = { digest: digestOf(content), size: content.length, source: upstream.source() };
  return { lies, passage: new Passage({ ...load, onLie: (reason) => lies.push(reason) }, fork) };
}

async function readAll(source: ByteSource, start = 0, pieceBytes = 100_000): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let position = start; ;) {
    const piece = Buffer.alloc(pieceBytes);
    const length = await source.read(piece, position);
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, length));
    position += length;
  }
}

/** What came before it failed, and how. */
async function readUntilFailure(source: ByteSource, start = 0): Promise<{ bytes: number; error: unknown }> {
  const piece = Buffer.alloc(100_000);
  let position = start;
  try {
    for (;;) {
      const length = await source.read(piece, position);
      assert.notEqual(length, 0, 'it came to its end');
      position += length;
    }
  } catch (error) {
    return { bytes: position, error };
  }
}

describe('a passage', () => {
  test('brings a blob past the store in one request', async () => {
    await using stage = setUp().passage;
    assert.ok((await readAll(stage)).equals(content));
  });

  test('goes on where the store left off', async () => {
    const { upstream, passage } = setUp(() => ({}), forkAt(1_500_000));
    assert.ok((await readAll(passage, 1_500_000)).equals(content.subarray(1_500_000)));
    assert.deepEqual(upstream.asked, ['1500000-2000000']);
    await passage[Symbol.asyncDispose]();
  });

  test('hashes on for a reader who is ahead of the store', async () => {
    const { upstream, passage } = setUp(() => ({}), forkAt(1_000_000));
    assert.ok((await readAll(passage, 1_500_000)).equals(content.subarray(1_500_000)));
    assert.deepEqual(upstream.asked, ['1000000-2000000']);
    await passage[Symbol.asyncDispose]();
  });

  test('withholds the end of content that turns out wrong', async () => {
    for (const fork of [forkAt(0), forkAt(1_990_000)]) {
      const { lies, passage } = setUp(() => ({ content: spoiled }), fork);
      const { bytes, error } = await readUntilFailure(passage, Math.min(fork.position, content.length - withheldBytes));
      assert.ok(bytes <= content.length - withheldBytes);
      assert.ok(error instanceof RegistryError && error.code === 'UPSTREAM_INVALID');
      assert.equal(lies.length, 1, 'the upstream is blamed');
      await passage[Symbol.asyncDispose]();
    }
  });

  test('withholds the end also from a reader who is behind what the store has hashed', async () => {
    const behind = content.length - withheldBytes;
    const { passage } = setUp(() => ({ content: spoiled }), forkAt(1_999_000));
    const { bytes, error } = await readUntilFailure(passage, behind);
    assert.ok(error instanceof RegistryError && bytes === behind);
    await passage[Symbol.asyncDispose]();
    const honest = setUp(() => ({}), forkAt(1_999_000)).passage;
    assert.ok((await readAll(honest, behind)).equals(content.subarray(behind)));
    await honest[Symbol.asyncDispose]();
  });

  test('serves a part to who verifies the whole himself without holding anything back', async () => {
    const upstream = new PlayUpstream(content, () => ({ content: spoiled }));
    const { lies, passage } = passageFrom(upstream, undefined);
    assert.ok((await readAll(passage, 1_900_000)).equals(spoiled.subarray(1_900_000)));
    assert.deepEqual(upstream.asked, ['1900000-2000000']);
    assert.deepEqual(lies, [], 'nobody has looked');
    await passage[Symbol.asyncDispose]();
  });

  test('skips forward and begins anew for a reader who jumps', async () => {
    const { passage } = setUp();
    const piece = Buffer.alloc(10);
    for (const position of [500_000, 1_200_000, 0, 700_000]) {
      assert.ok((await passage.read(piece, position)) > 0);
      assert.equal(piece[0], content[position]);
    }
    await passage[Symbol.asyncDispose]();
  });

  test('skips in chunks, however little its reader takes at a time', async () => {
    const { upstream, passage } = setUp();
    const byte = Buffer.alloc(1);
    for (const position of [1_000_001, 1_950_000, content.length - 1]) {
      const made = await promisesMade(() => passage.read(byte, position));
      assert.equal(byte[0], content[position]);
      assert.ok(made < 5_000, `${made} promises for one byte at ${position}`);
    }
    assert.deepEqual(upstream.asked, ['0-']);
    await passage[Symbol.asyncDispose]();
  });

  test('asks anew, where nothing is hashed, rather than read what lies between two parts', async () => {
    const upstream = new PlayUpstream(content, () => ({ chunkBytes: 50_000 }));
    const { passage } = passageFrom(upstream, undefined);
    const piece = Buffer.alloc(10);
    for (const position of [0, 100_000, 1_900_000]) {
      assert.ok((await passage.read(piece, position)) > 0);
      assert.equal(piece[0], content[position]);
    }
    assert.deepEqual(upstream.asked, ['0-', '1900000-2000000']);
    await passage[Symbol.asyncDispose]();
  });

  test('holds the upstream back while its reader is slow', async () => {
    const { upstream, passage } = setUp(() => ({ chunkBytes: 50_000 }));
    await passage.read(Buffer.alloc(1), 0);
    for (let turn = 0; turn < 200; turn += 1) await nextTurn();
    assert.ok(upstream.sentBytes < 700_000, `${upstream.sentBytes} bytes had come`);
    assert.ok((await readAll(passage, 1)).equals(content.subarray(1)));
    await passage[Symbol.asyncDispose]();
  });

  test('goes at the pace of its reader, and before others only until he has something of the blob', async () => {
    const { upstream, passage } = setUp((nth) => (nth === 1 ? { breaksAfter: 200_000 } : { breaksAfter: 0 }));
    await readUntilFailure(passage);
    assert.ok(upstream.requests.every(({ paced }) => paced));
    assert.deepEqual(
      upstream.requests.map(({ cold }) => cold),
      [true, true, false, false, false, false, false],
    );
    await passage[Symbol.asyncDispose]();
  });

  test('has its end once that has arrived, however much its reader has still to take', async () => {
    const { upstream, passage } = setUp(() => ({}), forkAt(1_450_000));
    await passage.read(Buffer.alloc(1), 1_450_000);
    while (upstream.running > 0) await nextTurn();
    assert.ok((await readAll(passage, 1_450_001)).equals(content.subarray(1_450_001)));
    await passage[Symbol.asyncDispose]();
  });
});

describe('a passage that breaks off', () => {
  test('goes on where it was', async () => {
    const { upstream, passage } = setUp((nth) => (nth < 8 ? { breaksAfter: 200_000 } : {}));
    assert.ok((await readAll(passage)).equals(content));
    assert.equal(upstream.sentBytes, content.length);
    await passage[Symbol.asyncDispose]();
  });

  test('goes on in good order when the upstream begins from the start', async () => {
    const { passage } = setUp((nth) => (nth === 0 ? { breaksAfter: 200_000 } : { ignoresRange: true }));
    assert.ok((await readAll(passage)).equals(content));
    await passage[Symbol.asyncDispose]();
  });

  test('gives up when nothing comes any more', async () => {
    const refuses = new RegistryError('UPSTREAM_UNREACHABLE', 'it is away');
    const stories: readonly (readonly [manners: Manners, code: string])[] = [
      [{ refuses }, 'UPSTREAM_UNREACHABLE'],
      [{ absent: true }, 'UPSTREAM_FAILED'],
      [{ breaksAfter: 0 }, 'UPSTREAM_FAILED'],
      [{ endsAfter: 0 }, 'UPSTREAM_INVALID'],
      [{ content: content.subarray(0, 200_000), ignoresRange: true }, 'UPSTREAM_INVALID'],
    ];
    for (const [manners, code] of stories) {
      const { upstream, passage } = setUp((nth) => (nth === 0 ? { breaksAfter: 200_000 } : manners));
      const { bytes, error } = await readUntilFailure(passage);
      assert.ok(error instanceof RegistryError && error.code === code, String(error));
      assert.equal(bytes, 200_000, 'what had come was handed out');
      assert.equal(upstream.requests.length, 1 + 5);
      await passage[Symbol.asyncDispose]();
    }
  });

  test('takes no more than there should be', async () => {
    const endless = Buffer.concat([content, Buffer.alloc(10_000_000)]);
    const { upstream, passage } = setUp(() => ({ content: endless, chunkBytes: 100_000 }));
    assert.ok((await readAll(passage)).equals(content));
    for (let turn = 0; turn < 300; turn += 1) await nextTurn();
    assert.ok(upstream.sentBytes < content.length + 300_000, `${upstream.sentBytes} bytes had come`);
    await passage[Symbol.asyncDispose]();
  });

  test('lets go of the upstream when its reader leaves, and of a read that waits', async () => {
    for (const fork of [forkAt(0), undefined]) {
      const upstream = new PlayUpstream(content, () => ({ hangs: true }));
      const { passage } = passageFrom(upstream, fork);
      const ended = assert.rejects(passage.read(Buffer.alloc(10), 0), /the reader left/);
      while (upstream.running === 0) await nextTurn();
      await passage[Symbol.asyncDispose]();
      await ended;
      while (upstream.running > 0) await nextTurn();
      assert.equal(upstream.requests.length, 1);
    }
  });
});

describe('whatever an upstream does', () => {
  const manners: fc.Arbitrary<Manners & { readonly spoils?: boolean }> = fc.oneof(
    fc.record({ breaksAfter: fc.nat(400_000), chunkBytes: fc.integer({ min: 5_000, max: 300_000 }) }),
    fc.record({ endsAfter: fc.nat(400_000), ignoresRange: fc.boolean(), hidesSize: fc.boolean() }),
    fc.record({ spoils: fc.boolean(), ignoresRange: fc.boolean() }),
  );

  test('who reads to the end has the right bytes', async () => {
    const position = fc.nat(content.length);
    await fc.assert(
      fc.asyncProperty(fc.array(manners, { maxLength: 8 }), position, position, async (story, fork, start) => {
        const behaves = (nth: number): Manners => ({ ...story[nth], content: story[nth]?.spoils ? spoiled : content });
        const { passage } = setUp(behaves, forkAt(fork));
        try {
          assert.ok((await readAll(passage, start)).equals(content.subarray(start)), 'the bytes are right');
        } catch (error) {
          assert.ok(error instanceof RegistryError && error.origin === 'upstream', String(error));
        }
        await passage[Symbol.asyncDispose]();
      }),
      { numRuns: 60 },
    );
  });
});
