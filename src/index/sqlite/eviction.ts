import type { Digest } from '../../oci/digest.ts';
import type { Candidate } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';
import type { Dropping } from './dropping.ts';
import { keyOf } from './identities.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import type { Removal } from './removal.ts';

export interface EvictionParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
  readonly removal: Removal;
  readonly dropping: Dropping;
}

/** Chooses what goes next, and lets it go. Inside a transaction. */
export class Eviction {
  readonly #parts: EvictionParts;
  readonly #manifests: Query<ManifestRow>;
  readonly #blobs: Query<{ digest: Uint8Array; last_used: number }>;
  readonly #standing: Query<{ pinned: number; last_used: number }>;
  readonly #loose: Query<{ last_used: number }>;
  readonly #orphan: Query<{ manifest: number }>;

  constructor(parts: EvictionParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#manifests = database.query(`
      SELECT repositories.upstream, repositories.name, contents.digest, held.last_used, held.gone FROM held
        JOIN repositories ON repositories.id = held.repository JOIN contents ON contents.id = held.manifest
        WHERE held.hosted = 0 AND held.pinned = 0
        ORDER BY held.gone, held.last_used, held.manifest DESC LIMIT ?
    `);
    this.#blobs = database.query(`
      SELECT digest, last_used FROM contents WHERE size IS NOT NULL AND parents = 0 AND hosted = 0 ORDER BY last_used LIMIT ?
    `);
    this.#standing = database.query('SELECT pinned, last_used FROM held WHERE repository = ? AND manifest = ?');
    this.#loose = database.query('SELECT last_used FROM contents WHERE id = ? AND parents = 0 AND hosted = 0');
    this.#orphan = database.query(`
      SELECT manifest FROM held WHERE repository = ?1 AND manifest = ?2
        AND NOT EXISTS (SELECT 1 FROM refs WHERE child = ?2 AND repository = ?1)
        AND NOT EXISTS (SELECT 1 FROM tags WHERE repository = ?1 AND manifest = ?2)
    `);
  }

  candidates(limit: number): readonly Candidate[] {
    const manifests = this.#manifests.all(limit).map((row) => ({
      repository: keyOf(row),
      manifest: decodeDigest(row.digest),
      blob: undefined,
      lastUsedMs: row.last_used,
      gone: row.gone === 1,
      chosen: true as const,
    }));
    const blobs = this.#blobs.all(limit).map((row) => ({
      repository: undefined,
      manifest: undefined,
      blob: decodeDigest(row.digest),
      lastUsedMs: row.last_used,
      gone: false,
      chosen: true as const,
    }));
    const order = (one: Candidate, other: Candidate): number =>
      Number(one.gone) - Number(other.gone) || one.lastUsedMs - other.lastUsedMs;
    return [...manifests, ...blobs].sort(order).slice(0, limit);
  }

  evict(candidate: Candidate): readonly Digest[] {
    const { repositories, contents, removal } = this.#parts;
    if (candidate.blob !== undefined) {
      const blob = contents.find(candidate.blob);
      if (blob === undefined || usedSince(candidate, this.#loose.get(blob))) return [];
      return this.#drops([blob]);
    }
    if (candidate.repository === undefined || candidate.manifest === undefined) return [];
    const [repository, manifest] = [repositories.find(candidate.repository), contents.find(candidate.manifest)];
    if (repository === undefined || manifest === undefined) return [];
    const now = this.#standing.get(repository, manifest);
    if (usedSince(candidate, now) || (candidate.chosen && now?.pinned === 1)) return [];
    const children = removal.remove(repository, manifest) ?? [];
    return this.#drops(candidate.chosen === true ? children : this.#removeOrphans(repository, children));
  }

  /** The manifests among these that nothing lists or tags any more go as well, and theirs. Returns all that lost a parent. */
  #removeOrphans(repository: number, children: readonly number[]): readonly number[] {
    const left = [...children];
    const orphaned = new Set(children);
    for (let child = left.pop(); child !== undefined; child = left.pop()) {
      if (this.#orphan.get(repository, child) === undefined) continue;
      for (const each of this.#parts.removal.remove(repository, child) ?? []) {
        left.push(each);
        orphaned.add(each);
      }
    }
    return [...orphaned];
  }

  #drops(ids: readonly number[]): readonly Digest[] {
    const dropped = ids.map((id) => this.#parts.dropping.evict(id)?.digest);
    return dropped.filter((digest) => digest !== undefined);
  }
}

function usedSince(candidate: Candidate, now: { readonly last_used: number } | undefined): boolean {
  return candidate.chosen === true && now !== undefined && now.last_used > candidate.lastUsedMs;
}

interface ManifestRow {
  readonly upstream: string;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly last_used: number;
  readonly gone: number;
}
