/**
 * Somebody who may push means harm. Nothing of it is let in, nothing is lost by it, and memory stays what it is.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { makeBlob } from '../support/blobs.ts';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { exchangeBytes, fetchRaw } from '../support/http-client.ts';
import { makeImage, makeIndex, MEDIA_TYPES } from '../support/images.ts';
import { openRequest, push, pushBlob, putManifest, receivedBytes, startUpload } from '../support/push.ts';
import { pull } from '../support/pull.ts';

const image = makeImage({ seed: 'attacked', layers: [5_000] });
const blob = makeBlob(10_000, 'secret');

const portOf = ({ origin }: Entrepot): number => Number(new URL(origin).port);

const codeOf = ({ body }: Pick<Answer, 'body'>): string =>
  (JSON.parse(body.toString()) as { errors: [{ code: string }] }).errors[0].code;

/** All files but those that come by themselves: the index, and what was pushed as files of `registry:2`. */
async function tree(entrepot: Entrepot): Promise<readonly string[]> {
  const all = await readdir(entrepot.directory, { recursive: true });
  return all.filter((path) => !own.some((each) => each.test(path))).toSorted();
}

const own = [
  /index\.db|admin\.sock|entrepot\.yml|entrepot\/aside/,
  /v2\/repositories(?:$|\/local(?:$|\/app(?:$|\/)))/,
  /v2\/blobs\/sha256\/[0-9a-f]{2}(?:$|\/[0-9a-f]{64}(?:$|\/data$))/,
];

describe('a path that leads out of its place', () => {
  const up = ['..', '%2e%2E', '..%2f..', '....//', '..\\..', '%00', '%252e%252e'];
  const uuid = '00000000-0000-4000-8000-000000000000';
  const hex = 'a'.repeat(64);

  test('is refused as a name, a digest, a tag, an upload and a source, and touches nothing', async () => {
    await using entrepot = await Entrepot.start();
    await push(entrepot.origin, 'local/app', '1', image);
    const before = await tree(entrepot);
    const paths = up.flatMap((part) => [
      ['POST', `/v2/local/${part}/blobs/uploads/`],
      ['POST', `/v2/${part}/local/app/blobs/uploads/`],
      ['PUT', `/v2/local/app/manifests/${part}`],
      ['GET', `/v2/local/app/manifests/${part}`],
      ['DELETE', `/v2/local/app/manifests/${part}`],
      ['GET', `/v2/local/app/blobs/${part}`],
      ['GET', `/v2/local/app/blobs/sha256:${part}/${hex}`],
      ['GET', `/v2/local/app/blobs/sha256:${part}${hex}`.slice(0, 200)],
      ['DELETE', `/v2/local/app/blobs/${part}:${hex}`],
      ['PATCH', `/v2/local/app/blobs/uploads/${part}`],
      ['PUT', `/v2/local/app/blobs/uploads/${part}?digest=sha256:${hex}`],
      ['PUT', `/v2/local/app/blobs/uploads/${uuid}${part}?digest=sha256:${hex}`],
      ['POST', `/v2/local/app/blobs/uploads/?digest=${encodeURIComponent(`sha256:${part}/${hex}`)}`],
      ['POST', `/v2/local/app/blobs/uploads/?mount=${encodeURIComponent(part)}&from=local/app`],
      ['GET', `/v2/local/app/referrers/${part}`],
    ]);
    for (const [method = '', path = ''] of paths) {
      const { status } = await fetchRaw(portOf(entrepot), path, { method });
      assert.ok(status >= 400 && status < 500, `${method} ${path} says ${status}`);
    }
    for (const part of up) {
      const from = encodeURIComponent(`local/${part}`);
      const path = `/v2/local/app/blobs/uploads/?mount=${blob.digest}&from=${from}`;
      const { status } = await fetchRaw(portOf(entrepot), path, { method: 'POST' });
      assert.equal(status, 202, `${path}: nobody's blob has to be uploaded`);
    }
    assert.deepEqual(await tree(entrepot), before);
    await pull(entrepot.origin, 'local/app', '1');
  });
});

