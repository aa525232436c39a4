import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pullImage } from '../cri/cri.ts';
import { startContainerd } from '../clients/containerd.ts';
import { startDockerd } from '../clients/dockerd.ts';
import type { ImageStore } from '../clients/dockerd.ts';
import type { Machine, Suite } from '../lab/machine.ts';

/** A real client that makes an image of its own and pushes it. */
export interface Pusher {
  readonly name: string;
  readonly suite: Suite;
  readonly programs: readonly string[];
  open(machine: Machine, directory: string, layer: string): Promise<OpenPusher>;
}

/** `name` is an image's full name with its tag. */
export interface OpenPusher extends AsyncDisposable {
  push(name: string): Promise<void>;
  /** After it has forgotten what it pushed. */
  pull(name: string): Promise<void>;
}

export function docker(suite: Suite, store: ImageStore): Pusher {
  return dockerPusher('docker push', suite, store, async (run, name, layer) => {
    await run('import', layer, name);
    await run('push', '--quiet', name);
  });
}

/** `docker buildx build --push`, by the BuildKit inside dockerd. */
export function buildx(suite: Suite, store: ImageStore): Pusher {
  return dockerPusher('docker buildx build --push', suite, store, async (run, name, _layer, directory) => {
    const context = join(directory, 'context');
    await mkdir(context, { recursive: true });
    await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
    await run('buildx', 'build', '--quiet', '--push', '--tag', name, context);
  });
}

type DockerPush = (
  run: (...words: readonly string[]) => Promise<string>,
  name: string,
  layer: string,
  directory: string,
) => Promise<void>;

function dockerPusher(command: string, suite: Suite, store: ImageStore, push: DockerPush): Pusher {
  return {
    name: `${command}, dockerd of ${suite}, ${store} image store`,
    suite,
    programs: ['dockerd', 'docker', 'containerd'],
    async open(machine, directory, layer) {
      const { daemon, docker: prefix } = await startDockerd(machine, directory, store);
      const run = (...words: readonly string[]): Promise<string> => machine.run([...prefix, ...words]);
      return {
        push: (name) => push(run, name, layer, directory),
        async pull(name) {
          await run('image', 'rm', '--force', name);
          await run('pull', '--quiet', name);
        },
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}

export function podman(suite: Suite): Pusher {
  return containersPusher('podman', suite, async (run, name, layer) => {
    await run('import', '--quiet', layer, name);
    await run('push', '--quiet', '--tls-verify=false', name);
  });
}

export function buildah(suite: Suite): Pusher {
  return containersPusher('buildah', suite, async (run, name, layer) => {
    const container = (await run('from', 'scratch')).trim();
    await run('add', '--quiet', container, layer, '/');
    await run('commit', '--quiet', container, name);
    await run('push', '--quiet', '--tls-verify=false', name);
  });
}

type ContainersPush = (
  run: (...words: readonly string[]) => Promise<string>,
  name: string,
  layer: string,
) => Promise<void>;

function containersPusher(program: string, suite: Suite, push: ContainersPush): Pusher {
  return {
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    async open(machine, directory, layer) {
      const etc = join(directory, 'etc');
      await mkdir(join(etc, 'containers'), { recursive: true });
      const storage = `[storage]\ndriver = "overlay"\nrunroot = "${directory}/run"\ngraphroot = "${directory}/root"\n`;
      await writeFile(join(etc, 'containers/storage.conf'), storage);
      const run = (...words: readonly string[]): Promise<string> =>
        machine.run([program, ...words], { env: { LAB_ETC: etc } });
      return {
        push: (name) => push(run, name, layer),
        async pull(name) {
          await run('rmi', '--force', name);
          await run('pull', '--quiet', '--tls-verify=false', name);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

export function crane(suite: Suite): Pusher {
  return copier('crane', suite, {
    push: (name, layer) => [['append', '--insecure', '--new_layer', layer, '--new_tag', name]],
    pull: (name, directory) => [['pull', '--insecure', name, join(directory, 'pulled.tar')]],
  });
}

/** Copies by `copy`, and everything of a directory by `sync`. */
export function skopeo(suite: Suite, from: string): Pusher {
  return copier('skopeo', suite, {
    push: (name) => [
      ['copy', '--quiet', '--src-tls-verify=false', '--dest-tls-verify=false', from, `docker://${name}`],
    ],
    pull: (name, directory) => [
      ['sync', '--src-tls-verify=false', '--src=docker', '--dest=dir', name, join(directory, 'synced')],
    ],
  });
}

export function oras(suite: Suite): Pusher {
  return copier('oras', suite, {
    push: (name, layer) => [
      ['push', '--plain-http', '--disable-path-validation', '--no-tty', name, `${layer}:application/x-tar`],
      ['attach', '--plain-http', '--disable-path-validation', '--no-tty', '--artifact-type=text/sbom', name, layer],
    ],
    pull: (name, directory) => [
      ['discover', '--plain-http', name],
      ['copy', '--from-plain-http', '--no-tty', '--recursive', '--to-oci-layout', name, `${directory}/layout:1`],
    ],
  });
}

interface Copies {
  push(name: string, layer: string): readonly (readonly string[])[];
  pull(name: string, directory: string): readonly (readonly string[])[];
}

function copier(program: string, suite: Suite, copies: Copies): Pusher {
  return {
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    async open(machine, directory, layer) {
      const all = async (commands: readonly (readonly string[])[]): Promise<void> => {
        for (const words of commands) await machine.run([program, ...words]);
      };
      return {
        push: (name) => all(copies.push(name, layer)),
        pull: (name) => all(copies.pull(name, directory)),
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

/** `ctr` pushes what it has pulled before, and CRI pulls it as a kubelet would. */
export function ctr(suite: Suite, from: string): Pusher {
  return {
    name: `ctr and CRI, containerd of ${suite}`,
    suite,
    programs: ['containerd', 'ctr'],
    async open(machine, directory) {
      const { daemon, socket } = await startContainerd(machine, directory);
      const images = (...words: readonly string[]): Promise<string> =>
        machine.run(['ctr', '--address', socket, 'images', ...words]);
      return {
        async push(name) {
          await images('pull', '--plain-http', '--all-platforms', from);
          await images('tag', '--force', from, name);
          await images('push', '--plain-http', name);
        },
        async pull(name) {
          await images('rm', '--sync', from, name);
          await pullImage(socket, name);
        },
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}
