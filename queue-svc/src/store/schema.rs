//! The tables, as diesel sees them.

diesel::table! {
    room (show_id) {
        show_id -> Uuid,
        state -> Text,
        paused -> Bool,
        epoch -> BigInt,
        generation -> BigInt,
        version -> BigInt,
        capacity -> Integer,
        rate -> Integer,
        burst -> Integer,
        offer_seconds -> Integer,
        session_seconds -> Integer,
        grace_seconds -> Integer,
        silence_seconds -> Integer,
        waiting_max -> Integer,
        buckets -> Integer,
        weights -> Array<Integer>,
        arm_time -> Nullable<Timestamptz>,
        open_time -> Nullable<Timestamptz>,
        close_time -> Nullable<Timestamptz>,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    room_lane (show_id, lane) {
        show_id -> Uuid,
        lane -> SmallInt,
        reserved -> BigInt,
    }
}

diesel::table! {
    used_place (show_id, epoch, lane, seq) {
        show_id -> Uuid,
        epoch -> BigInt,
        lane -> SmallInt,
        seq -> BigInt,
    }
}
