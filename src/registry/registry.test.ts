import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fetchRaw } from '../../test/support/http-client.ts';
import { MemoryRepository } from '../../test/support/memory-repository.ts';
import { BufferPool } from '../bytes/buffer-pool.ts';
import { createListener } from '../http/listener.ts';
import type { Listener } from '../http/listener.ts';
import { systemClock } from '../observe/clock.ts';
import type { RequestDone } from '../observe/events.ts';
import type { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { createRegistry } from './registry.ts';
import { exampleTable } from '../../test/support/routing-table.ts';

let repository = new MemoryRepository('docker.io', 'library/redis');
let refusal: RegistryError | undefined;
let listener: Listener;
let port = 0;
const logged: RequestDone[] = [];

before(async () => {
  const handler = createRegistry({
    routing: () => exampleTable(),
    repositories: ({ upstream, name }) =>
      upstream === repository.key.upstream && name === repository.key.name ? repository : undefined,
    catalog: async ({ limit, last }) => {
      const all = ['docker.io/library/redis', 'quay.io/coreos/etcd'].filter(
        (name) => last === undefined || name > last,
      );
      return { items: all.slice(0, limit), next: all.length > limit ? all[limit - 1] : undefined };
    },
    judge: () => refusal,
  });
  const observer = { emit: (event: { readonly type: string }) => void logged.push(event as RequestDone) };
  listener = createListener({ handler, observer, clock: systemClock, pool: new BufferPool() });
  port = (await listener.listen({ host: '127.0.0.1', port: 0 })).port;
});

after(async () => {
  await listener.close(1_000);
});

beforeEach(() => {
  repository = new MemoryRepository('docker.io', 'library/redis');
  refusal = undefined;
  logged.length = 0;
});

const manifestText = '{"schemaVersion":2, "odd": "spacing stays"}';

describe('a manifest', () => {
  test('is served byte for byte with its own media type, whatever the client accepts', async () => {
    const { digest } = repository.addManifest(manifestText, mediaTypes.dockerList, '7');
    for (const accept of ['*/*', mediaTypes.ociManifest, 'text/html']) {
      const reply = await fetchRaw(port, '/v2/library/redis/manifests/7', { headers: { accept } });
      assert.equal(reply.status, 200);
      assert.equal(reply.body.toString(), manifestText);
      assert.equal(reply.headers['content-type'], mediaTypes.dockerList);
      assert.equal(reply.headers['docker-content-digest'], digest);
      assert.equal(reply.headers['content-encoding'], undefined);
    }
  });
});
