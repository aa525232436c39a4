import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Index, Visibility } from '../index/contract.ts';
import { silent } from '../observe/events.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import type { Upstream, UpstreamRepository } from '../upstream/contract.ts';
import { ClientRights } from './client-rights.ts';
import { createAccess } from './access.ts';

const key = { upstream: 'quay.example', name: parseRepositoryName('team/app') };
const hour = 3_600_000;

/** A repository that was public when it was last looked at, and is not any more. */
function closedSince(checkedAtMs: number, clock: FakeClock) {
  const deny = async (): Promise<never> => {
    throw new RegistryError('UPSTREAM_DENIED', 'not for you');
  };
  const repository: Partial<UpstreamRepository> = { resolve: deny, tags: deny };
  const upstream = { hasCredentials: true, repository: () => repository } as Partial<Upstream> as Upstream;
  const visibility: Visibility = { public: true, checkedAtMs };
  const repositories = { visibility: async () => visibility, setVisibility: async () => {} };
  const ground = {
    index: { repositories } as Partial<Record<keyof Index, unknown>> as Index,
    upstreams: { find: () => upstream, list: () => [upstream], close: async () => {} },
    clock,
    observer: silent,
  };
  return createAccess({
    ...ground,
    rights: new ClientRights({ ...ground, windows: () => ({ proofMs: 0, outageMs: 0 }) }),
    exposure: () => 'authenticated',
    may: () => true,
  });
}

test('what a clock that went wrong saw public in the future is looked at again', async () => {
  const clock = new FakeClock();
  const asker = { kind: 'anonymous' } as const;
  const recently = closedSince(clock.now() - hour / 2, clock);
  await recently.mayRead(asker, key, { object: 'list' });
  const inTheFuture = closedSince(clock.now() + 24 * hour, clock);
  await assert.rejects(inTheFuture.mayRead(asker, key, { object: 'list' }), { code: 'UNAUTHORIZED' });
});
