-- fired is the last slot whose event was accepted; timing tells the slots from those of another timing.
ALTER TABLE schedules ADD COLUMN fired INTEGER;
ALTER TABLE schedules ADD COLUMN timing TEXT NOT NULL DEFAULT '';
