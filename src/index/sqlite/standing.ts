import picomatch from 'picomatch';
import type { Digest } from '../../oci/digest.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';

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
    const pins = due.length === 0 ? [] : this.#pins.all().map(({ pattern }) => pattern);
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

  #isPinned(repository: number, manifest: number, held: HeldRow, pins: readonly string[]): boolean {
    if (pins.length === 0) return false;
    const digest = decodeDigest(held.digest);
    const names = this.#tags.all(repository, manifest).map(({ name }) => tagName(held.display, name));
    return pins.some(
      (pin) => matches(pin, digestName(held.display, digest)) || names.some((name) => matches(pin, name)),
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

export function tagName(display: string, tag: string): string {
  return `${display}:${tag}`;
}

export function digestName(display: string, digest: Digest): string {
  return `${display}@${digest}`;
}

const compiled = new Map<string, (name: string) => boolean>();
/** Compiled patterns that are remembered. */
const compiledMax = 1_000;

/** A pin is a glob over `repository:tag` or `repository@digest`; without either it means every tag. */
export function matches(pin: string, name: string): boolean {
  let match = compiled.get(pin);
  if (match === undefined) {
    if (compiled.size >= compiledMax) compiled.clear();
    match = picomatch(everyTag(pin), { nonegate: true });
    compiled.set(pin, match);
  }
  return match(name);
}

function everyTag(pin: string): string {
  const last = pin.slice(pin.lastIndexOf('/') + 1);
  return /[:@]/.test(last) ? pin : `${pin}:*`;
}
