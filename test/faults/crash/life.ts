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
/** Most of a life here is its start. Written by those that end in peace. */
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/compile', import.meta.url));
const preload = fileURLToPath(new URL('./steps.ts', import.meta.url));

export async function startLife({ directory, config, env }: Life): Promise<ServerProcess> {
  const server = await ServerProcess.start({
    directory,
    config: {
      http: { debug: { addr: '127.0.0.1:0' }, draintimeout: '0s' },
      log: { level: 'error', accesslog: { disabled: true } },
      ...config,
    },
    env: { NODE_COMPILE_CACHE: compileCache, ...env },
  });
  await server.printed(`listens on ${server.origin}`);
  return server;
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

function missed(moment: Moment): never {
  throw new Error(`what was done never was ${moment}`);
}
