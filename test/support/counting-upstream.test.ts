import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { testAuthority } from './certificates.ts';
import { drain, get, head, keepAlive, open, together } from './client.ts';
import type { Answer } from './client.ts';
import { CountingUpstream } from './counting-upstream.ts';
import { makeArtifact, makeBlob, makeImage, makeIndex } from './images.ts';
import { pull, pullAsDockerd } from './pull.ts';

const json = ({ body }: Answer) => JSON.parse(body.toString());

describe('a healthy upstream', () => {
  test('serves an image by tag and by digest, and counts every request', async () => {
    await using upstream = await CountingUpstream.start();
    const image = makeImage({ layers: [5000, 6000] });
    const index = makeIndex([image, makeImage({ platform: 'linux/arm64' })]);
    upstream.publish('library/redis:7', index);
    const pulled = await pull(upstream.origin, 'library/redis', '7');
    assert.equal(pulled.digest, index.digest);
    assert.equal(pulled.manifestDigest, image.digest);
    assert.equal(pulled.bytes, index.size + image.size + image.config.size + 11_000);
    assert.equal(upstream.count({ method: 'HEAD', path: '/manifests/7' }), 1);
    assert.equal(upstream.count({ method: 'GET', path: /\/manifests\/sha256:/ }), 2);
    assert.equal(upstream.count({ method: 'GET', path: '/blobs/', status: 200 }), 3);
    assert.equal(upstream.count(), 6);
  });

  test('answers HEAD with all that GET says, but the body', async () => {
    await using upstream = await CountingUpstream.start();
    const image = makeImage();
    upstream.publish('app:1', image);
    const [asked, got] = [
      await head(`${upstream.origin}/v2/app/manifests/1`),
      await get(`${upstream.origin}/v2/app/manifests/1`),
    ];
    const { date: _, ...headers } = asked.headers;
    const { date: __, ...headersOfGet } = got.headers;
    assert.deepEqual(headers, headersOfGet);
    assert.equal(headers['content-type'], image.mediaType);
    assert.equal(headers['docker-content-digest'], image.digest);
    assert.equal(headers['content-length'], String(image.size));
    assert.equal(asked.body.length, 0);
    assert.deepEqual(got.body, image.bytes);
  });

  test('refuses what it does not have with the error codes of the specification', async () => {
    await using upstream = await CountingUpstream.start();
    upstream.publish('app:1', makeImage());
    const unknown = makeBlob(1, 'unknown').digest;
    for (const [path, status, code] of [
      ['/v2/app/manifests/2', 404, 'MANIFEST_UNKNOWN'],
      [`/v2/app/blobs/${unknown}`, 404, 'BLOB_UNKNOWN'],
      ['/v2/other/manifests/1', 404, 'NAME_UNKNOWN'],
    ] as const) {
      const answer = await get(upstream.origin + path);
      assert.deepEqual([answer.status, json(answer).errors[0].code], [status, code], path);
    }
  });

  test('refuses a media type that the client does not list', async () => {
    await using upstream = await CountingUpstream.start();
    upstream.publish('app:1', makeImage());
    const { status } = await get(`${upstream.origin}/v2/app/manifests/1`, { headers: { accept: 'application/json' } });
    assert.equal(status, 404);
  });

  test('serves exact ranges and knows which bytes it sent', async () => {
    await using upstream = await CountingUpstream.start();
    const blob = makeBlob(1000, 'ranges');
    upstream.publishBlob('app', blob);
    const url = `${upstream.origin}/v2/app/blobs/${blob.digest}`;
    for (const [range, status, start, end, said] of [
      ['bytes=0-99', 206, 0, 100, 'bytes 0-99/1000'],
      ['bytes=900-', 206, 900, 1000, 'bytes 900-999/1000'],
      ['bytes=-50', 206, 950, 1000, 'bytes 950-999/1000'],
      ['bytes=500-5000', 206, 500, 1000, 'bytes 500-999/1000'],
      ['bytes=-0', 416, 0, 0, 'bytes */1000'],
      ['bytes=1000-', 416, 0, 0, 'bytes */1000'],
      ['bytes=9-8', 200, 0, 1000, undefined],
    ] as const) {
      const answer = await get(url, { headers: { range } });
      assert.deepEqual([answer.status, answer.headers['content-range']], [status, said], range);
      assert.deepEqual(answer.body, blob.bytes().subarray(start, end), range);
    }
    upstream.reset();
    await get(url, { headers: { range: 'bytes=0-99' } });
    await get(url, { headers: { range: 'bytes=200-299' } });
    assert.deepEqual(upstream.blobBytes(blob.digest), {
      sent: 200,
      distinct: 200,
      extents: [
        [0, 100],
        [200, 300],
      ],
      transfers: 2,
    });
    await get(url, { headers: { range: 'bytes=50-249' } });
    assert.deepEqual(upstream.blobBytes(blob.digest), { sent: 400, distinct: 300, extents: [[0, 300]], transfers: 3 });
  });

  test('sends the whole when If-Range names another ETag', async () => {
    await using upstream = await CountingUpstream.start();
    const blob = makeBlob(1000, 'etag');
    upstream.publishBlob('app', blob);
    const url = `${upstream.origin}/v2/app/blobs/${blob.digest}`;
    const { etag = '' } = (await head(url)).headers;
    assert.equal((await get(url, { headers: { range: 'bytes=5-', 'if-range': etag } })).status, 206);
    assert.equal((await get(url, { headers: { range: 'bytes=5-', 'if-range': '"other"' } })).status, 200);
  });

  test('pages through tags by Link', async () => {
    await using upstream = await CountingUpstream.start({ pageSize: 2 });
    for (const tag of ['c', 'a', 'e', 'b', 'd']) upstream.publish(`app:${tag}`, makeImage());
    const tags: string[] = [];
    let pages = 0;
    for (let path: string | undefined = '/v2/app/tags/list'; path; pages++) {
      const answer: Answer = await get(upstream.origin + path);
      tags.push(...json(answer).tags);
      path = /^<(.+)>; rel="next"$/.exec(String(answer.headers.link))?.[1];
    }
    assert.deepEqual(tags, ['a', 'b', 'c', 'd', 'e']);
    assert.equal(pages, 3);
  });

  test('lists referrers, filtered by type, and as a tag where it is an older registry', async () => {
    const subject = makeImage();
    const [signature, sbom] = ['signature', 'sbom'].map((kind) =>
      makeArtifact({ subject, artifactType: `application/${kind}` }),
    );
    await using upstream = await CountingUpstream.start();
    await using older = await CountingUpstream.start({ referrers: 'tag' });
    for (const registry of [upstream, older]) {
      registry.publish('app:1', subject);
      for (const artifact of [signature, sbom]) if (artifact) registry.publish('app', artifact);
    }
    const digests = (answer: Answer): string[] =>
      json(answer).manifests.map(({ digest }: { digest: string }) => digest);
    const path = `/v2/app/referrers/${subject.digest}`;
    assert.deepEqual(digests(await get(upstream.origin + path)), [signature?.digest, sbom?.digest]);
    const filtered = await get(`${upstream.origin}${path}?artifactType=application/sbom`);
    assert.deepEqual(digests(filtered), [sbom?.digest]);
    assert.equal(filtered.headers['oci-filters-applied'], 'artifactType');
    assert.equal((await get(older.origin + path)).status, 404);
    const tag = await get(`${older.origin}/v2/app/manifests/${subject.digest.replace(':', '-')}`);
    assert.deepEqual(digests(tag), [signature?.digest, sbom?.digest]);
  });

  test('announces a rate limit that GETs of manifests use up and HEADs do not', async () => {
    await using upstream = await CountingUpstream.start({ rateLimit: { limit: 2, enforce: true } });
    upstream.publish('app:1', makeImage());
    const url = `${upstream.origin}/v2/app/manifests/1`;
    assert.equal((await head(url)).headers['ratelimit-remaining'], '2;w=21600');
    assert.equal((await get(url)).headers['ratelimit-remaining'], '1;w=21600');
    assert.equal((await get(url)).headers['ratelimit-limit'], '2;w=21600');
    const refused = await get(url);
    assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '60']);
  });

  test('speaks TLS with a certificate of the test authority', async () => {
    await using upstream = await CountingUpstream.start({ tls: true });
    upstream.publish('app:1', makeImage());
    using agent = keepAlive('https:');
    await pull(upstream.origin, 'app', '1', { ca: testAuthority().ca, agent });
    await assert.rejects(get(`${upstream.origin}/v2/`), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  });

  test('shares its bandwidth among all bodies', async () => {
    await using upstream = await CountingUpstream.start({ bytesPerSecond: 10_000_000 });
    const blob = makeBlob(500_000, 'bandwidth');
    upstream.publishBlob('app', blob);
    const startedAt = performance.now();
    await together(4, () => drain(`${upstream.origin}/v2/app/blobs/${blob.digest}`));
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs > 150, `2 MB at 10 MB/s took ${tookMs} ms`);
  });
});

