import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { throughPath } from './clients/images.ts';
import { labEnvironment } from './lab/environment.ts';
import type { LabEnvironment } from './lab/environment.ts';
import { Lab } from './lab/lab.ts';
import { Machine } from './lab/machine.ts';
import { cacheAuthority, fetchAuthority, startServer } from './lab/server.ts';
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

for (const way of ['plain HTTP', 'TLS'] as const) {
  const skip = environment === undefined ? 'not in the lab: run `npm run interop`' : false;
  describe(`pushes over ${way}`, { skip }, () => {
    if (environment !== undefined) pushesOver(environment, way === 'TLS');
  });
}

function pushesOver(at: LabEnvironment, tls: boolean): void {
  const resources = new AsyncDisposableStack();
  const id = tls ? 'pushes-tls' : 'pushes';
  const ca = join(at.work, `${id}.pem`);
  before(async () => {
    resources.use(await Lab.open());
    resources.use(await startServer(at, { storage: id, freshness: '1h', ownTls: tls }));
    if (tls) await fetchAuthority(ca);
  });
  after(() => resources.disposeAsync());
  for (const [position, pusher] of pushers.entries()) {
    pushesAndPulls(at, pusher, { id: `${id}-${position}`, ca: tls ? ca : undefined });
  }
}

interface Way {
  readonly id: string;
  readonly ca: string | undefined;
}

function pushesAndPulls(at: LabEnvironment, pusher: Pusher, { id, ca }: Way): void {
  const machine = new Machine(at, pusher.suite);
  describe(pusher.name, { skip: machine.lacks(pusher.programs) ?? false }, () => {
    const repository = `local/${id}/app`;
    const name = `${cacheAuthority}/${repository}:1`;
    let open: OpenPusher;
    before(async () => {
      const directory = await machine.directory(id);
      const layer = join(directory, 'layer.tar');
      await machine.run(['tar', '-cf', layer, '/usr/bin/tar', '/etc/debian_version']);
      open = await pusher.open({ machine, directory, layer, ca });
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
