import { authorityFile, strangersNote } from '../client-config.ts';
import type { ClientConfig, ClientFile } from '../client-config.ts';
import { exampleImage } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { mirrorHostsToml, ownHostsToml } from './hosts-toml.ts';

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
  const own = ownHostsToml(target, `${certsD}/${new URL(target.url).host}/hosts.toml`, caPathOf(target, certsD));
  const authority = authorityFile(target, caPathIn(certsD));
  if (target.serves === 'none') return [own, ...authority];
  const path = `${certsD}/${hostDirectory(target)}/hosts.toml`;
  const mirror = mirrorHostsToml(target, path, caPathOf(target, certsD));
  // A cache of one upstream hosts nothing.
  return [mirror, ...authority, ...(target.serves === 'every' ? [own] : [])];
}

/** Where the certificate of our own authority is; `undefined` where clients need none. */
export function caPathOf({ authority }: ClientTarget, certsD: string): string | undefined {
  return authority && caPathIn(certsD);
}

function caPathIn(certsD: string): string {
  return `${certsD}/entrepot-ca.crt`;
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
