ALTER TABLE show DROP COLUMN browse_gated;