describe("another repository's blob", () => {
  test('is had neither by GET nor HEAD nor DELETE, nor by naming it in a manifest', async () => {
    await using entrepot = await Entrepot.start();
    await push(entrepot.origin, 'local/theirs', '1', image);
    const url = `${entrepot.origin}/v2/local/ours`;
    const layer = image.layers[0] ?? blob;
    await pushBlob(url, image.config);
    const named = await putManifest(url, '1', image);
    assert.deepEqual([named.status, codeOf(named)], [400, 'MANIFEST_BLOB_UNKNOWN']);
    const index = await putManifest(url, '2', makeIndex([image]));
    assert.deepEqual([index.status, codeOf(index)], [400, 'MANIFEST_BLOB_UNKNOWN']);
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      assert.equal((await get(`${url}/blobs/${layer.digest}`, { method })).status, 404, method);
      assert.equal((await get(`${url}/manifests/${image.digest}`, { method })).status, 404, method);
    }
    await pull(entrepot.origin, 'local/theirs', '1');
  });

  test('stays nobody else’s when a manifest that names it is let in all the same', async () => {
    await using entrepot = await Entrepot.start({ config: { hosted: { sparse: true } } });
    await push(entrepot.origin, 'local/theirs', '1', image);
    const url = `${entrepot.origin}/v2/local/ours`;
    assert.equal((await putManifest(url, '1', image)).status, 201);
    for (const { digest } of image.blobs) assert.equal((await get(`${url}/blobs/${digest}`)).status, 404);
  });

  test('is not mounted from where the operator lets nobody pull any more, whether or not that is named', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('team/secret:1', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await pull(entrepot.origin, 'team/secret', '1');
    await entrepot.stored(image.blobs.length);
    await entrepot.configure({ upstreams: { 'docker.io': { deny: ['team/secret'] } } });
    for (const from of ['', '&from=team/secret', '&from=docker.io/team/secret']) {
      const query = `mount=${image.config.digest}${from}`;
      const answer = await get(`${entrepot.origin}/v2/local/ours/blobs/uploads/?${query}`, { method: 'POST' });
      assert.equal(answer.status, 202, from);
    }
  });

  test('is not had by another repository’s upload, whose id somebody knows', async () => {
    await using entrepot = await Entrepot.start();
    const theirs = await startUpload(`${entrepot.origin}/v2/local/theirs`);
    const ours = theirs.replace('/theirs/', '/ours/');
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const answer = await get(`${ours}?digest=${blob.digest}`, { method });
      assert.deepEqual([answer.status, codeOf(answer)], [404, 'BLOB_UPLOAD_UNKNOWN'], method);
    }
    assert.equal((await get(theirs)).status, 204);
  });
});

