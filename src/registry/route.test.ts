import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { exampleTable } from '../../test/support/routing-table.ts';
import { digestOf } from '../oci/digest.ts';
import { isRepositoryName } from '../oci/reference.ts';
import { route } from './route.ts';
import type { RoutingTable } from './route.ts';

const digest = digestOf('some content');

/** `manifest docker.io/library/redis 7`, or the code of the failure. */
function told(method: string, url: string, given: Partial<RoutingTable> = {}, authority?: string): string {
  const found = route(method, url, authority, exampleTable(given));
  switch (found.kind) {
    case 'failure':
      return `${found.error.code}${found.allow === undefined ? '' : ` allow ${found.allow}`}`;
    case 'root':
    case 'ping':
    case 'catalog':
      return found.kind;
    default: {
      const { upstream, name } = found.key;
      const what = found.kind === 'manifest' ? ` ${found.reference}` : 'digest' in found ? ' DIGEST' : '';
      return `${found.kind} ${upstream ?? 'HERE'}/${name}${what} by ${found.door}`;
    }
  }
}

function table(title: string, rows: readonly (readonly [request: string, expected: string])[], given = {}): void {
  for (const [request, expected] of rows) {
    const [method = '', url = ''] = request
      .replaceAll('DIGEST', digest)
      .replaceAll('UPLOAD', '0b6ad5dc-2f1b-4a52-9b1e-7a4f0a8d6d3e')
      .split(' ');
    test(`${title}: ${request} is ${expected}`, () => assert.equal(told(method, url, given), expected));
  }
}

