-- Events and runs for people and their statements: the names are those of the JSON, times are RFC 3339 texts in UTC with milliseconds. evrun reads
-- neither view. Where the file already has something with such a name, it stays and the view is not made: see Migrate.
--
-- They must do for an sqlite3 of 2022, too: its time() knows no milliseconds. Only functions whose work grows with their arguments alone may stand in
-- a view: others would bound the statements of users that call them.
CREATE VIEW IF NOT EXISTS events_view AS
SELECT
  sequence                                                                    AS seq,
  id, source, type, subject,
  date((time - (time % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || 'T' ||
    time((time - (time % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || '.' ||
    substr(1000 + (time % 1000000 + 1000000) % 1000000 / 1000, 2) || 'Z' AS time,
  date((accepted_at - (accepted_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || 'T' ||
    time((accepted_at - (accepted_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || '.' ||
    substr(1000 + (accepted_at % 1000000 + 1000000) % 1000000 / 1000, 2) || 'Z' AS accepted_at,
  datacontenttype, dataschema,
  data,                                                                       -- JSON text, or the bytes of another content type
  ifnull(chain, sequence)                                                     AS chain,
  hops,
  nullif(json_extract(extensions, '$."@target"'), '')                                    AS target,
  nullif(json_extract(extensions, '$."@replayof"'), 0)                                   AS replayof,
  ifnull(correlationid, id)                                                   AS correlationid,
  causationid,
  date((json_extract(extensions, '$."@erased"') - (json_extract(extensions, '$."@erased"') % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || 'T' ||
    time((json_extract(extensions, '$."@erased"') - (json_extract(extensions, '$."@erased"') % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || '.' ||
    substr(1000 + (json_extract(extensions, '$."@erased"') % 1000000 + 1000000) % 1000000 / 1000, 2) || 'Z' AS erased_at,
  nullif(json_remove(extensions, '$."@target"', '$."@replayof"', '$."@erased"'), '{}') AS extensions -- a JSON object
FROM events;

-- The runs that have begun. Of a handler that was renamed, a run that began before has the old name in its id.
CREATE VIEW IF NOT EXISTS runs_view AS
SELECT
  r.sequence || '-' || ifnull(b.name, h.name) || '-' || (SELECT value FROM meta WHERE key = 'id') AS id,
  h.name                                                                      AS handler,
  e.id                                                                        AS event_id,
  r.sequence                                                                  AS seq,
  e.type,
  CASE r.state WHEN 1 THEN 'running' WHEN 2 THEN 'retrying' WHEN 3 THEN 'succeeded' WHEN 4 THEN 'skipped' WHEN 5 THEN 'dead'
    WHEN 6 THEN 'dropped' WHEN 7 THEN 'cancelled' END                         AS state,
  r.attempt,
  (SELECT count(*) FROM attempts a WHERE a.sequence = r.sequence AND a.handler = r.handler) AS failed_attempts,
  r.error,
  r.reason,
  CASE WHEN r.attempt > 0 THEN date((r.started_at - (r.started_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || 'T' ||
    time((r.started_at - (r.started_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || '.' ||
    substr(1000 + (r.started_at % 1000000 + 1000000) % 1000000 / 1000, 2) || 'Z' END      AS started_at,
  date((r.finished_at - (r.finished_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || 'T' ||
    time((r.finished_at - (r.finished_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || '.' ||
    substr(1000 + (r.finished_at % 1000000 + 1000000) % 1000000 / 1000, 2) || 'Z' AS finished_at,
  CASE WHEN r.attempt > 0 AND r.state <> 6 THEN max(0, r.finished_at - r.started_at) / 1000.0 END AS took_ms,
  date((r.next_attempt_at - (r.next_attempt_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || 'T' ||
    time((r.next_attempt_at - (r.next_attempt_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch') || '.' ||
    substr(1000 + (r.next_attempt_at % 1000000 + 1000000) % 1000000 / 1000, 2) || 'Z' AS next_attempt_at,
  r.joined || '-' || ifnull(b.name, h.name) || '-' || (SELECT value FROM meta WHERE key = 'id') AS joined
FROM runs r JOIN handlers h ON h.id = r.handler LEFT JOIN handlers b ON b.id = r.began_as LEFT JOIN events e ON e.sequence = r.sequence;
