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
        seller_id -> Nullable<Uuid>,
        strict -> Bool,
        waiting_per_place -> Integer,
        sold_out -> Bool,
        opening_told -> Bool,
        lottery -> Bool,
        order_fixed -> Bool,
        seed -> Nullable<Binary>,
        drawn -> Bool,
        draw_entrants -> Nullable<Array<BigInt>>,
        draw_first -> Nullable<Array<BigInt>>,
        draw_reserved -> Nullable<Array<BigInt>>,
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

diesel::table! {
    show_owner (show_id) {
        show_id -> Uuid,
        seller_id -> Uuid,
    }
}

diesel::table! {
    stock (pool_id) {
        pool_id -> Uuid,
        show_id -> Uuid,
        version -> BigInt,
        room -> BigInt,
        sold -> BigInt,
        sales -> BigInt,
        pools -> Integer,
        grades -> Array<Text>,
        sold_out_grades -> Array<Text>,
    }
}

diesel::table! {
    departure (show_id, account_id) {
        show_id -> Uuid,
        account_id -> Uuid,
        depart_time -> Timestamptz,
        told_generation -> Nullable<BigInt>,
        told_time -> Nullable<Timestamptz>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(departure, room);

diesel::table! {
    invitation (show_id, digest) {
        show_id -> Uuid,
        digest -> Binary,
        lane -> SmallInt,
        account_id -> Nullable<Uuid>,
        create_time -> Timestamptz,
    }
}
