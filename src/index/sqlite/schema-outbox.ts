const ofHosted = `repository IN (SELECT id FROM repositories WHERE upstream = '')`;

/** Enters everything that is hosted, without a look at what is only cached. */
export const relinkEverything = `
  INSERT INTO outbox_entries
    SELECT repository, 0, digest FROM members JOIN contents ON contents.id = members.content WHERE ${ofHosted};
  INSERT INTO outbox_entries
    SELECT repository, 1, digest FROM held JOIN contents ON contents.id = held.manifest WHERE ${ofHosted};
  INSERT INTO outbox_entries SELECT repository, 2, CAST(name AS BLOB) FROM tags WHERE ${ofHosted};
`;

/**
 * The outbox: which links of hosted repositories (`oci/link.ts`) are not written to the store yet. Triggers enter them, so
 * that no change of what is hosted can forget to, whoever makes it. An entry says what changed, not how: who writes it
 * looks at how things are by then, and of many changes of one thing only the last is written.
 *
 * `totals.adopting` is 1 within a transaction that tells the index what the store's links say: those are written already.
 * `repositories.changes` counts the entries of a repository, `fingerprint` tells whether its links are as they were when
 * they were last read.
 *
 * Kinds: 0 a layer, 1 a manifest, both named by their digests; 2 a tag.
 */
export const outboxMigration = `
  CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    repository INTEGER NOT NULL REFERENCES repositories,
    kind INTEGER NOT NULL,
    name BLOB NOT NULL,
    UNIQUE (repository, kind, name)
  ) STRICT;
  CREATE INDEX members_repository ON members (repository);
  ALTER TABLE repositories ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE repositories ADD COLUMN fingerprint TEXT;
  ALTER TABLE totals ADD COLUMN adopting INTEGER NOT NULL DEFAULT 0;

  CREATE VIEW outbox_entries AS SELECT repository, kind, name FROM outbox;
  CREATE TRIGGER outbox_entered INSTEAD OF INSERT ON outbox_entries
    WHEN (SELECT upstream = '' FROM repositories WHERE id = NEW.repository) AND (SELECT adopting = 0 FROM totals) BEGIN
    DELETE FROM outbox WHERE repository = NEW.repository AND kind = NEW.kind AND name = NEW.name;
    INSERT INTO outbox (repository, kind, name) VALUES (NEW.repository, NEW.kind, NEW.name);
    UPDATE repositories SET changes = changes + 1 WHERE id = NEW.repository;
  END;

  CREATE TRIGGER members_linked AFTER INSERT ON members BEGIN
    INSERT INTO outbox_entries SELECT NEW.repository, 0, digest FROM contents WHERE id = NEW.content;
  END;
  CREATE TRIGGER members_unlinked AFTER DELETE ON members BEGIN
    INSERT INTO outbox_entries SELECT OLD.repository, 0, digest FROM contents WHERE id = OLD.content;
  END;
  CREATE TRIGGER held_linked AFTER INSERT ON held BEGIN
    INSERT INTO outbox_entries SELECT NEW.repository, 1, digest FROM contents WHERE id = NEW.manifest;
  END;
  CREATE TRIGGER held_unlinked AFTER DELETE ON held BEGIN
    INSERT INTO outbox_entries SELECT OLD.repository, 1, digest FROM contents WHERE id = OLD.manifest;
  END;
  CREATE TRIGGER tags_linked AFTER INSERT ON tags BEGIN
    INSERT INTO outbox_entries VALUES (NEW.repository, 2, CAST(NEW.name AS BLOB));
  END;
  CREATE TRIGGER tags_relinked AFTER UPDATE OF manifest ON tags WHEN OLD.manifest IS NOT NEW.manifest BEGIN
    INSERT INTO outbox_entries VALUES (NEW.repository, 2, CAST(NEW.name AS BLOB));
  END;
  CREATE TRIGGER tags_unlinked AFTER DELETE ON tags BEGIN
    INSERT INTO outbox_entries VALUES (OLD.repository, 2, CAST(OLD.name AS BLOB));
  END;

  -- A hosted manifest rests in the store as well, where registry:2 looks for it: as long as it is held, its content stays.
  CREATE TRIGGER held_hosted AFTER INSERT ON held WHEN NEW.hosted = 1 BEGIN
    UPDATE contents SET hosted = hosted + 1 WHERE id = NEW.manifest;
  END;
  CREATE TRIGGER held_unhosted AFTER DELETE ON held WHEN OLD.hosted = 1 BEGIN
    UPDATE contents SET hosted = hosted - 1 WHERE id = OLD.manifest;
  END;
  UPDATE contents SET hosted = hosted + (SELECT count(*) FROM held WHERE manifest = contents.id AND held.hosted = 1)
    WHERE id IN (SELECT manifest FROM held WHERE hosted = 1);

  ${relinkEverything}
`;
