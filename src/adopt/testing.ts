import assert from 'node:assert/strict';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeImage, makeIndex } from '../../test/support/images.ts';
import type { Manifest } from '../../test/support/images.ts';
import { RegistryVolume } from '../../test/support/registry-volume.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { LinkWriter } from '../hosted/link-writer.ts';
import type { Index } from '../index/contract.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import type { Event } from '../observe/events.ts';
import { parseDigest } from '../oci/digest.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { openFilesystemStore } from '../store/filesystem/store.ts';
import type { LinkTree } from '../store/link-tree.ts';
import { createAdoption } from './adoption.ts';
import type { Adoption } from './adoption.ts';
import type { AdoptionOptions } from './context.ts';

export const image = makeImage({ seed: 'adopted', layers: [3_000, 500] });
export const docker = makeImage({ seed: 'docker', layers: [700], mediaTypes: 'docker' });
export const list = makeIndex(
  [docker, makeImage({ mediaTypes: 'docker', platform: 'linux/s390x', layers: [10] })],
  'docker',
);

export interface Scene extends AsyncDisposable {
  readonly volume: RegistryVolume;
  readonly index: Index;
  readonly store: BlobStore & LinkTree;
  readonly events: Event[];
  readonly writer: LinkWriter;
  adopt(options?: Partial<AdoptionOptions>): Promise<Adoption>;
  start(options?: Partial<AdoptionOptions>): Promise<Adoption>;
}

export const hosted = (name: string): RepositoryKey => ({ upstream: undefined, name: parseRepositoryName(name) });

export async function scene(): Promise<Scene> {
  const scope = new AsyncDisposableStack();
  const dir = scope.use(await TempDir.make());
  const store = await openFilesystemStore({ root: dir.path });
  const index = scope.use(await openSqliteIndex({ path: dir.join('entrepot', 'index.db') }));
  const clock = new FakeClock();
  const events: Event[] = [];
  const base = {
    store,
    index,
    clock,
    observer: { emit: (event: Event) => events.push(event) },
    holder: 'tester',
    isGone: () => false,
  };
  const writer = scope.use(new LinkWriter(base));
  const volume = new RegistryVolume(dir.path);
  const start = async (options: Partial<AdoptionOptions> = {}): Promise<Adoption> => {
    const keyOf = (name: RepositoryName): RepositoryKey => hosted(name);
    const witness = async (): Promise<void> => {};
    return scope.use(createAdoption({ ...base, keyOf, drain: (only) => writer.drain(only), witness, ...options }));
  };
  const adopt = async (options: Partial<AdoptionOptions> = {}): Promise<Adoption> => {
    const adoption = await start(options);
    adoption.begin();
    await adoption.finished();
    return adoption;
  };
  const end = (): Promise<void> => scope.disposeAsync();
  return { volume, index, store, events, writer, start, adopt, [Symbol.asyncDispose]: end };
}

/** What the index says of a repository's tags. */
export async function tagsOf({ index }: Scene, key: RepositoryKey): Promise<Record<string, string | undefined>> {
  const { items } = await index.tags.list(key, { limit: 100, last: undefined });
  const found = await Promise.all(items.map(async (tag) => [tag, (await index.tags.find(key, tag))?.digest] as const));
  return Object.fromEntries(found);
}

export async function assertHeld({ index }: Scene, key: RepositoryKey, manifest: Manifest): Promise<void> {
  const held = await index.manifests.find(key, parseDigest(manifest.digest));
  assert.deepEqual(held && Buffer.from(held.bytes), Buffer.from(manifest.bytes));
  assert.equal(held?.mediaType, manifest.mediaType);
  for (const { digest, size } of manifest.blobs) {
    assert.equal(await index.blobs.standing(key, parseDigest(digest)), 'member');
    assert.equal(await index.blobs.stored(parseDigest(digest)), size);
  }
  for (const child of manifest.manifests) await assertHeld({ index } as Scene, key, child);
}

export function troubles({ events }: Scene): readonly string[] {
  return events.flatMap((event) => (event.type === 'adoption.trouble' ? [`${event.path}: ${event.reason}`] : []));
}
