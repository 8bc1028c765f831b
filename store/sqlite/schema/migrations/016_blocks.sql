-- In which blocks of the journal (of 1,024 sequences) something occurs: see blocks.go. what is t: and a type, s: and a source, or r:, the number of a
-- handler, and 3, 4 or 0 for the states succeeded, skipped and all others. t: and s: alone stand for any.
CREATE TABLE blocks (
  what  TEXT NOT NULL,
  block INTEGER NOT NULL,
  PRIMARY KEY (what, block)
) STRICT, WITHOUT ROWID;

WITH seen AS MATERIALIZED (SELECT DISTINCT sequence >> 10 AS block, source, type FROM events),
  sources AS (SELECT block, count(DISTINCT source) AS n FROM seen GROUP BY block)
INSERT INTO blocks (what, block)
  SELECT 't:' || type, block FROM seen
  UNION SELECT CASE WHEN n <= 16 THEN 's:' || source ELSE 's:' END, block FROM seen JOIN sources USING (block);
INSERT INTO blocks (what, block)
  SELECT 'r:' || handler || ':' || state, block
  FROM (SELECT DISTINCT sequence >> 10 AS block, handler, CASE state WHEN 3 THEN 3 WHEN 4 THEN 4 ELSE 0 END AS state FROM runs);

-- The runs of a handler in a state that few runs have, or stay in, in order of sequence.
DROP INDEX runs_dead;
DROP INDEX runs_dropped;
DROP INDEX runs_cancelled;
CREATE INDEX runs_listed ON runs (handler, state, sequence) WHERE state = 2 OR state > 4;
