import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeDialPolicy } from './addresses.ts';

const policy = makeDialPolicy({
  upstream: 'reg.test',
  allowed: ['10.9.0.0/16', '127.0.0.5', 'fe80::/16'],
  named: (host) => host === 'named.test',
  own: () => ['192.168.7.7', '203.0.113.7', 'fd12::7'],
});

function verdict(host: string, address: string): string {
  return policy.refusal(host, address)?.why ?? 'dialled';
}

describe('an address', () => {
  const never = [
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['2002:7f00:1::', 'loopback'],
    ['::7f00:1', 'loopback'],
    ['::5efe:7f00:1', 'loopback'],
    ['2606:4700::200:5efe:7f00:1', 'loopback'],
    ['::a9fe:a9fe', 'link-local'],
    ['169.254.1.1', 'link-local'],
    ['febf::1', 'link-local'],
    ['169.254.169.254', 'link-local'],
    ['fd00:ec2::254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['0.0.0.0', 'unspecified'],
    ['::', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['192.168.7.7', 'of this machine'],
    ['203.0.113.7', 'of this machine'],
    ['fd12::7', 'of this machine'],
  ] as const;
  for (const [address, why] of never) {
    test(`${address} is never dialled (${why})`, () => {
      assert.match(verdict('named.test', address), new RegExp(why));
      assert.match(verdict('other.test', address), new RegExp(why));
    });
  }

  for (const address of [
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    'fd12::1',
    '100.64.0.1',
    '::ffff:10.0.0.1',
    '::10.0.0.1',
    '2606:4700::5efe:10.0.0.1',
    '198.18.0.1',
  ]) {
    test(`${address} is dialled only for a host that the configuration names`, () => {
      assert.equal(verdict('named.test', address), 'dialled');
      assert.match(verdict('other.test', address), /private network/);
    });
  }

  for (const address of ['1.1.1.1', '2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::101:101', '::1.1.1.1']) {
    test(`${address} is dialled for anybody`, () => assert.equal(verdict('other.test', address), 'dialled'));
  }

  for (const address of ['10.9.1.1', '127.0.0.5', 'fe80::1']) {
    test(`${address} is dialled because it is allowed`, () => assert.equal(verdict('other.test', address), 'dialled'));
  }

  test('that is refused comes with the setting that allows it', () => {
    assert.equal(
      policy.refusal('other.test', '127.0.0.1')?.advice,
      'if that is meant, add 127.0.0.1 to upstreams.reg.test.dial',
    );
  });
});
