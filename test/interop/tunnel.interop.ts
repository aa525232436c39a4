/**
 * Unchanged image names through the cache as an HTTPS proxy, by clients that know no other name than its own: public images,
 * and a private one that of the registry's users alice and, for a while, carol may read.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { labEnvironment } from './lab/environment.ts';
import type { LabEnvironment } from './lab/environment.ts';
import { Machine } from './lab/machine.ts';
import type { LoggedRequest } from './internet/log.ts';
import { assertNoneSucceeded, assertNothingFetched } from './traffic.ts';
import { crane, docker, podman, skopeo } from './tunnel/clients.ts';
import type { TunnelClient } from './tunnel/clients.ts';
import { hidden, Stage } from './tunnel/stage.ts';

const clients: readonly TunnelClient[] = [
  crane('sid'),
  skopeo('bookworm'),
  skopeo('sid'),
  podman('bookworm'),
  podman('sid'),
  docker('bookworm', 'graph'),
  docker('sid', 'graph'),
  docker('sid', 'containerd'),
];

const open = 'quay.io/lab/tiny:latest';
const refusal = /unauthorized|denied|authentication required|requested access|\b40[13]\b/i;

const environment = labEnvironment();

for (const kind of clients) {
  const obstacle = environment && new Machine(environment, kind.suite).lacks(kind.programs);
  const skip = environment === undefined ? 'not in the lab: run `npm run interop`' : (obstacle ?? false);
  describe(`${kind.name}, through a tunnel`, { skip }, () => {
    if (environment !== undefined && skip === false) pullsAsWhoItIs(environment, kind);
  });
}

function pullsAsWhoItIs(at: LabEnvironment, kind: TunnelClient): void {
  const stage = new Stage(at, kind);
  before(() => stage.open());
  after(() => stage.close());

  test('pulls what is public cold, and then from here', async () => {
    const cold = await stage.seenOf((client) => client.pull(open));
    assert.ok(cold.some(isContent), 'it did not come from the registry');
    assertNothingFetched(await stage.seenOf((client) => client.pull(open)));
  });

  test('pulls what is private for whom its registry lets in, once for all of them', async () => {
    await assert.rejects(stage.pullAs(undefined), refusal);
    assert.ok((await stage.pullAs('alice')).some(isContent), 'it did not come from the registry');
    for (const user of ['alice', 'carol'] as const) assertNothingFetched(await stage.pullAs(user));
  });

  test('is refused what is held for others, as another user and after the logout', async () => {
    await assert.rejects(stage.pullAs('bob'), refusal);
    await stage.pullAs('alice');
    await assert.rejects(stage.pullAs(undefined), refusal);
  });

  test('is refused what its user may not read any more', async () => {
    await stage.pullAs('carol');
    stage.internet.revoke('carol');
    await assert.rejects(stage.pullAs('carol'), refusal);
    await stage.pullAs('alice');
  });

  test('pulls all that it may with the registries gone', async () => {
    await stage.logIn('alice');
    await stage.internet.unplug();
    assertNoneSucceeded(await stage.seenOf((client) => client.pull(open)));
    assertNoneSucceeded(await stage.seenOf((client) => client.pull(hidden)));
    await stage.logIn(undefined);
    await assert.rejects(stage.seenOf((client) => client.pull(hidden)));
  });
}

function isContent({ method, path, status, bytes }: LoggedRequest): boolean {
  return method === 'GET' && path.includes('/blobs/') && status === 200 && bytes > 0;
}
