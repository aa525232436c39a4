import { hostOf, isPlainHttp } from './client-config.ts';
import type { ClientConfig, ClientTarget } from './client-config.ts';

/** Podman, Buildah, Skopeo and CRI-O: they say no `?ns=`, so each upstream is a mirror by its path. */
export function podmanConfig(target: ClientTarget): ClientConfig {
  const host = hostOf(target);
  const wildcards = target.serves === 'every' ? target.upstreams.filter((name) => name.includes('*')) : [];
  return {
    runtime: 'podman',
    purpose:
      target.serves === 'none'
        ? 'Podman pulls from this registry'
        : 'Podman, Buildah, Skopeo and CRI-O pull through the cache',
    files: [
      {
        path: '/etc/containers/registries.conf.d/50-entrepot.conf',
        action: 'create',
        when: undefined,
        content: registriesConf(target, host),
      },
    ],
    commands: [],
    examples: examples(target, host),
    notes: [...notes(target, host, wildcards)],
  };
}

function registriesConf(target: ClientTarget, host: string): string {
  const insecure = isPlainHttp(target) ? '\ninsecure = true' : '';
  const own = `[[registry]]\nlocation = "${host}"${insecure}\n`;
  if (target.serves === 'none') return own;
  const names =
    target.serves === 'one' ? [target.defaultUpstream] : target.upstreams.filter((name) => !name.includes('*'));
  const mirrors = names.map((name) => {
    const location = target.serves === 'one' ? host : `${host}/${name}`;
    return `[[registry]]\nlocation = "${name}"\n\n[[registry.mirror]]\nlocation = "${location}"${insecure}\n`;
  });
  return [...mirrors, own].join('\n');
}

function examples(target: ClientTarget, host: string): readonly string[] {
  if (target.serves === 'none') return [`podman pull ${host}/NAME:TAG`];
  if (target.serves === 'every')
    return ['podman pull docker.io/library/redis', 'podman pull quay.io/prometheus/prometheus'];
  return [
    target.defaultUpstream === 'docker.io'
      ? 'podman pull docker.io/library/redis'
      : `podman pull ${target.defaultUpstream}/NAME:TAG`,
  ];
}

function* notes(target: ClientTarget, host: string, wildcards: readonly string[]): Iterable<string> {
  if (target.serves !== 'none') {
    yield 'Pushes, searches and lists of tags go to the registries themselves; so do pulls while the cache is away.';
  }
  if (wildcards.length > 0) {
    yield `Mirrors cannot be given for a pattern (${wildcards.join(', ')}): add such a host with a block of its own, or name it by path: podman pull ${host}/HOST/NAME.`;
  }
  yield 'A [[registry]] block for the same registry in another file of registries.conf.d takes effect instead when its file sorts later.';
  if (!isPlainHttp(target)) {
    yield `When its certificate is of an authority that the machine does not know: the authority's certificate goes to /etc/containers/certs.d/${host}/ca.crt.`;
  }
}
