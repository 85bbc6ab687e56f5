CREATE TABLE hold (
    hold_id uuid NOT NULL,
    account_id uuid NOT NULL,
    buyer_reference text,
    state text NOT NULL,
    request_hash bytea NOT NULL,
    total_amount bigint NOT NULL,
    currency char(3) NOT NULL,
    expire_time timestamptz NOT NULL,
    max_expire_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT hold_pkey PRIMARY KEY (hold_id),
    CONSTRAINT hold_state CHECK (state IN ('HELD', 'PAYING', 'CLOSING', 'CONFIRMED', 'RELEASED', 'EXPIRED')),
    CONSTRAINT hold_expire CHECK (expire_time <= max_expire_time),
    CONSTRAINT hold_total CHECK (total_amount >= 0)
);
CREATE INDEX hold_due ON hold (expire_time) WHERE state = 'HELD';
COMMENT ON TABLE hold IS 'Units kept for one buyer, all or none. Rows are never removed: they are the record of their request_id.';
COMMENT ON COLUMN hold.hold_id IS 'The request_id of HoldUnits.';
COMMENT ON COLUMN hold.account_id IS 'Account that holds.';
COMMENT ON COLUMN hold.buyer_reference IS 'Person the caps count, as a partner names them; NULL: the account.';
COMMENT ON COLUMN hold.state IS 'HELD, PAYING, CLOSING, then CONFIRMED, RELEASED or EXPIRED.';
COMMENT ON COLUMN hold.request_hash IS 'SHA-256 of the request without its request_id.';
COMMENT ON COLUMN hold.total_amount IS 'Sum of its claims in minor units, frozen.';
COMMENT ON COLUMN hold.currency IS 'ISO 4217 code of all its claims.';
COMMENT ON COLUMN hold.expire_time IS 'From then on a HELD row may be reclaimed.';
COMMENT ON COLUMN hold.max_expire_time IS 'expire_time never moves past it.';
COMMENT ON COLUMN hold.create_time IS 'Database clock of the batch that granted it.';

CREATE TABLE claim (
    hold_id uuid NOT NULL,
    pool_id uuid NOT NULL,
    ord integer NOT NULL,
    quantity integer NOT NULL,
    exclusive boolean NOT NULL,
    state text NOT NULL,
    grade text NOT NULL,
    unit_amount bigint NOT NULL,
    currency char(3) NOT NULL,
    CONSTRAINT claim_pkey PRIMARY KEY (hold_id, pool_id, ord),
    CONSTRAINT claim_hold_fkey FOREIGN KEY (hold_id) REFERENCES hold (hold_id),
    CONSTRAINT claim_unit_fkey FOREIGN KEY (pool_id, ord) REFERENCES inv_unit (pool_id, ord),
    CONSTRAINT claim_quantity CHECK (quantity > 0 AND (NOT exclusive OR quantity = 1)),
    CONSTRAINT claim_state CHECK (state IN ('HELD', 'SOLD', 'FREED')),
    CONSTRAINT claim_amount CHECK (unit_amount >= 0)
);
CREATE UNIQUE INDEX claim_one_owner ON claim (pool_id, ord) WHERE exclusive AND state IN ('HELD', 'SOLD');
COMMENT ON TABLE claim IS 'What a hold takes of one unit. claim_one_owner is the second wall behind inv_unit_capacity: a seat has one live owner.';
COMMENT ON COLUMN claim.hold_id IS 'Hold.';
COMMENT ON COLUMN claim.pool_id IS 'Pool of the unit.';
COMMENT ON COLUMN claim.ord IS 'Unit in the pool.';
COMMENT ON COLUMN claim.quantity IS 'Places; 1 for a seat.';
COMMENT ON COLUMN claim.exclusive IS 'Copy of inv_unit.exclusive, so that an index can see it.';
COMMENT ON COLUMN claim.state IS 'HELD while the hold is HELD, PAYING or CLOSING; SOLD when it is CONFIRMED; else FREED.';
COMMENT ON COLUMN claim.grade IS 'Grade, frozen.';
COMMENT ON COLUMN claim.unit_amount IS 'Price of one place in minor units, frozen.';
COMMENT ON COLUMN claim.currency IS 'ISO 4217 code, frozen.';

CREATE TABLE buyer_cap (
    show_id uuid NOT NULL,
    buyer text NOT NULL,
    taken integer NOT NULL,
    taken_max integer NOT NULL,
    CONSTRAINT buyer_cap_pkey PRIMARY KEY (show_id, buyer),
    CONSTRAINT buyer_cap_show_fkey FOREIGN KEY (show_id) REFERENCES show (show_id),
    CONSTRAINT buyer_cap_limit CHECK (taken BETWEEN 0 AND taken_max)
);
COMMENT ON TABLE buyer_cap IS 'How many units of a show one person has: per person, not per order.';
COMMENT ON COLUMN buyer_cap.show_id IS 'Show.';
COMMENT ON COLUMN buyer_cap.buyer IS 'buyer_reference of the hold, else its account_id.';
COMMENT ON COLUMN buyer_cap.taken IS 'Sum of the quantities of the buyer''s HELD and SOLD claims in the show.';
COMMENT ON COLUMN buyer_cap.taken_max IS 'units_per_buyer_max of the show.';
