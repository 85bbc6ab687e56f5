ALTER TABLE show ADD COLUMN queue_required boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN show.queue_required IS 'Units are held only with a pass of the waiting room.';
