//! What can be held, and who holds it.

diesel::table! {
    /// What changes in one order: the units of one performance. Its row is the lock of every change to their counters.
    inv_pool (pool_id) {
        /// UUIDv7; pools are locked in ascending order.
        pool_id -> Uuid,
        /// What the subject is: PERFORMANCE.
        kind -> Text,
        /// The performance.
        subject_id -> Uuid,
        /// Show, whose sale window and buyer cap apply.
        show_id -> Uuid,
        /// Plus 1 with every batch of changes: without a gap.
        version -> BigInt,
        /// Revision of the hall its ords come from.
        layout_rev -> Integer,
        /// OPEN: can be held. CLOSED: nothing is held or confirmed any more.
        state -> Text,
        /// Places that can be held or sold: capacity and overbook without blocked, over its units.
        room -> BigInt,
        /// Sum of sold over its units.
        sold -> BigInt,
        /// CONFIRMED holds with a SOLD claim in it.
        sales -> BigInt,
    }
}

diesel::table! {
    /// How much of each grade of a pool is sold. Every change holds the lock of the pool's row.
    inv_grade (pool_id, grade) {
        /// Pool.
        pool_id -> Uuid,
        /// Grade of its units.
        grade -> Text,
        /// Places that can be held or sold: capacity and overbook without blocked, over its units of this grade.
        room -> BigInt,
        /// Sum of sold over them.
        sold -> BigInt,
    }
}

diesel::table! {
    /// Counters of one seat or area in one pool. Every change holds the lock of the pool's row.
    inv_unit (pool_id, ord) {
        /// Pool.
        pool_id -> Uuid,
        /// Number in the pool: hall_unit.ord.
        ord -> Integer,
        /// Grade, by which price finds the amount.
        grade -> Text,
        /// A numbered seat: at most one live claim.
        exclusive -> Bool,
        /// Places.
        capacity -> Integer,
        /// Places sold beyond capacity on purpose.
        overbook -> Integer,
        /// Places kept out of the sale.
        blocked -> Integer,
        /// Sum of the quantities of its HELD claims.
        held -> Integer,
        /// Sum of the quantities of its SOLD claims.
        sold -> Integer,
    }
}

diesel::table! {
    /// The timetable: a show at a date and time in a hall.
    performance (performance_id) {
        /// UUIDv7.
        performance_id -> Uuid,
        /// Show that is played.
        show_id -> Uuid,
        /// Hall it is played in.
        hall_id -> Uuid,
        /// Layout of the hall its units come from.
        layout_rev -> Integer,
        /// Its inventory.
        pool_id -> Uuid,
        /// Start; from then on nothing is held.
        start_time -> Timestamptz,
        /// End; until then tickets admit.
        end_time -> Timestamptz,
        /// SCHEDULED.
        state -> Text,
    }
}

diesel::table! {
    /// Price of one place of a grade in a performance. Holds copy it, so a later change would not move them.
    price (performance_id, grade) {
        /// Performance.
        performance_id -> Uuid,
        /// Grade of the hall.
        grade -> Text,
        /// Minor units.
        amount -> BigInt,
        /// ISO 4217 code: that of the show.
        currency -> Bpchar,
    }
}

diesel::table! {
    /// Units kept for one buyer, all or none. Rows are never removed: they are the record of their request_id.
    hold (hold_id) {
        /// The request_id of HoldUnits.
        hold_id -> Uuid,
        /// Account that holds.
        account_id -> Uuid,
        /// Person the caps count, as a partner names them; NULL: the account.
        buyer_reference -> Nullable<Text>,
        /// HELD, PAYING, CLOSING, then CONFIRMED, RELEASED or EXPIRED.
        state -> Text,
        /// SHA-256 of the request without its request_id.
        request_hash -> Binary,
        /// Sum of its claims in minor units, frozen.
        total_amount -> BigInt,
        /// ISO 4217 code of all its claims.
        currency -> Bpchar,
        /// From then on a HELD row may be reclaimed.
        expire_time -> Timestamptz,
        /// expire_time never moves past it.
        max_expire_time -> Timestamptz,
        /// Database clock of the batch that granted it.
        create_time -> Timestamptz,
    }
}

diesel::table! {
    /// What a hold takes of one unit. claim_one_owner is the second wall behind inv_unit_capacity: a seat has one live owner.
    claim (hold_id, pool_id, ord) {
        /// Hold.
        hold_id -> Uuid,
        /// Pool of the unit.
        pool_id -> Uuid,
        /// Unit in the pool.
        ord -> Integer,
        /// Places; 1 for a seat.
        quantity -> Integer,
        /// Copy of inv_unit.exclusive, so that an index can see it.
        exclusive -> Bool,
        /// HELD while the hold is HELD, PAYING or CLOSING; SOLD when it is CONFIRMED, until its line is cancelled; else FREED.
        state -> Text,
        /// Grade, frozen.
        grade -> Text,
        /// Price of one place in minor units, frozen.
        unit_amount -> BigInt,
        /// ISO 4217 code, frozen.
        currency -> Bpchar,
    }
}

diesel::table! {
    /// How many units of a show one person has: per person, not per order.
    buyer_cap (show_id, buyer) {
        /// Show.
        show_id -> Uuid,
        /// buyer_reference of the hold, else its account_id.
        buyer -> Text,
        /// Sum of the quantities of the buyer's HELD and SOLD claims in the show.
        taken -> Integer,
        /// units_per_buyer_max of the show.
        taken_max -> Integer,
    }
}

diesel::table! {
    /// Places of strict waiting rooms that got their hold: one each. Rows stay whatever becomes of the hold, and are never removed.
    burned_place (show_id, epoch, lane, seq) {
        /// Show of the waiting room.
        show_id -> Uuid,
        /// Epoch of the room: numbers begin anew with each.
        epoch -> BigInt,
        /// Lane of the room.
        lane -> Integer,
        /// Number in the lane.
        seq -> BigInt,
        /// The hold it got.
        hold_id -> Uuid,
    }
}
