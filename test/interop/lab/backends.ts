import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '../images/catalogue.ts';
import type { LabEnvironment } from './environment.ts';
import { Daemon } from './process.ts';
import { listens } from './ready.ts';

/** Where the fake internet finds the registries that hold its content, on the lab's loopback. */
export const backendPorts: Readonly<Record<Backend, number>> = { hub: 5101, quay: 5102, others: 5103 };

/** Starts docker-registry, read-only, over each back end's storage. */
export async function startBackends({ work, cache }: LabEnvironment): Promise<AsyncDisposableStack> {
  const directory = join(work, 'backends');
  await mkdir(directory, { recursive: true });
  await using stack = new AsyncDisposableStack();
  for (const [name, port] of Object.entries(backendPorts)) {
    const config = join(directory, `${name}.yml`);
    await writeFile(config, configuration(join(cache, 'images', name), port));
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

function configuration(rootdirectory: string, port: number): string {
  return JSON.stringify({
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory },
      maintenance: { readonly: { enabled: true }, uploadpurging: { enabled: false } },
    },
    http: { addr: `127.0.0.1:${port}` },
  });
}
