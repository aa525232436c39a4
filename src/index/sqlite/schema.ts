import { collectionSchema } from './schema-collection.ts';
import { proofsSchema } from './proofs-schema.ts';
import { noticesSchema } from './notices.ts';
import { outboxMigration } from './schema-outbox.ts';
import { statisticsMigration } from './schema-statistics.ts';
import { storedBytesMigration } from './schema-stored-bytes.ts';

/*
 * The schema, as one picture. `id`s are small integers, so that the two big tables (`refs`, `contents`) stay small.
 *
 *   repositories ──< held >── manifests ── contents      held: a repository holds a manifest
 *        │            │ │                     │
 *        │            │ └──< tags             │           tags: point at what the repository holds
 *        │            └────< refs >───────────┤           refs: what a held manifest says of its children
 *        └───────────────< members >──────────┘           members: blobs that a repository has earned
 *
 *   contents   one row a digest that anything mentions. `size` is set while it rests in the store as a blob;
 *              `parents` counts refs to it, `hosted` those, the members and the held manifests that belong to hosted
 *              repositories.
 *   tags       `manifest` is what a tag points at here, `seen` the digest of what the upstream has moved it to meanwhile.
 *   totals     one row of sums, kept by the triggers, so that no answer ever counts a table. `stored_bytes` are those of
 *              all blobs in the store, `held_bytes` those that no hosted repository has.
 *   members    `added_at` is when it was last uploaded, mounted or asked for; of a hosted repository it is `unreferenced`
 *              while no manifest there refers to it.
 *   uploads    unfinished; `writer` is the process that receives it, NULL between requests.
 *   outbox     what changed of hosted repositories and is not written to the store as links yet (schema-outbox.ts).
 *   claims     names that were pushed once; each is a file as well (claims.ts).
 *   discards   digests that are to be deleted from the store: written in the transaction that forgets them here.
 *   leases     epochs come from totals.lease_epoch: they grow for all keys together, also when rows are forgotten.
 *
 * Digests are BLOBs of the algorithm (1 sha256, 2 sha512) and the hash: 114 bytes a row of `contents` with its unique
 * index, against 200 as text, at the same speed. Their byte order is the order of the text.
 *
 * What decides about eviction is in the rows and in partial indexes, so that a choice reads only what it chooses:
 * `pinned` and `gone` of a manifest are set when a pin, a mark or a parent of the same repository says so.
 *
 * An upstream of '' means: hosted here. Times are milliseconds since the epoch.
 */

