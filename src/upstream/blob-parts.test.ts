import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import type { UpstreamOptions } from '../../test/support/counting-upstream.ts';
import { makeBlob } from '../../test/support/images.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';

const blob = makeBlob(300_000, 'blob');
const whole = blob.bytes();
const etag = `"${blob.digest}"`;

async function start(options: UpstreamOptions = {}): Promise<CountingUpstream> {
  const registry = await CountingUpstream.start(options);
  registry.publishBlob('library/redis', blob);
  return registry;
}

describe('a part of a blob', () => {
  const part = { start: 100_000, end: 200_000, etag };

  test('is asked for by Range and If-Range', async () => {
    await using registry = await start({ blobRedirects: {} });
    await using rig = makeRig(registry.origin);
    const { heads, bytes } = await fetchBlob(rig.repository, blob.digest, part);
    assert.deepEqual(heads, [{ start: 100_000, size: blob.size, etag, ranges: true }]);
    assert.deepEqual(bytes, whole.subarray(100_000, 200_000));
    const [entry] = registry.ledger.matching({ host: 'cdn' });
    assert.equal(entry?.range, 'bytes=100000-199999');
    assert.equal(entry?.headers['if-range'], etag);
  });

  test('to the end has an open range', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    const { bytes } = await fetchBlob(rig.repository, blob.digest, { start: 299_999 });
    assert.deepEqual(bytes, whole.subarray(299_999));
    assert.equal(registry.ledger.entries[0]?.range, 'bytes=299999-');
  });

  test('never sends a weak validator as If-Range', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    await fetchBlob(rig.repository, blob.digest, { ...part, etag: 'W/"x"' });
    assert.equal(registry.ledger.entries[0]?.headers['if-range'], undefined);
  });

  const whole200 = [
    ['ignores Range', faults.noRange()],
    ['has other content by now', faults.changedEtag()],
  ] as const;
  for (const [what, fault] of whole200) {
    test(`of an upstream that ${what} is told to begin at 0`, async () => {
      await using registry = await start();
      registry.fault({ path: '/blobs/' }, fault);
      await using rig = makeRig(registry.origin);
      const { heads, bytes } = await fetchBlob(rig.repository, blob.digest, part);
      assert.equal(heads[0]?.start, 0);
      assert.equal(heads[0]?.ranges, false);
      assert.deepEqual(bytes, whole);
    });
  }

  const lies = [
    ['another start', {}, 'bytes 0-99999/300000'],
    ['more than was asked for', {}, 'bytes 100000-299999/300000'],
    ['no range', {}, undefined],
    ['a range that makes no sense', {}, 'bytes 200000-100000/300000'],
    ['other content', { etag: '"other"' }, 'bytes 100000-199999/300000'],
    ['a length that does not fit', {}, 'bytes 100000-150000/300000'],
  ] as const;
  for (const [what, headers, range] of lies) {
    test(`that comes with ${what} is refused before a byte of it is taken`, async () => {
      await using registry = await start();
      const more = range === undefined ? headers : { ...headers, 'content-range': range };
      registry.fault({ path: '/blobs/' }, faults.status(206, more, 'x'.repeat(100_000)));
      await using rig = makeRig(registry.origin);
      const into: Uint8Array[] = [];
      const failure = await failureOf(fetchBlob(rig.repository, blob.digest, part, 'anonymous', into));
      assert.equal(failure.code, 'UPSTREAM_INVALID');
      assert.equal(into.length, 0);
    });
  }

  test('behind the end is refused with its status', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(fetchBlob(rig.repository, blob.digest, { start: 300_000 }));
    assert.equal(failure.code, 'UPSTREAM_INVALID');
    assert.equal(failure.upstreamStatus, 416);
  });
});

describe('what is no blob', () => {
  const answers = [
    ['a web page', faults.html200(), 'UPSTREAM_INVALID'],
    ['an encoded body', faults.contentEncodingGzip(), 'UPSTREAM_INVALID'],
    ['401', faults.status(401), 'UPSTREAM_DENIED'],
    ['403', faults.status(403), 'UPSTREAM_DENIED'],
    ['429', faults.status(429), 'UPSTREAM_LIMITED'],
    ['500', faults.status(500), 'UPSTREAM_FAILED'],
    ['418', faults.status(418), 'UPSTREAM_INVALID'],
    ['a reset', faults.reset(), 'UPSTREAM_UNREACHABLE'],
  ] as const;
  for (const [what, fault, code] of answers) {
    test(`${what} is ${code}`, async () => {
      await using registry = await start();
      registry.fault({ path: '/blobs/' }, fault);
      await using rig = makeRig(registry.origin);
      const into: Uint8Array[] = [];
      const failure = await failureOf(fetchBlob(rig.repository, blob.digest, {}, 'anonymous', into));
      assert.equal(failure.code, code);
      assert.equal(into.length, 0);
      assert.match(failure.message, new RegExp(`blob library/redis@${blob.digest}`));
    });
  }
});
