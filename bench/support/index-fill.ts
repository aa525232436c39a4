/** A big index for `index-scale.ts`. */
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { encodeDigest } from '../../src/index/sqlite/digests.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { parseRepositoryName, parseTag } from '../../src/oci/reference.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';

/** Indexes of four images; an image has 12 or 13 blobs of its own. */
const imagesPerIndex = 4;
const blobsPerImage = [12, 13] as const;
const manifestsPerRepository = 50;

/** What was put in. The first repository holds a fifth of it. */
export interface Filled {
  readonly repositories: readonly RepositoryKey[];
  readonly images: readonly Placed[];
  readonly tagged: readonly { readonly key: RepositoryKey; readonly tag: Tag }[];
  readonly blobs: readonly Placed[];
}

export interface Placed {
  readonly key: RepositoryKey;
  readonly digest: Digest;
}

/**
 * Goes around the contract, in one transaction: through it, it would take many minutes. The schema's triggers do their
 * part all the same.
 */
export function fillIndex(path: string, manifests: number): Filled {
  using database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN');
  const filler = new Filler(database, Math.ceil(manifests / manifestsPerRepository));
  for (let each = 0; each < manifests / (imagesPerIndex + 1); each += 1) filler.addIndex(each);
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  return filler;
}

class Filler implements Filled {
  readonly repositories: RepositoryKey[] = [];
  readonly images: Placed[] = [];
  readonly tagged: { readonly key: RepositoryKey; readonly tag: Tag }[] = [];
  readonly blobs: Placed[] = [];
  readonly #random = randomFrom('index-fill');
  readonly #statements: Statements;
  #serial = 0;

  constructor(database: DatabaseSync, repositories: number) {
    this.#statements = prepare(database);
    for (let each = 0; each < repositories; each += 1) {
      const name = `team-${each % 97}/app-${each}`;
      this.#statements.repository.run(each + 1, name, `docker.io/${name}`);
      this.repositories.push({ upstream: 'docker.io', name: parseRepositoryName(name) });
    }
  }

  addIndex(nth: number): void {
    const repository = nth % 5 === 0 ? 1 : 1 + this.#random(this.repositories.length);
    const key = this.repositories[repository - 1] as RepositoryKey;
    const images = Array.from({ length: imagesPerIndex }, () => this.#addImage(repository, key));
    const index = this.#addManifest(repository, mediaTypes.ociIndex, { manifests: images }, images);
    for (const [each, { digest }] of [index, ...images].entries()) {
      const tag = parseTag(each === 0 ? `v${nth}` : `v${nth}-${each}`);
      this.#statements.tag.run(repository, tag, this.#idOf(digest, 0));
      this.tagged.push({ key, tag });
      this.images.push({ key, digest });
    }
  }

  #addImage(repository: number, key: RepositoryKey): Descriptor {
    const serial = (this.#serial += 1);
    const blobs = Array.from({ length: blobsPerImage[serial % 2] ?? 0 }, (_, each) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: digestOf(`blob ${serial}.${each}`),
      size: 1_000 + this.#random(50_000_000),
    }));
    const [config, ...layers] = blobs;
    const image = this.#addManifest(repository, mediaTypes.ociManifest, { config, layers }, blobs);
    for (const { digest, size } of blobs) {
      const id = this.#idOf(digest, 0);
      this.#statements.stored.run(size, id);
      this.#statements.member.run(id, repository);
      this.blobs.push({ key, digest });
    }
    return image;
  }

  #addManifest(repository: number, mediaType: string, fields: object, children: readonly Descriptor[]): Descriptor {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }, undefined, 2));
    const [digest, usedMs] = [digestOf(bytes), 1 + this.#random(1_000_000)];
    const id = this.#idOf(digest, 0);
    this.#statements.manifest.run(id, mediaType, bytes);
    this.#statements.held.run(repository, id, usedMs, usedMs);
    for (const child of children) {
      this.#statements.ref.run(repository, id, this.#idOf(child.digest, usedMs), child.size);
    }
    return { digest, size: bytes.length, mediaType };
  }

  #idOf(digest: Digest, usedMs: number): number {
    return Number(this.#statements.content.get(encodeDigest(digest), usedMs)?.['id']);
  }
}

type Statements = Readonly<
  Record<'content' | 'repository' | 'manifest' | 'held' | 'ref' | 'tag' | 'member' | 'stored', StatementSync>
>;

function prepare(database: DatabaseSync): Statements {
  return {
    content: database.prepare(`
      INSERT INTO contents (digest, last_used) VALUES (?, ?) ON CONFLICT DO UPDATE SET last_used = last_used RETURNING id
    `),
    repository: database.prepare(
      "INSERT INTO repositories (id, upstream, name, display) VALUES (?, 'docker.io', ?, ?)",
    ),
    manifest: database.prepare('INSERT INTO manifests (content, media_type, bytes) VALUES (?, ?, ?)'),
    held: database.prepare(
      'INSERT INTO held (repository, manifest, stored_at, last_used, hosted) VALUES (?, ?, ?, ?, 0)',
    ),
    ref: database.prepare('INSERT INTO refs (repository, parent, child, size) VALUES (?, ?, ?, ?)'),
    tag: database.prepare('INSERT INTO tags (repository, name, manifest, checked_at) VALUES (?, ?, ?, 1)'),
    member: database.prepare('INSERT INTO members (content, repository, added_at) VALUES (?, ?, 1)'),
    stored: database.prepare('UPDATE contents SET size = ? WHERE id = ?'),
  };
}

/** The same numbers in every run. */
export function randomFrom(seed: string): (below: number) => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
