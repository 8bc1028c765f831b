-- Times are microseconds since the Unix epoch, in UTC.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The journal. NULL stands for what most events have: a JSON payload, and a chain that they began themselves.
CREATE TABLE events (
  sequence        INTEGER PRIMARY KEY,
  id              TEXT NOT NULL,
  source          TEXT NOT NULL,
  type            TEXT NOT NULL,
  time            INTEGER NOT NULL,
  accepted_at     INTEGER NOT NULL,
  subject         TEXT,
  datacontenttype TEXT,
  dataschema      TEXT,
  data            ANY,                  -- TEXT when it is JSON, else BLOB
  correlationid   TEXT,
  causationid     TEXT,
  hops            INTEGER NOT NULL DEFAULT 0,
  extensions      TEXT                  -- a JSON object
) STRICT;

-- The id first: ids are looked up alone, and generated ones grow with time, so that inserts stay at the index's end.
CREATE UNIQUE INDEX events_id_source ON events (id, source);
CREATE INDEX events_correlationid ON events (correlationid) WHERE correlationid IS NOT NULL;

CREATE TABLE handlers (
  id        INTEGER PRIMARY KEY,
  name      TEXT NOT NULL UNIQUE,
  low_water INTEGER NOT NULL,           -- every event up to here has been dealt with
  active    INTEGER NOT NULL            -- 1 while the wiring has it
) STRICT;

-- One row for each handler and matching event. States: 1 running, 2 retrying, 3 succeeded, 4 skipped, 5 dead.
CREATE TABLE runs (
  sequence        INTEGER NOT NULL,
  handler         INTEGER NOT NULL,
  state           INTEGER NOT NULL,
  attempt         INTEGER NOT NULL,
  budget          INTEGER NOT NULL DEFAULT 0, -- attempts made before the run was last retried by hand
  started_at      INTEGER NOT NULL,
  finished_at     INTEGER,
  next_attempt_at INTEGER,
  error           TEXT,
  PRIMARY KEY (sequence, handler)
) STRICT, WITHOUT ROWID;

-- Small while all goes well: settled runs are in neither.
CREATE INDEX runs_pending ON runs (handler, next_attempt_at, sequence) WHERE state <= 2;
CREATE INDEX runs_dead ON runs (sequence, handler) WHERE state = 5;

-- Failed attempts only; a run that succeeds at once has none.
CREATE TABLE attempts (
  sequence    INTEGER NOT NULL,
  handler     INTEGER NOT NULL,
  attempt     INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  error       TEXT NOT NULL,
  PRIMARY KEY (sequence, handler, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  email      TEXT NOT NULL COLLATE NOCASE UNIQUE,
  attributes TEXT,                      -- a JSON object
  created_at INTEGER NOT NULL,
  event_id   TEXT NOT NULL
) STRICT;

CREATE TABLE schedules (
  name   TEXT PRIMARY KEY,
  since  INTEGER NOT NULL,              -- when it was first seen
  slot   INTEGER NOT NULL,              -- every slot up to here was dealt with
  paused INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
