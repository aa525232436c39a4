import type { Backend } from '../images/catalogue.ts';

/** One name of the fake internet: what it serves and how it wants to be asked. */
export interface Site {
  /** The docker-registry behind it. */
  readonly backend?: Backend;
  /** Requests need a bearer token from `realm`. */
  readonly challenge?: { readonly realm: string; readonly service: string };
  /** Issues tokens at this path; most registries understand GET only. */
  readonly tokens?: { readonly path: string; readonly post: boolean };
  /** Where a GET of a blob is sent, with a signature in the query. */
  readonly blobs?: { readonly host: string; readonly status: 302 | 307 };
  /** Serves whoever brings a signature, and nobody else. */
  readonly signed?: boolean;
  /** Where everything but the ping is sent. */
  readonly moved?: { readonly host: string; readonly prefix: string };
  /** What the names of its repositories begin with here, but not in the back end. */
  readonly prefix?: string;
}

const hub: Site = {
  backend: 'hub',
  challenge: { realm: 'https://auth.docker.io/token', service: 'registry.docker.io' },
  blobs: { host: 'production.cloudflare.docker.com', status: 307 },
};

const artifacts = 'k8s-artifacts-prod/images/';

/** The names as `names.txt` has them; each behaves as its model does. */
export const sites: Readonly<Record<string, Site>> = {
  'registry-1.docker.io': hub,
  'index.docker.io': hub,
  'docker.io': hub,
  'auth.docker.io': { tokens: { path: '/token', post: true } },
  'production.cloudflare.docker.com': { backend: 'hub', signed: true },

  'quay.io': {
    backend: 'quay',
    challenge: { realm: 'https://quay.io/v2/auth', service: 'quay.io' },
    tokens: { path: '/v2/auth', post: false },
    blobs: { host: 'cdn01.quay.io', status: 302 },
  },
  'cdn01.quay.io': { backend: 'quay', signed: true },

  'gcr.io': {
    backend: 'others',
    challenge: { realm: 'https://gcr.io/v2/token', service: 'gcr.io' },
    tokens: { path: '/v2/token', post: false },
    blobs: { host: 'storage.googleapis.com', status: 302 },
  },
  'storage.googleapis.com': { backend: 'others', signed: true },

  'ghcr.io': {
    backend: 'others',
    challenge: { realm: 'https://ghcr.io/token', service: 'ghcr.io' },
    tokens: { path: '/token', post: false },
    blobs: { host: 'pkg-containers.githubusercontent.com', status: 307 },
  },
  'pkg-containers.githubusercontent.com': { backend: 'others', signed: true },

  'registry.k8s.io': { moved: { host: 'us-west1-docker.pkg.dev', prefix: artifacts } },
  'us-west1-docker.pkg.dev': { backend: 'others', prefix: artifacts },
};

/** The registries that publish something, by the name in an image reference: their back ends and where to find them. */
export const registries: Readonly<Record<string, { readonly backend: Backend; readonly hosts: readonly string[] }>> = {
  'docker.io': {
    backend: 'hub',
    hosts: ['registry-1.docker.io', 'production.cloudflare.docker.com', 'auth.docker.io'],
  },
  'quay.io': { backend: 'quay', hosts: ['quay.io', 'cdn01.quay.io'] },
  'gcr.io': { backend: 'others', hosts: ['gcr.io', 'storage.googleapis.com'] },
  'ghcr.io': { backend: 'others', hosts: ['ghcr.io', 'pkg-containers.githubusercontent.com'] },
  'registry.k8s.io': { backend: 'others', hosts: ['registry.k8s.io', 'us-west1-docker.pkg.dev'] },
};
