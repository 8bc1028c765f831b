-- What attempts printed, or servers answered: a row for each attempt that left something to keep. text is the status, the headers, and
-- the head and tail of each stream, one after the other; layout has their lengths in bytes. state is that which the attempt gave to its
-- run; 1: the attempt has not ended, and text is what it had printed when the row was last written.
CREATE TABLE run_outputs (
  sequence    INTEGER NOT NULL,
  handler     INTEGER NOT NULL,
  attempt     INTEGER NOT NULL,
  state       INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  layout      TEXT NOT NULL,
  text        TEXT NOT NULL,
  PRIMARY KEY (sequence, handler, attempt)
) STRICT, WITHOUT ROWID;
