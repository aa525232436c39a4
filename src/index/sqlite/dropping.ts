import type { DroppedBlob } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';
import type { ContentIds } from './identities.ts';

/**
 * A blob leaves the index with its last reference: one idea for eviction, for deletes and for collection. Inside a write,
 * which also writes down that its file has to go, so that whoever dies before that has a successor who does it.
 */
export class Dropping {
  readonly #contents: ContentIds;
  readonly #loose: Query<unknown>;
  readonly #earned: Query<unknown>;
  readonly #forgetMembers: (content: number) => number;
  readonly #held: Query<{ digest: Uint8Array; size: number }>;
  readonly #drop: (content: number) => number;
  readonly #discard: (digest: Uint8Array) => number;

  constructor(database: Database, contents: ContentIds) {
    this.#contents = contents;
    this.#loose = database.query('SELECT 1 FROM contents WHERE id = ? AND parents = 0 AND hosted = 0');
    this.#earned = database.query('SELECT 1 FROM members WHERE content = ? LIMIT 1');
    this.#forgetMembers = database.command('DELETE FROM members WHERE content = ?');
    this.#held = database.query('SELECT digest, size FROM contents WHERE id = ? AND size IS NOT NULL');
    this.#drop = database.command('UPDATE contents SET size = NULL, last_used = 0 WHERE id = ?');
    this.#discard = database.command('INSERT INTO discards (digest) VALUES (?) ON CONFLICT DO NOTHING');
  }

  /** Nothing refers to it and nobody hosts it: who has only cached it earns it again when it is fetched again. */
  evict(content: number): DroppedBlob | undefined {
    let dropped: DroppedBlob | undefined;
    if (this.#loose.get(content) !== undefined) {
      dropped = this.#take(content);
      this.#forgetMembers(content);
    }
    this.#contents.tidy(content);
    return dropped;
  }

  /** The same, but what somebody has only cached is left to the cache. */
  release(content: number): DroppedBlob | undefined {
    if (this.#earned.get(content) === undefined) return this.evict(content);
    this.#contents.tidy(content);
    return undefined;
  }

  #take(content: number): DroppedBlob | undefined {
    const row = this.#held.get(content);
    if (row === undefined) return undefined;
    this.#drop(content);
    this.#discard(row.digest);
    return { digest: decodeDigest(row.digest), size: row.size };
  }
}
