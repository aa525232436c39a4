import { isPlainHttp } from './client-config.ts';
import type { ClientConfig, ClientFile, ClientTarget } from './client-config.ts';

/** containerd (and with it Kubernetes' CRI and nerdctl): one `_default/hosts.toml`, because it says `?ns=`. */
export function containerdConfig(target: ClientTarget): ClientConfig {
  const serving = target.serves !== 'none';
  const directory = target.serves === 'one' ? (target.defaultUpstream ?? '_default') : '_default';
  const which = target.serves === 'one' ? `${target.defaultUpstream} images` : 'every image';
  return {
    runtime: 'containerd',
    purpose: serving ? `containerd pulls ${which} through the cache` : 'containerd pulls from this registry',
    files: [hostsToml(target, serving ? directory : new URL(target.url).host), ...configPaths],
    commands: ['sudo systemctl restart containerd'],
    examples: [
      `sudo crictl pull ${example(target)}`,
      `sudo ctr images pull --hosts-dir ${certsDirectory} ${example(target)}`,
    ],
    notes: [...notes(target)],
  };
}

const certsDirectory = '/etc/containerd/certs.d';

function hostsToml(target: ClientTarget, directory: string): ClientFile {
  // With "push" here, pushes to every registry would come to the cache.
  const capabilities = target.serves === 'none' ? '["pull", "resolve", "push"]' : '["pull", "resolve"]';
  return {
    path: `${certsDirectory}/${directory}/hosts.toml`,
    action: 'create',
    when: undefined,
    content: `[host."${target.url}"]\n  capabilities = ${capabilities}\n`,
  };
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

function example(target: ClientTarget): string {
  if (target.serves === 'none') return `${new URL(target.url).host}/NAME:TAG`;
  if (target.serves === 'every') return 'quay.io/prometheus/prometheus:latest';
  return target.defaultUpstream === 'docker.io'
    ? 'docker.io/library/redis:latest'
    : `${target.defaultUpstream}/NAME:TAG`;
}

function* notes(target: ClientTarget): Iterable<string> {
  if (target.serves === 'every') {
    yield `A registry with a directory of its own under ${certsDirectory} does not use _default: put the same file there.`;
  }
  if (target.serves !== 'none') yield 'While the cache is away, containerd asks the registry itself.';
  yield 'config_path and the older registry.mirrors and registry.configs tables exclude each other: remove those.';
  yield 'containerd is restarted for config_path only; changes of hosts.toml count at once.';
  yield 'ctr knows nothing of config_path; it needs --hosts-dir, as shown.';
  if (!isPlainHttp(target)) {
    yield 'When its certificate is of an authority that the machine does not know: add ca = "/path/to/ca.crt" below capabilities.';
  }
}
