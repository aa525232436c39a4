import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { get } from '../support/client.ts';
import { EventEndpoint } from '../support/event-endpoint.ts';
import type { HeardEvent } from '../support/event-endpoint.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import { ServerProcess } from '../support/processes.ts';
import { push } from '../support/push.ts';
import { TempDir } from '../support/temp-dir.ts';

/** The same is done to docker-registry and to Entrepot with the same configuration: both tell the same of it. */
const missing = spawnSync('docker-registry', ['--version']).error !== undefined;

const image = makeImage({ seed: 'told', layers: [3_000], mediaTypes: 'docker' });
const index = makeIndex([image], 'docker');
const headers = { 'User-Agent': 'docker/28.0.0' };

async function act(origin: string): Promise<void> {
  const url = `${origin}/v2/team/app`;
  const layer = image.layers[0]?.digest;
  await push(origin, 'team/app', 'latest', index, { headers });
  await push(origin, 'team/app', 'single', image, { headers });
  const mount = `${origin}/v2/other/blobs/uploads/?mount=${layer}&from=team/app`;
  assert.equal((await get(mount, { method: 'POST', headers })).status, 201);
  const accept = { ...headers, Accept: `${index.mediaType}, ${image.mediaType}` };
  for (const reference of ['latest', index.digest, image.digest]) {
    for (const method of ['GET', 'HEAD']) {
      assert.equal((await get(`${url}/manifests/${reference}`, { method, headers: accept })).status, 200);
    }
  }
  for (const method of ['GET', 'HEAD']) await get(`${url}/blobs/${layer}`, { method, headers });
  await get(`${url}/blobs/${layer}`, { headers: { ...headers, Range: 'bytes=5-9' } });
  await get(`${url}/manifests/absent`, { headers: accept });
  assert.equal((await get(`${url}/manifests/${index.digest}`, { method: 'DELETE', headers })).status, 202);
  assert.equal((await get(`${origin}/v2/other/blobs/${layer}`, { method: 'DELETE', headers })).status, 202);
}

/** Of all that is done. */
const deletes = 3;

const pullsLateMs = 5_000;

async function heardOf(program: string | undefined): Promise<readonly HeardEvent[]> {
  await using directory = await TempDir.make();
  await using endpoint = await EventEndpoint.start();
  const config = {
    version: '0.1',
    log: { accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: directory.join('volume') }, delete: { enabled: true } },
    notifications: {
      events: { includereferences: true },
      endpoints: [{ name: 'ears', url: endpoint.url, timeout: '30s', threshold: 3, backoff: '1s' }],
    },
  };
  await using server = await ServerProcess.start({
    directory: directory.path,
    config,
    startMsMax: 60_000,
    ...(program === undefined ? {} : { program }),
  });
  await act(server.origin);
  let heard = await endpoint.heard(1);
  while (heard.filter(({ action }) => action === 'delete').length < deletes)
    heard = await endpoint.heard(heard.length + 1);
  // Pulls are told of in batches, and may come after a delete that was later.
  await delay(pullsLateMs);
  heard = await endpoint.heard(heard.length);
  for (const { headers: sent } of endpoint.requests) {
    assert.equal(sent['content-type'], 'application/vnd.docker.distribution.events.v1+json');
  }
  return heard.map((event) => comparable(event, server.origin));
}

/** Without what is another each time, which is checked to be there. */
function comparable({ id, timestamp, source, request, target, ...rest }: HeardEvent, origin: string): HeardEvent {
  assert.match(id, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.ok(!Number.isNaN(Date.parse(timestamp)));
  assert.match(source['instanceID'] ?? '', /^[0-9a-f-]{36}$/);
  const { host } = new URL(origin);
  assert.equal(request['host'], host);
  assert.match(request['addr'] ?? '', /^127\.0\.0\.1:\d+$/);
  const { url } = target;
  return {
    ...rest,
    id: '',
    timestamp: '',
    target: { ...target, ...(url === undefined ? {} : { url: url.replace(origin, '') }) },
    request: { ...request, id: '', host: '', addr: '' },
    source: { ...source, instanceID: '', addr: (source['addr'] ?? '').replace(`:${host.split(':')[1]}`, ':PORT') },
  };
}

/** registry:3 tells of platforms, registry:2 does not. */
function withoutPlatforms(event: HeardEvent): HeardEvent {
  const { references, ...target } = event.target;
  if (references === undefined) return event;
  const known = references.map((reference) => ({ ...reference }));
  for (const reference of known) delete reference.platform;
  return { ...event, target: { ...target, references: known } };
}

const byContent = (one: HeardEvent, other: HeardEvent): number =>
  JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;

describe('notifications', { skip: missing ? 'docker-registry is not installed' : false }, () => {
  test("are docker-registry's own, field by field", async () => {
    const [theirs, ours] = [await heardOf('docker-registry'), await heardOf(undefined)];
    const known = ours.map(withoutPlatforms);
    assert.deepEqual([...known].sort(byContent), [...theirs].sort(byContent));
  });
});
