CREATE TABLE inv_pool (
    pool_id uuid NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    show_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    layout_rev integer NOT NULL,
    state text NOT NULL,
    CONSTRAINT inv_pool_pkey PRIMARY KEY (pool_id),
    CONSTRAINT inv_pool_show_fkey FOREIGN KEY (show_id) REFERENCES show (show_id),
    CONSTRAINT inv_pool_subject UNIQUE (kind, subject_id),
    CONSTRAINT inv_pool_kind CHECK (kind = 'PERFORMANCE'),
    CONSTRAINT inv_pool_state CHECK (state IN ('OPEN', 'CLOSED'))
);
CREATE INDEX inv_pool_show ON inv_pool (show_id);
COMMENT ON TABLE inv_pool IS 'What changes in one order: the units of one performance. Its row is the lock of every change to their counters.';
COMMENT ON COLUMN inv_pool.pool_id IS 'UUIDv7; pools are locked in ascending order.';
COMMENT ON COLUMN inv_pool.kind IS 'What the subject is: PERFORMANCE.';
COMMENT ON COLUMN inv_pool.subject_id IS 'The performance.';
COMMENT ON COLUMN inv_pool.show_id IS 'Show, whose sale window and buyer cap apply.';
COMMENT ON COLUMN inv_pool.version IS 'Plus 1 with every batch of changes: without a gap.';
COMMENT ON COLUMN inv_pool.layout_rev IS 'Revision of the hall its ords come from.';
COMMENT ON COLUMN inv_pool.state IS 'OPEN: can be held. CLOSED: nothing is held or confirmed any more.';

CREATE TABLE inv_unit (
    pool_id uuid NOT NULL,
    ord integer NOT NULL,
    grade text NOT NULL,
    exclusive boolean NOT NULL,
    capacity integer NOT NULL,
    overbook integer NOT NULL DEFAULT 0,
    blocked integer NOT NULL DEFAULT 0,
    held integer NOT NULL DEFAULT 0,
    sold integer NOT NULL DEFAULT 0,
    CONSTRAINT inv_unit_pkey PRIMARY KEY (pool_id, ord),
    CONSTRAINT inv_unit_pool_fkey FOREIGN KEY (pool_id) REFERENCES inv_pool (pool_id),
    CONSTRAINT inv_unit_capacity CHECK (
        held >= 0 AND sold >= 0 AND blocked >= 0 AND overbook >= 0 AND held + sold + blocked <= capacity + overbook
    ),
    CONSTRAINT inv_unit_exclusive CHECK (NOT exclusive OR (capacity = 1 AND overbook = 0))
) WITH (fillfactor = 70);
-- No index on the counters: an update that changes no indexed column stays on its page (HOT), and fillfactor leaves room for it.
COMMENT ON TABLE inv_unit IS 'Counters of one seat or area in one pool. Every change holds the lock of the pool''s row.';
COMMENT ON COLUMN inv_unit.pool_id IS 'Pool.';
COMMENT ON COLUMN inv_unit.ord IS 'Number in the pool: hall_unit.ord.';
COMMENT ON COLUMN inv_unit.grade IS 'Grade, by which price finds the amount.';
COMMENT ON COLUMN inv_unit.exclusive IS 'A numbered seat: at most one live claim.';
COMMENT ON COLUMN inv_unit.capacity IS 'Places.';
COMMENT ON COLUMN inv_unit.overbook IS 'Places sold beyond capacity on purpose.';
COMMENT ON COLUMN inv_unit.blocked IS 'Places kept out of the sale.';
COMMENT ON COLUMN inv_unit.held IS 'Sum of the quantities of its HELD claims.';
COMMENT ON COLUMN inv_unit.sold IS 'Sum of the quantities of its SOLD claims.';

CREATE TABLE performance (
    performance_id uuid NOT NULL,
    show_id uuid NOT NULL,
    hall_id uuid NOT NULL,
    layout_rev integer NOT NULL,
    pool_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    state text NOT NULL,
    CONSTRAINT performance_pkey PRIMARY KEY (performance_id),
    CONSTRAINT performance_show_fkey FOREIGN KEY (show_id) REFERENCES show (show_id),
    CONSTRAINT performance_hall_fkey FOREIGN KEY (hall_id) REFERENCES hall (hall_id),
    CONSTRAINT performance_pool_fkey FOREIGN KEY (pool_id) REFERENCES inv_pool (pool_id),
    CONSTRAINT performance_pool_key UNIQUE (pool_id),
    CONSTRAINT performance_times CHECK (start_time < end_time),
    CONSTRAINT performance_state CHECK (state = 'SCHEDULED')
);
CREATE INDEX performance_show ON performance (show_id, start_time, performance_id);
CREATE INDEX performance_hall ON performance (hall_id);
COMMENT ON TABLE performance IS 'The timetable: a show at a date and time in a hall.';
COMMENT ON COLUMN performance.performance_id IS 'UUIDv7.';
COMMENT ON COLUMN performance.show_id IS 'Show that is played.';
COMMENT ON COLUMN performance.hall_id IS 'Hall it is played in.';
COMMENT ON COLUMN performance.layout_rev IS 'Layout of the hall its units come from.';
COMMENT ON COLUMN performance.pool_id IS 'Its inventory.';
COMMENT ON COLUMN performance.start_time IS 'Start; from then on nothing is held.';
COMMENT ON COLUMN performance.end_time IS 'End; until then tickets admit.';
COMMENT ON COLUMN performance.state IS 'SCHEDULED.';

CREATE TABLE price (
    performance_id uuid NOT NULL,
    grade text NOT NULL,
    amount bigint NOT NULL,
    currency char(3) NOT NULL,
    CONSTRAINT price_pkey PRIMARY KEY (performance_id, grade),
    CONSTRAINT price_performance_fkey FOREIGN KEY (performance_id) REFERENCES performance (performance_id),
    CONSTRAINT price_amount CHECK (amount >= 0)
);
COMMENT ON TABLE price IS 'Price of one place of a grade in a performance. Holds copy it, so a later change would not move them.';
COMMENT ON COLUMN price.performance_id IS 'Performance.';
COMMENT ON COLUMN price.grade IS 'Grade of the hall.';
COMMENT ON COLUMN price.amount IS 'Minor units.';
COMMENT ON COLUMN price.currency IS 'ISO 4217 code: that of the show.';
