import { Extents } from '../bytes/extents.ts';
import type { Extent } from '../bytes/extents.ts';
import type { Digest } from '../oci/digest.ts';
import { hexOf, algorithmOf } from '../oci/digest.ts';
import { parseIngestName } from '../store/blob-store.ts';
import type { IngestName } from '../store/blob-store.ts';

/** What the holder of a download's lease publishes, for other processes to follow and for a successor to resume. */
export interface DownloadState {
  readonly ingest: IngestName;
  /** In bytes; absent while the upstream has not said it. */
  readonly size: number | undefined;
  /** Written, so that they can be read. */
  readonly extents: readonly Extent[];
}

/** Carries the epoch, so that a holder who lost the lease unawares cannot write into its successor's file. */
export function ingestNameOf(digest: Digest, epoch: number): IngestName {
  return parseIngestName(`${algorithmOf(digest)}-${hexOf(digest)}.${epoch}`);
}

export function formatState(state: DownloadState): string {
  return JSON.stringify({ ...state, extents: state.extents.map(({ start, end }) => [start, end]) });
}

/** `undefined` for what another version of ours, or nobody, wrote. */
export function parseState(text: string): DownloadState | undefined {
  if (text === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { ingest, size, extents } = value as Record<string, unknown>;
    if (typeof ingest !== 'string' || !Array.isArray(extents)) return undefined;
    if (size !== undefined && !isPosition(size)) return undefined;
    return { ingest: parseIngestName(ingest), size, extents: parseExtents(extents).toJSON() };
  } catch {
    return undefined;
  }
}

function parseExtents(list: readonly unknown[]): Extents {
  const extents = new Extents();
  for (const pair of list) {
    const [start, end] = Array.isArray(pair) ? pair : [];
    if (!isPosition(start) || !isPosition(end)) throw new Error('not an extent');
    extents.add(start, end);
  }
  return extents;
}

function isPosition(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
