import type { CollectLine } from './admin/views.ts';
import type { CollectRequest } from './cli/garbage-collect.ts';
import { processOutput } from './cli/output.ts';
import { runCli } from './cli/run.ts';
import { askSecret } from './cli/secret.ts';
import { untilStopped } from './cli/signals.ts';
import type { Config } from './config/config.ts';
import type { Loaded } from './config/load.ts';
import { systemClock } from './observe/clock.ts';
import { silent } from './observe/events.ts';
import { version } from './observe/version.ts';
import type { Upstreams } from './upstream/contract.ts';

/** Does what the command line asks for. */
export async function runProgram(): Promise<void> {
  process.exitCode = await runCli(process.argv.slice(2), {
    env: process.env,
    out: processOutput(),
    clock: systemClock,
    startServer: async (options) => (await import('./server.ts')).startServer(options),
    rebuildIndex: async (loaded, observer) => {
      const { rebuildIndex } = await import('./rebuild.ts');
      return rebuildIndex(loaded, { observer, clock: systemClock, env: process.env });
    },
    inspectIndex: async (index) => (await import('./furnish.ts')).inspectIndex(index),
    askSecret,
    openUpstreams,
    collectStopped,
    untilStopped,
  });

  // A connection that somebody forgot must not keep a process that has done its work.
  systemClock.setTimer(3_000, () => process.exit());
}

async function* collectStopped(loaded: Loaded, request: CollectRequest): AsyncGenerator<CollectLine> {
  const { collectAlone } = await import('./furnish.ts');
  yield* collectAlone(loaded, request, { clock: systemClock, observer: silent, env: process.env });
}

async function openUpstreams({ upstreams }: Config): Promise<Upstreams> {
  const { createUpstreams } = await import('./upstream/upstreams.ts');
  return createUpstreams({ upstreams, observer: silent, clock: systemClock, env: process.env, version });
}
