-- The last slot's event of each schedule gets the source that a schedule has now, so that `overlap` still finds its runs.
UPDATE events SET source = '/evrun/' || (SELECT value FROM meta WHERE key = 'id') || source
WHERE sequence IN (
  SELECT e.sequence FROM schedules s JOIN events e ON e.source = '/schedules/' || s.name AND e.id =
    strftime('%Y-%m-%dT%H:%M:%S', s.fired / 1000000, 'unixepoch')
    || CASE s.fired % 1000000 WHEN 0 THEN '' ELSE rtrim(printf('.%06d', s.fired % 1000000), '0') END || 'Z'
  WHERE s.fired > 0);
