import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exampleTable } from '../../test/support/routing-table.ts';
import { digestOf } from '../oci/digest.ts';
import { Repeat } from './repeat.ts';
import { RouteMemo } from './route-memo.ts';
import { route } from './route.ts';

const digest = digestOf('some content');

describe('routes that are remembered', () => {
  test('lead where they led, whatever was asked before', () => {
    const memo = new RouteMemo();
    const table = exampleTable();
    const paths = [
      'redis/manifests/7',
      `redis/manifests/${digest}`,
      `redis/blobs/${digest}`,
      'redis/tags/list',
      '_nothing',
    ];
    for (let round = 0; round < 2; round += 1) {
      for (const method of ['PUT', 'GET', 'DELETE', 'HEAD', 'POST']) {
        for (const path of paths.flatMap((each) => [each, `${each}?ns=quay.io`, `local/${each}`])) {
          const url = `/v2/${path}`;
          assert.deepEqual(
            JSON.stringify(memo.find({ method, url, via: undefined }, table).route),
            JSON.stringify(route(method, url, undefined, table)),
            `${method} ${url}`,
          );
        }
      }
    }
  });

  test('are not worked out again', () => {
    let asked = 0;
    const table = exampleTable();
    const counting = { ...table, findUpstream: (host: string) => ((asked += 1), table.findUpstream(host)) };
    const memo = new RouteMemo();
    const request = { method: 'GET', url: '/v2/redis/manifests/7?ns=quay.io', via: undefined };
    const first = memo.find(request, counting);
    const askedOnce = asked;
    assert.equal(memo.find({ ...request, method: 'HEAD' }, counting), first);
    assert.equal(asked, askedOnce);
  });

  test('are forgotten with the table that they come from', () => {
    const memo = new RouteMemo();
    const request = { method: 'GET', url: '/v2/redis/manifests/7', via: undefined };
    const upstreamBy = (given: Parameters<typeof exampleTable>[0]): string | undefined => {
      const { route: found } = memo.find(request, exampleTable(given));
      return found.kind === 'manifest' ? found.key.upstream : found.kind;
    };
    const quay = { name: 'quay.io', library: false };
    assert.equal(upstreamBy({ isHosted: () => false }), 'docker.io');
    assert.equal(upstreamBy({ isHosted: () => false, defaultUpstream: quay }), 'quay.io');
  });

  test('hold no more bytes of manifests than a limit, also where a manifest has grown', () => {
    const memo = new RouteMemo();
    const table = exampleTable();
    const answered = (tag: string, mebibytes: number) => {
      const found = memo.find({ method: 'GET', url: `/v2/redis/manifests/${tag}`, via: undefined }, table);
      found.remember?.(new Repeat(() => undefined, {}, new Uint8Array(mebibytes * 1024 * 1024)));
      return found;
    };
    const first = answered('1', 10);
    const second = answered('2', 1);
    answered('2', 10);
    assert.deepEqual([first.repeat?.size, second.repeat?.size], [undefined, 10 * 1024 * 1024]);
    answered('1', 7);
    assert.equal(second.repeat, undefined);
  });

  test('are another matter for who comes by another way', () => {
    const memo = new RouteMemo();
    const table = exampleTable({ isHosted: () => false });
    const request = { method: 'GET', url: '/v2/redis/manifests/7' };
    for (let round = 0; round < 2; round += 1) {
      for (const [host, upstream] of [
        [undefined, 'docker.io'],
        ['quay.io', 'quay.io'],
        ['docker.io', 'docker.io'],
      ] as const) {
        const via = host === undefined ? undefined : ({ kind: 'tunnel', host } as const);
        const { route: found } = memo.find({ ...request, via }, table);
        assert.equal(found.kind === 'manifest' ? found.key.upstream : found.kind, upstream);
      }
    }
  });
});
