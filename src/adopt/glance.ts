import type { AdoptedPart } from '../index/contract.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { LinkPlace } from '../store/link-tree.ts';
import type { AdoptionContext } from './context.ts';
import { manifestOf } from './repository.ts';

/**
 * Takes in what a single link says, so that whoever asks for just that need not wait until its whole repository was read.
 * False where there is no such link, or more is to be looked at before it can be believed.
 */
export async function glance(context: AdoptionContext, key: RepositoryKey, place: LinkPlace): Promise<boolean> {
  const { index, clock } = context;
  try {
    const { pending, changes } = await index.adoption.standing(key);
    const part = pending ? undefined : await partOf(context, key, place);
    return part === 'known' || (part !== undefined && (await index.adoption.adopt(key, part, changes, clock.now())));
  } catch (error) {
    if (error instanceof RegistryError) return false;
    throw error;
  }
}

/** `known`: the index says so already. */
async function partOf(
  { store, index, counts }: AdoptionContext,
  key: RepositoryKey,
  place: LinkPlace,
): Promise<AdoptedPart | 'known' | undefined> {
  const digest = await store.readLink(key.name, place);
  if (digest === undefined) return undefined;
  const nothing = { blobs: [], keepBlobs: false, manifests: [], tags: [] };
  if (place.kind === 'layer') {
    if ((await index.blobs.standing(key, digest)) === 'member') return 'known';
    const blob = await store.find(digest);
    return blob && { ...nothing, blobs: [{ digest, size: blob.size }] };
  }
  const tag = place.kind === 'tag' ? place.tag : undefined;
  const isHeld = (await index.manifests.find(key, digest)) !== undefined;
  if (isHeld && (tag === undefined || (await index.tags.find(key, tag))?.digest === digest)) return 'known';
  const blob = await store.find(digest);
  if (blob === undefined) return undefined;
  const manifests = isHeld ? [] : [await manifestOf(blob)];
  counts.manifests += manifests.length;
  return { ...nothing, manifests, tags: tag === undefined ? [] : [[tag, digest]] };
}
