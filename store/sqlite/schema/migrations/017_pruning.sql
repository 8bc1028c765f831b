-- What was pruned so far, in one row: see package prune. old: an older version made the store, which pruned nothing.
CREATE TABLE pruning (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  old          INTEGER NOT NULL,
  announced_at INTEGER,                 -- when pruning was announced; NULL: not yet
  scanned      INTEGER NOT NULL DEFAULT 0, -- up to this sequence, only what could not go is left
  chains       INTEGER NOT NULL DEFAULT 0,
  events       INTEGER NOT NULL DEFAULT 0,
  runs         INTEGER NOT NULL DEFAULT 0,
  bytes        INTEGER NOT NULL DEFAULT 0,
  keys         INTEGER NOT NULL DEFAULT 0, -- rows of pruned_keys
  pruned_at    INTEGER
) STRICT;
INSERT INTO pruning (id, old) SELECT 1, EXISTS (SELECT 1 FROM events);

-- What handlers that had left the wiring lost by pruning.
CREATE TABLE pruning_lost (
  handler INTEGER PRIMARY KEY,
  events  INTEGER NOT NULL,             -- that it never saw
  runs    INTEGER NOT NULL              -- that were not finished
) STRICT;

-- The (source, id) of pruned events, which are still known as accepted. key begins with the id's first bytes, because most ids grow with
-- time: so the keys of one time lie together.
CREATE TABLE pruned_keys (
  key       BLOB PRIMARY KEY,
  sequence  INTEGER NOT NULL,
  pruned_at INTEGER NOT NULL            -- in seconds
) STRICT, WITHOUT ROWID;

-- To delete the rows of blocks that have no events any more. There are few rows, and new ones are rare.
CREATE INDEX blocks_block ON blocks (block);
