-- The statements that made the user's own tables, so that each runs once.
CREATE TABLE user_migrations (
  statement  TEXT PRIMARY KEY,          -- without comments and superfluous white space
  handler    TEXT NOT NULL,             -- the first one that had it
  applied_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
