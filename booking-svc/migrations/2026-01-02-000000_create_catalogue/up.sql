CREATE TABLE venue (
    venue_id uuid NOT NULL,
    seller_id uuid NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    city text NOT NULL,
    country_code char(2) NOT NULL,
    time_zone text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT venue_pkey PRIMARY KEY (venue_id)
);
CREATE INDEX venue_city ON venue (city, venue_id);
CREATE INDEX venue_seller ON venue (seller_id, venue_id);
COMMENT ON TABLE venue IS 'Places with one or more halls. A row never changes.';
COMMENT ON COLUMN venue.venue_id IS 'UUIDv7: newer venues have higher ids, which lists rely on.';
COMMENT ON COLUMN venue.seller_id IS 'Account that owns the venue and its halls.';
COMMENT ON COLUMN venue.name IS 'Name, 1..200 characters.';
COMMENT ON COLUMN venue.address IS 'Street address, at most 200 characters.';
COMMENT ON COLUMN venue.city IS 'City, 1..200 characters.';
COMMENT ON COLUMN venue.country_code IS 'ISO 3166-1 alpha-2 code in capitals.';
COMMENT ON COLUMN venue.time_zone IS 'IANA time zone in which the times of its performances are printed.';
COMMENT ON COLUMN venue.create_time IS 'When it was created.';

CREATE TABLE seating_plan (
    plan_id uuid NOT NULL,
    seller_id uuid NOT NULL,
    name text NOT NULL,
    layout jsonb NOT NULL,
    unit_count integer NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT seating_plan_pkey PRIMARY KEY (plan_id),
    CONSTRAINT seating_plan_unit_count CHECK (unit_count BETWEEN 0 AND 100000)
);
COMMENT ON TABLE seating_plan IS 'Imported plans, from which their seller creates halls. A row never changes.';
COMMENT ON COLUMN seating_plan.plan_id IS 'UUIDv7.';
COMMENT ON COLUMN seating_plan.seller_id IS 'Account that imported it, and the only one that can use it.';
COMMENT ON COLUMN seating_plan.name IS 'Name inside the file, 1..200 characters.';
COMMENT ON COLUMN seating_plan.layout IS 'Compact layout with absolute positions (domain::plan::Plan), not the file.';
COMMENT ON COLUMN seating_plan.unit_count IS 'Numbered seats.';
COMMENT ON COLUMN seating_plan.create_time IS 'When it was imported.';

CREATE TABLE hall (
    hall_id uuid NOT NULL,
    venue_id uuid NOT NULL,
    name text NOT NULL,
    layout_rev integer NOT NULL,
    unit_count integer NOT NULL,
    plan jsonb NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT hall_pkey PRIMARY KEY (hall_id),
    CONSTRAINT hall_venue_fkey FOREIGN KEY (venue_id) REFERENCES venue (venue_id),
    CONSTRAINT hall_venue_name UNIQUE (venue_id, name),
    CONSTRAINT hall_layout_rev CHECK (layout_rev >= 1),
    CONSTRAINT hall_unit_count CHECK (unit_count BETWEEN 1 AND 100000)
);
CREATE INDEX hall_venue ON hall (venue_id, hall_id);
COMMENT ON TABLE hall IS 'Rooms of a venue. A row and its units never change.';
COMMENT ON COLUMN hall.hall_id IS 'UUIDv7.';
COMMENT ON COLUMN hall.venue_id IS 'Venue it belongs to.';
COMMENT ON COLUMN hall.name IS 'Name, unique in the venue, 1..200 characters.';
COMMENT ON COLUMN hall.layout_rev IS 'Revision of the layout, from 1; ord never changes within one.';
COMMENT ON COLUMN hall.unit_count IS 'Rows of hall_unit.';
COMMENT ON COLUMN hall.plan IS 'Counts by zone and grade, and what is drawn beside the seats.';
COMMENT ON COLUMN hall.create_time IS 'When it was created.';

