import type { IncomingHttpHeaders } from 'node:http';
import { isDigest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { bareMediaType, isJsonMediaType, isSchema1MediaType } from '../oci/media-types.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import { parseLength } from './content-range.ts';
import { oddBody } from './transfer.ts';

/** What the answer to a HEAD says of a manifest, where that can be believed. */
export function descriptorIn(headers: IncomingHttpHeaders, reference: Reference): Descriptor | undefined {
  const named = headers['docker-content-digest'];
  const digest = isDigestReference(reference) ? reference : named;
  const size = parseLength(headers['content-length']);
  const mediaType = bareMediaType(headers['content-type'] ?? '');
  const sound = isManifestType(mediaType) && oddBody(headers) === undefined;
  const agreed = named === undefined || named === digest;
  const isGood = sound && agreed && typeof digest === 'string' && isDigest(digest) && size !== undefined && size > 0;
  return isGood ? { digest, size, mediaType } : undefined;
}

/** Anything but a web page or a type that is none: registries have odd ones, and only a GET shows whether they fit. */
function isManifestType(mediaType: string): boolean {
  return isJsonMediaType(mediaType) && mediaType !== 'application/json' && !isSchema1MediaType(mediaType);
}
