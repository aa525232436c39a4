import { blob, image, imageIndex, repository, takeLease } from '../../test/contracts/index-fixtures.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { Index } from '../index/contract.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import type { Event } from '../observe/events.ts';
import type { Manifest } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { parseUploadId } from '../oci/upload.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { openFilesystemStore } from '../store/filesystem/store.ts';
import { LinkWriter } from './link-writer.ts';

const upload = parseUploadId('0b6ad5dc-2f1b-4a52-9b1e-7a4f0a8d6d3e');
export const other = repository(undefined, 'team/nested/app');
export const config = blob('config', 10);
export const [one, two] = [image([config, blob('layer', 500)]), image([config])];
export const both = imageIndex([one, two]);

export interface Scene extends AsyncDisposable {
  readonly dir: TempDir;
  readonly index: Index;
  readonly clock: FakeClock;
  readonly events: Event[];
  readonly writer: LinkWriter;
}

export async function scene(
  holder = 'one',
  given?: { readonly dir: TempDir; readonly store?: BlobStore },
): Promise<Scene> {
  const dir = given?.dir ?? (await TempDir.make());
  const store = given?.store ?? (await openFilesystemStore({ root: dir.path }));
  const index = await openSqliteIndex({ path: dir.join('entrepot', 'index.db') });
  const clock = new FakeClock();
  const events: Event[] = [];
  const observer = { emit: (event: Event): unknown => events.push(event) };
  const isGone = (process: string): boolean => process === 'the dead';
  const writer = new LinkWriter({ store, index, clock, observer, holder, isGone });
  const end = async (): Promise<void> => {
    await writer[Symbol.asyncDispose]();
    await index[Symbol.asyncDispose]();
    if (given === undefined) await dir[Symbol.asyncDispose]();
  };
  return { dir, index, clock, events, writer, [Symbol.asyncDispose]: end };
}

export async function push(index: Index, key: RepositoryKey, manifest: Manifest, tags: readonly Tag[]): Promise<void> {
  for (const { digest, size, kind } of manifest.children) {
    if (kind === 'manifest') continue;
    const lease = await takeLease(index, `settle:${digest}`, 0);
    await index.hosted.addBlob(key, { digest, size, upload }, lease, 1);
    await index.leases.release(lease, '');
  }
  await index.hosted.put(key, manifest, { tags, isImmutable: () => false, sparse: true, atMs: 1 });
}
