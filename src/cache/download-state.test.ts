import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Extents } from '../bytes/extents.ts';
import { digestOf } from '../oci/digest.ts';
import { isIngestName } from '../store/blob-store.ts';
import { formatState, ingestNameOf, parseState } from './download-state.ts';

const digest = digestOf('content');
const ingest = ingestNameOf(digest, 7);

describe('the state of a download', () => {
  test('is read back as it was written', () => {
    const positions = fc.array(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()).map(([start, end]) => ({ start, end })));
    fc.assert(
      fc.property(fc.option(fc.maxSafeNat(), { nil: undefined }), positions, (size, list) => {
        const state = { ingest, size, extents: Extents.from(list).toJSON() };
        assert.deepEqual(parseState(formatState(state)), state);
      }),
    );
  });

  test('names its ingest after the digest and the epoch, so that two holders never write to one file', () => {
    assert.notEqual(ingestNameOf(digest, 7), ingestNameOf(digest, 8));
    assert.ok(isIngestName(ingestNameOf(digestOf('content', 'sha512'), Number.MAX_SAFE_INTEGER)));
  });

  for (const text of [
    '',
    'null',
    '[]',
    '7',
    '"text"',
    '{',
    '{}',
    `{"ingest":"${ingest}"}`,
    `{"ingest":"${ingest}","extents":{}}`,
    `{"ingest":"../../etc/passwd","extents":[]}`,
    `{"ingest":7,"extents":[]}`,
    `{"ingest":"${ingest}","size":-1,"extents":[]}`,
    `{"ingest":"${ingest}","size":null,"extents":[]}`,
    `{"ingest":"${ingest}","size":1.5,"extents":[]}`,
    `{"ingest":"${ingest}","extents":[[0]]}`,
    `{"ingest":"${ingest}","extents":[[0,"9"]]}`,
    `{"ingest":"${ingest}","extents":[7]}`,
    `{"ingest":"${ingest}","extents":[[-1,9]]}`,
  ]) {
    test(`that another wrote as ${text.replace(ingest, 'NAME') || 'nothing'} is none`, () => {
      assert.equal(parseState(text), undefined);
    });
  }

  test('is read or is none, whatever the text', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => assert.equal(parseState(text), undefined)));
  });

  test('has no bytes in an extent that ends before it begins', () => {
    assert.deepEqual(parseState(`{"ingest":"${ingest}","size":9,"extents":[[9,3],[4,4]]}`)?.extents, []);
  });
});
