/**
 * What collection needs: memberships of hosted repositories that no manifest there refers to, by when they were last
 * touched; uploads by the name of their repository; what is to be deleted from the store.
 */
export const collectionSchema = `
  ALTER TABLE members ADD COLUMN unreferenced INTEGER NOT NULL DEFAULT 0;
  UPDATE members SET unreferenced = 1
    WHERE repository IN (SELECT id FROM repositories WHERE upstream = '')
      AND NOT EXISTS (SELECT 1 FROM refs WHERE child = members.content AND repository = members.repository);
  CREATE INDEX members_unreferenced ON members (added_at) WHERE unreferenced = 1;
  CREATE INDEX uploads_name ON uploads (name, touched_at);
  CREATE TABLE discards (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

  CREATE TRIGGER members_judged AFTER INSERT ON members
    WHEN (SELECT upstream = '' FROM repositories WHERE id = NEW.repository) BEGIN
    UPDATE members SET unreferenced = 1 WHERE content = NEW.content AND repository = NEW.repository
      AND NOT EXISTS (SELECT 1 FROM refs WHERE child = NEW.content AND repository = NEW.repository);
  END;
  CREATE TRIGGER refs_needing AFTER INSERT ON refs BEGIN
    UPDATE members SET unreferenced = 0 WHERE content = NEW.child AND repository = NEW.repository AND unreferenced = 1;
  END;
  CREATE TRIGGER refs_leaving AFTER DELETE ON refs
    WHEN (SELECT upstream = '' FROM repositories WHERE id = OLD.repository) BEGIN
    UPDATE members SET unreferenced = 1 WHERE content = OLD.child AND repository = OLD.repository
      AND NOT EXISTS (SELECT 1 FROM refs WHERE child = OLD.child AND repository = OLD.repository);
  END;
  CREATE INDEX held_hosted ON held (repository, manifest) WHERE hosted = 1;
`;
