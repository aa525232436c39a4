import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeBlob } from '../../test/support/blobs.ts';
import { fetchRaw } from '../../test/support/http-client.ts';
import { errorOf, serveRegistry } from '../../test/support/registry-server.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';

const content = makeBlob(300_000, 'registry').bytes();
const unknownDigest = digestOf('nobody has this');

describe('a blob', () => {
  test('is served whole, verified to its end', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(content);
    const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`);
    assert.equal(reply.status, 200);
    assert.ok(reply.body.equals(content));
    assert.equal(reply.headers['content-type'], 'application/octet-stream');
    assert.equal(reply.headers['accept-ranges'], 'bytes');
    assert.equal(reply.headers['docker-content-digest'], digest);
    assert.match(String(reply.headers['cache-control']), /immutable/);
    assert.deepEqual(repository.opened, [{ verified: true }]);
    assert.equal(repository.openSources, 0);
  });

  test('that is empty is served, also to a client that asks for a range of everything', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(Buffer.alloc(0));
    for (const headers of [{}, { Range: 'bytes=0-' }]) {
      const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, { headers });
      assert.equal(reply.status, 200);
      assert.equal(reply.headers['content-length'], '0');
      assert.equal(reply.aborted, false);
    }
  });

  test('is never fetched for a HEAD', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(content);
    const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, {
      method: 'HEAD',
      headers: { Range: 'bytes=0-9' },
    });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-length'], String(content.length));
    assert.deepEqual(repository.calls, [`stat ${digest}`]);
  });

  test('that is not there is a 404 that says where we looked', async () => {
    await using served = await serveRegistry();
    const { port } = served;
    for (const method of ['GET', 'HEAD']) {
      const reply = await fetchRaw(port, `/v2/library/redis/blobs/${unknownDigest}`, { method });
      assert.equal(reply.status, 404);
      if (method === 'GET') assert.match(errorOf(reply).message, /blob sha256:.* in docker\.io\/library\/redis/);
    }
  });

  const ranges: readonly (readonly [range: string, start: number, end: number, verified: boolean])[] = [
    ['bytes=0-0', 0, 1, false],
    ['bytes=100-199', 100, 200, false],
    ['bytes=-5', 299_995, 300_000, false],
    ['bytes=299000-', 299_000, 300_000, true],
    ['bytes=0-', 0, 300_000, true],
    ['bytes=0-299999', 0, 300_000, true],
    ['bytes=299999-999999', 299_999, 300_000, false],
  ];
  for (const [range, start, end, verified] of ranges) {
    test(`${range} is answered with just that${verified ? ', verified' : ''}`, async () => {
      await using served = await serveRegistry();
      const { port, repository } = served;
      const digest = repository.addBlob(content);
      const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, { headers: { Range: range } });
      assert.equal(reply.status, 206);
      assert.equal(reply.headers['content-range'], `bytes ${start}-${end - 1}/300000`);
      assert.equal(reply.headers['content-length'], String(end - start));
      assert.ok(reply.body.equals(content.subarray(start, end)));
      assert.deepEqual(repository.opened, [{ verified }]);
    });
  }

  test('is sent in several parts when several ranges are asked for', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(content);
    const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, {
      headers: { Range: 'bytes=200000-200009,0-99,-1' },
    });
    assert.equal(reply.status, 206);
    const boundary = /^multipart\/byteranges; boundary=([-0-9a-f]+)$/.exec(String(reply.headers['content-type']))?.[1];
    const part = (start: number, end: number): Buffer =>
      Buffer.concat([
        Buffer.from(`--${boundary}\r\nContent-Type: application/octet-stream\r\n`),
        Buffer.from(`Content-Range: bytes ${start}-${end - 1}/300000\r\n\r\n`),
        content.subarray(start, end),
        Buffer.from('\r\n'),
      ]);
    const expected = [part(200_000, 200_010), part(0, 100), part(299_999, 300_000), Buffer.from(`--${boundary}--\r\n`)];
    assert.ok(reply.body.equals(Buffer.concat(expected)));
    assert.equal(reply.headers['content-length'], String(reply.body.length));
    assert.equal(reply.headers['content-range'], undefined);
  });

  test('refuses a range beyond its end, and says how long it is', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(content);
    const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, { headers: { Range: 'bytes=300000-' } });
    assert.equal(reply.status, 416);
    assert.equal(reply.headers['content-range'], 'bytes */300000');
    assert.equal(errorOf(reply).code, 'RANGE_INVALID');
  });

  test('says of a range that it cannot give what is wrong with it', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(content);
    const none = /the range has none of the 300000 bytes of sha256:[0-9a-f]+; ask for some of them/;
    for (const [range, why] of [
      ['100-50', /a range ends before it begins; name its first byte first/],
      ['0-9,400000-300000', /a range ends before it begins/],
      ['300000-', none],
      ['-0', none],
    ] as const) {
      const headers = { Range: `bytes=${range}` };
      const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, { headers });
      assert.equal(reply.status, 416, range);
      assert.match(errorOf(reply).message, why, range);
    }
  });

  test('gives a range only of what the client has the rest of', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(content);
    const rows = [
      [`"${digest}"`, 206],
      [`W/"${digest}"`, 200],
      ['"other"', 200],
      ['Fri, 20 Nov 2026 12:00:00 GMT', 200],
    ] as const;
    for (const [ifRange, status] of rows) {
      const headers = { Range: 'bytes=0-9', 'If-Range': ifRange };
      assert.equal((await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, { headers })).status, status);
    }
  });

  test('is answered with an honest status when it fails before its first byte', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const digest = repository.addBlob(content);
    const failWith = new RegistryError('UPSTREAM_LIMITED', 'docker.io limits us', { retryAfterSeconds: 2.5 });
    repository.behaviour = { failAt: 0, failWith };
    const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`, { headers: { Range: 'bytes=5-' } });
    assert.equal(reply.status, 429);
    assert.equal(reply.headers['retry-after'], '3');
    assert.equal(reply.headers['content-range'], undefined);
    assert.equal(errorOf(reply).code, 'TOOMANYREQUESTS');
    assert.equal(repository.openSources, 0);
  });

  test('that fails midway cuts the connection: nobody takes the part for the whole', async () => {
    await using served = await serveRegistry();
    const { port, repository, firstLog } = served;
    const digest = repository.addBlob(content);
    const failWith = new RegistryError('DIGEST_INVALID', 'the bytes are not right', { origin: 'upstream' });
    repository.behaviour = { failAt: 290_000, failWith };
    const reply = await fetchRaw(port, `/v2/library/redis/blobs/${digest}`);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-length'], '300000');
    assert.equal(reply.aborted, true);
    assert.ok(reply.body.equals(content.subarray(0, 290_000)), 'what was right arrives: clients resume');
    const { complete, errorCode, origin, status } = await firstLog();
    assert.deepEqual(
      { complete, errorCode, origin, status },
      { complete: false, errorCode: 'DIGEST_INVALID', origin: 'upstream', status: 200 },
    );
    assert.equal(repository.openSources, 0);
  });
});
