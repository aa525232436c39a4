import type { PageRule } from '../config/config.ts';
import type { Reply } from '../http/message.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';
import type { Page, Referrer } from '../oci/repository.ts';
import { answerHeaders } from './content.ts';
import type { Asked } from './content.ts';
import { jsonReply } from './json.ts';
import { nextLink, pagingOf } from './paging.ts';
import type { Paging } from './paging.ts';

/** What refers to a manifest: signatures, SBOMs (distribution specification, "Listing Referrers"). */
export async function listReferrers(asked: Asked, subject: Digest): Promise<Reply> {
  const { repository, target, ask } = asked;
  const { artifactType } = target.query;
  const wanted = artifactType === '' ? undefined : artifactType;
  const found = await repository.referrers(subject, wanted, ask);
  if (found === undefined) {
    const message = `${repository.label} has no referrers API; look for the tag ${subject.replace(':', '-')}`;
    throw new RegistryError('NOT_FOUND', message);
  }
  const paging = pagingOf(target.query, rule);
  const page = pageOf(found.value, paging);
  const headers: Record<string, string> = { ...answerHeaders(asked, found), 'Content-Type': mediaTypes.ociIndex };
  if (wanted !== undefined) headers['OCI-Filters-Applied'] = 'artifactType';
  const link = nextLink(target.path, target.query, paging, page);
  if (link !== undefined) headers['Link'] = link;
  return jsonReply({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: page.items }, headers);
}

/** An answer is an index, and so it is no larger than one may be (distribution specification, "Listing Referrers"). */
const pageBytesMax = 3.5 * 1024 * 1024;
const rule: PageRule = { entriesDefault: 1_000, entriesMax: 1_000, beyond: 'clamp' };

/** In the order of digests: annotations may be long, so that an answer ends after so many entries, or so many bytes. */
function pageOf(all: readonly Referrer[], { limit, last, nothing }: Paging): Page<object> {
  const ordered = all.toSorted((one, other) => (one.digest < other.digest ? -1 : Number(one.digest > other.digest)));
  const left = ordered.filter(({ digest }) => last === undefined || digest > last);
  const items: object[] = [];
  let bytes = 0;
  for (const referrer of nothing ? [] : left) {
    const entry = entryOf(referrer);
    bytes += Buffer.byteLength(JSON.stringify(entry));
    const isFull = items.length === limit || (items.length > 0 && bytes > pageBytesMax);
    if (isFull) return { items, next: left[items.length - 1]?.digest };
    items.push(entry);
  }
  return { items, next: undefined };
}

function entryOf({ mediaType, digest, size, artifactType, annotations }: Referrer): object {
  return { mediaType, digest, size, ...(artifactType && { artifactType }), ...(annotations && { annotations }) };
}
