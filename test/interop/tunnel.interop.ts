/**
 * Unchanged image names through the cache as an HTTPS proxy, by clients that know no other name than its own.
 */
import { crane, podman, skopeo } from './tunnel/clients.ts';
import type { TunnelClient } from './tunnel/clients.ts';
import { containerd } from './tunnel/containerd.ts';
import { build, docker } from './tunnel/docker.ts';
import { pullsAndPushes } from './tunnel/pulls.ts';

const clients: readonly TunnelClient[] = [
  crane('sid'),
  skopeo('bookworm'),
  skopeo('sid'),
  podman('bookworm'),
  podman('sid'),
  docker('bookworm', 'graph'),
  docker('sid', 'graph'),
  docker('sid', 'containerd'),
  build('bookworm', 'graph'),
  build('sid', 'containerd'),
  containerd('bookworm'),
  containerd('sid'),
];

for (const kind of clients) pullsAndPushes(kind, 'tunnel');
