import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDockerd } from '../clients/dockerd.ts';
import type { ImageStore } from '../clients/dockerd.ts';
import type { Machine, Suite } from '../lab/machine.ts';
import { cacheAuthority } from '../lab/server.ts';

/** A real client that has the cache as its HTTPS proxy. */
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
}

export function crane(suite: Suite): TunnelClient {
  return copier('crane', suite, {
    login: ['auth', 'login'],
    logout: ['auth', 'logout'],
    hub: 'index.docker.io',
    pull: (name, directory) => [['pull', '--platform=linux/amd64', name, join(directory, 'pulled.tar')]],
  });
}

export function skopeo(suite: Suite): TunnelClient {
  return copier('skopeo', suite, {
    pull: (name, directory) => [['copy', '--quiet', `docker://${name}`, `dir:${directory}/pulled`]],
  });
}

export function podman(suite: Suite): TunnelClient {
  return copier('podman', suite, {
    pull: (name) => [
      ['image', 'rm', '--all', '--force'],
      ['pull', '--quiet', name],
    ],
  });
}

export function docker(suite: Suite, store: ImageStore): TunnelClient {
  return {
    id: `docker-${suite}-${store}`,
    name: `dockerd of ${suite}, ${store} image store`,
    suite,
    programs: ['dockerd', 'docker', 'containerd'],
    async open(machine, directory) {
      const { daemon, docker: command } = await startDockerd(machine, directory, store, 'proxy');
      const env = { DOCKER_CONFIG: join(directory, 'docker-config') };
      await mkdir(env.DOCKER_CONFIG, { recursive: true });
      const run = (words: readonly string[], input = ''): Promise<string> =>
        machine.run([...command, ...words], { env, input });
      return {
        async login(user, password) {
          await run(['login', '--username', user, '--password-stdin'], password);
        },
        async logout() {
          await run(['logout']);
        },
        async pull(name) {
          await run(['image', 'rm', '--force', name]).catch(() => undefined);
          await run(['pull', '--quiet', name]);
        },
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}

interface Copies {
  readonly login?: readonly string[];
  readonly logout?: readonly string[];
  /** What it calls Docker Hub when somebody logs in there. */
  readonly hub?: string;
  /** One command after the other. */
  pull(name: string, directory: string): readonly (readonly string[])[];
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
      const env = { DOCKER_CONFIG: config, REGISTRY_AUTH_FILE: auth, HTTPS_PROXY: `http://${cacheAuthority}` };
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
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}
