import { RegistryError } from '../../oci/errors.ts';
import type { PinIndex } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';
import { compilePin } from './pins.ts';
import type { Standing } from './standing.ts';

/** Pins that may be set, by the operator and by the configuration each, and their length in characters. */
export const pinsMax = 1_000;
export const pinCharactersMax = 512;

/** Which pins there are; what they mean for what is held, `Standing` works out. */
export class SqlitePins implements PinIndex {
  readonly #database: Database;
  readonly #standing: Standing;
  readonly #pin: (pattern: string, configured: number) => number;
  readonly #unpin: (pattern: string, configured: number) => number;
  readonly #pins: Query<{ pattern: string }>;
  readonly #tagged: Query<NamedRow>;
  readonly #digests: Query<NamedRow>;

  constructor({ database, standing }: { readonly database: Database; readonly standing: Standing }) {
    this.#database = database;
    this.#standing = standing;
    this.#pin = database.command('INSERT INTO pins (pattern, configured) VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#unpin = database.command('DELETE FROM pins WHERE pattern = ? AND configured = ?');
    this.#pins = database.query('SELECT pattern FROM pins WHERE configured = ? ORDER BY pattern');
    this.#tagged = database.query(`
      SELECT tags.repository, tags.manifest, repositories.display, tags.name FROM repositories
        JOIN tags ON tags.repository = repositories.id AND tags.manifest IS NOT NULL
        WHERE repositories.manifests > 0 AND repositories.display >= ? AND repositories.display < ?
    `);
    this.#digests = database.query(`
      SELECT held.repository, held.manifest, repositories.display, contents.digest AS name FROM repositories
        JOIN held ON held.repository = repositories.id JOIN contents ON contents.id = held.manifest
        WHERE repositories.manifests > 0 AND repositories.display >= ? AND repositories.display < ?
    `);
  }

  async pin(pattern: string): Promise<void> {
    this.#database.write(() => this.#add(pattern, 0));
  }

  async unpin(pattern: string): Promise<boolean> {
    return this.#database.write(() => this.#remove(pattern, 0));
  }

  async list(): Promise<readonly string[]> {
    return this.#patterns(0);
  }

  async configure(patterns: readonly string[]): Promise<void> {
    this.#database.write(() => {
      for (const pattern of this.#patterns(1)) if (!patterns.includes(pattern)) this.#remove(pattern, 1);
      for (const pattern of patterns) this.#add(pattern, 1);
    });
  }

  #patterns(configured: number): readonly string[] {
    return this.#pins.all(configured).map(({ pattern }) => pattern);
  }

  #add(pattern: string, configured: number): void {
    if (pattern.length === 0 || pattern.length > pinCharactersMax)
      refuse(`a pin has 1 to ${pinCharactersMax} characters`);
    if (this.#pin(pattern, configured) === 0) return;
    if (this.#patterns(configured).length > pinsMax)
      refuse(`there are ${pinsMax} pins already: unpin something, or use a wider pattern`);
    this.#settleMatching(pattern);
  }

  #remove(pattern: string, configured: number): boolean {
    if (this.#unpin(pattern, configured) === 0) return false;
    this.#settleMatching(pattern);
    return true;
  }

  #settleMatching(pattern: string): void {
    const pin = compilePin(pattern);
    const names = pin.kind === 'tag' ? this.#tagged : this.#digests;
    const due = new Map<number, number[]>();
    for (const { repository, manifest, display, name } of names.all(pin.displayFrom, pin.displayTo)) {
      if (!pin.matches(display, typeof name === 'string' ? name : decodeDigest(name))) continue;
      const manifests = due.get(repository);
      if (manifests === undefined) due.set(repository, [manifest]);
      else manifests.push(manifest);
    }
    for (const [repository, manifests] of due) this.#standing.settle(repository, manifests);
  }
}

interface NamedRow {
  readonly repository: number;
  readonly manifest: number;
  readonly display: string;
  /** A tag, or an encoded digest. */
  readonly name: string | Uint8Array;
}

function refuse(why: string): never {
  throw new RegistryError('REQUEST_INVALID', why, { origin: 'operator' });
}
