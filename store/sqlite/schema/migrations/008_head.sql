-- meta's row "head" is a sequence that the journal has reached. It is written when the last event is deleted, by whomever:
-- the next event then still gets a greater sequence than any before. While events are only added, they say it themselves.
CREATE TRIGGER events_head AFTER DELETE ON events WHEN NOT EXISTS (SELECT 1 FROM events WHERE sequence > old.sequence)
BEGIN
  INSERT INTO meta (key, value) VALUES ('head', old.sequence)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER);
END;
