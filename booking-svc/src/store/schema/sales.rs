//! Who bought what, and the sagas behind it.

diesel::table! {
    /// Sales and attempts at them. A FAILED one is never revived; its hold may be booked again.
    booking (booking_id) {
        /// UUIDv7: newer bookings have higher ids, which lists rely on.
        booking_id -> Uuid,
        /// Buyer.
        account_id -> Uuid,
        /// Hold it turns into a sale.
        hold_id -> Uuid,
        /// request_id of CreateBooking.
        request_id -> Uuid,
        /// SHA-256 of the request without its request_id.
        request_hash -> Binary,
        /// PROCESSING, AWAITING_PAYMENT, then CONFIRMED or FAILED; CANCELLED once every line of a CONFIRMED one was given back.
        state -> Text,
        /// ON_SITE or FREE.
        method -> Text,
        /// uuidv5(saga_id, "pay/do").
        payment_id -> Uuid,
        /// What is paid, in minor units, frozen: its lines without discount_amount.
        total_amount -> BigInt,
        /// ISO 4217 code.
        currency -> Bpchar,
        /// Why it FAILED, or why the last payment of a waiting one was declined.
        failure_reason -> Nullable<Text>,
        /// Code of the payment provider, as it sent it.
        provider_code -> Nullable<Text>,
        /// Whether the same payment may be tried again.
        may_try_again -> Nullable<Bool>,
        /// Until when it can be paid.
        payment_deadline_time -> Timestamptz,
        /// Plus 1 with every change; WatchBooking waits for it.
        version -> BigInt,
        /// When it was created.
        create_time -> Timestamptz,
        /// When it was confirmed.
        confirm_time -> Nullable<Timestamptz>,
        /// What coupons take off, in minor units, frozen.
        discount_amount -> BigInt,
        /// Reservation of its coupons at coupon-svc, uuidv5(saga_id, "coupons/do"); null: no coupons.
        reservation_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// What each coupon takes off each line, frozen: refunds of a line and settlement rest on it.
    booking_discount (booking_id, line_no, coupon_id) {
        /// Booking.
        booking_id -> Uuid,
        /// Line of the booking.
        line_no -> Integer,
        /// Coupon.
        coupon_id -> Uuid,
        /// Campaign of the coupon.
        campaign_id -> Uuid,
        /// What the coupon takes off the line, in minor units.
        amount -> BigInt,
        /// What of that the platform pays; the seller pays the rest.
        platform_amount -> BigInt,
    }
}

diesel::table! {
    /// Units of a booking, frozen when it was created.
    booking_line (booking_id, line_no) {
        /// Booking.
        booking_id -> Uuid,
        /// Number in the booking, from 0.
        line_no -> Integer,
        /// Performance.
        performance_id -> Uuid,
        /// Pool of the unit.
        pool_id -> Uuid,
        /// Unit in the pool.
        ord -> Integer,
        /// A numbered seat.
        exclusive -> Bool,
        /// Places; as many tickets.
        quantity -> Integer,
        /// Grade.
        grade -> Text,
        /// Price of one place in minor units.
        unit_amount -> BigInt,
        /// ISO 4217 code.
        currency -> Bpchar,
        /// Cancellation that gave it back; null: it was not.
        cancellation_id -> Nullable<Uuid>,
        /// What of it goes back to the buyer, in minor units: its price without what coupons took off.
        refund_amount -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Lines of confirmed bookings that were given back together.
    cancellation (cancellation_id) {
        /// uuidv5(request_id, account_id/booking_id): a repeated request makes the same one. It is the refund_id at payment-svc, too.
        cancellation_id -> Uuid,
        /// Booking.
        booking_id -> Uuid,
        /// Who asked for it.
        account_id -> Uuid,
        /// SHA-256 of the request without its request_id.
        request_hash -> Binary,
        /// Why, as it was asked for.
        reason -> Text,
        /// What goes back to the buyer, in minor units, frozen: the sum of its lines' refunds.
        refund_amount -> BigInt,
        /// ISO 4217 code.
        currency -> Bpchar,
        /// REFUNDING until the money is back, then DONE; DONE at once where nothing was paid. PARKED while payment-svc cannot return it.
        state -> Text,
        /// When it was asked for; nothing of it was the buyer's from then on.
        create_time -> Timestamptz,
        /// When the money was back.
        finish_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Admissions of one person each. ticket_one_active: a seat admits one.
    ticket (ticket_id) {
        /// UUIDv7.
        ticket_id -> Uuid,
        /// Booking.
        booking_id -> Uuid,
        /// Line of the booking.
        line_no -> Integer,
        /// Number within the line, from 0.
        seq -> Integer,
        /// How many times it was issued again, from 0.
        reissue -> Integer,
        /// Who holds it.
        account_id -> Uuid,
        /// Performance it admits to.
        performance_id -> Uuid,
        /// Pool of the unit.
        pool_id -> Uuid,
        /// Unit in the pool.
        ord -> Integer,
        /// A numbered seat.
        exclusive -> Bool,
        /// ACTIVE or VOID.
        state -> Text,
        /// Key that signed the code.
        key_id -> Integer,
        /// Signed code, version 1, 174 characters.
        code -> Text,
        /// When it was issued.
        create_time -> Timestamptz,
    }
}

diesel::table! {
    /// Where each saga stands. Every UPDATE names the lease_gen it read, so that who lost the lease changes nothing.
    saga (saga_id) {
        /// UUIDv7; sagas are locked first and in ascending order.
        saga_id -> Uuid,
        /// Definition, e.g. book.
        kind -> Text,
        /// Version of the definition; an instance claims only versions it knows.
        def_version -> Integer,
        /// What it is about, e.g. the booking.
        subject_id -> Uuid,
        /// RUNNING, WAITING, COMPENSATING, then DONE or COMPENSATED; PARKED by a person or after 24 h.
        state -> Text,
        /// FORWARD or BACK; never BACK to FORWARD. Money belongs to the booking only while FORWARD.
        direction -> Text,
        /// Step it is at.
        step -> Text,
        /// Attempts of this step.
        attempts -> Integer,
        /// Service name and boot id of the instance that works on it.
        lease_owner -> Nullable<Text>,
        /// From then on another instance may take it.
        lease_until -> Nullable<Timestamptz>,
        /// Plus 1 with every claim: the fence.
        lease_gen -> BigInt,
        /// When it is due.
        next_run_time -> Timestamptz,
        /// When a WAITING step gives up.
        deadline_time -> Nullable<Timestamptz>,
        /// Encoded state of the definition.
        context -> Binary,
        /// Why the last attempt failed, for operators.
        last_error -> Nullable<Text>,
        /// Why it is PARKED.
        park_reason -> Nullable<Text>,
        /// Who parked it.
        park_by -> Nullable<Text>,
        /// When it was parked.
        park_time -> Nullable<Timestamptz>,
        /// W3C trace of the call that opened it.
        traceparent -> Nullable<Text>,
        /// When it was opened.
        create_time -> Timestamptz,
    }
}

diesel::table! {
    /// What each saga did, in order. Append-only.
    saga_event (saga_id, seq) {
        /// Saga.
        saga_id -> Uuid,
        /// Number within the saga, from 0.
        seq -> Integer,
        /// Step.
        step -> Text,
        /// What happened; an INTENT is committed before its effect.
        kind -> Text,
        /// Attempt of the step, from 1.
        attempt -> Integer,
        /// Lease under which it was written.
        lease_gen -> BigInt,
        /// Facts for operators, without secrets.
        data -> Jsonb,
        /// When it was written.
        create_time -> Timestamptz,
    }
}
