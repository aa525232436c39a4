import { remember } from '../index/remember.ts';
import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { fullName } from '../oci/repository.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { forkAtStart } from './fork.ts';
import type { Policy } from './freshness.ts';
import { suffixOf } from './identity.ts';
import { Passage } from './passage.ts';
import type { RepositoryContext } from './repository-context.ts';
import type { Source } from './sources.ts';

const pieceBytes = 64 * 1024;

/**
 * Whether a repository comes to have a blob that is here, or arriving, for others: because its upstream has it.
 * @throws RegistryError when that cannot be asked, or sends something else
 */
export async function earn(
  digest: Digest,
  source: Source,
  policy: Pick<Policy, 'isBelieved'>,
  context: RepositoryContext,
): Promise<boolean> {
  const { index, once } = context;
  const word = { isBelieved: policy.isBelieved && (await isWordEnough(digest, source.key, context)) };
  const heldBytes = await index.blobs.stored(digest);
  const ask = async (): Promise<boolean> => {
    const has = await possesses(digest, source, { ...word, heldBytes });
    if (has) await addMember(context, source.key, digest);
    return has;
  };
  if (word.isBelieved) return await ask();
  // It is sent once for all who want it meanwhile.
  const isEarned = async (): Promise<true | undefined> =>
    (await index.blobs.standing(source.key, digest)) === 'member' ? true : undefined;
  const work = `possession:${fullName(source.key)}@${digest}${suffixOf(source.identity)}`;
  return (await once.run(work, isEarned, ask)).value;
}

/**
 * Of what it has given us itself, and of what anybody may have. With its word it would open what others keep for their own;
 * what nobody is known to have, as after the loss of an index, is not that.
 */
async function isWordEnough(digest: Digest, { upstream }: RepositoryKey, context: RepositoryContext): Promise<boolean> {
  const { index, downloads } = context;
  const holders = [...(await index.blobs.members(digest))];
  const arriving = downloads.find(digest);
  // It may come by way of another process, and then not from its source.
  if (arriving !== undefined && (arriving.earned || arriving.source.key.upstream !== upstream)) {
    holders.push(arriving.source.key);
  }
  if (holders.length === 0) return true;
  return holders.some((holder) => holder.upstream === upstream) || (await context.isPublic(digest, holders));
}

/**
 * Whether a repository has a blob. By its word, where that is believed and is not about something of another size;
 * otherwise it has to send it.
 * @throws RegistryError `UPSTREAM_INVALID` when it sends something else
 */
export async function possesses(
  digest: Digest,
  source: Source,
  { isBelieved, heldBytes }: { readonly isBelieved: boolean; readonly heldBytes: number | undefined },
): Promise<boolean> {
  const size = await source.repository.blobSize(digest, source.identity, { direct: true });
  if (size === undefined) return false;
  if (isBelieved && (heldBytes === undefined || heldBytes === size)) return true;
  const algorithm = algorithmOf(digest);
  if (size === 0) return digestOfHash(algorithm, startHash(algorithm)) === digest;
  const load = { digest, size, source: { ...source, direct: true as const }, onLie: () => {} };
  await using passage = new Passage(load, forkAtStart(digest));
  const piece = Buffer.allocUnsafeSlow(pieceBytes);
  for (let position = 0; position < size;) position += await passage.read(piece, position);
  return true;
}

export async function addMember(context: RepositoryContext, key: RepositoryKey, digest: Digest): Promise<void> {
  const { index, clock, observer } = context;
  await remember(observer, () => index.blobs.addMember(key, digest, clock.now()));
}
