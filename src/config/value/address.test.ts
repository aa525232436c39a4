import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseListenAddress, parseNameServer, parseNetwork } from './address.ts';

describe('an address to listen on', () => {
  test('without a host is every address', () => {
    assert.deepEqual(parseListenAddress(':5000'), { host: undefined, port: 5000 });
  });

  test('may be a name, IPv4, or IPv6 in brackets', () => {
    assert.deepEqual(parseListenAddress('localhost:0'), { host: 'localhost', port: 0 });
    assert.deepEqual(parseListenAddress('127.0.0.1:80'), { host: '127.0.0.1', port: 80 });
    assert.deepEqual(parseListenAddress('[::1]:443'), { host: '::1', port: 443 });
    assert.deepEqual(parseListenAddress('[::]:443'), { host: '::', port: 443 });
  });

  for (const [text, message] of [
    ['5000', /write :5000/u],
    ['::1:5000', /write host:port, \[IPv6\]:port/u],
    ['host', /write host:port/u],
    [':70000', /up to 65535/u],
    ['[127.0.0.1]:5000', /write \[::1\]:5000/u],
    ['http://x:5000', /write host:port/u],
  ] as const) {
    test(`${text} is refused with what to write`, () => assert.throws(() => parseListenAddress(text), message));
  }
});

describe('a network', () => {
  test('is an address or a range', () => {
    assert.equal(parseNetwork('10.0.0.0/8'), '10.0.0.0/8');
    assert.equal(parseNetwork('FD00::/8'), 'fd00::/8');
    assert.equal(parseNetwork('127.0.0.1'), '127.0.0.1');
  });

  for (const text of ['10.0.0.0/33', '10.0.0/8', 'host', '::/129', '1.2.3.4/8/8', '1.2.3.4/', '']) {
    test(`is not ${JSON.stringify(text)}`, () => assert.throws(() => parseNetwork(text), /write one such as/u));
  }
});

describe('a DNS server', () => {
  for (const text of ['10.0.0.53', '10.0.0.53:5353', '::1', '[::1]:53']) {
    test(`may be ${text}`, () => assert.equal(parseNameServer(text), text));
  }

  for (const text of ['dns.example.com', '10.0.0.53:99999', '[10.0.0.1]:53', '']) {
    test(`is not ${JSON.stringify(text)}`, () => assert.throws(() => parseNameServer(text), /write its address/u));
  }
});
