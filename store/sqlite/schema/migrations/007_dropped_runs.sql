-- State 6 is dropped: somebody decided that a run is over. Its row stays, so that its event is not handled again.
-- reason says why a run is in its state, where no failed attempt does.
ALTER TABLE runs ADD COLUMN reason TEXT;
CREATE INDEX runs_dropped ON runs (sequence, handler) WHERE state = 6;
