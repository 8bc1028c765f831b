-- The sequence of the event whose run published this one; NULL where none did, and in what older versions accepted.
ALTER TABLE events ADD COLUMN cause INTEGER;
