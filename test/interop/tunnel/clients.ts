import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine, Suite } from '../lab/machine.ts';

/** A real client on a machine that leads every registry's name to the cache. */
export interface TunnelClient {
  readonly id: string;
  readonly name: string;
  readonly suite: Suite;
  readonly programs: readonly string[];
  open(machine: Machine, directory: string): Promise<OpenClient>;
}

/** Its logins are Docker Hub's. */
export interface OpenClient extends AsyncDisposable {
  login(user: string, password: string): Promise<void>;
  logout(): Promise<void>;
  /** As one that holds nothing yet. */
  pull(name: string): Promise<void>;
  /** Over plain HTTP, if it can be told to. */
  pullPlainly?(name: string): Promise<void>;
  /** @param archive the image, as `docker save` writes it by that name */
  push(archive: string, name: string): Promise<void>;
}

export function crane(suite: Suite): TunnelClient {
  return copier('crane', suite, {
    login: ['auth', 'login'],
    logout: ['auth', 'logout'],
    hub: 'index.docker.io',
    pull: (name, directory) => [['pull', '--platform=linux/amd64', name, join(directory, 'pulled.tar')]],
    push: (archive, name) => [['push', archive, name]],
  });
}

export function skopeo(suite: Suite): TunnelClient {
  return copier('skopeo', suite, {
    pull: (name, directory) => [['copy', '--quiet', `docker://${name}`, `dir:${directory}/pulled`]],
    push: (archive, name) => [['copy', '--quiet', `docker-archive:${archive}`, `docker://${name}`]],
  });
}

export function podman(suite: Suite): TunnelClient {
  return copier('podman', suite, {
    pull: (name) => [
      ['image', 'rm', '--all', '--force'],
      ['pull', '--quiet', name],
    ],
    push: (archive, name) => [
      ['load', '--quiet', '--input', archive],
      ['push', '--quiet', name],
    ],
  });
}

interface Copies {
  readonly login?: readonly string[];
  readonly logout?: readonly string[];
  /** What it calls Docker Hub when somebody logs in there. */
  readonly hub?: string;
  /** One command after the other. */
  pull(name: string, directory: string): readonly (readonly string[])[];
  push(archive: string, name: string): readonly (readonly string[])[];
}

function copier(program: string, suite: Suite, copies: Copies): TunnelClient {
  const { login = ['login'], logout = ['logout'], hub = 'docker.io' } = copies;
  return {
    id: `${program}-${suite}`,
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    async open(machine, directory) {
      const config = join(directory, 'login');
      await mkdir(config, { recursive: true });
      const auth = join(config, 'auth.json');
      await writeFile(auth, '{}');
      const env = { DOCKER_CONFIG: config, REGISTRY_AUTH_FILE: auth };
      const run = (words: readonly string[], input = ''): Promise<string> =>
        machine.run([program, ...words], { env, input });
      return {
        async login(user, password) {
          await run([...login, '--username', user, '--password-stdin', hub], password);
        },
        async logout() {
          // Nobody may be logged in.
          await run([...logout, hub]).catch(() => undefined);
        },
        async pull(name) {
          for (const words of copies.pull(name, directory)) await run(words);
        },
        async push(archive, name) {
          for (const words of copies.push(archive, name)) await run(words);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}
