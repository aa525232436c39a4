/** A public registry as one would configure it; `aliases` and `library` only exist here. */
export interface BuiltinUpstream {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly library: boolean;
  /** Keys of `upstreams.*`, as in the file. */
  readonly keys: BuiltinKeys;
  /** A habit worth knowing. */
  readonly habit: string;
}

interface BuiltinKeys {
  readonly url: string;
  readonly realms?: readonly string[];
  readonly freshness?: string;
}

/**
 * The public registries that work without being configured. `realms` are the hosts in the `realm` of their challenges
 * where that isn't their own host: the only other hosts that may ever see their credentials.
 */
export const builtinUpstreams: readonly BuiltinUpstream[] = [
  {
    name: 'docker.io',
    aliases: ['index.docker.io', 'registry-1.docker.io'],
    library: true,
    keys: { url: 'https://registry-1.docker.io', realms: ['auth.docker.io'] },
    habit: 'limits GETs of manifests, not HEADs; blobs are redirected to a CDN',
  },
  plain('quay.io', 'tokens from its own /v2/auth; blobs are redirected to a CDN'),
  plain('ghcr.io', 'tokens from its own /token, also for public images'),
  plain('gcr.io', 'tokens from its own /v2/token; the challenge of /v2/ may lack a service'),
  plain('*.gcr.io', 'regions, and mirror.gcr.io; each with its own /v2/token'),
  plain('*.pkg.dev', 'Artifact Registry: REGION-docker.pkg.dev, each with its own /v2/token'),
  plain('registry.k8s.io', 'needs no token; redirects manifests and blobs to the nearest cloud'),
  plain('k8s.gcr.io', 'the predecessor of registry.k8s.io, frozen: its tags no longer move', { freshness: '1d' }),
  plain('mcr.microsoft.com', 'needs no token; blobs are redirected to its data endpoints'),
  plain('public.ecr.aws', 'tokens from its own /token/; its challenge has the scope "aws"'),
  plain('registry.gitlab.com', 'tokens from gitlab.com/jwt/auth', { realms: ['gitlab.com'] }),
  plain('nvcr.io', 'tokens from its own /proxy_auth; after they expire it names authn.nvidia.com', {
    realms: ['authn.nvidia.com'],
  }),
  plain('docker.elastic.co', 'tokens from docker-auth.elastic.co', { realms: ['docker-auth.elastic.co'] }),
  plain('registry.access.redhat.com', 'needs no token'),
  plain('registry.redhat.io', 'needs credentials; tokens from its own /auth/realms/rhcc'),
  plain('registry.connect.redhat.com', 'needs credentials; tokens from its own /auth/realms/rhcc'),
  plain('lscr.io', 'a front of ghcr.io: redirects to it, and its tokens are from there', { realms: ['ghcr.io'] }),
  plain('reg.kyverno.io', 'a front of ghcr.io, with its tokens', { realms: ['ghcr.io'] }),
  plain('docker.n8n.io', 'a front of Docker Hub, with its tokens and its limits', { realms: ['auth.docker.io'] }),
  plain('dhi.io', "Docker's hardened images; needs credentials; tokens from its own /token"),
  plain('registry.fedoraproject.org', 'Fedora'),
  plain('registry.opensuse.org', 'openSUSE'),
  plain('registry.suse.com', 'tokens from its own /auth'),
  plain('cgr.dev', 'tokens from its own /token; blobs are redirected to object storage'),
  plain('container-registry.oracle.com', 'tokens from its own /auth; some images need an accepted licence'),
  plain('icr.io', 'IBM Cloud'),
  plain('*.icr.io', 'IBM Cloud, by region'),
];

function plain(name: string, habit: string, keys: Omit<BuiltinKeys, 'url'> = {}): BuiltinUpstream {
  return { name, aliases: [], library: false, keys: { url: `https://${name}`, ...keys }, habit };
}

/** The names of one registry are one upstream, whichever of them the configuration uses. */
export function canonicalName(name: string): string {
  return builtinUpstreams.find((upstream) => upstream.aliases.includes(name))?.name ?? name;
}
