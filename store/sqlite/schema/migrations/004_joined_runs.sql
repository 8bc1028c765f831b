-- A run of a handler with a debounce is for a whole burst of events: the others are skipped, and have the sequence of its own.
ALTER TABLE runs ADD COLUMN joined INTEGER;
CREATE INDEX runs_joined ON runs (handler, joined, sequence) WHERE joined IS NOT NULL;
