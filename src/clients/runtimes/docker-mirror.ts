import { strangersNote } from '../client-config.ts';
import type { ClientConfig } from '../client-config.ts';
import { hostOf } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { certificatesOfServer, daemonJson, flagNote, insecureRegistries } from './etc-docker.ts';
import type { DaemonKeys } from './etc-docker.ts';

/** dockerd: a mirror for Docker Hub, names by path for every other registry. */
export function dockerMirrorConfig(target: ClientTarget): ClientConfig {
  const mirrors = mirrorsHub(target);
  const keys = daemonKeys(target);
  return {
    runtime: 'docker-mirror',
    purpose: mirrors ? 'Docker pulls Docker Hub images through the cache' : 'Docker pulls from this registry',
    files: [...daemonJson(keys), ...certificatesOfServer(target)],
    commands: Object.keys(keys).length > 0 ? ['sudo systemctl reload docker'] : [],
    examples: pullExamples(target),
    notes: [...notes(target, mirrors)],
  };
}

export function mirrorsHub({ serves, defaultUpstream }: ClientTarget): boolean {
  return serves !== 'none' && defaultUpstream === 'docker.io';
}

export function daemonKeys(target: ClientTarget): DaemonKeys {
  return { ...(mirrorsHub(target) ? { 'registry-mirrors': [target.url] } : {}), ...insecureRegistries(target) };
}

export function pullExamples(target: ClientTarget): readonly string[] {
  const host = hostOf(target);
  if (target.serves === 'none') return [`docker pull ${host}/NAME:TAG`];
  const hub = mirrorsHub(target) ? ['docker pull redis'] : [];
  if (target.serves === 'one') return [...hub, `docker pull ${host}/NAME:TAG`];
  return [...hub, `docker pull ${host}/quay.io/prometheus/prometheus`, `docker pull ${host}/ghcr.io/OWNER/NAME:TAG`];
}

function* notes(target: ClientTarget, mirrors: boolean): Iterable<string> {
  if (mirrors) {
    yield 'Docker asks a mirror for Docker Hub images only. Write other registries into the name, as shown.';
    yield flagNote;
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
