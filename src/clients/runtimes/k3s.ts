import { authorityFile, strangersNote } from '../client-config.ts';
import type { ClientConfig } from '../client-config.ts';
import { mergeYaml } from '../merge/yaml.ts';
import type { YamlEntry } from '../merge/yaml.ts';
import { exactUpstreams, exampleImage, wildcardUpstreams } from '../target.ts';
import type { ClientTarget } from '../target.ts';

export function k3sConfig(target: ClientTarget): ClientConfig {
  return distribution(target, {
    runtime: 'k3s',
    title: 'K3s',
    directory: '/etc/rancher/k3s',
    commands: ['sudo systemctl restart k3s          # on an agent: k3s-agent'],
    crictl: 'sudo k3s crictl',
  });
}

export function rke2Config(target: ClientTarget): ClientConfig {
  return distribution(target, {
    runtime: 'rke2',
    title: 'RKE2',
    directory: '/etc/rancher/rke2',
    commands: ['sudo systemctl restart rke2-server  # on an agent: rke2-agent'],
    crictl: 'sudo /var/lib/rancher/rke2/bin/crictl --config /var/lib/rancher/rke2/agent/etc/crictl.yaml',
  });
}

interface Distribution {
  readonly runtime: string;
  readonly title: string;
  readonly directory: string;
  readonly commands: readonly string[];
  readonly crictl: string;
}

/** They make containerd's files from one of their own; only what it names comes here, whatever their version makes of "*". */
function distribution(
  target: ClientTarget,
  { runtime, title, directory, commands, crictl }: Distribution,
): ClientConfig {
  const path = `${directory}/registries.yaml`;
  const caPath = `${directory}/entrepot-ca.crt`;
  const into = (before: string): string => mergeYaml(before, entriesOf(target, caPath), path);
  const image = target.serves === 'none' ? `${new URL(target.url).host}/NAME:TAG` : exampleImage(target);
  return {
    runtime,
    purpose: target.serves === 'none' ? `${title} pulls from this registry` : `${title} pulls through the cache`,
    files: [{ path, action: 'merge', when: undefined, content: into(''), into }, ...authorityFile(target, caPath)],
    commands,
    examples: [`${crictl} pull ${image}`],
    notes: [...notes(target)],
  };
}

function entriesOf(target: ClientTarget, caPath: string): readonly YamlEntry[] {
  const { host } = new URL(target.url);
  const names = target.serves === 'none' ? [host] : exactUpstreams(target);
  const mirrors = names.map((name) => ({ keys: ['mirrors', name, 'endpoint'], value: [target.url] }));
  if (target.authority === undefined) return mirrors;
  return [...mirrors, { keys: ['configs', host, 'tls', 'ca_file'], value: caPath }];
}

function* notes(target: ClientTarget): Iterable<string> {
  const wildcards = wildcardUpstreams(target);
  if (wildcards.length > 0) {
    yield `Registries of a pattern (${wildcards.join(', ')}) are each given an entry of their own, as those above.`;
  }
  yield 'Every node needs the file, and reads it when it starts.';
  if (target.serves !== 'none') yield 'While the cache is away, the registries themselves are asked.';
  yield* strangersNote(target, `configs."${new URL(target.url).host}".tls.ca_file names the authority's certificate`);
}