describe('the ledger', () => {
  test('tells a client that left from one that stayed', async () => {
    await using upstream = await CountingUpstream.start();
    const blob = makeBlob(50_000_000, 'left');
    upstream.publishBlob('app', blob);
    const reading = await open(`${upstream.origin}/v2/app/blobs/${blob.digest}`);
    assert.deepEqual(await reading.read(1000), blob.bytes().subarray(0, 1000));
    reading.abort();
    await upstream.ledger.settled();
    const [entry] = upstream.ledger.entries;
    assert.equal(entry?.outcome, 'aborted');
    assert.ok(entry.bytesSent >= 1000 && entry.bytesSent < blob.size, `${entry.bytesSent} bytes were sent`);
  });

  test('holds back what a client does not read', async () => {
    await using upstream = await CountingUpstream.start();
    const blob = makeBlob(100_000_000, 'backpressure');
    upstream.publishBlob('app', blob);
    using reading = await open(`${upstream.origin}/v2/app/blobs/${blob.digest}`);
    // Enough turns of the event loop for all of it, were nobody holding it back.
    for (let turn = 0; turn < 50; turn++) await get(`${upstream.origin}/v2/`);
    assert.ok(upstream.blobBytes(blob.digest).sent < 30_000_000);
    const drained = await reading.drain();
    assert.deepEqual([drained.complete, drained.digest], [true, blob.digest]);
  });

  test('knows which secrets arrived, wherever they were put', async () => {
    await using upstream = await CountingUpstream.start();
    const basic = `Basic ${Buffer.from('alice:opensesame').toString('base64')}`;
    await get(`${upstream.origin}/v2/`, { headers: { authorization: basic } });
    await get(`${upstream.origin}/v2/?password=inquery`);
    await get(`${upstream.origin}/token`, { method: 'POST', body: 'password=inbody' });
    assert.deepEqual(
      ['opensesame', 'inquery', 'inbody', 'elsewhere'].map((secret) => upstream.ledger.saw(secret)),
      [true, true, true, false],
    );
    assert.equal(upstream.count({ authorization: 'basic' }), 1);
  });

  test('fails a test whose upstream was asked after all', async () => {
    await using upstream = await CountingUpstream.start();
    upstream.publish('app:1', makeImage());
    await get(`${upstream.origin}/v2/app/manifests/1`);
    upstream.forbid();
    upstream.assertUntouched();
    assert.equal((await get(`${upstream.origin}/v2/app/manifests/1`)).status, 500);
    assert.throws(() => upstream.assertUntouched(), /GET \/v2\/app\/manifests\/1/);
  });
});

