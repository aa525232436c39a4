import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { daemonPlaces, ping } from '../clients/dockerd.ts';
import type { ImageStore } from '../clients/dockerd.ts';
import type { ConfiguredMachine } from '../lab/configured-machine.ts';
import type { LabEnvironment } from '../lab/environment.ts';
import type { Suite } from '../lab/machine.ts';
import { buildkit } from './buildkit.ts';
import { emptied } from './emptied.ts';
import type { Daemon } from '../lab/process.ts';
import { listens } from '../lab/ready.ts';

export type Scheme = 'http' | 'https';

/** A real runtime with the files of a machine's own /etc, as its package would start it. */
export interface ConfiguredRuntime {
  /** What the command calls it. */
  readonly client: string;
  readonly name: string;
  readonly suite: Suite;
  readonly programs: readonly string[];
  /** By which its pulls of Docker Hub's images have to come. */
  readonly door: 'mirror' | 'ns' | 'path' | 'tunnel';
  readonly schemes: readonly Scheme[];
  /** Why it cannot run here although its suite has its programs. */
  lacks?(environment: LabEnvironment): string | undefined;
  /** Before the machine is looked at for the first time. */
  prepare(machine: ConfiguredMachine): Promise<void>;
  /** Reads the files as they are now, and holds nothing of before. */
  start(machine: ConfiguredMachine): Promise<Daemon | undefined>;
}

export const configuredRuntimes: readonly ConfiguredRuntime[] = [
  containerd('bookworm', 'ctr', ['http']),
  containerd('bookworm', 'CRI', ['http', 'https']),
  containerd('sid', 'ctr', ['https']),
  containerd('sid', 'CRI', ['http', 'https']),
  dockerd('bookworm', 'graph', ['http', 'https']),
  dockerd('sid', 'graph', ['http', 'https']),
  // Over https it wants the machine's trust store, which its operator is told.
  dockerd('sid', 'containerd', ['http']),
  throughProxy(dockerd('bookworm', 'graph', ['http'])),
  throughProxy(dockerd('sid', 'containerd', ['http', 'https'])),
  podman('bookworm', ['http', 'https']),
  podman('sid', ['http', 'https']),
  buildkit(['http', 'https']),
];

/** And why no other is. */
export const unavailableRuntimes: Readonly<Record<string, string>> = {
  crio: 'Debian has no CRI-O, and its Go module cannot be had; podman, whose library it has, reads the same files above',
  k3s: 'Debian has no K3s, and it is not built from its Go module alone',
  rke2: 'Debian has no RKE2, and it is not built from its Go module alone',
  kind: 'no package has the image of its nodes; it is told when it makes them, and nothing is applied to a machine',
  'gitlab-runner':
    'Debian has no GitLab Runner, and no package has the image docker:dind; dockerd is told the same as flags above',
  dind: 'no package has the image docker:dind; dockerd is told the same as flags above, and nothing is applied to a machine',
  kaniko: 'no package has it; it is told by its arguments, and nothing is applied to a machine',
};

function containerd(suite: Suite, by: 'ctr' | 'CRI', schemes: readonly Scheme[]): ConfiguredRuntime {
  const socketOf = (machine: ConfiguredMachine): string => join(machine.directory, 'containerd.sock');
  return {
    client: 'containerd',
    name: `${by}, containerd of ${suite}`,
    suite,
    programs: ['containerd', 'ctr'],
    door: 'ns',
    schemes,
    async prepare(machine) {
      const socket = socketOf(machine);
      if (by === 'ctr') return await machine.program('ctr', machine.entered(['ctr', '--address', socket]));
      const crictl = join(import.meta.dirname, 'crictl.ts');
      await machine.program('crictl', [process.execPath, crictl, socket]);
    },
    async start(machine) {
      const data = await emptied(machine);
      const places = ['--root', join(data, 'root'), '--state', join(data, 'state'), '--address', socketOf(machine)];
      return await machine.machine.daemon({
        name: 'containerd',
        argv: ['containerd', ...places],
        logPath: join(machine.directory, 'containerd.log'),
        env: { LAB_ETC: machine.etc },
        ready: () => listens({ path: socketOf(machine) }),
      });
    },
  };
}

