import { authorityFile, strangersNote } from '../client-config.ts';
import type { ClientConfig, ClientFile } from '../client-config.ts';
import { exampleImage } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { hostsToml } from './hosts-toml.ts';

export const certsDirectory = '/etc/containerd/certs.d';

/** containerd (and with it Kubernetes' CRI and nerdctl): one `_default/hosts.toml`, because it says `?ns=`. */
export function containerdConfig(target: ClientTarget): ClientConfig {
  const serving = target.serves !== 'none';
  const which = target.serves === 'one' ? `${target.defaultUpstream} images` : 'every image';
  const image = serving ? exampleImage(target) : `${new URL(target.url).host}/NAME:TAG`;
  return {
    runtime: 'containerd',
    purpose: serving ? `containerd pulls ${which} through the cache` : 'containerd pulls from this registry',
    files: [...hostFiles(target, certsDirectory), ...configPaths],
    commands: ['sudo systemctl restart containerd'],
    examples: [`sudo crictl pull ${image}`, `sudo ctr images pull --hosts-dir ${certsDirectory} ${image}`],
    notes: [...notes(target)],
  };
}

/** The directory of certs.d whose registries are to come here. */
export function hostDirectory({ serves, defaultUpstream, url }: ClientTarget): string {
  if (serves === 'none') return new URL(url).host;
  return serves === 'one' ? (defaultUpstream ?? '_default') : '_default';
}

export function hostFiles(target: ClientTarget, certsD: string): readonly ClientFile[] {
  const directory = `${certsD}/${hostDirectory(target)}`;
  const authority = authorityFile(target, `${certsD}/entrepot-ca.crt`);
  return [hostsToml(target, `${directory}/hosts.toml`, authority[0]?.path), ...authority];
}

const configPaths: readonly ClientFile[] = [
  {
    path: '/etc/containerd/config.toml',
    action: 'merge',
    when: 'containerd 1.x, for Kubernetes',
    content: `version = 2\n\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${certsDirectory}"\n`,
  },
  {
    path: '/etc/containerd/config.toml',
    action: 'merge',
    when: 'containerd 2.x, for Kubernetes',
    content: `version = 3\n\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "${certsDirectory}"\n`,
  },
];

function* notes(target: ClientTarget): Iterable<string> {
  if (target.serves === 'every') {
    yield `A registry with a directory of its own under ${certsDirectory} does not use _default: put the same file there.`;
  }
  if (target.serves !== 'none') yield 'While the cache is away, containerd asks the registry itself.';
  yield 'config_path and the older registry.mirrors and registry.configs tables exclude each other: remove those.';
  yield 'containerd is restarted for config_path only; changes of hosts.toml count at once.';
  yield 'ctr knows nothing of config_path; it needs --hosts-dir, as shown.';
  yield* strangersNote(target, 'add ca = "/path/to/ca.crt" below capabilities');
}
