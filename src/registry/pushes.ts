import type { Reply } from '../http/message.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Manifest } from '../oci/manifest.ts';
import { isDigestReference, parseTag } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import { ambiguityOf } from '../oci/strict-json.ts';
import { writesHeaders } from './content.ts';
import type { AskedToWrite } from './content.ts';
import { linkTo } from './links.ts';
import { ManifestBodies } from './manifest-body.ts';

/** Tags that one push may set. */
const tagsMax = 100;
const bodies = new ManifestBodies();

/** Kept byte for byte (distribution specification, "Pushing Manifests"). */
export async function putManifest(asked: AskedToWrite, reference: Reference): Promise<Reply> {
  const { repository, request, ask } = asked;
  const tags = tagsOf(asked, reference);
  const bytes = await bodies.receive(request.body);
  const expected = isDigestReference(reference) ? reference : undefined;
  const manifest = parseManifest(bytes, request.headers['content-type'] ?? '', expected);
  assertUnambiguous(manifest);
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

/** What we looked at has to be what every client will see. */
function assertUnambiguous({ bytes }: Manifest): void {
  const ambiguity = ambiguityOf(new TextDecoder().decode(bytes));
  if (ambiguity === undefined) return;
  throw new RegistryError('MANIFEST_INVALID', `clients would not read the manifest alike: ${ambiguity}; write it anew`);
}

/** A tag in the path, or any number of them beside a digest. */
function tagsOf({ target }: AskedToWrite, reference: Reference): readonly Tag[] {
  if (!isDigestReference(reference)) return [reference];
  const { tags } = target.query;
  if (tags.length > tagsMax) throw new RegistryError('REQUEST_INVALID', `at most ${tagsMax} tags are set at once`);
  return [...new Set(tags.map(parseTag))];
}
