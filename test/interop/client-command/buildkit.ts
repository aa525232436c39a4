import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfiguredMachine } from '../lab/configured-machine.ts';
import { insideLab } from '../lab/environment.ts';
import type { LabEnvironment } from '../lab/environment.ts';
import { listens } from '../lab/ready.ts';
import { run } from '../lab/process.ts';
import { emptied } from './emptied.ts';
import type { ConfiguredRuntime, Scheme } from './runtimes.ts';

/** buildkitd by itself, which buildx speaks to by a socket: what it would be in the container of a builder. */
export function buildkit(schemes: readonly Scheme[]): ConfiguredRuntime {
  const socketOf = (machine: ConfiguredMachine): string => join(machine.directory, 'buildkitd.sock');
  return {
    client: 'buildkit',
    name: 'buildkitd',
    suite: 'sid',
    programs: ['docker', 'runc'],
    door: 'ns',
    schemes,
    lacks: (environment) => (existsSync(builtBuildkitd(environment)) ? undefined : 'buildkitd could not be built here'),
    async prepare(machine) {
      const config = `DOCKER_CONFIG=${join(machine.directory, 'docker')}`;
      const docker = machine.entered(['env', config, 'docker']);
      await machine.program('docker', docker);
      const create = ['buildx', 'create', '--name', 'entrepot', '--driver', 'remote', `unix://${socketOf(machine)}`];
      await run([...docker, ...create], { env: { HOME: '/root' } });
      await mkdir(join(machine.etc, 'buildkit'));
      await writeFile(join(machine.etc, 'buildkit/buildkitd.toml'), "# The machine's own.\ndebug = true\n");
      await copyFile(builtBuildkitd(insideLab()), join(machine.directory, 'buildkitd'));
    },
    async start(machine) {
      const root = await emptied(machine);
      const places = [`--root=${root}`, `--addr=unix://${socketOf(machine)}`];
      return await machine.machine.daemon({
        name: 'buildkitd',
        argv: [
          join(machine.directory, 'buildkitd'),
          ...places,
          '--oci-worker-snapshotter=native',
          '--oci-worker-net=host',
        ],
        logPath: join(machine.directory, 'buildkitd.log'),
        env: { LAB_ETC: machine.etc },
        ready: () => listens({ path: socketOf(machine) }),
      });
    },
  };
}

/** As run.sh has it built. */
function builtBuildkitd({ cache }: LabEnvironment): string {
  return join(cache, 'buildkitd');
}
