-- Actions on selections, done page by page: where each of them stands.
CREATE TABLE batches (
  id         TEXT PRIMARY KEY,
  action     TEXT NOT NULL,
  details    TEXT NOT NULL,             -- a JSON object: the selection
  actor      TEXT NOT NULL,
  total      INTEGER NOT NULL,
  cursor     TEXT NOT NULL,             -- behind the last page that was done
  done       INTEGER NOT NULL DEFAULT 0,
  changed    INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER NOT NULL,
  changed_at INTEGER,
  ended_at   INTEGER
) STRICT, WITHOUT ROWID;
