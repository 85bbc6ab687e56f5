CREATE TABLE room (
    show_id uuid NOT NULL,
    state text NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    epoch bigint NOT NULL DEFAULT 1,
    generation bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1,
    capacity integer NOT NULL,
    rate integer NOT NULL,
    burst integer NOT NULL,
    offer_seconds integer NOT NULL,
    session_seconds integer NOT NULL,
    grace_seconds integer NOT NULL,
    silence_seconds integer NOT NULL,
    waiting_max integer NOT NULL,
    buckets integer NOT NULL,
    weights integer[] NOT NULL,
    arm_time timestamptz,
    open_time timestamptz,
    close_time timestamptz,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT room_pkey PRIMARY KEY (show_id),
    CONSTRAINT room_state_known CHECK (state IN ('SCHEDULED', 'OPEN', 'DRAINING', 'CLOSED')),
    CONSTRAINT room_counters CHECK (epoch >= 1 AND generation >= 0 AND version >= 1),
    CONSTRAINT room_capacity CHECK (capacity BETWEEN 1 AND 1000000),
    CONSTRAINT room_rate CHECK (rate BETWEEN 1 AND 100000 AND burst BETWEEN 1 AND 100000),
    CONSTRAINT room_weights CHECK (cardinality(weights) = 4 AND 1 <= ALL (weights)),
    CONSTRAINT room_schedule CHECK (arm_time <= open_time AND open_time < close_time)
);
COMMENT ON TABLE room IS 'The waiting room of a show. The line itself is in Redis; what must survive the loss of it is here.';
COMMENT ON COLUMN room.show_id IS 'Show.';
COMMENT ON COLUMN room.state IS 'SCHEDULED follows the times; the others were ordered.';
COMMENT ON COLUMN room.paused IS 'Nobody is admitted for now.';
COMMENT ON COLUMN room.epoch IS 'Tickets of older epochs are void.';
COMMENT ON COLUMN room.generation IS 'Counted up before the line is set up on a Redis that is another one, or has lost something; 0: never set up.';
COMMENT ON COLUMN room.version IS 'Counted up by every change of the settings and of the state.';
COMMENT ON COLUMN room.capacity IS 'Offers and passes at once.';
COMMENT ON COLUMN room.rate IS 'Admissions a second.';
COMMENT ON COLUMN room.burst IS 'Admissions at once after a pause.';
COMMENT ON COLUMN room.offer_seconds IS 'How long an offer stands.';
COMMENT ON COLUMN room.session_seconds IS 'How long passes are renewed.';
COMMENT ON COLUMN room.grace_seconds IS 'How long a missed turn is kept.';
COMMENT ON COLUMN room.silence_seconds IS 'Shortest period of heartbeats.';
COMMENT ON COLUMN room.waiting_max IS 'People in line at once.';
COMMENT ON COLUMN room.buckets IS 'Buckets of accounts in Redis; fixed while the epoch lasts.';
COMMENT ON COLUMN room.weights IS 'Shares of general, presale, access and late.';
COMMENT ON COLUMN room.arm_time IS 'People join from then on; null: from open_time on.';
COMMENT ON COLUMN room.open_time IS 'Admission starts; null: by order.';
COMMENT ON COLUMN room.close_time IS 'The room closes; null: by order.';
COMMENT ON COLUMN room.create_time IS 'When it was created.';

CREATE TABLE room_lane (
    show_id uuid NOT NULL,
    lane smallint NOT NULL,
    reserved bigint NOT NULL DEFAULT 0,
    CONSTRAINT room_lane_pkey PRIMARY KEY (show_id, lane),
    CONSTRAINT room_lane_room FOREIGN KEY (show_id) REFERENCES room (show_id),
    CONSTRAINT room_lane_known CHECK (lane BETWEEN 1 AND 3),
    CONSTRAINT room_lane_reserved CHECK (reserved >= 0)
);
COMMENT ON TABLE room_lane IS 'Numbers of a lane that Redis may issue: below `reserved`. They are taken in blocks, so that no loss of Redis repeats one.';
COMMENT ON COLUMN room_lane.show_id IS 'Room.';
COMMENT ON COLUMN room_lane.lane IS '1 general, 2 presale, 3 access.';
COMMENT ON COLUMN room_lane.reserved IS 'Behind the last number that may have been issued.';

CREATE TABLE used_place (
    show_id uuid NOT NULL,
    epoch bigint NOT NULL,
    lane smallint NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT used_place_pkey PRIMARY KEY (show_id, epoch, lane, seq),
    CONSTRAINT used_place_room FOREIGN KEY (show_id) REFERENCES room (show_id)
);
COMMENT ON TABLE used_place IS 'Places that became a pass, written before the pass is told: after a loss of Redis their tickets bring nobody back into line.';
COMMENT ON COLUMN used_place.show_id IS 'Room.';
COMMENT ON COLUMN used_place.epoch IS 'Epoch of the number.';
COMMENT ON COLUMN used_place.lane IS 'Lane.';
COMMENT ON COLUMN used_place.seq IS 'Number.';
