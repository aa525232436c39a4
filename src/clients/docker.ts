import { hostOf, isPlainHttp } from './client-config.ts';
import type { ClientConfig, ClientTarget } from './client-config.ts';

/** dockerd: a mirror for Docker Hub, names by path for every other registry. */
export function dockerConfig(target: ClientTarget): ClientConfig {
  const host = hostOf(target);
  const plain = isPlainHttp(target);
  const mirrors = target.serves !== 'none' && target.defaultUpstream === 'docker.io';
  const keys = {
    ...(mirrors ? { 'registry-mirrors': [target.url] } : {}),
    ...(plain ? { 'insecure-registries': [host] } : {}),
  };
  const file = {
    path: '/etc/docker/daemon.json',
    action: 'merge',
    when: undefined,
    content: `${JSON.stringify(keys, undefined, 2)}\n`,
  } as const;
  return {
    runtime: 'docker',
    purpose: mirrors ? 'Docker pulls Docker Hub images through the cache' : 'Docker pulls from this registry',
    files: Object.keys(keys).length > 0 ? [file] : [],
    commands: Object.keys(keys).length > 0 ? ['sudo systemctl reload docker'] : [],
    examples: examples(target, host, mirrors),
    notes: [...notes(target, host, mirrors, plain)],
  };
}

function examples(target: ClientTarget, host: string, mirrors: boolean): readonly string[] {
  if (target.serves === 'none') return [`docker pull ${host}/NAME:TAG`];
  const hub = mirrors ? ['docker pull redis'] : [];
  if (target.serves === 'one') return [...hub, `docker pull ${host}/NAME:TAG`];
  return [...hub, `docker pull ${host}/quay.io/prometheus/prometheus`, `docker pull ${host}/ghcr.io/OWNER/NAME:TAG`];
}

function* notes(target: ClientTarget, host: string, mirrors: boolean, plain: boolean): Iterable<string> {
  if (mirrors) {
    yield 'Docker asks a mirror for Docker Hub images only. Write other registries into the name, as shown.';
    yield 'Docker does not start when one of these keys is also given to dockerd as a flag; keep one of the two.';
  }
  if (target.serves === 'none') yield 'This configuration is a plain registry: nothing is cached.';
  if (plain && mirrors)
    yield 'docker build ignores a mirror over plain http before Docker 28; set http.tls for older ones.';
  if (!plain) {
    yield `When its certificate is of an authority that the machine does not know: the authority's certificate goes to /etc/docker/certs.d/${host}/ca.crt${mirrors ? ', and for the mirror into the system store' : ''}.`;
  }
}
