import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exampleTable } from '../../test/support/routing-table.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { fullName } from '../oci/repository.ts';
import { routeBeyond, withoutMount } from './beyond-route.ts';

const digest = digestOf('some content');

/** `upload quay.io/team/app 17`, `nothing`, or the code of the failure. */
function told(url: string, host = 'quay.io', prefix = ''): string {
  try {
    const meant = routeBeyond(url, host, exampleTable({ prefix }));
    if (meant === undefined) return 'nothing';
    const { kind, key, text, mount } = meant;
    const from = mount && ` from ${mount.from === undefined ? 'anywhere' : fullName(mount.from)}`;
    return `${kind} ${fullName(key)} ${text}${from ?? ''}`;
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
}

function table(title: string, rows: readonly (readonly [url: string, expected: string])[]): void {
  for (const [url, expected] of rows) test(`${title}: ${url}`, () => assert.equal(told(url), expected));
}

describe('what goes on to another registry', () => {
  table('is about a repository', [
    ['/v2/team/app/manifests/1', 'manifest quay.io/team/app 1'],
    [`/v2/team/app/blobs/${digest}?n=1&n=1`, `blob quay.io/team/app ${digest}`],
    ['/v2/team/app/tags/list', 'tags quay.io/team/app list'],
    ['/v2/team/app/blobs/uploads', 'uploads quay.io/team/app uploads'],
    ['/v2/team/app/blobs/uploads/', 'uploads quay.io/team/app '],
    ['/v2/team/app/blobs/uploads/AF2=17:x?_state=a%2Fb%3D', 'upload quay.io/team/app AF2=17:x'],
    ['/v2/team/app/manifests/no+tag', 'manifest quay.io/team/app no+tag'],
  ]);

  table('is read from the right, as registries do', [
    ['/v2/team/app/tags/secret/manifests/2', 'manifest quay.io/team/app/tags/secret 2'],
    ['/v2/team/app/manifests/manifests/2', 'manifest quay.io/team/app/manifests 2'],
    ['/v2/team/app/blobs/uploads/x/tags/list', 'tags quay.io/team/app/blobs/uploads/x list'],
  ]);

  table('is an upload wherever its registry lets that go on', [
    ['/v2/team/app/blobs/upload/17', 'upload quay.io/team/app 17'],
    ['/v2/team/app/blobs/uploads/1/7', 'upload quay.io/team/app 1/7'],
    ['/v2/team/app/blobs/blobs/upload/', 'upload quay.io/team/app/blobs '],
    ['/v2/blobs/uploads/17', 'NOT_FOUND'],
  ]);

  table('is about none', [
    ['/', 'nothing'],
    ['/v1/search?q=app', 'nothing'],
    ['/token?scope=repository:team/app:pull', 'nothing'],
    ['/v2', 'nothing'],
    ['/v2/', 'nothing'],
    ['/v2/_catalog?n=5', 'nothing'],
    ['/v2/auth?service=quay.io', 'nothing'],
    ['/v2/token', 'nothing'],
    ['/v2-of-something/else', 'nothing'],
  ]);

  table('is refused where it cannot be judged', [
    ['/v2/TEAM/denied/manifests/1', 'NAME_INVALID'],
    [`/v2/team/${'a'.repeat(260)}/manifests/1`, 'NAME_INVALID'],
    ['/v2/team/app/denied', 'NOT_FOUND'],
    ['/v2/_zot/ext/search?query=x', 'NOT_FOUND'],
    ['/v2/quay.io/team/app/tags/list', 'NAME_INVALID'],
  ]);

  table('is refused where others may read something else', [
    ['/v2/team/denied/%6danifests/1', 'NAME_INVALID'],
    ['/v2/team/denied/blobs%2Fuploads/', 'NAME_INVALID'],
    ['/v2/team/app/blobs/uploads/1%2F..%2F', 'NAME_INVALID'],
    ['/%762/team/denied/tags/list', 'NAME_INVALID'],
    ['/V2/team/denied/tags/list', 'NAME_INVALID'],
    ['//v2/team/denied/tags/list', 'NAME_INVALID'],
    ['/v2;x/team/denied/tags/list', 'NAME_INVALID'],
    ['/v2%2fteam/denied/tags/list', 'NAME_INVALID'],
    ['/v2/team/app/manifests/1;/../..', 'NAME_INVALID'],
    ['/v2/team/app/tags/list#/tags/list', 'NAME_INVALID'],
    ['/v2/team/./denied/tags/list', 'NAME_INVALID'],
  ]);

  test('has a path of its own, whatever stands before ours', () => {
    assert.equal(told('/v2/team/app/manifests/1', 'quay.io', '/registry'), 'manifest quay.io/team/app 1');
  });

  test('may be of the whole name of what Docker Hub calls by one word', () => {
    assert.equal(told('/v2/nginx/tags/list', 'registry-1.docker.io'), 'tags docker.io/library/nginx list');
  });
});

describe('a mount', () => {
  const uploads = '/v2/team/app/blobs/uploads/';
  const of = (query: string): string => told(`${uploads}?${query}`).replace(/^uploads quay.io\/team\/app ? ?/, '');

  test('is from a repository of the same registry, or from anywhere', () => {
    assert.equal(of(`mount=${digest}&from=team/other`), 'from quay.io/team/other');
    assert.equal(of(`from=team%2Fother&mount=${digest}`), 'from quay.io/team/other');
    assert.equal(of(`mount=${digest}`), 'from anywhere');
    assert.equal(of(`digest=${digest}&from=team/other`), '');
  });

  test('is refused where its registry may read another one', () => {
    for (const query of [
      `mount=${digest}&from=team/app&from=team/denied`,
      `mount=${digest}&%66rom=team/denied`,
      `%6dount=${digest}&from=team/denied`,
      `x=1;mount=${digest};from=team/denied`,
      `mount=${digest}&from=TEAM/denied`,
      `mount=${digest}&from=quay.io/team/app`,
      `mount=${digest}&from=..%2fteam/denied`,
    ]) {
      assert.match(of(query), /^(?:REQUEST_INVALID|NAME_INVALID)$/, query);
    }
  });

  test('is an upload without what makes it one', () => {
    assert.equal(withoutMount(`${uploads}?mount=${digest}&from=team/denied`), uploads);
    assert.equal(withoutMount(`${uploads}?a=1&from=x&mount=${digest}&b`), `${uploads}?a=1&b`);
  });
});
