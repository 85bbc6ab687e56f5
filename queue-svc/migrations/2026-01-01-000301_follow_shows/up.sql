ALTER TABLE room ADD COLUMN seller_id uuid;
ALTER TABLE room ADD COLUMN strict boolean NOT NULL DEFAULT false;
ALTER TABLE room ADD COLUMN waiting_per_place integer NOT NULL DEFAULT 10;
ALTER TABLE room ADD COLUMN sold_out boolean NOT NULL DEFAULT false;
ALTER TABLE room ADD COLUMN opening_told boolean NOT NULL DEFAULT false;
ALTER TABLE room ADD CONSTRAINT room_waiting_per_place CHECK (waiting_per_place BETWEEN 1 AND 1000);
CREATE INDEX room_seller ON room (seller_id, show_id);
COMMENT ON COLUMN room.seller_id IS 'Owner of the show; null while nobody has told of it.';
COMMENT ON COLUMN room.strict IS 'The sale takes one hold for each place.';
COMMENT ON COLUMN room.waiting_per_place IS 'Nobody joins while so many times more people wait than there are places left.';
COMMENT ON COLUMN room.sold_out IS 'Everything is sold: nobody joins and nobody is admitted until something is returned.';
COMMENT ON COLUMN room.opening_told IS 'RoomOpened is in the outbox, or was sent.';

CREATE TABLE show_owner (
    show_id uuid NOT NULL,
    seller_id uuid NOT NULL,
    CONSTRAINT show_owner_pkey PRIMARY KEY (show_id)
);
COMMENT ON TABLE show_owner IS 'Shows that were published, and whose they are: a seller runs the rooms of his own.';
COMMENT ON COLUMN show_owner.show_id IS 'Show.';
COMMENT ON COLUMN show_owner.seller_id IS 'Owner.';

CREATE TABLE stock (
    pool_id uuid NOT NULL,
    show_id uuid NOT NULL,
    version bigint NOT NULL,
    room bigint NOT NULL,
    sold bigint NOT NULL,
    sales bigint NOT NULL,
    pools integer NOT NULL,
    CONSTRAINT stock_pkey PRIMARY KEY (pool_id),
    CONSTRAINT stock_counts CHECK (version >= 0 AND sold >= 0 AND sales >= 0 AND pools >= 1 AND room >= 0)
);
CREATE INDEX stock_show ON stock (show_id);
COMMENT ON TABLE stock IS 'What was last heard of each pool.';
COMMENT ON COLUMN stock.pool_id IS 'Pool.';
COMMENT ON COLUMN stock.show_id IS 'Show.';
COMMENT ON COLUMN stock.version IS 'Version of the pool; what is older is not taken in.';
COMMENT ON COLUMN stock.room IS 'Places that can be sold, sold ones included.';
COMMENT ON COLUMN stock.sold IS 'Places that are sold.';
COMMENT ON COLUMN stock.sales IS 'Holds that became sales.';
COMMENT ON COLUMN stock.pools IS 'Pools of the show; while fewer are known nobody says what is left.';

CREATE TABLE departure (
    show_id uuid NOT NULL,
    account_id uuid NOT NULL,
    depart_time timestamptz NOT NULL,
    told_generation bigint,
    told_time timestamptz,
    CONSTRAINT departure_pkey PRIMARY KEY (show_id, account_id),
    CONSTRAINT departure_room FOREIGN KEY (show_id) REFERENCES room (show_id)
);
COMMENT ON TABLE departure IS 'People whose booking ended: their passes are not renewed any more. A row stays until their passes have ended, for a line that forgets.';
COMMENT ON COLUMN departure.show_id IS 'Room.';
COMMENT ON COLUMN departure.account_id IS 'Whose session is over.';
COMMENT ON COLUMN departure.depart_time IS 'When: sessions that began later go on.';
COMMENT ON COLUMN departure.told_generation IS 'Generation of the room whose line knows; null: none yet.';
COMMENT ON COLUMN departure.told_time IS 'When it was told.';

CREATE TABLE invitation (
    show_id uuid NOT NULL,
    digest bytea NOT NULL,
    lane smallint NOT NULL,
    account_id uuid,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invitation_pkey PRIMARY KEY (show_id, digest),
    CONSTRAINT invitation_room FOREIGN KEY (show_id) REFERENCES room (show_id),
    CONSTRAINT invitation_lane CHECK (lane IN (2, 3))
);
COMMENT ON TABLE invitation IS 'Invitations to lanes. The code itself is nowhere.';
COMMENT ON COLUMN invitation.show_id IS 'Room.';
COMMENT ON COLUMN invitation.digest IS 'SHA-256 of the code.';
COMMENT ON COLUMN invitation.lane IS '2 presale, 3 access.';
COMMENT ON COLUMN invitation.account_id IS 'Who used it; null: nobody yet.';
COMMENT ON COLUMN invitation.create_time IS 'When it was made.';
