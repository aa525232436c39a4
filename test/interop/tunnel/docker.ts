import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startDockerd } from '../clients/dockerd.ts';
import type { ImageStore } from '../clients/dockerd.ts';
import type { Suite } from '../lab/machine.ts';
import type { OpenClient, TunnelClient } from './clients.ts';

export function docker(suite: Suite, store: ImageStore): TunnelClient {
  return dockerClient('docker', suite, store, (run) => ({
    async pull(name) {
      await run(['image', 'rm', '--force', name]).catch(() => undefined);
      await run(['pull', '--quiet', name]);
    },
    async push(archive, name) {
      await run(['load', '--quiet', '--input', archive]);
      await run(['push', '--quiet', name]);
    },
  }));
}

/** `docker build FROM`, by the BuildKit inside dockerd; the command line gets its tokens. */
export function build(suite: Suite, store: ImageStore): TunnelClient {
  return dockerClient('docker build', suite, store, (run, directory) => ({
    async pull(name) {
      await run(['image', 'prune', '--all', '--force']);
      await run(['builder', 'prune', '--all', '--force']);
      const context = join(directory, 'context');
      await mkdir(context, { recursive: true });
      await writeFile(join(context, 'Dockerfile'), `FROM ${name}\nCOPY Dockerfile /\n`);
      await run(['build', '--quiet', '--no-cache', context]);
    },
    async push(archive, name) {
      const context = dirname(archive);
      await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY stamp /\n');
      if (suite === 'sid') {
        await run(['buildx', 'build', '--quiet', '--provenance=false', '--push', '--tag', name, context]);
        return;
      }
      await run(['build', '--quiet', '--tag', name, context]);
      await run(['push', '--quiet', name]);
    },
  }));
}

type Run = (words: readonly string[], input?: string) => Promise<string>;

function dockerClient(
  command: string,
  suite: Suite,
  store: ImageStore,
  does: (run: Run, directory: string) => Pick<OpenClient, 'pull' | 'push'>,
): TunnelClient {
  return {
    id: `${command.split(' ').at(-1)}-${suite}-${store}`,
    name: `${command}, dockerd of ${suite}, ${store} image store`,
    suite,
    programs: ['dockerd', 'docker', 'containerd'],
    async open(machine, directory) {
      const { daemon, docker: prefix } = await startDockerd(machine, directory, store, 'none');
      let logins = 0;
      const run: Run = (words, input = '') => {
        const env = { DOCKER_CONFIG: join(directory, `login-${logins}`), DOCKER_BUILDKIT: '1' };
        return machine.run([...prefix, ...words], { env, input });
      };
      return {
        async login(user, password) {
          // Of its own: BuildKit goes on with a token for whoever comes from the same directory and is logged in there.
          logins += 1;
          await run(['login', '--username', user, '--password-stdin'], password);
        },
        async logout() {
          await run(['logout']);
        },
        ...does(run, directory),
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}
