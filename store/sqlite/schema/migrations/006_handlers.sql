-- A handler keeps its mark when it leaves the wiring, and another one can take over from it.
ALTER TABLE handlers ADD COLUMN patterns TEXT;                      -- a JSON list of what it was last wired to; NULL: unknown
ALTER TABLE handlers ADD COLUMN since INTEGER NOT NULL DEFAULT 0;   -- the journal's head when it was first registered
ALTER TABLE handlers ADD COLUMN left_at INTEGER;                    -- when it left; NULL while it is active, and once it is forgotten
ALTER TABLE handlers ADD COLUMN left_head INTEGER NOT NULL DEFAULT 0; -- the journal's head then
ALTER TABLE handlers ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE handlers ADD COLUMN heir INTEGER;                       -- the handler that takes over, while it has not done so
UPDATE handlers SET left_at = 0, left_head = low_water WHERE active = 0;

-- The handler under whose name a run that was taken over began, and whose name its id has; NULL: its own.
ALTER TABLE runs ADD COLUMN began_as INTEGER;
