import { globMatcher } from '../../src/config/value/glob.ts';
import type { RoutedUpstream, RoutingTable } from '../../src/registry/route.ts';

/** A routing table for tests: the defaults of a server without a configuration, with a few upstreams. */
export function exampleTable(given: Partial<RoutingTable> = {}): RoutingTable {
  const hub: RoutedUpstream = { name: 'docker.io', library: true };
  const upstreams = new Map<string, RoutedUpstream>([
    ['docker.io', hub],
    ['index.docker.io', hub],
    ['registry-1.docker.io', hub],
    ['quay.io', { name: 'quay.io', library: false }],
    ['localhost:5001', { name: 'localhost:5001', library: false }],
  ]);
  return {
    mode: 'entrepot',
    prefix: '',
    defaultUpstream: hub,
    findUpstream: (host) => upstreams.get(host),
    isHosted: globMatcher(['*', 'local/**']),
    isClaimed: () => false,
    isOwnName: (host) => host === 'cache.example:5000',
    ...given,
  };
}
