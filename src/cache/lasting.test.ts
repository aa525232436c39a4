import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlobReader } from '../oci/blob.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { storeLoss } from '../store/failure.ts';
import { lasting } from './lasting.ts';

const content = Buffer.from('the content of a blob');
const digest = digestOf(content);
const verified = { verified: true };

/** @param failures what its sources throw first, when opened and then when read */
function play(failures: { readonly open?: Error[]; readonly read?: Error[] } = {}, size = content.length) {
  const played = { opened: 0, disposed: 0 };
  const blob: BlobReader = {
    digest,
    size,
    async open() {
      const failure = failures.open?.shift();
      if (failure) throw failure;
      played.opened += 1;
      return {
        async read(into, position) {
          const lost = failures.read?.shift();
          if (lost) throw lost;
          return content.copy(into, 0, position);
        },
        [Symbol.asyncDispose]: async () => void (played.disposed += 1),
      };
    },
  };
  return { played, blob };
}

const vanished = (): RegistryError => storeLoss('it is gone', 'VANISHED');

async function readFrom(blob: BlobReader, position: number): Promise<string> {
  await using source = await blob.open(verified);
  const into = Buffer.alloc(100);
  return into.toString('utf8', 0, await source.read(into, position));
}

describe('a blob that is held', () => {
  test('is opened once, and closed', async () => {
    const { played, blob } = play();
    const never = async () => assert.fail('nothing is to be fetched');
    assert.equal(await readFrom(lasting(blob, never), 4), 'content of a blob');
    assert.deepEqual(played, { opened: 1, disposed: 1 });
  });

  test('and vanishes before it is opened is fetched again', async () => {
    const { blob } = play({ open: [vanished()] });
    const again = play();
    assert.equal(
      await readFrom(
        lasting(blob, async () => again.blob),
        0,
      ),
      content.toString(),
    );
    assert.deepEqual(again.played, { opened: 1, disposed: 1 });
  });

  test('and vanishes under a reader is fetched again, and read on where the reader was', async () => {
    const first = play({ read: [vanished()] });
    const again = play();
    assert.equal(
      await readFrom(
        lasting(first.blob, async () => again.blob),
        15,
      ),
      'a blob',
    );
    assert.deepEqual(first.played, { opened: 1, disposed: 1 });
    assert.deepEqual(again.played, { opened: 1, disposed: 1 });
  });

  test('and vanishes again and again is an error in the end', async () => {
    let fetched = 0;
    const again = async () => {
      fetched += 1;
      return play({ open: [vanished()] }).blob;
    };
    await assert.rejects(lasting(play({ open: [vanished()] }).blob, again).open(verified), /it is gone/);
    assert.equal(fetched, 2);
  });

  test('and vanishes is an error when nobody has it any more, or has something else', async () => {
    for (const found of [undefined, play({}, 3).blob]) {
      const { blob } = play({ open: [vanished()] });
      await assert.rejects(lasting(blob, async () => found).open(verified), /it is gone/);
    }
  });

  test('and is fetched again for a reader who leaves meanwhile is left closed', async () => {
    const { blob } = play({ read: [vanished()] });
    const again = play();
    const fetched = Promise.withResolvers<BlobReader>();
    const source = await lasting(blob, () => fetched.promise).open(verified);
    const reading = source.read(Buffer.alloc(100), 0);
    await source[Symbol.asyncDispose]();
    fetched.resolve(again.blob);
    await assert.rejects(reading, /has left/);
    assert.equal(again.played.disposed, again.played.opened);
  });

  test('and fails otherwise fails', async () => {
    const { blob } = play({ open: [new RegistryError('UNAVAILABLE', 'the disk is on fire')] });
    const never = async () => assert.fail('nothing is to be fetched');
    await assert.rejects(lasting(blob, never).open(verified), /on fire/);
  });
});
