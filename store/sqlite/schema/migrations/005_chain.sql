-- The sequence of the first event of the chain; NULL for that one itself. Senders' correlation ids, which were the chain
-- before, no longer decide what belongs together.
ALTER TABLE events ADD COLUMN chain INTEGER;

-- What runs emitted: its id begins with the run's, and so with the sequence of its parent. Up from there to the first.
UPDATE events SET chain = (
  WITH RECURSIVE up(sequence) AS (
    SELECT CAST(events.id AS INTEGER)
    UNION ALL
    SELECT CAST(e.id AS INTEGER) FROM up JOIN events e ON e.sequence = up.sequence JOIN events p ON p.sequence = CAST(e.id AS INTEGER)
    WHERE p.sequence < e.sequence AND p.id = e.causationid AND e.hops > 0 AND (e.source = '/evrun' OR e.source GLOB '/handlers/*')
      AND e.id GLOB '*-' || (SELECT value FROM meta WHERE key = 'id') || '.*'
  ) SELECT min(sequence) FROM up)
WHERE correlationid IS NOT NULL AND hops > 0 AND (source = '/evrun' OR source GLOB '/handlers/*')
  AND id GLOB '*-' || (SELECT value FROM meta WHERE key = 'id') || '.*'
  AND EXISTS (SELECT 1 FROM events p WHERE p.sequence = CAST(events.id AS INTEGER) AND p.sequence < events.sequence AND p.id = events.causationid);

DROP INDEX events_correlationid;
CREATE INDEX events_chain ON events (chain) WHERE chain IS NOT NULL;
