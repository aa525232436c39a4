import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pullImage } from '../cri/cri.ts';
import type { ImageName } from '../lab/lab.ts';
import type { Machine, Suite } from '../lab/machine.ts';
import { listens } from '../lab/ready.ts';
import { cacheAuthority } from '../lab/server.ts';
import type { ClientKind } from '../suite.ts';
import { fromEverywhere, fullName } from './images.ts';

/** `ctr images pull`, with one `_default/hosts.toml` for all registries. */
export function ctr(suite: Suite): ClientKind {
  return containerd('ctr', suite, async (machine, socket, image, hosts) => {
    await machine.run(['ctr', '--address', socket, 'images', 'pull', '--hosts-dir', hosts, fullName(image)]);
  });
}

/** As a kubelet pulls. */
export function cri(suite: Suite): ClientKind {
  return containerd('CRI', suite, (_machine, socket, image) => pullImage(socket, fullName(image)));
}

type Pull = (machine: Machine, socket: string, image: ImageName, hosts: string) => Promise<void>;

function containerd(by: string, suite: Suite, pull: Pull): ClientKind {
  return {
    name: `${by}, containerd of ${suite}`,
    suite,
    programs: ['containerd', 'ctr'],
    versionCommand: ['containerd', '--version'],
    images: fromEverywhere,
    async open(machine, directory) {
      const { daemon, socket, hosts } = await startContainerd(machine, directory);
      return {
        pull: (image) => pull(machine, socket, image, hosts),
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}

/**
 * A daemon of its own, with nothing in it; `hosts` is the directory that leads every registry through the cache as a mirror,
 * unless there is `none`.
 */
export async function startContainerd(machine: Machine, directory: string, scheme: 'http' | 'https' | 'none' = 'http') {
  const socket = join(directory, 'sock');
  const hosts = join(directory, 'hosts');
  const config = join(directory, 'config.toml');
  await mkdir(join(hosts, '_default'), { recursive: true });
  if (scheme !== 'none') await writeFile(join(hosts, '_default/hosts.toml'), hostsToml(scheme));
  await writeFile(config, configToml(directory, socket, hosts));
  const daemon = await machine.daemon({
    name: 'containerd',
    argv: ['containerd', '--config', config],
    logPath: join(directory, 'containerd.log'),
    ready: () => listens({ path: socket }),
  });
  return { daemon, socket, hosts };
}

function hostsToml(scheme: string): string {
  return `[host."${scheme}://${cacheAuthority}"]\n  capabilities = ["pull", "resolve"]\n`;
}

/** The second of the two plugin names is containerd 2's. */
function configToml(directory: string, socket: string, hosts: string): string {
  return `version = 2
root = "${directory}/root"
state = "${directory}/state"
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${hosts}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "${hosts}"
`;
}
