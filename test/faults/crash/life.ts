/** A server that is going to be killed. */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from '../../support/processes.ts';
import { armedLine, crashLine, stepSizeVariable, stepVariable } from './step-names.ts';
import type { Moment } from './step-names.ts';

export interface Life {
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

const stepMsMax = 60_000;
const startsMax = 3;
/** Most of a life here is its start. Written by those that end in peace. */
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/compile', import.meta.url));
const preload = fileURLToPath(new URL('./steps.ts', import.meta.url));

/** The port was free a moment ago: where somebody else was quicker, it is not ours that answers, and another is taken. */
export async function startLife(life: Life): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const server = await startOnce(life);
    try {
      await server.printed(`listens on ${server.origin}`);
      return server;
    } catch (error) {
      if (attempt === startsMax) throw error;
    }
  }
}

/** The environment of one that will stop at that step of a blob of so many bytes, once it is armed. */
export function diesAt(moment: Moment, blobBytes: number): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${preload}`, [stepVariable]: moment, [stepSizeVariable]: String(blobBytes) };
}

export async function arm(server: ServerProcess): Promise<void> {
  process.kill(server.pid, 'SIGUSR2');
  await server.printed(armedLine);
}

export async function killWhenReached(server: ServerProcess, moment: Moment): Promise<void> {
  const given = delay(stepMsMax, undefined, { ref: false }).then(() => missed(moment));
  await Promise.race([server.printed(crashLine), given]);
  await server.kill();
}

function startOnce({ directory, config, env }: Life): Promise<ServerProcess> {
  return ServerProcess.start({
    directory,
    startMsMax: 60_000,
    config: {
      http: { debug: { addr: '127.0.0.1:0' }, draintimeout: '0s' },
      log: { level: 'error', accesslog: { disabled: true } },
      ...config,
    },
    env: { NODE_COMPILE_CACHE: compileCache, ...env },
  });
}

function missed(moment: Moment): never {
  throw new Error(`what was done never was ${moment}`);
}