function dockerd(suite: Suite, store: ImageStore, schemes: readonly Scheme[]): ConfiguredRuntime {
  const socketOf = (machine: ConfiguredMachine): string => join(machine.directory, 'docker.sock');
  return {
    client: 'docker-mirror',
    name: `dockerd of ${suite}, ${store} image store`,
    suite,
    programs: ['dockerd', 'docker', 'containerd'],
    // The containerd in dockerd says ?ns=docker.io to mirrors.
    door: store === 'containerd' ? 'ns' : 'mirror',
    schemes,
    async prepare(machine) {
      const socket = `unix://${socketOf(machine)}`;
      await machine.program('docker', machine.entered(['docker', '--host', socket]));
      if (store === 'graph') return;
      await mkdir(join(machine.etc, 'docker'), { recursive: true });
      const settings = { features: { 'containerd-snapshotter': true } };
      await writeFile(join(machine.etc, 'docker/daemon.json'), JSON.stringify(settings));
    },
    async start(machine) {
      const socket = socketOf(machine);
      const data = await emptied(machine);
      return await machine.machine.daemon({
        name: 'dockerd',
        argv: ['dockerd', ...daemonPlaces(data, socket)],
        logPath: join(machine.directory, 'dockerd.log'),
        env: { LAB_ETC: machine.etc },
        ready: () => ping(socket),
      });
    },
  };
}

/** With what systemd and the command for the trust store would make of the files. */
function throughProxy(mirror: ConfiguredRuntime): ConfiguredRuntime {
  return {
    ...mirror,
    client: 'docker',
    door: 'tunnel',
    async start(machine) {
      const socket = join(machine.directory, 'docker.sock');
      const data = await emptied(machine);
      const added = join(machine.root, 'usr/local/share/ca-certificates');
      const trusting = `[ ! -d ${added} ] || cp ${added}/* /usr/local/share/ca-certificates/; update-ca-certificates >&2; exec "$@"`;
      return await machine.machine.daemon({
        name: 'dockerd',
        argv: ['sh', '-c', trusting, 'sh', 'dockerd', ...daemonPlaces(data, socket)],
        logPath: join(machine.directory, 'dockerd.log'),
        env: { LAB_ETC: machine.etc, ...(await environmentOf(join(machine.etc, 'systemd/system/docker.service.d'))) },
        ready: () => ping(socket),
      });
    },
  };
}

/** The settings of a service's drop-ins. */
async function environmentOf(directory: string): Promise<Record<string, string>> {
  const names = existsSync(directory) ? (await readdir(directory)).toSorted() : [];
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  const settings = texts.flatMap((text) => [...text.matchAll(/^Environment="([^=]+)=(.*)"$/gm)]);
  return Object.fromEntries(settings.map(([, key = '', value = '']) => [key, value]));
}

function podman(suite: Suite, schemes: readonly Scheme[]): ConfiguredRuntime {
  return {
    client: 'podman',
    name: `podman of ${suite}`,
    suite,
    programs: ['podman'],
    door: 'path',
    schemes,
    async prepare(machine) {
      const data = join(machine.directory, 'data');
      const storage = `[storage]\ndriver = "overlay"\nrunroot = "${data}/run"\ngraphroot = "${data}/root"\n`;
      await mkdir(join(machine.etc, 'containers'), { recursive: true });
      await writeFile(join(machine.etc, 'containers/storage.conf'), storage);
      await machine.program('podman', machine.entered(['podman']));
    },
    async start(machine) {
      await emptied(machine);
      return undefined;
    },
  };
}
