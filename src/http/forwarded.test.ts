import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { firstOf, plainAddress, TrustedProxies } from './forwarded.ts';

const proxies = new TrustedProxies(['10.0.0.0/8', '192.168.1.1', '2001:db8::/32']);

describe('trusted proxies', () => {
  test('are the addresses and ranges that the operator names, in either form of an IPv4 address', () => {
    for (const address of ['10.1.2.3', '192.168.1.1', '::ffff:10.1.2.3', '2001:db8::7'])
      assert.ok(proxies.trust(address));
    for (const address of ['11.0.0.1', '192.168.1.2', '::1', '2001:db9::1', '', 'nonsense']) {
      assert.ok(!proxies.trust(address));
    }
  });

  test('are nobody unless named', () => {
    assert.ok(!new TrustedProxies([]).trust('127.0.0.1'));
  });

  const rows = [
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:db9::1]:4711', '2001:db9::1'],
    ['2001:db9::1', '2001:db9::1'],
    ['<script>', '10.9.9.9'],
    ['203.0.113.9, nonsense, 10.0.0.2', '10.0.0.2'],
    ['', '10.9.9.9'],
  ] as const;
  for (const [list, client] of rows) {
    test(`say of "${list}" that the client is ${client}`, () => {
      assert.equal(proxies.clientOf(list, '10.9.9.9'), client);
    });
  }

  test('are asked by a socket whose address may be IPv4 in IPv6', () => {
    assert.equal(plainAddress('::ffff:10.1.2.3'), '10.1.2.3');
    assert.equal(plainAddress('::1'), '::1');
    assert.equal(plainAddress(undefined), '');
  });

  test('put the outermost value first', () => {
    assert.equal(firstOf('https, http'), 'https');
    assert.equal(firstOf(' cache.example '), 'cache.example');
  });
});
