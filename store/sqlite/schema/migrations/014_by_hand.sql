-- State 7 is cancelled: somebody ended the run before it was over; attempt 0: before it had begun. A running run with a reason is to be cancelled:
-- its attempt is being ended, or a kill of evrun has ended it.
CREATE INDEX runs_cancelled ON runs (sequence, handler) WHERE state = 7;
-- Who paused a handler, why and when; NULL: it returned late. disabled_at is when the wiring file disabled it; NULL: it doesn't.
ALTER TABLE handlers ADD COLUMN paused_by TEXT;
ALTER TABLE handlers ADD COLUMN paused_why TEXT;
ALTER TABLE handlers ADD COLUMN paused_at INTEGER;
ALTER TABLE handlers ADD COLUMN disabled_at INTEGER;
