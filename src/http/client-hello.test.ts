import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { helloOf } from '../../test/support/tls-hello.ts';
import { helloBytesMax, readHello } from './client-hello.ts';

/** The same message in records of so many bytes. */
function inRecords(hello: Buffer, bytes: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += bytes) {
    const part = message.subarray(at, at + bytes);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(records);
}

describe('the first message of a TLS client', () => {
  test('names the host, however old the client is', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const hello = await helloOf({ servername: 'quay.io', minVersion: version, maxVersion: version });
      assert.deepEqual(readHello(hello), { kind: 'hello', servername: 'quay.io', protocols: [] });
    }
  });

  test('may name nobody', async () => {
    assert.deepEqual(readHello(await helloOf({})), { kind: 'hello', servername: undefined, protocols: [] });
  });

  test('says what it wants to speak', async () => {
    const hello = readHello(await helloOf({ servername: 'quay.io', ALPNProtocols: ['h2', 'http/1.1'] }));
    assert.deepEqual(hello, { kind: 'hello', servername: 'quay.io', protocols: ['h2', 'http/1.1'] });
  });

  test('may come in pieces and in many records', async () => {
    const hello = await helloOf({ servername: 'quay.io' });
    for (let end = 1; end < hello.length; end += 7) assert.equal(readHello(hello.subarray(0, end)).kind, 'incomplete');
    for (const bytes of [1, 5, 100, 10_000]) {
      assert.deepEqual(readHello(inRecords(hello, bytes)), { kind: 'hello', servername: 'quay.io', protocols: [] });
    }
  });

  test('is nonsense where it is anything else, or endless', () => {
    assert.equal(readHello(Buffer.from('GET / HTTP/1.1\r\n')).kind, 'nonsense');
    assert.equal(readHello(Buffer.from([22, 2, 0, 0, 1])).kind, 'nonsense');
    assert.equal(readHello(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])).kind, 'nonsense');
    assert.equal(readHello(Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])).kind, 'nonsense');
    const dribble = Buffer.concat(Array.from({ length: helloBytesMax / 5 + 1 }, () => Buffer.from([22, 3, 1, 0, 0])));
    assert.equal(readHello(dribble).kind, 'nonsense');
  });

  test('never throws, whatever it is', async () => {
    const hello = await helloOf({ servername: 'quay.io' });
    const damaged = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 8 }).map((changes) => {
      const bytes = Buffer.from(hello);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    const any = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, any), (bytes) => {
        assert.ok(['incomplete', 'hello', 'nonsense'].includes(readHello(bytes).kind));
      }),
    );
  });
});
