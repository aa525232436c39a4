import type { HeldManifest, ImageRow, Index } from '../index/contract.ts';
import { globMatcher } from '../config/value/glob.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { ChildDescriptor } from '../oci/manifest.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { ExplainFrom } from './explain.ts';
import { everyImage } from './images.ts';
import { repositoryText } from './locate.ts';
import type { ExplainedManifest, MemberView } from './views.ts';

/** What is held of a manifest and why. `undefined` when this repository does not hold it. */
export async function explainManifest(
  from: ExplainFrom,
  key: RepositoryKey,
  digest: Digest,
): Promise<ExplainedManifest | undefined> {
  const { index, config } = from;
  const held = await index.manifests.find(key, digest);
  if (held === undefined) return undefined;
  const row = await rowOf(index, key, digest);
  const pins = [...new Set([...config.cache.pins, ...(await index.pins.list())])];
  const pinnedBy = pins.filter((pattern) => pinMatches(pattern, key, digest, row));
  const gone = row?.gone ?? false;
  return {
    digest,
    mediaType: held.mediaType,
    size: held.size,
    storedAtMs: held.storedAtMs,
    lastUsedMs: row?.lastUsedMs,
    gone,
    pinnedBy,
    kept: keptBecause(key, pinnedBy, row),
    members: await members(from, key, held),
  };
}

async function rowOf(index: Index, key: RepositoryKey, digest: Digest): Promise<ImageRow | undefined> {
  const name = repositoryText(key);
  for await (const row of everyImage(index, name)) {
    if (row.digest === digest && repositoryText(row.key) === name) return row;
  }
  return undefined;
}

/** A pin is a glob of `upstream/repository:tag`, of `upstream/repository@digest`, or of `upstream/repository` for all. */
function pinMatches(pattern: string, key: RepositoryKey, digest: Digest, row: ImageRow | undefined): boolean {
  const name = repositoryText(key);
  const matches = globMatcher([pattern]);
  return matches(name) || matches(`${name}@${digest}`) || (row?.tags ?? []).some((tag) => matches(`${name}:${tag}`));
}

function keptBecause(key: RepositoryKey, pinnedBy: readonly string[], row: ImageRow | undefined): string {
  if (key.upstream === undefined) return 'pushed here: never evicted';
  if (pinnedBy.length > 0 || row?.pinned === true) {
    return `pinned${pinnedBy.length > 0 ? ` by ${pinnedBy.join(', ')}` : ''}: never evicted`;
  }
  if (row?.gone === true) return 'the upstream no longer has it: evicted after everything else';
  return 'used: evicted when the cache needs room and nothing was used longer ago';
}

async function members(from: ExplainFrom, key: RepositoryKey, held: HeldManifest): Promise<readonly MemberView[]> {
  const views: MemberView[] = [];
  for (const child of childrenOf(held)) {
    views.push({
      digest: child.digest,
      kind: child.kind,
      mediaType: child.mediaType,
      size: child.size,
      platform: child.platform,
      state: await stateOf(from, key, child),
      parts: child.kind === 'manifest' ? await partsOf(from, key, child.digest) : undefined,
    });
  }
  return views;
}

async function partsOf(from: ExplainFrom, key: RepositoryKey, digest: Digest): Promise<MemberView['parts']> {
  const held = await from.index.manifests.find(key, digest);
  if (held === undefined) return undefined;
  const children = childrenOf(held);
  let count = 0;
  for (const child of children) if ((await stateOf(from, key, child)) === 'held') count += 1;
  return { held: count, all: children.length };
}

/** Each digest once: an image may name the same layer several times. */
function childrenOf(held: HeldManifest): readonly ChildDescriptor[] {
  const { children } = parseManifest(held.bytes, held.mediaType);
  return [...new Map(children.map((child) => [child.digest, child])).values()];
}

async function stateOf(
  { index, cache }: ExplainFrom,
  key: RepositoryKey,
  { digest, kind }: ChildDescriptor,
): Promise<MemberView['state']> {
  if (kind === 'manifest') return (await index.manifests.find(key, digest)) === undefined ? 'missing' : 'held';
  if ((await index.blobs.stored(digest)) !== undefined) {
    return (await index.blobs.standing(key, digest)) === 'none' ? 'unearned' : 'held';
  }
  return cache.downloads().some((download) => download.digest === digest) ? 'arriving' : 'missing';
}