CREATE TABLE hall_unit (
    hall_id uuid NOT NULL,
    ord integer NOT NULL,
    kind text NOT NULL,
    seat_guid text,
    zone text NOT NULL,
    row_name text NOT NULL,
    number text NOT NULL,
    grade text NOT NULL,
    x double precision,
    y double precision,
    accessible boolean NOT NULL,
    capacity integer NOT NULL,
    CONSTRAINT hall_unit_pkey PRIMARY KEY (hall_id, ord),
    CONSTRAINT hall_unit_hall_fkey FOREIGN KEY (hall_id) REFERENCES hall (hall_id),
    CONSTRAINT hall_unit_seat_guid UNIQUE (hall_id, seat_guid),
    CONSTRAINT hall_unit_kind CHECK (kind IN ('SEAT', 'AREA')),
    CONSTRAINT hall_unit_identity CHECK ((kind = 'SEAT') = (seat_guid IS NOT NULL)),
    CONSTRAINT hall_unit_ord CHECK (ord >= 0),
    CONSTRAINT hall_unit_position CHECK ((x IS NULL) = (y IS NULL)),
    CONSTRAINT hall_unit_capacity CHECK (capacity >= 1 AND (kind <> 'SEAT' OR capacity = 1))
);
COMMENT ON TABLE hall_unit IS 'Seats and areas of a hall; every performance copies them into inv_unit.';
COMMENT ON COLUMN hall_unit.hall_id IS 'Hall.';
COMMENT ON COLUMN hall_unit.ord IS 'Number in the hall, from 0: seats in file order, then areas in request order.';
COMMENT ON COLUMN hall_unit.kind IS 'SEAT or AREA.';
COMMENT ON COLUMN hall_unit.seat_guid IS 'Stable identity of a seat; NULL for an area.';
COMMENT ON COLUMN hall_unit.zone IS 'Zone.';
COMMENT ON COLUMN hall_unit.row_name IS 'Row; empty for an area.';
COMMENT ON COLUMN hall_unit.number IS 'Seat number as printed; the name of an area.';
COMMENT ON COLUMN hall_unit.grade IS 'Grade, which a performance prices.';
COMMENT ON COLUMN hall_unit.x IS 'Position to the right in the unit of the plan; NULL when nothing is drawn.';
COMMENT ON COLUMN hall_unit.y IS 'Position downwards in the unit of the plan; NULL when nothing is drawn.';
COMMENT ON COLUMN hall_unit.accessible IS 'Whether it is accessible by wheelchair.';
COMMENT ON COLUMN hall_unit.capacity IS 'People it holds; 1 for a seat.';

CREATE TABLE show (
    show_id uuid NOT NULL,
    seller_id uuid NOT NULL,
    title text NOT NULL,
    cast_names text[] NOT NULL,
    category text NOT NULL,
    age_rating text NOT NULL,
    description text NOT NULL,
    currency char(3) NOT NULL,
    sale_open_time timestamptz NOT NULL,
    sale_close_time timestamptz NOT NULL,
    units_per_buyer_max integer NOT NULL,
    hold_ttl_seconds integer NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT show_pkey PRIMARY KEY (show_id),
    CONSTRAINT show_sale_window CHECK (sale_open_time < sale_close_time),
    CONSTRAINT show_units_per_buyer_max CHECK (units_per_buyer_max BETWEEN 1 AND 100),
    CONSTRAINT show_hold_ttl CHECK (hold_ttl_seconds BETWEEN 60 AND 1800),
    CONSTRAINT show_state CHECK (state IN ('DRAFT', 'PUBLISHED'))
);
CREATE INDEX show_seller ON show (seller_id, show_id);
CREATE INDEX show_category ON show (category, show_id);
COMMENT ON TABLE show IS 'What is played, with the rules of its sale.';
COMMENT ON COLUMN show.show_id IS 'UUIDv7: newer shows have higher ids, which lists rely on.';
COMMENT ON COLUMN show.seller_id IS 'Account that owns it.';
COMMENT ON COLUMN show.title IS 'Title, 1..200 characters.';
COMMENT ON COLUMN show.cast_names IS 'Names of the cast, at most 100.';
COMMENT ON COLUMN show.category IS 'Category, at most 200 characters; may be empty.';
COMMENT ON COLUMN show.age_rating IS 'Age rating as printed, at most 200 characters; may be empty.';
COMMENT ON COLUMN show.description IS 'Text, at most 4,000 characters; may be empty.';
COMMENT ON COLUMN show.currency IS 'ISO 4217 code of every price.';
COMMENT ON COLUMN show.sale_open_time IS 'First instant at which units can be held.';
COMMENT ON COLUMN show.sale_close_time IS 'Instant from which units cannot be held any more.';
COMMENT ON COLUMN show.units_per_buyer_max IS 'Most units one buyer can have over all performances.';
COMMENT ON COLUMN show.hold_ttl_seconds IS 'How long a hold lives, in seconds.';
COMMENT ON COLUMN show.state IS 'DRAFT: seen by its seller and ADMIN only. PUBLISHED: seen by all.';
COMMENT ON COLUMN show.version IS 'Plus 1 with every change, from 1.';
COMMENT ON COLUMN show.create_time IS 'When it was created.';
