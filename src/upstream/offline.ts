import { RegistryError } from '../oci/errors.ts';
import type { Upstream, UpstreamRepository, Upstreams } from './contract.ts';

/** The same upstreams, none of which is ever contacted (`cache.offline`): what is held is served, nothing else is there. */
export function offline(upstreams: Upstreams): Upstreams {
  return {
    find: (host) => {
      const upstream = upstreams.find(host);
      return upstream === undefined ? undefined : unreachable(upstream);
    },
    list: () => upstreams.list().map(unreachable),
    close: () => upstreams.close(),
  };
}

function unreachable(upstream: Upstream): Upstream {
  const refuse = async (): Promise<never> => {
    const message = `${upstream.name} is not asked, since cache.offline is set; set it to false to fetch what is not held`;
    throw new RegistryError('UPSTREAM_UNREACHABLE', message, { upstream: upstream.name });
  };
  const repository: UpstreamRepository = {
    isAiling: false,
    resolve: refuse,
    prove: refuse,
    manifest: refuse,
    blobSize: refuse,
    blob: refuse,
    tags: refuse,
    referrers: refuse,
  };
  return {
    name: upstream.name,
    url: upstream.url,
    hasCredentials: upstream.hasCredentials,
    repository: () => repository,
    relay: refuse,
    upgrade: refuse,
    check: async () => upstream.status(),
    status: () => upstream.status(),
  };
}