describe('a manifest that is made to harm', () => {
  const type = MEDIA_TYPES.oci.manifest;
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: image.config.digest, size: 1 };
  const start = `{"schemaVersion":2,"mediaType":"${type}","config":${JSON.stringify(config)}`;
  const wide = Array.from({ length: 20_000 }, () => JSON.stringify(config)).join(',');
  const texts: Readonly<Record<string, readonly [text: string, status: number, code: string]>> = {
    'is larger than any': [`${start},"layers":[]}`.padEnd(5 * 1024 * 1024), 413, 'SIZE_INVALID'],
    'is nested without end': [
      `${start},"layers":[],"x":${'['.repeat(1_900_000)}${']'.repeat(1_900_000)}}`,
      400,
      'MANIFEST_INVALID',
    ],
    'is nested without end, and broken': [`${start},"x":${'{"a":'.repeat(700_000)}`, 400, 'MANIFEST_INVALID'],
    'lists more than an image has': [`${start},"layers":[${wide}]}`, 400, 'MANIFEST_INVALID'],
    'says two things of its layers': [
      `${start},"layers":[],"layers":[${JSON.stringify(config)}]}`,
      400,
      'MANIFEST_INVALID',
    ],
    'says another thing to readers that ignore case': [`${start},"layers":[],"Layers":[]}`, 400, 'MANIFEST_INVALID'],
    'has a key of the language': [`${start},"layers":[],"__proto__":{"mediaType":"x"},"constructor":1}`, 201, ''],
    'has a size that is none': [
      `${start},"layers":[{"digest":"${blob.digest}","size":1e400}]}`,
      400,
      'MANIFEST_INVALID',
    ],
    'is of a type that browsers run': [
      '{"schemaVersion":2,"mediaType":"text/html","config":{},"layers":[]}',
      400,
      'MANIFEST_INVALID',
    ],
    'is of a type that ends a header': [
      '{"schemaVersion":2,"mediaType":"a/b+json\\r\\nX: y","config":{},"layers":[]}',
      400,
      'MANIFEST_INVALID',
    ],
    'is no text': ['{"schemaVersion":2,"x":"\ud800"}', 400, 'MANIFEST_INVALID'],
    'is of schema 1': [
      '{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[],"signatures":[]}',
      400,
      'MANIFEST_INVALID',
    ],
  };
  for (const [title, [text, status, code]] of Object.entries(texts)) {
    test(`and ${title} is ${status === 201 ? 'only bytes' : 'refused'}`, async () => {
      await using entrepot = await Entrepot.start();
      const url = `${entrepot.origin}/v2/local/app`;
      await pushBlob(url, image.config);
      const mediaType = title.includes('type') || title.includes('schema') ? 'application/json' : type;
      const answer = await putManifest(url, '1', { bytes: Buffer.from(text), mediaType });
      assert.deepEqual([answer.status, status === 201 ? '' : codeOf(answer)], [status, code]);
      assert.equal((await get(`${url}/manifests/1`)).status, status === 201 ? 200 : 404);
    });
  }

  test('and is the top of a tower of indexes can be pushed, pulled and deleted as any other', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/tower`;
    let top = makeIndex([]);
    for (let floor = 0; floor < 200; floor += 1) {
      assert.equal((await putManifest(url, top.digest, top)).status, 201);
      top = makeIndex([top]);
    }
    assert.equal((await putManifest(url, 'top', top)).status, 201);
    assert.equal((await get(`${url}/manifests/top`)).status, 200);
    assert.equal((await get(`${url}/manifests/${top.digest}`, { method: 'DELETE' })).status, 202);
  });

  test('comes to a few at a time when it is large, and the others wait, and small ones do not', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const half = Buffer.alloc(100_000, ' ');
    const slow = Array.from({ length: 40 }, () => openRequest(`${url}/manifests/1`, 'PUT', { 'Content-Type': type }));
    for (const sending of slow) await sending.write(half);
    await push(entrepot.origin, 'local/app', '1', image);
    for (const sending of slow) sending.end();
    for (const sending of slow) assert.equal((await sending.answer).status, 400);
    await pull(entrepot.origin, 'local/app', '1');
  });
});

describe('a request in a request', () => {
  test('is no piece of an upload', async () => {
    await using entrepot = await Entrepot.start();
    const location = await startUpload(`${entrepot.origin}/v2/local/app`);
    const { pathname } = new URL(location);
    const inner = `DELETE ${pathname} HTTP/1.1\r\nHost: a\r\n\r\n`;
    for (const framing of [
      `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
      `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      `Content-Length: 0\r\nContent-Length: 5\r\n\r\n`,
      `Content-Length: 0, 5\r\n\r\n`,
      `Content-Length:\x0b0\r\n\r\n`,
      `Transfer-Encoding: chunked\r\n\r\n0;\n\r\n`,
    ]) {
      const sent = `PATCH ${pathname} HTTP/1.1\r\nHost: a\r\n${framing}${inner}`;
      const answers = await exchangeBytes(portOf(entrepot), sent);
      const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status);
      assert.deepEqual(statuses, ['400'], JSON.stringify(framing));
      assert.equal(await receivedBytes(location), 0);
    }
  });
});
