import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { configuredRuntimes, unavailableRuntimes } from './client-command/runtimes.ts';
import type { ConfiguredRuntime, Scheme } from './client-command/runtimes.ts';
import { ConfiguredMachine } from './lab/configured-machine.ts';
import { labEnvironment } from './lab/environment.ts';
import type { LabEnvironment } from './lab/environment.ts';
import { Lab } from './lab/lab.ts';
import { Machine } from './lab/machine.ts';
import { cacheAuthority, startServer } from './lab/server.ts';
import type { Daemon } from './lab/process.ts';

/**
 * `entrepot client RUNTIME`: --apply, the real runtime with just that, --verify, --undo; over plain HTTP, and over TLS by the
 * server's own authority. Before and after, --verify has to fail, and the files of the machine have to be the same.
 */
const environment = labEnvironment();

let made = 0;

for (const runtime of configuredRuntimes) {
  for (const scheme of runtime.schemes) {
    const name = `entrepot client ${runtime.client}, ${runtime.name}, ${scheme}`;
    const obstacle =
      environment === undefined
        ? 'not in the lab: run `npm run interop`'
        : (new Machine(environment, runtime.suite).lacks(runtime.programs) ?? runtime.lacks?.(environment));
    if (environment === undefined || obstacle !== undefined) test(name, { skip: obstacle ?? false }, () => undefined);
    else describe(name, () => proves(environment, runtime, scheme));
  }
}

for (const [client, skip] of Object.entries(unavailableRuntimes)) {
  test(`entrepot client ${client}`, { skip }, () => undefined);
}

function proves(lab: LabEnvironment, runtime: ConfiguredRuntime, scheme: Scheme): void {
  const url = `${scheme}://${cacheAuthority}`;
  const resources = new AsyncDisposableStack();
  let machine: ConfiguredMachine;
  let start: readonly string[];

  before(async () => {
    resources.use(await Lab.open());
    const storage = `client-${scheme}`;
    resources.use(await startServer(lab, { storage, freshness: '1h', ownTls: scheme === 'https' }));
    // Short: dockerd makes paths of sockets of it.
    machine = await ConfiguredMachine.make(lab, runtime.suite, `m${(made += 1)}`);
    await runtime.prepare(machine);
    start = await machine.state();
  });
  after(() => resources.disposeAsync());

  const verify = async (): Promise<{ readonly arrived: boolean; readonly door?: string }> => {
    await using _daemon: Daemon | undefined = await runtime.start(machine);
    const said = await machine.client(runtime.client, '--url', url, '--verify', '--json').catch(String);
    const answer = /^\{[^]*?^\}/m.exec(said)?.[0];
    if (answer === undefined) assert.fail(said);
    return JSON.parse(answer) as { readonly arrived: boolean; readonly door?: string };
  };

  test('nothing comes before', async () => {
    assert.equal((await verify()).arrived, false);
  });

  test('what is applied leads a pull here', async (t) => {
    t.diagnostic(await machine.client(runtime.client, '--url', url, '--apply'));
    const answer = await verify();
    assert.equal(answer.arrived, true, JSON.stringify(answer));
    assert.equal(answer.door, runtime.door);
    assert.match(await machine.client(runtime.client, '--url', url, '--apply'), /^All of it is there already/m);
  });

  test('what is undone is as it was before', async () => {
    await machine.client(runtime.client, '--undo');
    assert.deepEqual(await machine.state(), start);
  });
}