/** `migrations[n]` takes a database from version n (`PRAGMA user_version`) to n + 1. Never edited once released. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    held_bytes INTEGER NOT NULL DEFAULT 0,
    blobs INTEGER NOT NULL DEFAULT 0,
    manifests INTEGER NOT NULL DEFAULT 0,
    tags INTEGER NOT NULL DEFAULT 0,
    repositories INTEGER NOT NULL DEFAULT 0,
    lease_epoch INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO totals (id) VALUES (1);

  CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    upstream TEXT NOT NULL,
    name TEXT NOT NULL,
    display TEXT NOT NULL,
    public INTEGER,
    checked_at INTEGER,
    manifests INTEGER NOT NULL DEFAULT 0,
    UNIQUE (upstream, name)
  ) STRICT;
  CREATE INDEX repositories_listed ON repositories (display, id) WHERE manifests > 0;

  CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    size INTEGER,
    last_used INTEGER NOT NULL DEFAULT 0,
    parents INTEGER NOT NULL DEFAULT 0,
    hosted INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX contents_loose ON contents (last_used) WHERE size IS NOT NULL AND parents = 0 AND hosted = 0;

  CREATE TABLE manifests (
    content INTEGER PRIMARY KEY REFERENCES contents,
    media_type TEXT NOT NULL,
    subject INTEGER REFERENCES contents,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE INDEX manifests_subject ON manifests (subject);

  CREATE TABLE held (
    repository INTEGER NOT NULL REFERENCES repositories,
    manifest INTEGER NOT NULL REFERENCES manifests,
    stored_at INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    hosted INTEGER NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0,
    gone_itself INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (repository, manifest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX held_manifest ON held (manifest);
  CREATE INDEX held_evictable ON held (gone, last_used, manifest DESC) WHERE hosted = 0 AND pinned = 0;

  CREATE TABLE refs (
    repository INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    child INTEGER NOT NULL REFERENCES contents,
    size INTEGER NOT NULL,
    PRIMARY KEY (repository, parent, child),
    FOREIGN KEY (repository, parent) REFERENCES held ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX refs_child ON refs (child, repository, parent);

  CREATE TABLE tags (
    repository INTEGER NOT NULL,
    name TEXT NOT NULL,
    manifest INTEGER,
    checked_at INTEGER NOT NULL,
    seen BLOB,
    seen_size INTEGER,
    seen_media_type TEXT,
    seen_at INTEGER,
    PRIMARY KEY (repository, name),
    FOREIGN KEY (repository, manifest) REFERENCES held ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_manifest ON tags (repository, manifest);
  CREATE INDEX tags_seen ON tags (repository, seen) WHERE seen IS NOT NULL;

  CREATE TABLE members (
    content INTEGER NOT NULL REFERENCES contents,
    repository INTEGER NOT NULL REFERENCES repositories,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (content, repository)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE leases (
    key TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    released INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE pins (
    pattern TEXT NOT NULL,
    configured INTEGER NOT NULL,
    PRIMARY KEY (pattern, configured)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER refs_added AFTER INSERT ON refs BEGIN
    UPDATE contents SET parents = parents + 1,
      hosted = hosted + (SELECT upstream = '' FROM repositories WHERE id = NEW.repository) WHERE id = NEW.child;
  END;
  CREATE TRIGGER refs_removed AFTER DELETE ON refs BEGIN
    UPDATE contents SET parents = parents - 1,
      hosted = hosted - (SELECT upstream = '' FROM repositories WHERE id = OLD.repository) WHERE id = OLD.child;
  END;
  CREATE TRIGGER members_added AFTER INSERT ON members BEGIN
    UPDATE contents SET hosted = hosted + 1
      WHERE id = NEW.content AND (SELECT upstream = '' FROM repositories WHERE id = NEW.repository);
  END;
  CREATE TRIGGER members_removed AFTER DELETE ON members BEGIN
    UPDATE contents SET hosted = hosted - 1
      WHERE id = OLD.content AND (SELECT upstream = '' FROM repositories WHERE id = OLD.repository);
  END;
  CREATE TRIGGER contents_counted AFTER UPDATE OF size, hosted ON contents
    WHEN OLD.size IS NOT NEW.size OR (OLD.hosted = 0) <> (NEW.hosted = 0) BEGIN
    UPDATE totals SET
      held_bytes = held_bytes + iif(NEW.hosted = 0, ifnull(NEW.size, 0), 0) - iif(OLD.hosted = 0, ifnull(OLD.size, 0), 0),
      blobs = blobs + (NEW.size IS NOT NULL) - (OLD.size IS NOT NULL);
  END;
  CREATE TRIGGER held_added AFTER INSERT ON held BEGIN
    UPDATE repositories SET manifests = manifests + 1 WHERE id = NEW.repository;
    UPDATE totals SET manifests = manifests + 1;
  END;
  CREATE TRIGGER held_removed AFTER DELETE ON held BEGIN
    UPDATE repositories SET manifests = manifests - 1 WHERE id = OLD.repository;
    UPDATE totals SET manifests = manifests - 1;
  END;
  CREATE TRIGGER repositories_counted AFTER UPDATE OF manifests ON repositories
    WHEN (OLD.manifests = 0) <> (NEW.manifests = 0) BEGIN
    UPDATE totals SET repositories = repositories + (NEW.manifests > 0) - (OLD.manifests > 0);
  END;
  CREATE TRIGGER tags_added AFTER INSERT ON tags WHEN NEW.manifest IS NOT NULL BEGIN
    UPDATE totals SET tags = tags + 1;
  END;
  CREATE TRIGGER tags_pointed AFTER UPDATE OF manifest ON tags WHEN OLD.manifest IS NULL AND NEW.manifest IS NOT NULL BEGIN
    UPDATE totals SET tags = tags + 1;
  END;
  CREATE TRIGGER tags_removed AFTER DELETE ON tags WHEN OLD.manifest IS NOT NULL BEGIN
    UPDATE totals SET tags = tags - 1;
  END;
  CREATE TRIGGER leases_added AFTER INSERT ON leases BEGIN
    UPDATE totals SET lease_epoch = NEW.epoch;
  END;
  CREATE TRIGGER leases_taken AFTER UPDATE OF epoch ON leases BEGIN
    UPDATE totals SET lease_epoch = NEW.epoch;
  END;
  `,
  `
  CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    received INTEGER NOT NULL DEFAULT 0,
    touched_at INTEGER NOT NULL,
    writer TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uploads_touched ON uploads (touched_at);

  CREATE TABLE claims (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  noticesSchema,
  outboxMigration,
  collectionSchema,
  proofsSchema,
  statisticsMigration,
  storedBytesMigration,
];
