import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loggedUrl } from './logged-url.ts';

describe('the URL in the log', () => {
  const rows: readonly (readonly [target: string, isToUs: boolean, logged: string])[] = [
    ['/v2/library/redis/manifests/7?ns=docker.io', true, '/v2/library/redis/manifests/7?ns=docker.io'],
    ['/v2/team/app/blobs/uploads/1?_state=signed', false, '/v2/team/app/blobs/uploads/1'],
    ['/token?account=alice&scope=x', false, '/token'],
    ['http://quay.io/v2/?token=x', false, 'http://quay.io/v2/'],
    ['http://alice:secret@quay.io/v2/', false, 'http://quay.io/v2/'],
    ['http://alice:secret@quay.io/v2/', true, 'http://quay.io/v2/'],
    ['http://alice:p@ss@quay.io/v2/a@b', true, 'http://quay.io/v2/a@b'],
    ['alice:secret@quay.io:443', true, 'quay.io:443'],
    ['quay.io:443', true, 'quay.io:443'],
    ['*', true, '*'],
  ];
  for (const [target, isToUs, logged] of rows) {
    test(`${target} is ${logged} where it is to ${isToUs ? 'us' : 'somebody else'}`, () => {
      assert.equal(loggedUrl(target, isToUs), logged);
    });
  }

  test('has an end', () => {
    assert.equal(loggedUrl(`/${'a'.repeat(5_000)}`, true).length, 2_048);
  });
});
