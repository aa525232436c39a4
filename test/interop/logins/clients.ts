import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pullImage } from '../cri/cri.ts';
import { startContainerd } from '../clients/containerd.ts';
import { startDockerd } from '../clients/dockerd.ts';
import type { ImageStore } from '../clients/dockerd.ts';
import type { Machine, Suite } from '../lab/machine.ts';
import { cacheAuthority } from '../lab/server.ts';

/** A real client that people log in with. */
export interface LoginClient {
  readonly name: string;
  readonly suite: Suite;
  readonly programs: readonly string[];
  /** A login is held against the server at once; otherwise whoever mistyped learns it later. */
  readonly verifies: boolean;
  open(at: ClientPlace): Promise<OpenClient>;
}

export interface ClientPlace {
  readonly machine: Machine;
  readonly directory: string;
  /** An image as `docker save` writes it, named `seed`. */
  readonly archive: string;
  readonly seed: string;
}

export interface OpenClient extends AsyncDisposable {
  login(user: string, password: string): Promise<void>;
  logout(): Promise<void>;
  push(name: string): Promise<void>;
  pull(name: string): Promise<void>;
  /** The name of Docker Hub's `library/tiny`, as this client asks a mirror for it. */
  readonly hubImage: string;
}

const throughPath = `${cacheAuthority}/docker.io/library/tiny:latest`;

export function docker(suite: Suite, store: ImageStore): LoginClient {
  return {
    name: `docker, dockerd of ${suite}, ${store} image store`,
    suite,
    programs: ['dockerd', 'docker', 'containerd'],
    verifies: true,
    async open({ machine, directory, archive, seed }) {
      await using opening = new AsyncDisposableStack();
      const { daemon, docker: prefix } = await startDockerd(machine, directory, store, 'https');
      opening.use(daemon);
      const env = { DOCKER_CONFIG: join(directory, 'docker-config') };
      await mkdir(env.DOCKER_CONFIG, { recursive: true });
      const run = (words: readonly string[], input = ''): Promise<string> =>
        machine.run([...prefix, ...words], { env, input });
      await run(['load', '--quiet', '--input', archive]);
      const scope = opening.move();
      return {
        ...loggingIn(run, ['login'], ['logout']),
        hubImage: 'tiny:latest',
        async push(name) {
          await run(['tag', seed, name]);
          await run(['push', '--quiet', name]);
        },
        async pull(name) {
          await run(['image', 'rm', '--force', name]);
          await run(['pull', '--quiet', name]);
        },
        [Symbol.asyncDispose]: () => scope.disposeAsync(),
      };
    },
  };
}

export function podman(suite: Suite): LoginClient {
  return copier('podman', suite, {
    loginWords: ['login'],
    prepare: ({ archive }) => ['load', '--quiet', '--input', archive],
    push: (name, { seed }) => ['push', '--quiet', seed, `docker://${name}`],
    pull: (name) => ['pull', '--quiet', `docker://${name}`],
  });
}

export function skopeo(suite: Suite): LoginClient {
  return copier('skopeo', suite, {
    loginWords: ['login'],
    push: (name, { archive }) => ['copy', '--quiet', `docker-archive:${archive}`, `docker://${name}`],
    pull: (name, { directory }) => ['copy', '--quiet', `docker://${name}`, `dir:${directory}/pulled`],
  });
}

/** Its login only writes the password down. */
export function crane(suite: Suite): LoginClient {
  return copier('crane', suite, {
    loginWords: ['auth', 'login'],
    logoutWords: ['auth', 'logout'],
    verifies: false,
    push: (name, { archive }) => ['push', archive, name],
    pull: (name, { directory }) => ['pull', name, join(directory, 'pulled.tar')],
  });
}

export function oras(suite: Suite): LoginClient {
  return copier('oras', suite, {
    loginWords: ['login'],
    push: (name, { archive }) => [
      'push',
      '--no-tty',
      '--disable-path-validation',
      name,
      `${archive}:application/x-tar`,
    ],
    pull: (name, { directory }) => ['copy', '--no-tty', '--to-oci-layout', name, `${directory}/layout:1`],
  });
}

/** `ctr` is given the password each time, and CRI has it from a pull secret. */
export function ctr(suite: Suite): LoginClient {
  return {
    name: `ctr and CRI, containerd of ${suite}`,
    suite,
    programs: ['containerd', 'ctr'],
    verifies: false,
    async open({ machine, directory, archive, seed }) {
      await using opening = new AsyncDisposableStack();
      const { daemon, socket } = await startContainerd(machine, directory, 'https');
      opening.use(daemon);
      let login: { readonly username: string; readonly password: string } | undefined;
      const images = (...words: readonly string[]): Promise<string> =>
        machine.run(['ctr', '--address', socket, 'images', ...words]);
      await images('import', archive);
      const scope = opening.move();
      return {
        hubImage: 'docker.io/library/tiny:latest',
        async login(username, password) {
          login = { username, password };
        },
        async logout() {
          login = undefined;
        },
        async push(name) {
          const shown = login === undefined ? [] : ['--user', `${login.username}:${login.password}`];
          await images('tag', '--force', seed, name);
          await images('push', ...shown, name);
        },
        async pull(name) {
          await images('rm', '--sync', name);
          await pullImage(socket, name, login);
        },
        [Symbol.asyncDispose]: () => scope.disposeAsync(),
      };
    },
  };
}

interface Copies {
  readonly loginWords: readonly string[];
  readonly logoutWords?: readonly string[];
  readonly verifies?: boolean;
  prepare?(at: ClientPlace): readonly string[];
  push(name: string, at: ClientPlace): readonly string[];
  pull(name: string, at: ClientPlace): readonly string[];
}

function copier(program: string, suite: Suite, copies: Copies): LoginClient {
  const { loginWords, logoutWords = ['logout'], verifies = true } = copies;
  return {
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    verifies,
    async open(at) {
      const config = join(at.directory, 'login');
      await mkdir(config, { recursive: true });
      const env = { DOCKER_CONFIG: config, REGISTRY_AUTH_FILE: join(config, 'auth.json') };
      await writeFile(env.REGISTRY_AUTH_FILE, '{}');
      const run = (words: readonly string[], input = ''): Promise<string> =>
        at.machine.run([program, ...words], { env, input });
      if (copies.prepare !== undefined) await run(copies.prepare(at));
      return {
        ...loggingIn(run, loginWords, logoutWords),
        hubImage: throughPath,
        async push(name) {
          await run(copies.push(name, at));
        },
        async pull(name) {
          await run(copies.pull(name, at));
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

type Run = (words: readonly string[], input?: string) => Promise<string>;

/** They all have the same two commands, whose words stand in another order. */
function loggingIn(
  run: Run,
  loginWords: readonly string[],
  logoutWords: readonly string[],
): Pick<OpenClient, 'login' | 'logout'> {
  return {
    async login(user, password) {
      await run([...loginWords, '--username', user, '--password-stdin', cacheAuthority], password);
    },
    async logout() {
      await run([...logoutWords, cacheAuthority]);
    },
  };
}
