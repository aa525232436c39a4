import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Index, Visibility } from '../index/contract.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import { silent } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { parseRepositoryName, parseTag } from '../oci/reference.ts';
import type { Upstream, UpstreamRepository } from '../upstream/contract.ts';
import { ClientRights } from './client-rights.ts';
import { createAccess } from './access.ts';

const key = { upstream: 'quay.example', name: parseRepositoryName('team/app') };
const latest = parseTag('latest');
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
  const index = { repositories } as Partial<Record<keyof Index, unknown>> as Index;
  return accessTo(upstream, index, clock, 'authenticated').access;
}

test('what a clock that went wrong saw public in the future is looked at again', async () => {
  const clock = new FakeClock();
  const asker = { kind: 'anonymous' } as const;
  const recently = closedSince(clock.now() - hour / 2, clock);
  await recently.mayRead(asker, key, { object: 'list' });
  const inTheFuture = closedSince(clock.now() + 24 * hour, clock);
  await assert.rejects(inTheFuture.mayRead(asker, key, { object: 'list' }), { code: 'UNAUTHORIZED' });
});

test('what only a client may read is hidden before anything of it is written down, wherever the process is killed', async () => {
  await using index = await openSqliteIndex({ path: ':memory:' });
  const clock = new FakeClock();
  const deny = async (): Promise<never> => {
    throw new RegistryError('UPSTREAM_DENIED', 'not for you');
  };
  const descriptor = { digest: digestOf('secret'), size: 6, mediaType: mediaTypes.ociManifest };
  const repository: Partial<UpstreamRepository> = { resolve: deny, tags: deny, prove: async () => ({ descriptor }) };
  const upstream = {
    hasCredentials: false,
    url: 'https://quay.example',
    repository: () => repository,
  } as Partial<Upstream> as Upstream;
  const { access } = accessTo(upstream, index, clock, 'authenticated');
  const presents = { upstream: 'quay.example', host: 'quay.example', authorization: undefined };
  const ask = (): Promise<unknown> =>
    access.mayRead({ kind: 'anonymous', presents }, key, { object: 'manifest', reference: latest });
  const setVisibility = index.repositories.setVisibility.bind(index.repositories);
  index.repositories.setVisibility = () => Promise.reject(new RegistryError('UNAVAILABLE', 'killed'));
  await assert.rejects(ask(), /killed/);
  assert.equal(await index.tags.find(key, latest), undefined);
  index.repositories.setVisibility = setVisibility;
  await ask();
  assert.equal((await index.tags.find(key, latest))?.seen?.descriptor.digest, descriptor.digest);
  assert.equal((await index.repositories.visibility(key))?.public, false);
});

test('the list of a repository that we may read is shown, though a client brought it in and nothing else was asked yet', async () => {
  await using index = await openSqliteIndex({ path: ':memory:' });
  const clock = new FakeClock();
  const asked: unknown[] = [];
  const repository: Partial<UpstreamRepository> = {
    resolve: async () => undefined,
    tags: async (_, as) => {
      asked.push(as);
      if (as !== 'own') throw new RegistryError('UPSTREAM_DENIED', 'not for you');
      return { items: [latest], next: undefined };
    },
  };
  const upstream = { hasCredentials: true, repository: () => repository } as Partial<Upstream> as Upstream;
  const { access, rights } = accessTo(upstream, index, clock, 'anyone');
  await rights.bring(key);
  assert.equal(await access.mayRead({ kind: 'anonymous' }, key, { object: 'list' }), 'own');
  assert.deepEqual(asked, ['own']);
});

test('a mirror is not asked whether anybody, or we ourselves, may read a blob', async () => {
  await using index = await openSqliteIndex({ path: ':memory:' });
  const asked: unknown[] = [];
  const repository: Partial<UpstreamRepository> = {
    resolve: async () => undefined,
    blobSize: async (_, as, how) => {
      asked.push([as, how]);
      return as === 'own' ? 7 : undefined;
    },
    tags: async () => {
      throw new RegistryError('UPSTREAM_DENIED', 'not for you');
    },
  };
  const upstream = { hasCredentials: true, repository: () => repository } as Partial<Upstream> as Upstream;
  const wanted = { object: 'blob', reference: digestOf('secret') } as const;
  const toAll = accessTo(upstream, index, new FakeClock(), 'anyone');
  await toAll.rights.bring(key);
  assert.equal(await toAll.access.mayRead({ kind: 'anonymous' }, key, wanted), 'own');
  const toUsers = accessTo(upstream, index, new FakeClock(), 'authenticated');
  const other = { ...key, name: parseRepositoryName('team/other') };
  await assert.rejects(toUsers.access.mayRead({ kind: 'anonymous' }, other, wanted), { code: 'UNAUTHORIZED' });
  assert.deepEqual(asked, [
    ['own', { direct: true }],
    ['anonymous', { direct: true }],
  ]);
});

/** Where nothing that a client was seen to have counts for a later request. */
function accessTo(upstream: Upstream, index: Index, clock: FakeClock, exposure: 'anyone' | 'authenticated') {
  const upstreams = { find: () => upstream, list: () => [upstream], close: async () => {} };
  const ground = { index, upstreams, clock, observer: silent };
  const rights = new ClientRights({ ...ground, windows: () => ({ proofMs: 0, outageMs: 0 }) });
  return { rights, access: createAccess({ ...ground, rights, exposure: () => exposure, may: () => true }) };
}
