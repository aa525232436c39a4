import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pullImage } from '../cri/cri.ts';
import { startContainerd } from '../clients/containerd.ts';
import { startDockerd } from '../clients/dockerd.ts';
import type { ImageStore } from '../clients/dockerd.ts';
import type { Machine, Suite } from '../lab/machine.ts';
import { cacheAuthority } from '../lab/server.ts';

/** A real client that makes an image of its own and pushes it. */
export interface Pusher {
  readonly name: string;
  readonly suite: Suite;
  readonly programs: readonly string[];
  open(place: PushPlace): Promise<OpenPusher>;
}

export interface PushPlace {
  readonly machine: Machine;
  /** Its own. */
  readonly directory: string;
  /** A file to make an image of. */
  readonly layer: string;
  /** A PEM file with the authority to trust, the way this client wants it: TLS. Without it, plain HTTP. */
  readonly ca: string | undefined;
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
    async open({ machine: bare, directory, layer, ca }) {
      const machine = ca === undefined ? bare : bare.with(await trusting(directory, 'docker', ca));
      const scheme = ca === undefined ? 'http' : 'https';
      const { daemon, docker: prefix } = await startDockerd(machine, directory, store, scheme);
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
  return containersPusher('podman', suite, async (run, name, { layer, verify }) => {
    await run('import', '--quiet', layer, name);
    await run('push', '--quiet', ...verify, name);
  });
}

export function buildah(suite: Suite): Pusher {
  return containersPusher('buildah', suite, async (run, name, { layer, verify }) => {
    const container = (await run('from', 'scratch')).trim();
    await run('add', '--quiet', container, layer, '/');
    await run('commit', '--quiet', container, name);
    await run('push', '--quiet', ...verify, name);
  });
}

type ContainersPush = (
  run: (...words: readonly string[]) => Promise<string>,
  name: string,
  what: { readonly layer: string; readonly verify: readonly string[] },
) => Promise<void>;

function containersPusher(program: string, suite: Suite, push: ContainersPush): Pusher {
  return {
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    async open({ machine, directory, layer, ca }) {
      const etc = ca === undefined ? join(directory, 'etc') : await trusting(directory, 'containers', ca);
      const verify = ca === undefined ? ['--tls-verify=false'] : [];
      await mkdir(join(etc, 'containers'), { recursive: true });
      const storage = `[storage]\ndriver = "overlay"\nrunroot = "${directory}/run"\ngraphroot = "${directory}/root"\n`;
      await writeFile(join(etc, 'containers/storage.conf'), storage);
      const run = (...words: readonly string[]): Promise<string> =>
        machine.run([program, ...words], { env: { LAB_ETC: etc } });
      return {
        push: (name) => push(run, name, { layer, verify }),
        async pull(name) {
          await run('rmi', '--force', name);
          await run('pull', '--quiet', ...verify, name);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

export function crane(suite: Suite): Pusher {
  return copier('crane', suite, ({ layer, directory, ca }) => {
    const insecure = ca === undefined ? ['--insecure'] : [];
    return {
      env: ca === undefined ? {} : { SSL_CERT_FILE: ca },
      push: (name) => [['append', ...insecure, '--new_layer', layer, '--new_tag', name]],
      pull: (name) => [['pull', ...insecure, name, join(directory, 'pulled.tar')]],
    };
  });
}

/** Copies by `copy`, and everything of a directory by `sync`. */
export function skopeo(suite: Suite, from: string): Pusher {
  return copier('skopeo', suite, async ({ directory, ca }) => {
    const [source, target] = ca === undefined ? [['--src-tls-verify=false'], ['--dest-tls-verify=false']] : [[], []];
    return {
      env: ca === undefined ? {} : { LAB_ETC: await trusting(directory, 'containers', ca) },
      push: (name) => [['copy', '--quiet', ...source, ...target, from, `docker://${name}`]],
      pull: (name) => [['sync', ...source, '--src=docker', '--dest=dir', name, join(directory, 'synced')]],
    };
  });
}

export function oras(suite: Suite): Pusher {
  return copier('oras', suite, ({ layer, directory, ca }) => {
    const trust = ca === undefined ? ['--plain-http'] : ['--ca-file', ca];
    const trustFrom = ca === undefined ? ['--from-plain-http'] : ['--from-ca-file', ca];
    const quiet = ['--disable-path-validation', '--no-tty'];
    return {
      env: {},
      push: (name) => [
        ['push', ...trust, ...quiet, name, `${layer}:application/x-tar`],
        ['attach', ...trust, ...quiet, '--artifact-type=text/sbom', name, layer],
      ],
      pull: (name) => [
        ['discover', ...trust, name],
        ['copy', ...trustFrom, '--no-tty', '--recursive', '--to-oci-layout', name, `${directory}/layout:1`],
      ],
    };
  });
}

interface Copies {
  readonly env: Readonly<Record<string, string>>;
  push(name: string): readonly (readonly string[])[];
  pull(name: string): readonly (readonly string[])[];
}

function copier(program: string, suite: Suite, at: (place: PushPlace) => Copies | Promise<Copies>): Pusher {
  return {
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    async open(place) {
      const copies = await at(place);
      const all = async (commands: readonly (readonly string[])[]): Promise<void> => {
        for (const words of commands) await place.machine.run([program, ...words], { env: copies.env });
      };
      return {
        push: (name) => all(copies.push(name)),
        pull: (name) => all(copies.pull(name)),
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
    async open({ machine, directory, ca }) {
      const { daemon, socket, hosts } = await startContainerd(machine, directory, ca === undefined ? 'http' : 'https');
      if (ca !== undefined) await trustIn(hosts, ca);
      const trust = ca === undefined ? ['--plain-http'] : ['--hosts-dir', hosts];
      const images = (...words: readonly string[]): Promise<string> =>
        machine.run(['ctr', '--address', socket, 'images', ...words]);
      return {
        async push(name) {
          await images('pull', ...trust, '--all-platforms', from);
          await images('tag', '--force', from, name);
          await images('push', ...trust, name);
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

/** @returns a directory whose files in /etc make these clients trust the server under test */
async function trusting(directory: string, clients: 'docker' | 'containers', ca: string): Promise<string> {
  const etc = join(directory, 'etc');
  const place = join(etc, clients, 'certs.d', cacheAuthority);
  await mkdir(place, { recursive: true });
  await copyFile(ca, join(place, 'ca.crt'));
  return etc;
}

/** The same for containerd. */
async function trustIn(hosts: string, ca: string): Promise<void> {
  const place = join(hosts, cacheAuthority);
  await mkdir(place, { recursive: true });
  const host = `[host."https://${cacheAuthority}"]\n  capabilities = ["pull", "resolve", "push"]\n  ca = "${ca}"\n`;
  await writeFile(join(place, 'hosts.toml'), host);
}
