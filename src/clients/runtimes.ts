import type { ClientConfig } from './client-config.ts';
import { planOf } from './plan.ts';
import type { MachineFiles, Plan } from './plan.ts';
import {
  buildxPull,
  criUnproved,
  crictlPull,
  ctrPull,
  dockerPull,
  k3sPull,
  nerdctlPull,
  podmanPull,
  rke2Pull,
} from './pulls.ts';
import type { Pull } from './pulls.ts';
import { buildkitConfig } from './runtimes/buildkit.ts';
import { installationOf, planContainerd } from './runtimes/containerd-plan.ts';
import { containerdConfig } from './runtimes/containerd.ts';
import { dindConfig, gitlabRunnerConfig } from './runtimes/dind.ts';
import { dockerConfig, planDocker } from './runtimes/docker.ts';
import { dockerMirrorConfig } from './runtimes/docker-mirror.ts';
import { k3sConfig, rke2Config } from './runtimes/k3s.ts';
import { kanikoConfig } from './runtimes/kaniko.ts';
import { kindConfig } from './runtimes/kind.ts';
import { planContainersImage } from './runtimes/podman-plan.ts';
import { crioConfig, podmanConfig } from './runtimes/podman.ts';
import type { ClientAuthority, ClientTarget } from './target.ts';

export interface Runtime {
  readonly config: (target: ClientTarget) => ClientConfig;
  /** What it means to write that on a machine; `undefined` where it is not a machine's own file that says it. */
  readonly plan: ((target: ClientTarget, machine: MachineFiles) => Promise<Plan>) | undefined;
  /** Ways to pull, best first; which one it is depends on what is installed. */
  readonly pulls: (image: string, machine: MachineFiles) => Promise<readonly Pull[]>;
}

export type RuntimeName = (typeof names)[number];

const names = [
  'docker',
  'docker-mirror',
  'containerd',
  'podman',
  'crio',
  'buildkit',
  'k3s',
  'rke2',
  'kind',
  'kaniko',
  'gitlab-runner',
  'dind',
] as const;

/** Every runtime that can be configured, by the name that `entrepot client` takes. */
export const runtimes: Readonly<Record<RuntimeName, Runtime>> = {
  docker: { ...written(dockerConfig, dockerPull), plan: planDocker },
  'docker-mirror': written(dockerMirrorConfig, dockerPull),
  containerd: { config: containerdConfig, plan: planContainerd, pulls: containerdPulls },
  podman: { ...written(podmanConfig, podmanPull), plan: planContainersImage },
  crio: {
    ...written(crioConfig, crictlPull),
    plan: async (...about) => ({ ...(await planContainersImage(...about)), commands: crioConfig(about[0]).commands }),
  },
  buildkit: written(buildkitConfig, buildxPull),
  k3s: written(k3sConfig, k3sPull),
  rke2: written(rke2Config, rke2Pull),
  kind: elsewhere(kindConfig),
  kaniko: elsewhere(kanikoConfig),
  'gitlab-runner': elsewhere(gitlabRunnerConfig),
  dind: elsewhere(dindConfig),
};

/** An authority that a machine is given to trust. */
export interface OfferedAuthority {
  readonly kind: 'server' | 'interception';
  readonly authority: ClientAuthority;
}

/** Only a client of the proxy meets certificates for other names than the server's. */
export function offeredTo(name: RuntimeName, { authority, interception }: ClientTarget): readonly OfferedAuthority[] {
  const offered: OfferedAuthority[] = authority === undefined ? [] : [{ kind: 'server', authority }];
  if (name === 'docker' && interception !== undefined) offered.push({ kind: 'interception', authority: interception });
  return offered;
}

export function isRuntime(text: string): text is RuntimeName {
  return Object.hasOwn(runtimes, text);
}

function written(config: Runtime['config'], pull: (image: string) => Pull): Runtime {
  return { config, plan: (target, machine) => planOf(config(target), machine), pulls: async (image) => [pull(image)] };
}

function elsewhere(config: Runtime['config']): Runtime {
  return { config, plan: undefined, pulls: async () => [] };
}

async function containerdPulls(image: string, machine: MachineFiles): Promise<readonly Pull[]> {
  const { certsD, hasCri } = await installationOf(machine);
  const unproved = hasCri ? criUnproved : undefined;
  const ownClients = [nerdctlPull(image, certsD), ctrPull(image, certsD)];
  return [crictlPull(image), ...ownClients.map((pull) => ({ ...pull, unproved }))];
}
