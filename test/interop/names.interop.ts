/**
 * Unchanged image names by clients whose DNS leads every registry to the cache, which tells them apart by the name of the
 * handshake; a resolver of its own leads it to the registries.
 */
import { crane, podman, skopeo } from './tunnel/clients.ts';
import type { TunnelClient } from './tunnel/clients.ts';
import { containerd } from './tunnel/containerd.ts';
import { docker } from './tunnel/docker.ts';
import { pullsAndPushes } from './tunnel/pulls.ts';

const clients: readonly TunnelClient[] = [
  crane('sid'),
  skopeo('sid'),
  podman('sid'),
  docker('sid', 'containerd'),
  containerd('sid'),
];

for (const kind of clients) pullsAndPushes(kind, 'names');
