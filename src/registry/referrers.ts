import type { Reply } from '../http/message.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';
import type { Referrer } from '../oci/repository.ts';
import { answerHeaders } from './content.ts';
import type { Asked } from './content.ts';
import { jsonReply } from './json.ts';

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
  const headers = { ...answerHeaders(asked, found), 'Content-Type': mediaTypes.ociIndex };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: found.value.map(entryOf) };
  return jsonReply(index, wanted === undefined ? headers : { ...headers, 'OCI-Filters-Applied': 'artifactType' });
}

function entryOf({ mediaType, digest, size, artifactType, annotations }: Referrer): object {
  return { mediaType, digest, size, ...(artifactType && { artifactType }), ...(annotations && { annotations }) };
}
