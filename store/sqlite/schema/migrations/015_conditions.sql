-- The texts of conditions (when). A run names the one that its handler had, where it may have been skipped by it: what was false is found again from
-- the text and the event. Only the last texts are kept: see conditions.go.
CREATE TABLE conditions (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;
ALTER TABLE runs ADD COLUMN condition INTEGER;
