import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { throughPath } from './clients/images.ts';
import { labEnvironment } from './lab/environment.ts';
import type { LabEnvironment } from './lab/environment.ts';
import { Lab } from './lab/lab.ts';
import { Machine } from './lab/machine.ts';
import { cacheAuthority, startServer } from './lab/server.ts';
import { assertHeld } from './pushes/held.ts';
import { buildah, buildx, crane, ctr, docker, oras, podman, skopeo } from './pushes/pushers.ts';
import type { OpenPusher, Pusher } from './pushes/pushers.ts';

/** Of two platforms: an index travels as a whole where the client can. */
const pair = throughPath({ registry: 'quay.io', repository: 'lab/pair', tag: 'latest' });
const tiny = throughPath({ registry: 'docker.io', repository: 'library/tiny', tag: 'latest' });

const pushers: readonly Pusher[] = [
  docker('bookworm', 'graph'),
  docker('sid', 'graph'),
  docker('sid', 'containerd'),
  buildx('sid', 'graph'),
  buildx('sid', 'containerd'),
  podman('bookworm'),
  podman('sid'),
  buildah('bookworm'),
  buildah('sid'),
  skopeo('bookworm', `docker://${tiny}`),
  skopeo('sid', `docker://${tiny}`),
  crane('sid'),
  oras('sid'),
  ctr('bookworm', tiny),
  ctr('sid', pair),
];

const environment = labEnvironment();

describe('pushes', { skip: environment === undefined ? 'not in the lab: run `npm run interop`' : false }, () => {
  const resources = new AsyncDisposableStack();
  before(async () => {
    if (environment === undefined) return;
    resources.use(await Lab.open());
    resources.use(await startServer(environment, { storage: 'pushes', freshness: '1h' }));
  });
  after(() => resources.disposeAsync());
  for (const [position, pusher] of pushers.entries()) {
    if (environment !== undefined) pushesAndPulls(environment, pusher, position);
  }
});

function pushesAndPulls(at: LabEnvironment, pusher: Pusher, position: number): void {
  const machine = new Machine(at, pusher.suite);
  describe(pusher.name, { skip: machine.lacks(pusher.programs) ?? false }, () => {
    const repository = `local/team${position}/app`;
    const name = `${cacheAuthority}/${repository}:1`;
    let open: OpenPusher;
    before(async () => {
      const directory = await machine.directory(`pusher-${position}`);
      const layer = join(directory, 'layer.tar');
      await machine.run(['tar', '-cf', layer, '/usr/bin/tar', '/etc/debian_version']);
      open = await pusher.open(machine, directory, layer);
    });
    after(() => open[Symbol.asyncDispose]());

    test('pushes an image, and all of it is held', async () => {
      await open.push(name);
      await assertHeld(repository, '1');
    });

    test('pushes it again, and a copy to another repository', async () => {
      await open.push(name);
      await open.push(`${cacheAuthority}/${repository}-copy:2`);
      await assertHeld(`${repository}-copy`, '2');
    });

    test('pulls it again', () => open.pull(name));
  });
}
