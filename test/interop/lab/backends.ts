import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '../images/catalogue.ts';
import type { LabEnvironment } from './environment.ts';
import { Daemon } from './process.ts';
import { listens } from './ready.ts';

/** Where the fake internet finds the registries that hold its content, on the lab's loopback. */
export const backendPorts: Readonly<Record<Backend, number>> = { hub: 5101, quay: 5102, others: 5103 };
/** And the one that takes what is pushed: the others' storage is kept from run to run. */
export const pushedPort = 5104;
/** Its repositories, at whatever registry. */
export const pushedPrefix = 'private/pushed/';

/** Starts docker-registry, read-only, over each back end's storage, and one that is empty. */
export async function startBackends({ work, cache }: LabEnvironment): Promise<AsyncDisposableStack> {
  const directory = join(work, 'backends');
  await mkdir(directory, { recursive: true });
  await using stack = new AsyncDisposableStack();
  const published = Object.entries(backendPorts).map(([name, port]) => {
    return { name, port, storage: join(cache, 'images', name), readonly: true };
  });
  const pushed = { name: 'pushed', port: pushedPort, storage: join(directory, 'pushed'), readonly: false };
  for (const { name, port, storage, readonly } of [...published, pushed]) {
    const config = join(directory, `${name}.yml`);
    await writeFile(config, configuration(storage, port, readonly));
    stack.use(
      await Daemon.start({
        name: `back end ${name}`,
        argv: ['docker-registry', 'serve', config],
        logPath: join(directory, `${name}.log`),
        ready: () => listens({ host: '127.0.0.1', port }),
      }),
    );
  }
  return stack.move();
}

function configuration(rootdirectory: string, port: number, readonly: boolean): string {
  return JSON.stringify({
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory },
      maintenance: { readonly: { enabled: readonly }, uploadpurging: { enabled: false } },
    },
    http: { addr: `127.0.0.1:${port}` },
  });
}
