import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { storeFailure } from './failure.ts';

describe('a failure of the store', () => {
  const sentences: readonly (readonly [code: string, advice: RegExp])[] = [
    ['ENOSPC', /free some space on it, or lower cache\.size$/],
    ['EROFS', /remount it writable/],
    ['EACCES', /give the user that runs entrepot read and write access/],
    ['EMFILE', /raise the limit of open files/],
    ['EIO', /look at the kernel log and replace the disk$/],
    ['EWHATEVER', /look at the disk and the file system/],
  ];
  for (const [code, advice] of sentences) {
    test(`with ${code} says what to do and keeps the code`, () => {
      const cause = Object.assign(new Error('system'), { code });
      const failure = storeFailure('writing to the store', cause);
      assert.match(failure.message, advice);
      assert.ok(failure.message.startsWith(`writing to the store failed with ${code}: `));
      assert.deepEqual([failure.code, failure.origin, failure.detail], ['UNAVAILABLE', 'store', { code }]);
      assert.equal(failure.cause, cause);
    });
  }

  test('is not wrapped twice', () => {
    const failure = new RegistryError('UNAVAILABLE', 'said already', { origin: 'store' });
    assert.equal(storeFailure('writing to the store', failure), failure);
  });
});
