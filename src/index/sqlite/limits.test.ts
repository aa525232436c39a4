import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blob, image, redis } from '../../../test/contracts/index-fixtures.ts';
import { inMemory, openSqliteIndex } from './index.ts';
import { pinsMax } from './operator-pins.ts';
import { usedParentsMax } from './uses.ts';

describe('limits of the index', () => {
  test(`a use reaches the ${usedParentsMax} newest images that share a blob, and none beyond`, async () => {
    await using index = await openSqliteIndex({ path: inMemory });
    const base = blob('base', 1);
    const images = Array.from({ length: usedParentsMax + 1 }, (_, each) => image([blob('config', each), base]));
    for (const each of images) await index.manifests.put(redis, each, 1);
    await index.keeping.touch([{ repository: redis, digest: base.digest, atMs: 9 }]);
    const candidates = await index.keeping.candidates(1_000);
    const unused = candidates.filter(({ lastUsedMs }) => lastUsedMs === 1).map(({ manifest }) => manifest);
    assert.deepEqual(unused, [images[0]?.digest]);
  });

  test(`a pin beyond ${pinsMax} is refused, and changes nothing`, async () => {
    await using index = await openSqliteIndex({ path: inMemory });
    for (let each = 0; each < pinsMax; each += 1) await index.pins.pin(`pin-${each}`);
    await assert.rejects(index.pins.pin('one-more'), { code: 'REQUEST_INVALID', message: /unpin something/ });
    assert.equal((await index.pins.list()).length, pinsMax);
    await index.pins.pin('pin-7');
    await index.pins.unpin('pin-7');
    await index.pins.pin('one-more');
  });
});
