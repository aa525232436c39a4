import type { Reply, Via } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import type { Answer } from '../oci/repository.ts';
import { answerHeaders, etagOf, immutable, isNoneMatch } from './content.ts';
import type { Asked } from './content.ts';
import { Repeat } from './repeat.ts';
import type { Found, Leading } from './route-memo.ts';

/**
 * A manifest, byte for byte with its own media type, whatever the client says it accepts: a conversion would have another
 * digest (distribution specification, "Pulling manifests").
 */
export async function getManifest(asked: Asked, reference: Reference, known: Found): Promise<Reply> {
  const { repository, request, ask } = asked;
  const answerWith = (found: Answer<Descriptor>, bytes: Uint8Array | undefined): Reply => {
    const headers = manifestHeaders(asked, reference, found);
    if (isNoneMatch(request.headers['if-none-match'], found.value.digest)) return notModified(headers);
    if (found.again !== undefined) known.remember?.(new Repeat(found.again, headers, bytes));
    return { status: 200, headers, body: bytes === undefined ? { kind: 'none' } : { kind: 'bytes', bytes } };
  };
  if (request.method === 'HEAD') {
    const found = await repository.resolve(reference, ask);
    if (found !== undefined) return answerWith(found, undefined);
  } else {
    const found = await repository.manifest(reference, ask);
    if (found !== undefined) return answerWith(found, found.value.bytes);
  }
  throw unknownManifest(asked, reference);
}

/**
 * Of a manifest, or of nothing: what is there is answered in one piece. What is neither at a registry to which the client
 * believes to talk is passed on to it, and of any size.
 */
export function isManifestUrl(url: string, via: Via | undefined, find: (asked: Leading) => Found): boolean {
  const at = url.indexOf('/manifests/');
  const isLikely = at > 0 && url.lastIndexOf('?', at) < 0 && url.lastIndexOf('/v2/', at) >= 0;
  return isLikely && (via === undefined || find({ method: 'GET', url, via }).route.kind === 'manifest');
}

function manifestHeaders(asked: Asked, reference: Reference, found: Answer<Descriptor>): Record<string, string> {
  const { digest, size, mediaType } = found.value;
  return {
    ...answerHeaders(asked, found),
    'Content-Type': mediaType,
    'Content-Length': String(size),
    'Docker-Content-Digest': digest,
    ETag: etagOf(digest),
    'Cache-Control': isDigestReference(reference) ? immutable : 'no-cache',
  };
}

function notModified(headers: Record<string, string>): Reply {
  const { 'Content-Type': _type, 'Content-Length': _length, ...others } = headers;
  return { status: 304, headers: others, body: { kind: 'none' } };
}

function unknownManifest({ repository }: Asked, reference: Reference): RegistryError {
  const what = isDigestReference(reference) ? `manifest ${reference}` : `tag ${reference}`;
  return new RegistryError('MANIFEST_UNKNOWN', `there is no ${what} in ${repository.label}`, { detail: { reference } });
}
