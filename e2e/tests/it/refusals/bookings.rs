//! CreateBooking, GetBooking, CancelBooking and tickets.

use e2e::rest::{Call, Person};
use mesh::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::scene::Scene;
use super::{Case, INVALID, absent, bad, failed};
use crate::real::on_site;

pub(super) fn cases(scene: &Scene) -> Vec<Case> {
    let mut cases = holds(scene);
    cases.extend(money(scene));
    cases.extend(others(scene));
    cases.extend(tickets(scene));
    cases
}

fn book(person: &Person, body: &Value) -> Call {
    Call::post("/v1/bookings").by(person).json(body)
}

fn holds(scene: &Scene) -> Vec<Case> {
    let (buyer, total) = (&scene.buyer, &scene.total);
    let of = |hold_id: Uuid| book(buyer, &on_site(hold_id.to_string(), total));
    let foreign = book(&scene.stranger, &on_site(scene.held.to_string(), total));
    vec![
        Case::new("somebody else's hold", foreign, absent("HOLD_NOT_FOUND")),
        Case::new("an unknown hold", of(id::new()), absent("HOLD_NOT_FOUND")),
        Case::new("an expired hold", of(scene.expired), failed("HOLD_EXPIRED")),
        Case::new(
            "a hold that was given back",
            of(scene.released),
            failed("HOLD_RELEASED"),
        ),
        Case::new(
            "a hold that is being paid",
            of(scene.waiting.hold_id),
            failed("HOLD_ALREADY_BOOKED"),
        ),
        Case::new(
            "a hold that is sold",
            of(scene.paid.0.hold_id),
            failed("HOLD_ALREADY_BOOKED"),
        ),
        Case::new(
            "a hold that is no id",
            book(buyer, &on_site("mine", total)),
            INVALID,
        ),
    ]
}

fn money(scene: &Scene) -> Vec<Case> {
    let (buyer, held) = (&scene.buyer, scene.held);
    let paying = |total: Value, payment: Value| {
        let body = json!({"holdId": held, "expectedTotal": total, "payment": payment});
        book(buyer, &body)
    };
    let won = |units: &str| json!({"minorUnits": units, "currency": "KRW"});
    let toss = json!({"onSite": {"provider": "toss"}});
    let total = || scene.total.clone();
    let not_allowed = bad("PAYMENT_METHOD_NOT_ALLOWED");
    vec![
        Case::new(
            "another total",
            paying(won("49999"), toss.clone()),
            failed("TOTAL_CHANGED"),
        ),
        Case::new(
            "another currency",
            paying(
                json!({"minorUnits": "50000", "currency": "USD"}),
                toss.clone(),
            ),
            bad("CURRENCY_MISMATCH"),
        ),
        Case::new(
            "no currency at all",
            paying(
                json!({"minorUnits": "50000", "currency": "WON"}),
                toss.clone(),
            ),
            INVALID,
        ),
        Case::new(
            "a negative total",
            paying(won("-1"), toss.clone()),
            failed("TOTAL_CHANGED"),
        ),
        Case::new(
            "an amount with a fraction",
            paying(json!({"minorUnits": 0.5, "currency": "KRW"}), toss),
            INVALID,
        ),
        Case::new(
            "free for what costs money",
            paying(total(), json!({"free": {}})),
            not_allowed,
        ),
        Case::new(
            "an unknown provider",
            paying(total(), json!({"onSite": {"provider": "barter"}})),
            not_allowed,
        ),
        Case::new(
            "two ways to pay",
            paying(total(), json!({"free": {}, "onSite": {"provider": "toss"}})),
            INVALID,
        ),
        Case::new("no way to pay", paying(total(), json!({})), INVALID),
    ]
}

fn others(scene: &Scene) -> Vec<Case> {
    let (buyer, stranger) = (&scene.buyer, &scene.stranger);
    let waiting = scene.waiting.booking_id;
    let paid = scene.paid.0.booking_id;
    let get = |path: String, person| Call::get(path).by(person);
    let cancel = |booking_id: Uuid, person| {
        let call = Call::post(format!("/v1/bookings/{booking_id}:cancel"));
        call.by(person)
    };
    let no_booking = absent("BOOKING_NOT_FOUND");
    vec![
        Case::new(
            "somebody else's booking",
            get(format!("/v1/bookings/{waiting}"), stranger),
            no_booking,
        ),
        Case::new(
            "an unknown booking",
            get(format!("/v1/bookings/{}", id::new()), buyer),
            no_booking,
        ),
        Case::new(
            "a booking that is no id",
            get("/v1/bookings/1".to_owned(), buyer),
            INVALID,
        ),
        Case::new(
            "calling off somebody else's booking",
            cancel(waiting, stranger),
            no_booking,
        ),
        Case::new(
            "cancelling lines that a paid booking does not have",
            cancel(paid, buyer).json(&json!({"lineNos": [0, 7]})),
            failed("LINES_NOT_CANCELLABLE"),
        ),
        Case::new(
            "cancelling a line of a booking that is not paid",
            cancel(waiting, buyer).json(&json!({"lineNos": [0]})),
            failed("BOOKING_NOT_CANCELLABLE"),
        ),
        Case::new(
            "cancelling for a reason that nobody can print",
            cancel(paid, buyer).json(&json!({"reason": "\u{0}"})),
            INVALID,
        ),
        Case::new(
            "cancelling more lines than a booking has",
            cancel(paid, buyer).json(&json!({"lineNos": (0..65).collect::<Vec<_>>()})),
            INVALID,
        ),
        Case::new(
            "shows of a category that nobody can print",
            get("/v1/shows?category=%00".to_owned(), buyer),
            INVALID,
        ),
        Case::new(
            "calling off twice",
            cancel(scene.abandoned.booking_id, buyer),
            failed("BOOKING_NOT_CANCELLABLE"),
        ),
        Case::new(
            "a reason as long as a letter",
            cancel(waiting, buyer).json(&json!({"reason": "x".repeat(201)})),
            INVALID,
        ),
    ]
}

fn tickets(scene: &Scene) -> Vec<Case> {
    let (buyer, stranger) = (&scene.buyer, &scene.stranger);
    let paid = scene.paid.0.booking_id;
    let get = |path: String, person| Call::get(path).by(person);
    let no_booking = absent("BOOKING_NOT_FOUND");
    vec![
        Case::new(
            "tickets of somebody else's booking",
            get(format!("/v1/bookings/{paid}/tickets"), stranger),
            no_booking,
        ),
        Case::new(
            "an unknown ticket",
            get(format!("/v1/tickets/{}", id::new()), buyer),
            absent("TICKET_NOT_FOUND"),
        ),
        Case::new(
            "an image of an unknown ticket",
            get(format!("/v1/tickets/{}/qr", id::new()), buyer),
            absent("TICKET_NOT_FOUND"),
        ),
        Case::new(
            "an image of somebody else's ticket",
            get(format!("/v1/tickets/{}/qr", scene.ticket), stranger),
            absent("TICKET_NOT_FOUND"),
        ),
        Case::new(
            "an image of a ticket that is an operator's to read, not to use",
            get(format!("/v1/tickets/{}/qr", scene.ticket), &scene.admin),
            absent("TICKET_NOT_FOUND"),
        ),
        Case::new(
            "an image as large as a house",
            get(
                format!("/v1/tickets/{}/qr?modulePixels=21", id::new()),
                buyer,
            ),
            INVALID,
        ),
        Case::new(
            "bookings in a state that is none",
            get("/v1/bookings?state=77".to_owned(), buyer),
            INVALID,
        ),
    ]
}
