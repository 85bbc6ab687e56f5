//! What is on sale.

diesel::table! {
    /// Places with one or more halls. A row never changes.
    venue (venue_id) {
        /// UUIDv7: newer venues have higher ids, which lists rely on.
        venue_id -> Uuid,
        /// Account that owns the venue and its halls.
        seller_id -> Uuid,
        /// Name, 1..200 characters.
        name -> Text,
        /// Street address, at most 200 characters.
        address -> Text,
        /// City, 1..200 characters.
        city -> Text,
        /// ISO 3166-1 alpha-2 code in capitals.
        country_code -> Bpchar,
        /// IANA time zone in which the times of its performances are printed.
        time_zone -> Text,
        /// When it was created.
        create_time -> Timestamptz,
    }
}

diesel::table! {
    /// Imported plans, from which their seller creates halls. A row never changes.
    seating_plan (plan_id) {
        /// UUIDv7.
        plan_id -> Uuid,
        /// Account that imported it, and the only one that can use it.
        seller_id -> Uuid,
        /// Name inside the file, 1..200 characters.
        name -> Text,
        /// Compact layout with absolute positions (domain::plan::Plan), not the file.
        layout -> Jsonb,
        /// Numbered seats.
        unit_count -> Integer,
        /// When it was imported.
        create_time -> Timestamptz,
    }
}

diesel::table! {
    /// Rooms of a venue. A row and its units never change.
    hall (hall_id) {
        /// UUIDv7.
        hall_id -> Uuid,
        /// Venue it belongs to.
        venue_id -> Uuid,
        /// Name, unique in the venue, 1..200 characters.
        name -> Text,
        /// Revision of the layout, from 1; ord never changes within one.
        layout_rev -> Integer,
        /// Rows of hall_unit.
        unit_count -> Integer,
        /// Counts by zone and grade, and what is drawn beside the seats.
        plan -> Jsonb,
        /// When it was created.
        create_time -> Timestamptz,
    }
}

diesel::table! {
    /// Seats and areas of a hall; every performance copies them into inv_unit.
    hall_unit (hall_id, ord) {
        /// Hall.
        hall_id -> Uuid,
        /// Number in the hall, from 0: seats in file order, then areas in request order.
        ord -> Integer,
        /// SEAT or AREA.
        kind -> Text,
        /// Stable identity of a seat; NULL for an area.
        seat_guid -> Nullable<Text>,
        /// Zone.
        zone -> Text,
        /// Row; empty for an area.
        row_name -> Text,
        /// Seat number as printed; the name of an area.
        number -> Text,
        /// Grade, which a performance prices.
        grade -> Text,
        /// Position to the right in the unit of the plan; NULL when nothing is drawn.
        x -> Nullable<Double>,
        /// Position downwards in the unit of the plan; NULL when nothing is drawn.
        y -> Nullable<Double>,
        /// Whether it is accessible by wheelchair.
        accessible -> Bool,
        /// People it holds; 1 for a seat.
        capacity -> Integer,
    }
}

diesel::table! {
    /// What is played, with the rules of its sale.
    show (show_id) {
        /// UUIDv7: newer shows have higher ids, which lists rely on.
        show_id -> Uuid,
        /// Account that owns it.
        seller_id -> Uuid,
        /// Title, 1..200 characters.
        title -> Text,
        /// Names of the cast, at most 100.
        cast_names -> Array<Text>,
        /// Category, at most 200 characters; may be empty.
        category -> Text,
        /// Age rating as printed, at most 200 characters; may be empty.
        age_rating -> Text,
        /// Text, at most 4,000 characters; may be empty.
        description -> Text,
        /// ISO 4217 code of every price.
        currency -> Bpchar,
        /// First instant at which units can be held.
        sale_open_time -> Timestamptz,
        /// Instant from which units cannot be held any more.
        sale_close_time -> Timestamptz,
        /// Most units one buyer can have over all performances.
        units_per_buyer_max -> Integer,
        /// How long a hold lives, in seconds.
        hold_ttl_seconds -> Integer,
        /// DRAFT: seen by its seller and ADMIN only. PUBLISHED: seen by all.
        state -> Text,
        /// Plus 1 with every change, from 1.
        version -> BigInt,
        /// When it was created.
        create_time -> Timestamptz,
        /// Units are held only with a pass of the waiting room.
        queue_required -> Bool,
        /// It is looked at only with a pass of the waiting room, until its sale closes.
        browse_gated -> Bool,
    }
}
