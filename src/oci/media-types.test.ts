import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bareMediaType,
  isIndexMediaType,
  isManifestMediaType,
  isSchema1MediaType,
  manifestAccept,
  mediaTypes,
} from './media-types.ts';

describe('a media type', () => {
  for (const [given, bare] of [
    ['application/json', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    ['Application/JSON;charset=utf-8;q=1', 'application/json'],
    [`  ${mediaTypes.ociIndex.toUpperCase()}  `, mediaTypes.ociIndex],
    ['', ''],
    [';', ''],
  ] as const) {
    test(`${JSON.stringify(given)} is ${JSON.stringify(bare)} without its parameters`, () => {
      assert.equal(bareMediaType(given), bare);
    });
  }

  test('tells indexes and schema 1 from manifests', () => {
    const all = Object.values(mediaTypes);
    assert.deepEqual(all.filter(isIndexMediaType), [mediaTypes.ociIndex, mediaTypes.dockerList]);
    assert.deepEqual(all.filter(isSchema1MediaType), [mediaTypes.dockerSchema1, mediaTypes.dockerSchema1Signed]);
  });

  test('is asked for when it is one that we can verify', () => {
    const accepted = manifestAccept.split(', ');
    assert.deepEqual(accepted, accepted.filter(isManifestMediaType));
    assert.deepEqual(accepted.filter(isSchema1MediaType), []);
    const manifests = Object.values(mediaTypes).filter((type) => !isSchema1MediaType(type));
    assert.deepEqual(accepted.toSorted(), manifests.filter((type) => type !== mediaTypes.ociEmpty).toSorted());
  });
});
