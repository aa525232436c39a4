import type { Digest } from '../oci/digest.ts';
import type { UploadId } from '../oci/upload.ts';
import type { Asked } from './content.ts';

/**
 * For Location headers. A path alone leads back by whatever way the client came, through any proxy; only where the
 * operator names the URL that clients use, it stands in front.
 */
export function linkTo({ target, origin }: Asked, object: LinkObject): string {
  const { ns } = target.query;
  const query = ns === undefined ? '' : `?ns=${encodeURIComponent(ns)}`;
  return `${origin}${target.base}/${object}${query}`;
}

export type LinkObject = `manifests/${Digest}` | `blobs/${Digest}` | `blobs/uploads/${UploadId}`;
