ALTER TABLE show DROP COLUMN queue_required;
