import type { Descriptor } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { Index } from './contract.ts';

/** The upstream has said where a tag points now. What is not held is seen; it replaces nothing until it is. */
export async function pointTag(
  { tags, manifests }: Index,
  key: RepositoryKey,
  tag: Tag,
  descriptor: Descriptor,
  atMs: number,
): Promise<void> {
  const held = await tags.find(key, tag);
  if (held?.digest === descriptor.digest && held.seen === undefined) return await tags.confirm(key, tag, atMs);
  const isHeld = (await manifests.find(key, descriptor.digest)) !== undefined;
  if (isHeld) await tags.point(key, tag, descriptor.digest, atMs);
  else await tags.see(key, tag, descriptor, atMs);
}
