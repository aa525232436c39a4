import { join } from 'node:path';
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