test('a pull as dockerd does it pings first and opens a connection for every request', async () => {
  await using upstream = await CountingUpstream.start();
  upstream.publish('library/redis:7', makeImage({ layers: [100], mediaTypes: 'docker' }));
  await pullAsDockerd(upstream.origin, 'library/redis', '7');
  assert.equal(upstream.ledger.entries[0]?.path, '/v2/');
  assert.equal(upstream.count(), 5);
  assert.equal(upstream.connections(), 5);
});

test('a pull as containerd does it names the registry in every request', async () => {
  await using upstream = await CountingUpstream.start();
  upstream.publish('library/redis:7', makeImage({ layers: [100] }));
  using agent = keepAlive();
  await pull(upstream.origin, 'library/redis', '7', { ns: 'docker.io', agent });
  assert.equal(upstream.count({ path: '?ns=docker.io' }), 4);
});

test('a pull fails on a wrong byte', async () => {
  await using upstream = await CountingUpstream.start();
  const right = makeImage({ layers: [100] });
  upstream.publish('app:1', {
    ...right,
    blobs: [right.config, { ...makeBlob(100, 'wrong'), digest: right.layers[0]?.digest ?? '' }],
  });
  await assert.rejects(pull(upstream.origin, 'app', '1'), /has other bytes/);
});
