/**
 * The registry over a repository in memory, behind a real port.
 */
import assert from 'node:assert/strict';
import { createRegistry } from '../../src/registry/registry.ts';
import type { RegistryOptions } from '../../src/registry/registry.ts';
import type { RequestDone } from '../../src/observe/events.ts';
import type { WireReply } from './http-client.ts';
import { HttpServers } from './http-server.ts';
import type { Served } from './http-server.ts';
import { MemoryRepository } from './memory-repository.ts';
import { exampleTable } from './routing-table.ts';

export interface ServedRegistry extends Served, AsyncDisposable {
  /** `docker.io/library/redis`, the only repository there is. */
  readonly repository: MemoryRepository;
  /** The access log's first line. */
  readonly firstLog: () => Promise<RequestDone>;
}

/** `await using served = await serveRegistry();` */
export async function serveRegistry(options: Partial<RegistryOptions> = {}): Promise<ServedRegistry> {
  const repository = new MemoryRepository('docker.io', 'library/redis');
  const handler = createRegistry({
    routing: () => exampleTable(),
    repositories: async ({ upstream, name }) =>
      upstream === repository.key.upstream && name === repository.key.name ? repository : undefined,
    catalog: async ({ limit, last }) => {
      const all = ['docker.io/library/redis', 'quay.io/coreos/etcd'];
      const later = all.filter((name) => last === undefined || name > last);
      return { items: later.slice(0, limit), next: later.length > limit ? later[limit - 1] : undefined };
    },
    judge: () => undefined,
    admission: {
      identify: async () => ({ kind: 'anonymous' }),
      may: () => true,
      isClosed: () => false,
      challenge: () => undefined,
      externalUrl: () => '',
      prefix: () => '',
    },
    isClaimed: async () => false,
    origin: () => '',
    lists: () => ({ catalog: ourPages, tags: ourPages }),
    ...options,
  });
  const servers = new HttpServers();
  const served = await servers.serve(handler);
  const firstLog = async (): Promise<RequestDone> => {
    const [event] = await served.logOf(1);
    assert.ok(event !== undefined);
    return event;
  };
  return { ...served, repository, firstLog, [Symbol.asyncDispose]: () => servers.close() };
}

const ourPages = { entriesMax: 1_000, entriesDefault: 1_000, beyond: 'clamp' } as const;

interface Refused {
  readonly errors: readonly { readonly code: string; readonly message: string; readonly detail?: unknown }[];
}

/** The one error of a reply, checked for what every error has. */
export function errorOf(reply: WireReply): { readonly code: string; readonly message: string } {
  assert.equal(reply.headers['content-type'], 'application/json');
  assert.equal(reply.headers['www-authenticate'], undefined);
  const [error] = (JSON.parse(reply.body.toString()) as Refused).errors;
  assert.ok(error !== undefined);
  assert.match(error.message, new RegExp(`request ${String(reply.headers['x-request-id'])}`));
  return error;
}
