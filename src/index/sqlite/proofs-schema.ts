/** What clients have proved, and who was granted what: hashes, and the key that they were made with. */
export const proofsSchema = `
  CREATE TABLE proof_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT;

  CREATE TABLE proofs (
    subject TEXT NOT NULL,
    upstream TEXT NOT NULL,
    name TEXT NOT NULL,
    proved_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (subject, upstream, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX proofs_proved ON proofs (proved_at);

  CREATE TABLE grants (
    token TEXT PRIMARY KEY,
    credential TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX grants_expire ON grants (expires_at);

  CREATE TABLE challenges (host TEXT PRIMARY KEY, challenge TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `;
