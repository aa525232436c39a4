import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRepositoryName } from '../../oci/reference.ts';
import type { Page, PageRequest } from '../../oci/repository.ts';
import type { ClaimIndex } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { indexError } from './failure.ts';
import { pageOf } from './page.ts';

/**
 * Claimed names: rows, and beside the database one empty file a name in `claims/`, which outlives a lost index. Whichever
 * of the two has a name at the start gives it to the other.
 */
export class SqliteClaims implements ClaimIndex {
  readonly #database: Database;
  readonly #directory: string | undefined;
  readonly #has: Query<unknown>;
  readonly #list: Query<{ name: string }>;
  readonly #add: (name: string) => number;
  readonly #remove: (name: string) => number;

  constructor(database: Database) {
    this.#database = database;
    this.#directory = database.path === ':memory:' ? undefined : join(dirname(database.path), 'claims');
    this.#has = database.query('SELECT 1 FROM claims WHERE name = ?');
    this.#list = database.query('SELECT name FROM claims WHERE name > ? ORDER BY name LIMIT ?');
    this.#add = database.command('INSERT INTO claims (name) VALUES (?) ON CONFLICT DO NOTHING');
    this.#remove = database.command('DELETE FROM claims WHERE name = ?');
    this.#reconcile();
  }

  async has(name: string): Promise<boolean> {
    return this.#has.get(name) !== undefined;
  }

  async list(page: PageRequest): Promise<Page<string>> {
    const rows = this.#list.all(page.last ?? '', page.limit + 1);
    const nameOf = (row: { readonly name: string }): string => row.name;
    return pageOf(rows, page.limit, nameOf, nameOf);
  }

  async release(name: string): Promise<boolean> {
    const removed = this.#database.write(() => {
      if (this.#remove(name) === 0) return false;
      if (this.#directory !== undefined && isClaimable(name)) rmSync(join(this.#directory, name), { force: true });
      return true;
    });
    await this.#database.durable();
    return removed;
  }

  /** Inside a write. The file is there before the push that claims the name is acknowledged. */
  claim(name: string): void {
    if (!isClaimable(name) || this.#has.get(name) !== undefined) return;
    this.#writeFile(name);
    this.#add(name);
  }

  /** The same for a name whose links outlive the index: its file may reach the disk when it will. */
  adopt(name: string): void {
    if (!isClaimable(name) || this.#has.get(name) !== undefined) return;
    this.#writeFile(name, false);
    this.#add(name);
  }

  #reconcile(): void {
    const files = this.#files();
    if (files.length === 0 && this.#list.get('', 1) === undefined) return;
    const known = new Set(files);
    this.#database.write(() => {
      for (const name of files) this.#add(name);
      for (const { name } of this.#list.all('', -1)) if (!known.has(name)) this.#writeFile(name);
    });
  }

  #files(): readonly string[] {
    try {
      return this.#directory === undefined ? [] : readdirSync(this.#directory).filter(isClaimable);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw failed(this.#directory ?? '', error);
    }
  }

  #writeFile(name: string, durably = true): void {
    if (this.#directory === undefined) return;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      closeSync(openSync(join(this.#directory, name), 'a', 0o600));
      if (!durably) return;
      for (const path of [this.#directory, dirname(this.#directory)]) syncDirectory(path);
    } catch (error) {
      throw failed(this.#directory, error);
    }
  }
}

/** Only such names could be mistaken for an upstream's. One is a file name of its own. */
function isClaimable(name: string): boolean {
  return !name.includes('/') && isRepositoryName(name);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function failed(directory: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
  const message = `claimed names cannot be kept in ${directory} (${code}): make it writable for the user that runs entrepot`;
  return indexError(message, code, error);
}
