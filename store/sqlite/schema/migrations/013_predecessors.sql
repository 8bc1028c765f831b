-- The handlers that this one has taken over from, each with the journal's head at that time, as JSON: events up to there that are for one of them
-- alone go to this one. What it has taken over before this version is not known.
ALTER TABLE handlers ADD COLUMN predecessors TEXT;
