import type { ImageName } from '../lab/lab.ts';
import { cacheAuthority } from '../lab/server.ts';

/** For clients that can be given a mirror for Docker Hub alone: the rest comes through the path door. */
export const mostlyFromHub: readonly ImageName[] = [
  { registry: 'docker.io', repository: 'library/tiny', tag: 'latest' },
  { registry: 'ghcr.io', repository: 'lab/pair', tag: 'latest' },
  { registry: 'docker.io', repository: 'library/big', tag: 'latest' },
];

export const fromEverywhere: readonly ImageName[] = [
  { registry: 'docker.io', repository: 'library/tiny', tag: 'latest' },
  { registry: 'registry.k8s.io', repository: 'lab/pair', tag: 'latest' },
  { registry: 'quay.io', repository: 'lab/big', tag: 'latest' },
];

/** As a configured mirror is asked: by the image's own name. */
export function fullName({ registry, repository, tag }: ImageName): string {
  return `${registry}/${repository}:${tag}`;
}

/** As anybody can ask: the cache's name in front. */
export function throughPath(image: ImageName): string {
  return `${cacheAuthority}/${fullName(image)}`;
}

/** As a cache of one registry alone is asked. */
export function throughName({ repository, tag }: ImageName): string {
  return `${cacheAuthority}/${repository}:${tag}`;
}
