import { request } from 'node:http';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { ImageName } from '../lab/lab.ts';
import type { Machine, Suite } from '../lab/machine.ts';
import { cacheAuthority } from '../lab/server.ts';
import type { ClientKind } from '../suite.ts';
import { fullName, mostlyFromHub, throughPath } from './images.ts';

export type ImageStore = 'graph' | 'containerd';

/** `docker pull`: Docker Hub through `registry-mirrors`, everything else through the path door. */
export function dockerPull(suite: Suite, store: ImageStore): ClientKind {
  return dockerClient('docker pull', suite, store, async (machine, docker, image) => {
    await machine.run([...docker, 'pull', '--quiet', reference(image)]);
  });
}

/** `docker build FROM`, by the BuildKit inside dockerd. */
export function dockerBuild(suite: Suite, store: ImageStore): ClientKind {
  return dockerClient('docker build', suite, store, async (machine, docker, image, directory) => {
    const context = join(directory, 'context');
    await mkdir(context, { recursive: true });
    await writeFile(join(context, 'Dockerfile'), `FROM ${reference(image)}\nCOPY Dockerfile /\n`);
    await machine.run([...docker, 'build', '--quiet', '--no-cache', context], { env: { DOCKER_BUILDKIT: '1' } });
  });
}

type Pull = (machine: Machine, docker: readonly string[], image: ImageName, directory: string) => Promise<void>;

function dockerClient(command: string, suite: Suite, store: ImageStore, pull: Pull): ClientKind {
  return {
    name: `${command}, dockerd of ${suite}, ${store} image store`,
    suite,
    programs: ['dockerd', 'docker', 'containerd'],
    versionCommand: ['dockerd', '--version'],
    images: mostlyFromHub,
    async open(machine, directory) {
      const { docker, daemon } = await startDockerd(machine, directory, store);
      return {
        pull: (image) => pull(machine, docker, image, directory),
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}

/** A daemon of its own, with nothing in it, and the command line that speaks to it. */
export async function startDockerd(
  machine: Machine,
  directory: string,
  store: ImageStore,
  scheme: DaemonWish['scheme'] = 'http',
) {
  const socket = join(directory, 'docker.sock');
  const daemon = await machine.daemon({
    name: 'dockerd',
    argv: await daemonCommand({ directory, socket, store, scheme }),
    logPath: join(directory, 'dockerd.log'),
    ready: () => ping(socket),
  });
  return { daemon, docker: ['docker', '--host', `unix://${socket}`] as const };
}

interface DaemonWish {
  readonly directory: string;
  readonly socket: string;
  readonly store: ImageStore;
  /** Of the mirror; `none`: there is no mirror. */
  readonly scheme: 'http' | 'https' | 'none';
}

async function daemonCommand({ directory, socket, store, scheme }: DaemonWish): Promise<readonly string[]> {
  const config = join(directory, 'daemon.json');
  const settings = {
    ...(scheme === 'none' ? {} : { 'registry-mirrors': [`${scheme}://${cacheAuthority}`] }),
    // With the scheme: BuildKit before 26 reads it from here, for the mirror as well, and would try https only.
    ...(scheme === 'http' ? { 'insecure-registries': [`http://${cacheAuthority}`] } : {}),
    ...(store === 'containerd' ? { features: { 'containerd-snapshotter': true } } : {}),
  };
  await writeFile(config, JSON.stringify(settings));
  return ['dockerd', `--config-file=${config}`, ...daemonPlaces(directory, socket)];
}

/** Flags for a daemon that shares the lab with others. */
export function daemonPlaces(directory: string, socket: string): readonly string[] {
  const places = { 'data-root': `${directory}/data`, 'exec-root': `${directory}/exec`, pidfile: `${directory}/pid` };
  const flags = Object.entries(places).map(([flag, path]) => `--${flag}=${path}`);
  return [...flags, `--host=unix://${socket}`, '--iptables=false', '--ip6tables=false', '--bridge=none'];
}

function reference(image: ImageName): string {
  return image.registry === 'docker.io' ? fullName(image) : throughPath(image);
}

export async function ping(socketPath: string): Promise<boolean> {
  const asked = request({ socketPath, path: '/_ping' }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode === 200;
}
