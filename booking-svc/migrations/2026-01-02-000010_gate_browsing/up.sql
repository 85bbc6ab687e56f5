ALTER TABLE show
    ADD COLUMN browse_gated boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT show_browse_gated CHECK (queue_required OR NOT browse_gated);
COMMENT ON COLUMN show.browse_gated IS 'It is looked at only with a pass of the waiting room, until its sale closes.';
