/** What is read without Node is read as Node would read it, or left to Node. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { openSocket } from '../../test/support/http-client.ts';
import { hello, HttpServers, textReply } from '../../test/support/http-server.ts';
import type { ConnectRequest, Interception } from './interception.ts';
import type { Handler } from './message.ts';
import { readConnect, readShort } from './short-request.ts';

const servers = new HttpServers();

afterEach(async () => {
  await servers.close();
});

function asRead(method = '', url = '', headers: object = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [method, url, ...lines.sort()].join('\n');
}

describe('what is read without Node', () => {
  const pieces = fc.constantFrom(
    'GET',
    'HEAD',
    'get',
    'POST',
    ' ',
    '  ',
    '\t',
    '/short',
    '/short?a=b#c',
    'http://a/short',
    '%zz',
    '"<>\\^`{|}',
    'HTTP/1.1',
    'HTTP/1.0',
    'HTTP/1.10',
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\r',
    'Host: a',
    'Host: b',
    'host:c',
    'Host :a',
    'Accept: x, y',
    'X-É: 1',
    'X: \u0001',
    'X: é',
    ' folded',
    'Content-Length: 3',
    'content-length: 0',
    'Transfer-Encoding: chunked',
    'Connection: close',
    'Connection: keep-alive',
    'Connection: upgrade',
    'Upgrade: h2c',
    'Expect: 100-continue',
    ':',
    'abc',
    '\0',
  );
  const wrong = fc.oneof(
    pieces,
    pieces.map((piece) => `${piece}\r\n`),
    fc.constant('Host: a\r\n'),
  );
  const right = fc.constantFrom(
    'Accept: x, y\r\n',
    'connection:keep-alive\r\n',
    'Connection: Close\r\n',
    'X-A:  b \t\r\n',
    'Empty:\r\n',
  );
  /** Fields of which many requests can be read: one that nobody can read would say nothing here. */
  const fields = fc.oneof(
    fc.array(wrong, { maxLength: 8 }),
    fc.uniqueArray(right, { maxLength: 3 }).map((lines) => ['Host: a\r\n', ...lines]),
    fc.tuple(fc.uniqueArray(right, { maxLength: 3 }), wrong).map(([lines, one]) => ['Host: a\r\n', ...lines, one]),
  );
  const request = fc.tuple(
    fc.constantFrom('GET /short HTTP/1.1\r\n', 'HEAD /short/x?y HTTP/1.1\r\n', ''),
    fields,
    fc.constantFrom('\r\n', ''),
  );

  test('is read as Node would read it', async () => {
    const seen: string[] = [];
    const handler: Handler = async ({ method, url, headers }) => {
      seen.push(asRead(method, url, headers));
      return textReply('ended', { Connection: 'close' });
    };
    const { port } = await servers.serve(handler, { limits: { headersMsMax: 30_000 } });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(request, async ([line, middle, end]) => {
        const text = line + middle.join('') + end;
        const ours = readShort(Buffer.from(text, 'latin1'), undefined);
        if (ours === undefined) return;
        count += 1;
        const { method, url, headers } = ours.head;
        seen.length = 0;
        const socket = await openSocket(port);
        socket.end(text, 'latin1');
        await socket.toArray();
        assert.deepEqual(seen, [asRead(method, url, headers)]);
      }),
      { numRuns: 2_000 },
    );
    assert.ok(count > 40, `only ${count} of them were read`);
  });

  const connect = fc.tuple(
    fc
      .constantFrom(
        'quay.io:443',
        'a:1',
        '192.0.2.1:443',
        'quay.io',
        'quay.io:443:1',
        ':443',
        'a b:1',
        '[::1]:443',
        'a:1?x',
      )
      .map((target) => `CONNECT ${target} HTTP/1.1\r\n`),
    fc
      .tuple(fields, fc.subarray(['Proxy-Connection: keep-alive\r\n', 'Proxy-Authorization: Basic eDp5\r\n']))
      .map(([lines, ofProxy]) => [...lines, ...ofProxy]),
    fc.constantFrom('\r\n', ''),
  );

  test('of a tunnel is read as Node would read it', async () => {
    const seen: unknown[] = [];
    const interception = {
      connect: async ({ target, proxyAuthorization }: ConnectRequest) => {
        seen.push({ target, proxyAuthorization });
        return { kind: 'refuse', status: 403, message: 'no' } as const;
      },
      isOwnName: () => false,
    } as unknown as Interception;
    const { port } = await servers.serve(hello, { interception, limits: { headersMsMax: 30_000 } });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(connect, async ([line, middle, end]) => {
        const text = line + middle.join('') + end;
        const ours = readConnect(Buffer.from(text, 'latin1'));
        if (ours === undefined) return;
        count += 1;
        seen.length = 0;
        const socket = await openSocket(port);
        socket.end(text, 'latin1');
        await socket.toArray();
        assert.deepEqual(seen, [ours]);
      }),
      { numRuns: 2_000 },
    );
    assert.ok(count > 40, `only ${count} of them were read`);
  });
});

test('fields that were read before are the same for other connections, but for those with credentials', () => {
  const read = (more: string): object | undefined =>
    readShort(Buffer.from(`GET /short HTTP/1.1\r\nHost: a\r\n${more}\r\n`), undefined)?.fields;
  assert.ok(read('Accept: x\r\n') !== undefined);
  assert.equal(read('Accept: x\r\n'), read('Accept: x\r\n'));
  assert.deepEqual(read('Authorization: Bearer x\r\n'), read('Authorization: Bearer x\r\n'));
  assert.notEqual(read('Authorization: Bearer x\r\n'), read('Authorization: Bearer x\r\n'));
  // What may stand beside a CONNECT makes no request simple.
  const connect = 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\nProxy-Connection: keep-alive\r\n\r\n';
  assert.deepEqual(readConnect(Buffer.from(connect)), { target: 'a:443', proxyAuthorization: undefined });
  assert.equal(read('Proxy-Connection: keep-alive\r\n'), undefined);
});
