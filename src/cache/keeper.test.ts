import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Index } from '../index/contract.ts';
import { silent } from '../observe/events.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { Keeper } from './keeper.ts';

/** A disk of 1,000 bytes, 100 of which must stay free and 200 are; a cache that holds 300 bytes and lets none go. */
function setUp() {
  let looks = 0;
  const candidates = async (): Promise<readonly never[]> => {
    looks += 1;
    return [];
  };
  const keeper = new Keeper({
    store: { capacity: async () => ({ freeBytes: 200, totalBytes: 1_000 }) } as Partial<BlobStore> as BlobStore,
    index: {
      keeping: { cachedBytes: async () => 300, candidates },
      repositories: { statistics: async () => ({ heldBytes: 700 }) },
    } as Partial<Record<keyof Index, unknown>> as Index,
    clock: new FakeClock(),
    observer: silent,
    dispose: async () => 0,
    limits: { sizeBytesMax: 1_000, freeBytesMin: () => 100, unusedMsMax: Infinity },
    mayEvict: () => true,
    isBusy: () => false,
    arriving: () => ({ bytes: 0, leftBytes: 0 }),
  });
  return { keeper, looks: () => looks };
}

describe('room for a blob', () => {
  test('that would not fit even if all else went is not made: nothing goes for nothing', async () => {
    const { keeper, looks } = setUp();
    assert.equal(await keeper.makeRoom(401), undefined);
    assert.equal(looks(), 0);
    assert.equal(await keeper.makeRoom(400), undefined);
    assert.equal(looks(), 1, 'it is looked for where it could be found');
  });

  test('that is granted is held free until it is disposed of', async () => {
    const { keeper } = setUp();
    {
      using room = await keeper.makeRoom(100);
      assert.notEqual(room, undefined);
      assert.equal(await keeper.makeRoom(1), undefined);
    }
    assert.notEqual(await keeper.makeRoom(1), undefined);
  });
});
