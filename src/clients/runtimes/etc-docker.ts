import { authorityFile } from '../client-config.ts';
import type { ClientFile } from '../client-config.ts';
import { mergeJson } from '../merge/json.ts';
import { hostOf, isPlainHttp } from '../target.ts';
import type { ClientTarget } from '../target.ts';

/** Keys of daemon.json whose values are lists; also flags of dockerd, in the singular. */
export type DaemonKeys = Readonly<Record<string, readonly string[]>>;

/** Lets dockerd speak plain HTTP to the server by its own name, for pushes, logins, and pulls by path. */
export function insecureRegistries(target: ClientTarget): DaemonKeys {
  // With the scheme: the BuildKit in Docker before 28 uses no plain mirror otherwise.
  return isPlainHttp(target) ? { 'insecure-registries': [`http://${hostOf(target)}`] } : {};
}

/** None where there is nothing to say. */
export function daemonJson(keys: DaemonKeys): readonly ClientFile[] {
  if (Object.keys(keys).length === 0) return [];
  return [
    {
      path: '/etc/docker/daemon.json',
      action: 'merge',
      when: undefined,
      content: `${JSON.stringify(keys, undefined, 2)}\n`,
      into: (before) => mergeJson(before, keys, '/etc/docker/daemon.json'),
    },
  ];
}

export const flagNote =
  'Docker does not start when a key of daemon.json is also given to dockerd as a flag; keep one of the two.';

/** By the name of an image, and by that of the mirror, which are the same unless the port is the default one. */
export function certificatesOfServer(target: ClientTarget): readonly ClientFile[] {
  const hosts = new Set([hostOf(target), new URL(target.url).host]);
  return [...hosts].flatMap((host) => authorityFile(target, `/etc/docker/certs.d/${host}/ca.crt`));
}
