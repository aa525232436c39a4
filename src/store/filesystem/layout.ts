import { join } from 'node:path';
import { algorithmOf, hexOf, isDigest } from '../../oci/digest.ts';
import type { Digest, DigestAlgorithm } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/reference.ts';
import type { IngestName } from '../blob-store.ts';

/*
 * Blobs rest where `registry:2` keeps them, so that a volume of either can be used by the other; what is ours alone
 * lies beside it and means nothing to a registry.
 *
 *   <root>/
 *   ├── docker/registry/v2/blobs/
 *   │   ├── sha256/
 *   │   │   └── e3/                        the first two characters of the digest's hexadecimal form
 *   │   │       └── e3b0c44298fc…b855/     the whole of it
 *   │   │           └── data               the content
 *   │   └── sha512/…
 *   ├── docker/registry/v2/repositories/
 *   │   └── <name>/                        of what is hosted; each link is a file that consists of one digest
 *   │       ├── _layers/<algorithm>/<hex>/link
 *   │       ├── _manifests/revisions/<algorithm>/<hex>/link
 *   │       ├── _manifests/tags/<tag>/current/link
 *   │       ├── _manifests/tags/<tag>/index/<algorithm>/<hex>/link    whatever it has ever pointed at
 *   │       └── _uploads/…                 of `registry:2` alone
 *   └── entrepot/                          mode 0700
 *       ├── aside/…                        links and manifests until they are whole
 *       ├── ingest/<name>                  content that is not whole yet; renamed to `data` when it is
 *       ├── quarantine/<algorithm>-<hex>   content that turned out to be damaged, kept for a look
 *       └── index.db                       the index, when it is SQLite
 */

export const algorithms: readonly DigestAlgorithm[] = ['sha256', 'sha512'];

export interface Layout {
  readonly root: string;
  readonly ingests: string;
  readonly quarantine: string;
  readonly aside: string;
}

export function layoutOf(root: string): Layout {
  const own = join(root, 'entrepot');
  return { root, ingests: join(own, 'ingest'), quarantine: join(own, 'quarantine'), aside: join(own, 'aside') };
}

export function ingestPath(layout: Layout, name: IngestName): string {
  return `${layout.ingests}/${name}`;
}

export function algorithmPath(layout: Layout, algorithm: DigestAlgorithm): string {
  return `${layout.root}/docker/registry/v2/blobs/${algorithm}`;
}

/** The directory of one blob; those of a prefix share the one above. */
export function blobDirectory(layout: Layout, digest: Digest): string {
  const hex = hexOf(digest);
  return `${algorithmPath(layout, algorithmOf(digest))}/${hex.slice(0, 2)}/${hex}`;
}

export function dataPath(layout: Layout, digest: Digest): string {
  return `${blobDirectory(layout, digest)}/data`;
}

/** The digest whose blob lies at `<algorithm>/<prefix>/<name>`, or `undefined` when that is no blob of this layout. */
export function digestAt(algorithm: DigestAlgorithm, prefix: string, name: string): Digest | undefined {
  const text = `${algorithm}:${name}`;
  return name.startsWith(prefix) && isDigest(text) ? text : undefined;
}

export function repositoriesPath(layout: Layout): string {
  return `${layout.root}/docker/registry/v2/repositories`;
}

export function layersPath(layout: Layout, repository: RepositoryName): string {
  return `${repositoriesPath(layout)}/${repository}/_layers`;
}

export function revisionsPath(layout: Layout, repository: RepositoryName): string {
  return `${repositoriesPath(layout)}/${repository}/_manifests/revisions`;
}

export function tagsPath(layout: Layout, repository: RepositoryName): string {
  return `${repositoriesPath(layout)}/${repository}/_manifests/tags`;
}

/** The link of a digest below one of the directories that have links by digest. */
export function linkPath(directory: string, digest: Digest): string {
  return `${directory}/${algorithmOf(digest)}/${hexOf(digest)}/link`;
}

export function tagLinkPath(tags: string, tag: string): string {
  return `${tags}/${tag}/current/link`;
}
