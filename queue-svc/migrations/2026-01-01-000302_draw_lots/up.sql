ALTER TABLE room ADD COLUMN lottery boolean NOT NULL DEFAULT false;
ALTER TABLE room ADD COLUMN order_fixed boolean NOT NULL DEFAULT false;
ALTER TABLE room ADD COLUMN seed bytea;
ALTER TABLE room ADD COLUMN drawn boolean NOT NULL DEFAULT false;
ALTER TABLE room ADD COLUMN draw_entrants bigint[];
ALTER TABLE room ADD COLUMN draw_first bigint[];
ALTER TABLE room ADD COLUMN draw_reserved bigint[];
ALTER TABLE room ADD CONSTRAINT room_seed CHECK ((seed IS NOT NULL OR NOT lottery) AND length(seed) = 32);
ALTER TABLE room ADD CONSTRAINT room_draw CHECK (
    (draw_entrants IS NULL) = (draw_first IS NULL) AND (draw_entrants IS NULL) = (draw_reserved IS NULL)
    AND (draw_entrants IS NOT NULL OR NOT drawn)
    AND coalesce(cardinality(draw_entrants), 3) = 3 AND coalesce(cardinality(draw_first), 3) = 3 AND coalesce(cardinality(draw_reserved), 3) = 3
);
COMMENT ON COLUMN room.lottery IS 'Who joins before the room opens gets a place by chance.';
COMMENT ON COLUMN room.order_fixed IS 'People may have joined: who comes first cannot be changed any more.';
COMMENT ON COLUMN room.seed IS 'What decides the draw; secret until it began, its SHA-256 is not.';
COMMENT ON COLUMN room.drawn IS 'Every entry has its place.';
COMMENT ON COLUMN room.draw_entrants IS 'Numbers of each lane that were entries, from 0; null: no draw began.';
COMMENT ON COLUMN room.draw_first IS 'First place of each lane.';
COMMENT ON COLUMN room.draw_reserved IS 'End of the numbers that are reserved with the places.';