describe('routing', () => {
  table('what is asked for', [
    ['GET /', 'root'],
    ['HEAD /', 'root'],
    ['GET /v2/', 'ping'],
    ['GET /v2', 'ping'],
    ['GET /quay.io/v2/', 'ping'],
    ['GET /v2/_catalog', 'catalog'],
    ['GET /v2/_catalog?n=5', 'catalog'],
    ['GET /v2/a/b/manifests/7', 'manifest docker.io/a/b 7 by mirror'],
    ['HEAD /v2/a/b/manifests/7', 'manifest docker.io/a/b 7 by mirror'],
    ['GET /v2/a/b/manifests/DIGEST', `manifest docker.io/a/b ${digest} by mirror`],
    ['GET /v2/a/b/blobs/DIGEST', 'blob docker.io/a/b DIGEST by mirror'],
    ['GET /v2/a/b/tags/list', 'tags docker.io/a/b by mirror'],
    ['GET /v2/a/b/referrers/DIGEST', 'referrers docker.io/a/b DIGEST by mirror'],
  ]);

  table('names that look like something else', [
    ['GET /v2/a/manifests/manifests/7', 'manifest docker.io/a/manifests 7 by mirror'],
    ['GET /v2/a/v2/manifests/7', 'manifest docker.io/a/v2 7 by mirror'],
    ['GET /v2/a/blobs/uploads/manifests/7', 'manifest docker.io/a/blobs/uploads 7 by mirror'],
    ['GET /v2/blobs/uploads/tags/list', 'tags docker.io/blobs/uploads by mirror'],
    ['GET /v2/a/tags/list/tags/list', 'tags docker.io/a/tags/list by mirror'],
    ['GET /v2/manifests/manifests/7', 'manifest docker.io/library/manifests 7 by own'],
    ['GET /v2/a/_catalog/tags/list', 'NAME_INVALID'],
  ]);

  table('the registry in the path', [
    ['GET /v2/quay.io/a/b/manifests/7', 'manifest quay.io/a/b 7 by path'],
    ['GET /v2/QUAY.io/a/b/manifests/7', 'manifest quay.io/a/b 7 by path'],
    ['GET /v2/quay.io:443/a/b/manifests/7', 'manifest quay.io/a/b 7 by path'],
    ['GET /v2/quay.io%3A443/a/b/manifests/7', 'manifest quay.io/a/b 7 by path'],
    ['GET /v2/quay.io./a/b/manifests/7', 'manifest quay.io/a/b 7 by path'],
    ['GET /quay.io/v2/a/b/manifests/7', 'manifest quay.io/a/b 7 by path'],
    ['GET /quay.io/a/v2/b/manifests/7', 'manifest quay.io/a/b 7 by path'],
    ['GET /v2/quay.io/a/manifests/7', 'manifest quay.io/a 7 by path'],
    ['GET /v2/docker.io/redis/manifests/7', 'manifest docker.io/library/redis 7 by path'],
    ['GET /v2/index.docker.io/redis/manifests/7', 'manifest docker.io/library/redis 7 by path'],
    ['GET /v2/docker.io/library/redis/manifests/7', 'manifest docker.io/library/redis 7 by path'],
    ['GET /v2/localhost:5001/a/manifests/7', 'manifest localhost:5001/a 7 by path'],
    ['GET /localhost:5001/v2/a/manifests/7', 'manifest localhost:5001/a 7 by path'],
    ['GET /v2/cache.example:5000/a/manifests/7', 'manifest docker.io/library/a 7 by own'],
    ['GET /v2/cache.example:5000/a/b/manifests/7', 'manifest HERE/a/b 7 by own'],
    ['GET /v2/evil.example/a/manifests/7', 'UPSTREAM_UNKNOWN'],
    ['GET /evil.example/v2/a/manifests/7', 'UPSTREAM_UNKNOWN'],
    ['GET /evil.example/v2/', 'UPSTREAM_UNKNOWN'],
    ['GET /v2/169.254.169.254/latest/manifests/7', 'UPSTREAM_UNKNOWN'],
    ['GET /v2/localhost/a/manifests/7', 'UPSTREAM_UNKNOWN'],
    ['GET /mirror/v2/a/manifests/7', 'NOT_FOUND'],
    ['GET /quay.io/v2/_catalog', 'NOT_FOUND'],
  ]);

  table('the registry in ns', [
    ['GET /v2/a/b/manifests/7?ns=quay.io', 'manifest quay.io/a/b 7 by ns'],
    ['GET /v2/a/b/manifests/7?ns=QUAY.IO%3A443', 'manifest quay.io/a/b 7 by ns'],
    ['GET /v2/redis/manifests/7?ns=docker.io', 'manifest docker.io/library/redis 7 by ns'],
    ['GET /v2/redis/manifests/7?ns=quay.io', 'manifest quay.io/redis 7 by ns'],
    ['HEAD /v2/redis/blobs/DIGEST?ns=docker.io', 'blob docker.io/library/redis DIGEST by ns'],
    ['GET /v2/local/app/manifests/7?ns=quay.io', 'manifest quay.io/local/app 7 by ns'],
    ['GET /v2/quay.io/a/b/manifests/7?ns=quay.io', 'manifest quay.io/a/b 7 by ns'],
    ['GET /quay.io/v2/a/b/manifests/7?ns=quay.io', 'manifest quay.io/a/b 7 by ns'],
    ['GET /index.docker.io/v2/redis/manifests/7?ns=docker.io', 'manifest docker.io/library/redis 7 by ns'],
    ['GET /v2/docker.io/a/b/manifests/7?ns=quay.io', 'manifest quay.io/docker.io/a/b 7 by ns'],
    ['GET /docker.io/v2/a/b/manifests/7?ns=quay.io', 'REQUEST_INVALID'],
    ['GET /v2/a/b/manifests/7?ns=cache.example:5000', 'manifest HERE/a/b 7 by own'],
    ['GET /v2/a/manifests/7?ns=cache.example:5000', 'manifest docker.io/library/a 7 by own'],
    ['GET /v2/a/b/manifests/7?ns=evil.example', 'UPSTREAM_UNKNOWN'],
    ['GET /v2/a/b/manifests/7?ns=', 'UPSTREAM_UNKNOWN'],
    ['GET /v2/a/b/manifests/7?ns=http://quay.io', 'UPSTREAM_UNKNOWN'],
    ['GET /v2/a/b/manifests/7?ns=quay.io%0d%0aX:y', 'UPSTREAM_UNKNOWN'],
    ['GET /v2/a/b/manifests/7?ns=%20quay.io', 'UPSTREAM_UNKNOWN'],
    ['GET /v2/a/b/manifests/7?ns=quay.io&ns=docker.io', 'REQUEST_INVALID'],
    ['GET /v2/a/b/manifests/7?ns=%', 'REQUEST_INVALID'],
    ['GET /v2/a/b/manifests/7?other=%&NS=quay.io', 'manifest docker.io/a/b 7 by mirror'],
  ]);

  table('hosted names', [
    ['GET /v2/local/app/manifests/7', 'manifest HERE/local/app 7 by own'],
    ['GET /v2/local/a/b/blobs/DIGEST', 'blob HERE/local/a/b DIGEST by own'],
    ['GET /v2/nginx/manifests/7', 'manifest docker.io/library/nginx 7 by own'],
    ['HEAD /v2/nginx/manifests/7', 'manifest docker.io/library/nginx 7 by own'],
    ['GET /v2/nginx/blobs/DIGEST', 'blob docker.io/library/nginx DIGEST by own'],
    ['HEAD /v2/nginx/blobs/DIGEST', 'blob HERE/nginx DIGEST by own'],
    ['GET /v2/nginx/tags/list', 'tags HERE/nginx by own'],
    ['GET /v2/nginx/referrers/DIGEST', 'referrers HERE/nginx DIGEST by own'],
  ]);

  const claimed = { isClaimed: (name: string) => name === 'nginx' };
  table(
    'a name that was pushed once',
    [
      ['GET /v2/nginx/manifests/7', 'manifest HERE/nginx 7 by own'],
      ['GET /v2/nginx/blobs/DIGEST', 'blob HERE/nginx DIGEST by own'],
      ['GET /v2/redis/manifests/7', 'manifest docker.io/library/redis 7 by own'],
    ].map(([request = '', expected = '']) => [request, expected] as const),
    claimed,
  );

  table(
    'a server that hosts nothing',
    [
      ['GET /v2/nginx/manifests/7', 'manifest docker.io/library/nginx 7 by mirror'],
      ['HEAD /v2/nginx/blobs/DIGEST', 'blob docker.io/library/nginx DIGEST by mirror'],
      ['GET /v2/local/app/manifests/7', 'manifest docker.io/local/app 7 by mirror'],
    ],
    { isHosted: () => false },
  );

  const registry = { mode: 'registry', defaultUpstream: undefined } as const;
  table(
    'in the mode of registry:2',
    [
      ['GET /v2/nginx/manifests/7', 'manifest HERE/nginx 7 by own'],
      ['GET /v2/a/b/manifests/7?ns=quay.io', 'manifest HERE/a/b 7 by own'],
      ['GET /v2/quay.io/a/manifests/7', 'manifest HERE/quay.io/a 7 by own'],
      ['GET /quay.io/v2/a/manifests/7', 'NOT_FOUND'],
    ],
    registry,
  );

  table(
    'in the mode of registry:2 as a proxy',
    [
      ['GET /v2/nginx/manifests/7', 'manifest docker.io/library/nginx 7 by mirror'],
      ['GET /v2/a/b/manifests/7?ns=quay.io', 'manifest docker.io/a/b 7 by mirror'],
      ['GET /v2/quay.io/a/manifests/7', 'manifest docker.io/quay.io/a 7 by mirror'],
      ['GET /quay.io/v2/a/manifests/7', 'NOT_FOUND'],
    ],
    { mode: 'registry-proxy' },
  );

  table('a push to a name of ours', [
    ['POST /v2/nginx/blobs/uploads/?mount=DIGEST', 'uploads HERE/nginx by own'],
    ['POST /v2/local/app/blobs/uploads', 'uploads HERE/local/app by own'],
    ['PATCH /v2/local/app/blobs/uploads/UPLOAD', 'upload HERE/local/app by own'],
    ['PUT /v2/local/app/blobs/uploads/UPLOAD?digest=DIGEST', 'upload HERE/local/app by own'],
    ['GET /v2/local/app/blobs/uploads/UPLOAD', 'upload HERE/local/app by own'],
    ['DELETE /v2/local/app/blobs/uploads/UPLOAD', 'upload HERE/local/app by own'],
    ['PUT /v2/nginx/manifests/7', 'manifest HERE/nginx 7 by own'],
    ['PUT /v2/nginx/manifests/DIGEST?tag=a&tag=b', `manifest HERE/nginx ${digest} by own`],
    ['DELETE /v2/nginx/manifests/7', 'manifest HERE/nginx 7 by own'],
    ['PUT /v2/cache.example:5000/team/app/manifests/7', 'manifest HERE/team/app 7 by own'],
    ['PUT /v2/local/app/manifests/-no-tag', 'TAG_INVALID'],
    ['PUT /v2/local/app/manifests/sha256:bad', 'DIGEST_INVALID'],
    ['PATCH /v2/local/app/blobs/uploads/..', 'NAME_INVALID'],
    ['PATCH /v2/local/app/blobs/uploads/%2e%2e%2fx', 'NAME_INVALID'],
    ['PATCH /v2/local/app/blobs/uploads/some-id', 'BLOB_UPLOAD_UNKNOWN'],
    ['GET /v2/a/b/blobs/uploads/UPLOAD', 'BLOB_UPLOAD_UNKNOWN'],
  ]);

  table('what is not allowed', [
    ['POST /v2/a/b/blobs/uploads/', 'UNSUPPORTED allow GET, HEAD'],
    ['POST /v2/local/app/manifests/7', 'UNSUPPORTED allow GET, HEAD, PUT, DELETE'],
    ['POST /v2/local/app/blobs/uploads/UPLOAD', 'UNSUPPORTED allow GET, HEAD, PATCH, PUT, DELETE'],
    ['PUT /v2/local/app/blobs/uploads/', 'UNSUPPORTED allow GET, HEAD, POST'],
    ['PATCH /v2/a/b/blobs/uploads/some-id', 'UNSUPPORTED allow GET, HEAD'],
    ['PUT /v2/a/b/blobs/uploads/some-id?digest=DIGEST', 'UNSUPPORTED allow GET, HEAD'],
    ['DELETE /v2/a/b/manifests/7', 'UNSUPPORTED allow GET, HEAD'],
    ['DELETE /v2/a/b/blobs/DIGEST', 'UNSUPPORTED allow GET, HEAD'],
    ['OPTIONS /v2/', 'UNSUPPORTED allow GET, HEAD'],
    ['TRACE /', 'UNSUPPORTED allow GET, HEAD'],
    ['PROPFIND /v2/a/b/tags/list', 'UNSUPPORTED allow GET, HEAD'],
    ['GET /v2/a/b/blobs/uploads/some-id', 'BLOB_UPLOAD_UNKNOWN'],
    ['GET /v2/a/b/blobs/uploads/', 'BLOB_UPLOAD_UNKNOWN'],
  ]);

  table('what is malformed', [
    ['GET /v1/search', 'NOT_FOUND'],
    ['GET /favicon.ico', 'NOT_FOUND'],
    ['GET /v2/a/b', 'NOT_FOUND'],
    ['GET /v2/manifests/7', 'NOT_FOUND'],
    ['GET /v2/a/b/tags/other', 'NOT_FOUND'],
    ['GET /v2/a/b/tags/list/', 'NOT_FOUND'],
    ['GET //v2/a/b/tags/list', 'NAME_INVALID'],
    ['GET /v2//a/b/tags/list', 'NAME_INVALID'],
    ['GET /v2/a//b/tags/list', 'NAME_INVALID'],
    ['GET /v2/../v2/a/b/tags/list', 'NAME_INVALID'],
    ['GET /v2/a/%2e%2e/b/tags/list', 'NAME_INVALID'],
    ['GET /v2/a%2Fb/tags/list', 'NAME_INVALID'],
    ['GET /v2/a/b%00/tags/list', 'NAME_INVALID'],
    ['GET /v2/a/%zz/tags/list', 'NAME_INVALID'],
    ['GET /v2/a/%252e/tags/list', 'NAME_INVALID'],
    ['GET /v2/A/b/tags/list', 'NAME_INVALID'],
    ['GET /v2/a/b#x/tags/list', 'NAME_INVALID'],
    ['GET /v2/a/b/blobs/sha256:short', 'DIGEST_INVALID'],
    ['GET /v2/a/b/blobs/md5:d41d8cd98f00b204e9800998ecf8427e', 'DIGEST_INVALID'],
    ['GET /v2/a/b/referrers/7', 'DIGEST_INVALID'],
    ['GET /v2/a/b/manifests/sha256:short', 'DIGEST_INVALID'],
    ['GET /v2/a/b/manifests/.hidden', 'MANIFEST_UNKNOWN'],
    ['GET /v2/a/b/manifests/', 'MANIFEST_UNKNOWN'],
  ]);

  test('a registry named outside of the path comes before everything else', () => {
    assert.equal(told('GET', '/v2/a/b/manifests/7', {}, 'quay.io'), 'manifest quay.io/a/b 7 by name');
    assert.equal(
      told('GET', '/v2/nginx/manifests/7?ns=quay.io', {}, 'docker.io:443'),
      'manifest docker.io/library/nginx 7 by name',
    );
    assert.equal(told('GET', '/v2/local/app/manifests/7', {}, 'quay.io'), 'manifest quay.io/local/app 7 by name');
    assert.equal(told('GET', '/v2/a/b/manifests/7', {}, 'evil.example'), 'UPSTREAM_UNKNOWN');
  });

  test('our own name as the target of a proxied request changes nothing', () => {
    assert.equal(told('GET', '/v2/quay.io/a/manifests/7', {}, 'cache.example:5000'), 'manifest quay.io/a 7 by path');
  });

  test('the refusal of an unknown registry names the host and the setting', () => {
    const found = route('GET', '/v2/evil.example/a/manifests/7', undefined, exampleTable());
    assert.ok(found.kind === 'failure');
    assert.match(found.error.message, /evil\.example.*upstreams:/);
  });

  test('OCI-Namespace repeats ns as it was sent, and names the upstream otherwise', () => {
    const namespaceOf = (url: string): string | undefined => {
      const found = route('GET', url, undefined, exampleTable());
      assert.ok('namespace' in found);
      return found.namespace;
    };
    assert.equal(namespaceOf('/v2/a/b/manifests/7?ns=index.docker.io'), 'index.docker.io');
    assert.equal(namespaceOf('/v2/index.docker.io/a/manifests/7'), 'docker.io');
    assert.equal(namespaceOf('/v2/a/b/manifests/7'), 'docker.io');
    assert.equal(namespaceOf('/v2/local/app/manifests/7'), undefined);
  });

  test('no URL whatsoever makes it throw, or find a name that is none', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'v2',
        'quay.io',
        'docker.io',
        'a',
        'manifests',
        'blobs',
        'uploads',
        'tags',
        'list',
        '..',
        '.',
        '',
        '%2f',
        '%',
        digest,
      ),
      fc.string({ maxLength: 12, unit: 'binary' }),
    );
    const url = fc
      .tuple(fc.array(piece, { maxLength: 8 }), fc.option(fc.string({ maxLength: 30, unit: 'binary' })))
      .map(([pieces, query]) => `/${pieces.join('/')}${query === null ? '' : `?ns=${query}`}`);
    const known = new Set([undefined, 'docker.io', 'quay.io', 'localhost:5001']);
    fc.assert(
      fc.property(fc.constantFrom('GET', 'HEAD', 'POST', 'x'), url, (method, text) => {
        const found = route(method, text, undefined, exampleTable());
        if (!('key' in found)) return;
        assert.ok(isRepositoryName(found.key.name));
        assert.ok(known.has(found.key.upstream));
        assert.ok(method === 'GET' || method === 'HEAD');
      }),
      { numRuns: 3_000 },
    );
  });
});
