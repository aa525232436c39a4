import type { Reply } from '../http/message.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { manifestBytesMax, parseManifest } from '../oci/manifest.ts';
import { isDigestReference, parseTag } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import { writesHeaders } from './content.ts';
import type { AskedToWrite } from './content.ts';
import { linkTo } from './links.ts';

/** Tags that one push may set. */
const tagsMax = 100;

/** Kept byte for byte (distribution specification, "Pushing Manifests"). */
export async function putManifest(asked: AskedToWrite, reference: Reference): Promise<Reply> {
  const { repository, request, ask } = asked;
  const tags = tagsOf(asked, reference);
  const bytes = await request.body.whole(manifestBytesMax);
  if (bytes === undefined) {
    throw new RegistryError('TOO_LARGE', `a manifest has at most ${manifestBytesMax} bytes`);
  }
  const expected = isDigestReference(reference) ? reference : undefined;
  const manifest = parseManifest(bytes, request.headers['content-type'] ?? '', expected);
  await repository.put(manifest, tags, ask);
  return {
    status: 201,
    headers: {
      ...writesHeaders,
      Location: linkTo(asked, `manifests/${manifest.digest}`),
      'Docker-Content-Digest': manifest.digest,
      ...(manifest.subject === undefined ? {} : { 'OCI-Subject': manifest.subject }),
    },
    repeated: isDigestReference(reference) ? tags.map((tag) => ['OCI-Tag', tag] as const) : [],
    body: { kind: 'none' },
  };
}

export async function deleteManifest(asked: AskedToWrite, reference: Reference): Promise<Reply> {
  const { repository, ask } = asked;
  if (await repository.remove(reference, ask)) return deleted;
  const what = isDigestReference(reference) ? `manifest ${reference}` : `tag ${reference}`;
  throw new RegistryError('MANIFEST_UNKNOWN', `there is no ${what} in ${repository.label}`, { detail: { reference } });
}

export async function deleteBlob(asked: AskedToWrite, digest: Digest): Promise<Reply> {
  const { repository, ask } = asked;
  if (await repository.removeBlob(digest, ask)) return deleted;
  throw new RegistryError('BLOB_UNKNOWN', `there is no blob ${digest} in ${repository.label}`, { detail: { digest } });
}

const deleted: Reply = { status: 202, headers: writesHeaders, body: { kind: 'none' } };

/** A tag in the path, or any number of them beside a digest. */
function tagsOf({ target }: AskedToWrite, reference: Reference): readonly Tag[] {
  if (!isDigestReference(reference)) return [reference];
  const { tags } = target.query;
  if (tags.length > tagsMax) throw new RegistryError('REQUEST_INVALID', `at most ${tagsMax} tags are set at once`);
  return [...new Set(tags.map(parseTag))];
}
