-- The tokens that were made by command: who may do what by TCP. Of a token, only the hash is kept.
-- The name begins with evrun, because the user's tables are in the same file, and one of them may be called tokens.
CREATE TABLE evrun_tokens (
  name       TEXT PRIMARY KEY,
  hash       BLOB NOT NULL UNIQUE, -- SHA-256
  rights     TEXT NOT NULL,        -- one a line
  rate       TEXT NOT NULL,        -- of its events; empty: none
  actor      TEXT NOT NULL,        -- who made it
  created_at INTEGER NOT NULL,
  expires_at INTEGER               -- NULL: never
) STRICT;
