/**
 * Others hear of what happens here, as they do from registry:2: every push and delete once it is certain, in order, whatever
 * becomes of them or of us.
 */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { EventEndpoint } from '../support/event-endpoint.ts';
import type { HeardEvent } from '../support/event-endpoint.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import { pull } from '../support/pull.ts';
import { push, pushAsDockerd, putManifest } from '../support/push.ts';

type Keys = Readonly<Record<string, unknown>>;

const image = makeImage({ seed: 'told', layers: [400] });
const [config, layer] = image.blobs;
const headers = { 'User-Agent': 'docker/28' };
const octets = 'application/octet-stream';

/** A registry that tells one endpoint, and what the two have in common. */
async function scene(endpoint: Keys = {}, more: { readonly clock?: FakeClock; readonly config?: Keys } = {}) {
  await using opening = new AsyncDisposableStack();
  const heard = opening.use(await EventEndpoint.start());
  // registry's second is too short for a busy machine, and what is late is sent twice.
  const endpoints = [{ name: 'ears', url: heard.url, timeout: '1m', ...endpoint }];
  const configured = { storage: undefined, ...more.config, notifications: { endpoints } };
  const { clock } = more;
  const at = opening.use(
    await Entrepot.start({ registryMode: true, config: configured, ...(clock === undefined ? {} : { clock }) }),
  );
  await at.configure({
    ...configured,
    storage: { filesystem: { rootdirectory: at.storeDirectory }, delete: { enabled: true } },
  });
  const scope = opening.move();
  return { heard, at, origin: at.origin, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

/** What an event says, without what is another each time. */
function said({ action, target }: HeardEvent): string {
  const { digest, tag, repository, fromRepository } = target;
  const names = new Map([
    [config?.digest, 'config'],
    [layer?.digest, 'layer'],
    [image.digest, 'image'],
  ]);
  const what = digest === undefined ? '' : ` ${names.get(digest) ?? 'another'}`;
  const from = fromRepository === undefined ? '' : ` from ${fromRepository}`;
  return `${action}${what}${tag === undefined ? '' : ` tag ${tag}`} in ${repository}${from}`;
}

describe('an endpoint', () => {
  test('hears of pushes, pulls, mounts and deletes, in their order', async () => {
    await using on = await scene();
    const url = `${on.origin}/v2/team/app`;
    await push(on.origin, 'team/app', '1', image);
    await putManifest(url, `${image.digest}?tag=2&tag=3`, image);
    await get(`${on.origin}/v2/other/blobs/uploads/?mount=${layer?.digest}&from=team/app`, { method: 'POST' });
    await get(`${url}/manifests/1`);
    await get(`${url}/manifests/${image.digest}`, { method: 'HEAD' });
    await get(`${url}/blobs/${layer?.digest}`, { headers: { Range: 'bytes=0-9' } });
    await get(`${url}/blobs/${config?.digest}`, { method: 'HEAD' });
    await on.heard.heard(10);
    for (const path of ['manifests/2', `manifests/${image.digest}`, `blobs/${layer?.digest}`]) {
      assert.equal((await get(`${url}/${path}`, { method: 'DELETE' })).status, 202);
      assert.equal((await get(`${url}/${path}`, { method: 'DELETE' })).status, 404);
    }
    const events = (await on.heard.heard(15)).map(said);
    assert.deepEqual(events.slice(0, 2).sort(), ['push config in team/app', 'push layer in team/app']);
    assert.deepEqual(events.slice(2), [
      'push image tag 1 in team/app',
      'push image tag 2 in team/app',
      'push image tag 3 in team/app',
      'mount layer in other from team/app',
      'pull image tag 1 in team/app',
      'pull image in team/app',
      'pull layer in team/app',
      'pull config in team/app',
      'delete tag 2 in team/app',
      'delete image in team/app',
      'delete tag 1 in team/app',
      'delete tag 3 in team/app',
      'delete layer in team/app',
    ]);
  });

  test('is sent what registry:2 sends, field by field', async () => {
    await using on = await scene({ headers: { 'X-Token': ['secret'] } });
    await push(on.origin, 'team/app', '1', image, { headers });
    const pushed = (await on.heard.heard(3))[2];
    const [sent] = on.heard.requests;
    assert.equal(sent?.headers['content-type'], 'application/vnd.docker.distribution.events.v1+json');
    assert.equal(sent?.headers['x-token'], 'secret');
    assert.match(sent?.body ?? '', /^\{\n {3}"events": \[\n {6}\{\n {9}"id": "/);
    const { id, timestamp, request, source, ...rest } = pushed ?? assert.fail();
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
    assert.deepEqual(rest, {
      action: 'push',
      target: {
        mediaType: image.mediaType,
        size: image.size,
        digest: image.digest,
        length: image.size,
        repository: 'team/app',
        url: `${on.origin}/v2/team/app/manifests/${image.digest}`,
        tag: '1',
      },
      actor: {},
    });
    assert.match(request['addr'] ?? '', /^127\.0\.0\.1:\d+$/);
    const { host } = new URL(on.origin);
    assert.deepEqual(
      { ...request, id: '', addr: '' },
      { id: '', addr: '', host, method: 'PUT', useragent: 'docker/28' },
    );
    assert.equal(source['addr'], `${hostname()}:0`);
    assert.match(source['instanceID'] ?? '', /^[0-9a-f-]{36}$/);
    const blob = on.heard.taken.find(({ target }) => target.digest === layer?.digest);
    const blobUrl = `${on.origin}/v2/team/app/blobs/${layer?.digest}`;
    const size = layer?.size;
    assert.deepEqual(blob?.target, {
      mediaType: octets,
      size,
      digest: layer?.digest,
      length: size,
      repository: 'team/app',
      url: blobUrl,
    });
  });

  test('hears what a manifest refers to where it is asked for, also of a HEAD', async () => {
    const index = makeIndex([image]);
    await using on = await scene({ ignore: { mediatypes: [octets] } });
    await on.at.configure({
      notifications: {
        events: { includereferences: true },
        endpoints: [{ name: 'ears', url: on.heard.url, timeout: '1m' }],
      },
    });
    await push(on.origin, 'app', '1', index);
    await get(`${on.origin}/v2/app/manifests/1`, { method: 'HEAD' });
    const events = await on.heard.heard(5);
    const referencesOf = (event: HeardEvent | undefined) =>
      event?.target.references?.map(({ digest, platform }) => [digest, platform]);
    const image1 = events.find(({ target }) => target.digest === image.digest);
    assert.deepEqual(referencesOf(image1), [
      [config?.digest, undefined],
      [layer?.digest, undefined],
    ]);
    const platform = { os: 'linux', architecture: 'amd64' };
    assert.deepEqual(referencesOf(events.at(-1)), [[image.digest, platform]]);
    assert.equal(events.at(-1)?.action, 'pull');
  });

  test('is spared what it ignores, by action and by media type', async () => {
    await using on = await scene({ ignoredmediatypes: [octets], ignore: { actions: ['pull'] } });
    await push(on.origin, 'app', '1', image);
    await get(`${on.origin}/v2/app/manifests/1`);
    await putManifest(`${on.origin}/v2/app`, '2', image);
    assert.deepEqual((await on.heard.heard(2)).map(said), ['push image tag 1 in app', 'push image tag 2 in app']);
    assert.equal(on.heard.requests.length, 2);
  });

  test('hears of what is pulled through the cache', async () => {
    await using hub = await CountingUpstream.start();
    await using heard = await EventEndpoint.start();
    hub.publish('library/redis:7', image);
    const notifications = { endpoints: [{ name: 'ears', url: heard.url, timeout: '1m' }] };
    await using at = await Entrepot.start({ upstreams: { 'docker.io': hub }, config: { notifications } });
    await pull(at.origin, 'library/redis', '7', { ns: 'docker.io' });
    const events = await heard.heard(3);
    assert.ok(events.every(({ target }) => target.repository === 'docker.io/library/redis'));
    assert.ok(events.some((event) => said(event) === 'pull image tag 7 in docker.io/library/redis'));
  });
});

describe('an endpoint that fails', () => {
  test('loses nothing over a restart of ours, and keeps no push waiting', async () => {
    await using on = await scene();
    await on.heard.close();
    await push(on.origin, 'app', '1', image);
    await on.at.until('notice.refused');
    await on.at.restart();
    await putManifest(`${on.at.origin}/v2/app`, '2', image);
    await on.heard.open();
    const events = await on.heard.heard(4);
    assert.deepEqual(events.slice(2).map(said), ['push image tag 1 in app', 'push image tag 2 in app']);
    assert.equal(new Set(events.map(({ id }) => id)).size, 4);
    assert.equal(new Set(events.map(({ source }) => source['instanceID'])).size, 2);
  });

  test('is tried again at once until its threshold, and then after each pause', async () => {
    const clock = new FakeClock();
    await using on = await scene(
      { threshold: 3, backoff: '1m', timeout: '5s', ignoredmediatypes: [octets] },
      { clock },
    );
    on.heard.answer = 503;
    await push(on.origin, 'app', '1', image);
    await on.at.until('notice.refused', ({ failures }) => failures === 3);
    assert.equal(on.heard.requests.length, 3);
    await clock.pending(1);
    await clock.advance(59_000);
    assert.equal(on.heard.requests.length, 3);
    on.heard.answer = 200;
    await clock.advance(1_000);
    await on.heard.heard(1);
    assert.equal(new Set(on.heard.requests.map(({ body }) => body)).size, 1);
    const refused = on.at.told('notice.refused')[0];
    assert.deepEqual([refused?.endpoint, refused?.problem], ['ears', 'it answered 503']);
  });

  test('by never answering is given up after its timeout', async () => {
    const clock = new FakeClock();
    await using on = await scene({ timeout: '5s', ignoredmediatypes: [octets] }, { clock });
    on.heard.answer = 'hang';
    await push(on.origin, 'app', '1', image);
    await on.heard.asked(1);
    on.heard.answer = 200;
    await clock.advance(5_000);
    await on.heard.heard(1);
    assert.equal(on.at.told('notice.refused')[0]?.problem, 'no answer within 5000 ms');
  });

  test('holds up no other endpoint', async () => {
    await using on = await scene();
    await using well = await EventEndpoint.start();
    on.heard.answer = 'hang';
    const endpoints = [
      { name: 'ears', url: on.heard.url, timeout: '1h' },
      { name: 'others', url: well.url, timeout: '1m' },
      { name: 'off', url: on.heard.url, disabled: true },
    ];
    await on.at.configure({ notifications: { endpoints } });
    await pushAsDockerd(on.origin, 'app', '1', image);
    assert.ok((await well.heard(3)).some((event) => said(event) === 'push image tag 1 in app'));
  });

  test('is forgotten with its queue when the configuration no longer names it', async () => {
    await using on = await scene();
    await on.heard.close();
    await push(on.origin, 'app', '1', image);
    await on.at.configure({ notifications: { endpoints: [] } });
    await on.at.until('notices.forgotten', ({ waiting }) => waiting === 3);
  });
});
