import type { ClientConfig, ClientTarget } from './client-config.ts';
import { containerdConfig } from './containerd.ts';
import { dockerConfig } from './docker.ts';
import { podmanConfig } from './podman.ts';

/** Every runtime that can be configured, by the name that `entrepot client` takes. */
export const runtimes: Readonly<Record<Runtime, (target: ClientTarget) => ClientConfig>> = {
  docker: dockerConfig,
  containerd: containerdConfig,
  podman: podmanConfig,
};

export type Runtime = 'docker' | 'containerd' | 'podman';

export function isRuntime(text: string): text is Runtime {
  return Object.hasOwn(runtimes, text);
}
