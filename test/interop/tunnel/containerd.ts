import { pullImage } from '../cri/cri.ts';
import { startContainerd } from '../clients/containerd.ts';
import type { Suite } from '../lab/machine.ts';
import type { TunnelClient } from './clients.ts';

/**
 * Pulls twice: by `ctr`, which up to 1.7 asks registries itself and from 2 on has the daemon ask them, and by CRI as a
 * kubelet does, with the login of a pull secret. `ctr` pushes.
 */
export function containerd(suite: Suite): TunnelClient {
  return {
    id: `containerd-${suite}`,
    name: `ctr and CRI, containerd of ${suite}`,
    suite,
    programs: ['containerd', 'ctr'],
    async open(machine, directory) {
      const { daemon, socket } = await startContainerd(machine, directory, 'none');
      const images = (namespace: string, ...words: readonly string[]): Promise<string> =>
        machine.run(['ctr', '--address', socket, '--namespace', namespace, 'images', ...words]);
      // Namespaces share what they hold.
      const forget = async (): Promise<void> => {
        for (const namespace of ['default', 'k8s.io']) {
          const held = (await images(namespace, 'list', '--quiet')).split('\n').filter((line) => line !== '');
          if (held.length > 0) await images(namespace, 'rm', '--sync', ...held);
        }
      };
      let login: { readonly username: string; readonly password: string } | undefined;
      const shown = (): readonly string[] =>
        login === undefined ? [] : ['--user', `${login.username}:${login.password}`];
      return {
        async login(username, password) {
          login = { username, password };
        },
        async logout() {
          login = undefined;
        },
        async pull(name) {
          await forget();
          const [byCtr] = await Promise.allSettled([images('default', 'pull', ...shown(), name)]);
          await forget();
          const [byCri] = await Promise.allSettled([pullImage(socket, name, login)]);
          assertAgreed({ ctr: byCtr, CRI: byCri });
        },
        async pullPlainly(name) {
          await forget();
          await images('default', 'pull', '--plain-http', name);
        },
        async push(archive, name) {
          await images('default', 'import', archive);
          await images('default', 'push', ...shown(), name);
        },
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}

/** @throws what they were refused with, or who of them was not */
function assertAgreed(outcomes: Readonly<Record<string, PromiseSettledResult<unknown>>>): void {
  const failures = Object.entries(outcomes).flatMap(([by, outcome]) =>
    outcome.status === 'rejected' ? [`${by}: ${String(outcome.reason)}`] : [],
  );
  if (failures.length === 0) return;
  const isOne = failures.length === Object.keys(outcomes).length;
  throw new Error(isOne ? failures.join('\n') : `only one of them got what it wanted:\n${failures.join('\n')}`);
}
