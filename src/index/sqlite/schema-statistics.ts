/**
 * SQLite knows how many rows an index leads to only once they have been counted (ANALYZE), and takes them for few until
 * then: every manifest that came to be held, or no longer was, had it walk through all tags of the repository. What it would
 * find of a big one is told instead: tags in all, tags a repository, tags a manifest. https://sqlite.org/fileformat2.html#stat1tab
 */
export const statisticsMigration = `
  ANALYZE totals;
  DELETE FROM sqlite_stat1;
  INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('tags', 'tags', '1000000 1000 1'),
    ('tags', 'tags_manifest', '1000000 1000 2 1'),
    ('tags', 'tags_seen', '1000 10 2 1');
  ANALYZE sqlite_schema;
  `;
