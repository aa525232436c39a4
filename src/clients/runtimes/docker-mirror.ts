import { authorityFile, strangersNote } from '../client-config.ts';
import type { ClientConfig, ClientFile } from '../client-config.ts';
import { mergeJson } from '../merge/json.ts';
import { hostOf, isPlainHttp } from '../target.ts';
import type { ClientTarget } from '../target.ts';

/** dockerd: a mirror for Docker Hub, names by path for every other registry. */
export function dockerMirrorConfig(target: ClientTarget): ClientConfig {
  const mirrors = mirrorsHub(target);
  const keys = daemonKeys(target);
  const files = [...(Object.keys(keys).length > 0 ? [daemonJson(keys)] : []), ...certificates(target)];
  return {
    runtime: 'docker-mirror',
    purpose: mirrors ? 'Docker pulls Docker Hub images through the cache' : 'Docker pulls from this registry',
    files,
    commands: Object.keys(keys).length > 0 ? ['sudo systemctl reload docker'] : [],
    examples: pullExamples(target),
    notes: [...notes(target, mirrors)],
  };
}

export function mirrorsHub({ serves, defaultUpstream }: ClientTarget): boolean {
  return serves !== 'none' && defaultUpstream === 'docker.io';
}

/** Also flags of dockerd, in the singular. */
export function daemonKeys(target: ClientTarget): Readonly<Record<string, readonly string[]>> {
  return {
    ...(mirrorsHub(target) ? { 'registry-mirrors': [target.url] } : {}),
    // With the scheme: the BuildKit in Docker before 28 uses no plain mirror otherwise.
    ...(isPlainHttp(target) ? { 'insecure-registries': [`http://${hostOf(target)}`] } : {}),
  };
}

/** By the name of an image, and by that of the mirror, which are the same unless the port is the default one. */
export function certificates(target: ClientTarget): readonly ClientFile[] {
  const hosts = new Set([hostOf(target), new URL(target.url).host]);
  return [...hosts].flatMap((host) => authorityFile(target, `/etc/docker/certs.d/${host}/ca.crt`));
}

export function pullExamples(target: ClientTarget): readonly string[] {
  const host = hostOf(target);
  if (target.serves === 'none') return [`docker pull ${host}/NAME:TAG`];
  const hub = mirrorsHub(target) ? ['docker pull redis'] : [];
  if (target.serves === 'one') return [...hub, `docker pull ${host}/NAME:TAG`];
  return [...hub, `docker pull ${host}/quay.io/prometheus/prometheus`, `docker pull ${host}/ghcr.io/OWNER/NAME:TAG`];
}

function daemonJson(keys: Readonly<Record<string, readonly string[]>>): ClientFile {
  return {
    path: '/etc/docker/daemon.json',
    action: 'merge',
    when: undefined,
    content: `${JSON.stringify(keys, undefined, 2)}\n`,
    into: (before) => mergeJson(before, keys, '/etc/docker/daemon.json'),
  };
}

function* notes(target: ClientTarget, mirrors: boolean): Iterable<string> {
  if (mirrors) {
    yield 'Docker asks a mirror for Docker Hub images only. Write other registries into the name, as shown.';
    yield 'Docker does not start when one of these keys is also given to dockerd as a flag; keep one of the two.';
  }
  if (mirrors && target.authority !== undefined) {
    yield "With its containerd image store, dockerd looks for a mirror's authority in the machine's trust store alone: put the certificate there as well, and restart docker.";
  }
  if (target.serves === 'none') yield 'This configuration is a plain registry: nothing is cached.';
  yield* strangersNote(
    target,
    `the authority's certificate goes to /etc/docker/certs.d/${hostOf(target)}/ca.crt${mirrors ? `, and for the mirror to /etc/docker/certs.d/${new URL(target.url).host}/ca.crt` : ''}`,
  );
}
