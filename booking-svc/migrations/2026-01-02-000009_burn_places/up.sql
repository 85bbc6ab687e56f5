CREATE TABLE burned_place (
    show_id uuid NOT NULL,
    epoch bigint NOT NULL,
    lane integer NOT NULL,
    seq bigint NOT NULL,
    hold_id uuid NOT NULL,
    CONSTRAINT burned_place_pkey PRIMARY KEY (show_id, epoch, lane, seq),
    CONSTRAINT burned_place_show_fkey FOREIGN KEY (show_id) REFERENCES show (show_id),
    CONSTRAINT burned_place_hold_fkey FOREIGN KEY (hold_id) REFERENCES hold (hold_id)
);
CREATE INDEX burned_place_hold ON burned_place (hold_id);
COMMENT ON TABLE burned_place IS 'Places of strict waiting rooms that got their hold: one each. Rows stay whatever becomes of the hold, and are never removed.';
COMMENT ON COLUMN burned_place.show_id IS 'Show of the waiting room.';
COMMENT ON COLUMN burned_place.epoch IS 'Epoch of the room: numbers begin anew with each.';
COMMENT ON COLUMN burned_place.lane IS 'Lane of the room.';
COMMENT ON COLUMN burned_place.seq IS 'Number in the lane.';
COMMENT ON COLUMN burned_place.hold_id IS 'The hold it got.';
