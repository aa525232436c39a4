import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';
import { compilePin } from './pins.ts';
import type { Pin } from './pins.ts';

/**
 * Keeps `pinned` and `gone` of held manifests true. A manifest is pinned when a pin matches one of its tags or its
 * digest, or when a pinned index of the same repository lists it; it counts as gone when it was marked, or when an
 * index that counts as gone lists it, since that index is worth nothing without it.
 */
export class Standing {
  readonly #pins: Query<{ pattern: string }>;
  readonly #held: Query<HeldRow>;
  readonly #tags: Query<{ name: string }>;
  readonly #fromParents: Query<{ pinned: number | null; gone: number | null }>;
  readonly #children: Query<{ child: number }>;
  readonly #update: (pinned: number, gone: number, repository: number, manifest: number) => number;

  constructor(database: Database) {
    this.#pins = database.query('SELECT pattern FROM pins');
    this.#held = database.query(`
      SELECT held.pinned, held.gone, held.gone_itself, contents.digest, repositories.display FROM held
        JOIN contents ON contents.id = held.manifest JOIN repositories ON repositories.id = held.repository
        WHERE held.repository = ? AND held.manifest = ?
    `);
    this.#tags = database.query('SELECT name FROM tags WHERE repository = ? AND manifest = ?');
    this.#fromParents = database.query(`
      SELECT max(held.pinned) AS pinned, max(held.gone) AS gone FROM refs
        JOIN held ON held.repository = refs.repository AND held.manifest = refs.parent
        WHERE refs.child = ? AND refs.repository = ?
    `);
    this.#children = database.query(`
      SELECT child FROM refs JOIN held ON held.repository = refs.repository AND held.manifest = refs.child
        WHERE refs.repository = ? AND refs.parent = ?
    `);
    this.#update = database.command('UPDATE held SET pinned = ?, gone = ? WHERE repository = ? AND manifest = ?');
  }

  /** After anything that these manifests' standing follows from has changed; inside a write. Digests make no circles, so it ends. */
  settle(repository: number, manifests: Iterable<number>): void {
    const due = [...manifests];
    const pins = due.length === 0 ? [] : this.#pins.all().map(({ pattern }) => compilePin(pattern));
    for (let manifest = due.pop(); manifest !== undefined; manifest = due.pop()) {
      const held = this.#held.get(repository, manifest);
      if (held === undefined) continue;
      const parents = this.#fromParents.get(manifest, repository);
      const pinned = parents?.pinned === 1 || this.#isPinned(repository, manifest, held, pins) ? 1 : 0;
      const gone = parents?.gone === 1 || held.gone_itself === 1 ? 1 : 0;
      if (pinned === held.pinned && gone === held.gone) continue;
      this.#update(pinned, gone, repository, manifest);
      for (const { child } of this.#children.all(repository, manifest)) due.push(child);
    }
  }

  #isPinned(repository: number, manifest: number, held: HeldRow, pins: readonly Pin[]): boolean {
    if (pins.length === 0) return false;
    const digest = decodeDigest(held.digest);
    const tags = this.#tags.all(repository, manifest);
    return pins.some((pin) =>
      pin.kind === 'digest'
        ? pin.matches(held.display, digest)
        : tags.some(({ name }) => pin.matches(held.display, name)),
    );
  }
}

interface HeldRow {
  readonly pinned: number;
  readonly gone: number;
  readonly gone_itself: number;
  readonly digest: Uint8Array;
  readonly display: string;
}
