import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { labEnvironment } from '../lab/environment.ts';
import type { LabEnvironment } from '../lab/environment.ts';
import { Machine } from '../lab/machine.ts';
import type { LoggedRequest } from '../internet/log.ts';
import { assertNoneSucceeded, assertNothingFetched } from '../traffic.ts';
import type { TunnelClient } from './clients.ts';
import { pushesAsWhoItIs } from './pushes.ts';
import { refusal } from './refusal.ts';
import { hidden, Stage } from './stage.ts';
import type { Way } from './stage.ts';

const open = 'quay.io/lab/tiny:latest';

/** Public images, and a private one that of its registry's users alice and, for a while, carol may read. */
export function pullsAndPushes(kind: TunnelClient, way: Way): void {
  const environment = labEnvironment();
  const obstacle = environment && new Machine(environment, kind.suite).lacks(kind.programs);
  const skip = environment === undefined ? 'not in the lab: run `npm run interop`' : (obstacle ?? false);
  describe(`${kind.name}, ${way === 'tunnel' ? 'through a tunnel' : 'led here by DNS'}`, { skip }, () => {
    if (environment !== undefined && skip === false) actsAsWhoItIs(environment, kind, way);
  });
}

function actsAsWhoItIs(at: LabEnvironment, kind: TunnelClient, way: Way): void {
  const stage = new Stage(at, kind, way);
  before(() => stage.open());
  after(() => stage.close());

  test('pulls what is public cold, and then from here', async () => {
    const cold = await stage.seenOf((client) => client.pull(open));
    assert.ok(cold.some(isContent), 'it did not come from the registry');
    assertNothingFetched(await stage.seenOf((client) => client.pull(open)));
  });

  if (way === 'names') {
    test('pulls over plain HTTP by the name that it asks for, if it is told to', async (t) => {
      const seen = await stage.pullsPlainly(open);
      if (seen === undefined) t.skip('it speaks TLS alone');
      else assertNothingFetched(seen);
    });
  }

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

  pushesAsWhoItIs(stage);

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
