/**
 * The bytes of everything in the store. `held_bytes` stays what it was, those that no hosted repository has: an older
 * process that shares the file evicts by them.
 */
export const storedBytesMigration = `
  ALTER TABLE totals ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0;
  UPDATE totals SET stored_bytes = (SELECT ifnull(sum(size), 0) FROM contents);
  DROP TRIGGER contents_counted;
  CREATE TRIGGER contents_counted AFTER UPDATE OF size, hosted ON contents
    WHEN OLD.size IS NOT NEW.size OR (OLD.hosted = 0) <> (NEW.hosted = 0) BEGIN
    UPDATE totals SET
      held_bytes = held_bytes + iif(NEW.hosted = 0, ifnull(NEW.size, 0), 0) - iif(OLD.hosted = 0, ifnull(OLD.size, 0), 0),
      stored_bytes = stored_bytes + ifnull(NEW.size, 0) - ifnull(OLD.size, 0),
      blobs = blobs + (NEW.size IS NOT NULL) - (OLD.size IS NOT NULL);
  END;
`;
