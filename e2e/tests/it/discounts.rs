//! Coupons in bookings, over the whole mesh: what is quoted is paid, a coupon has one booking, and it comes back whatever fails. What is
//! cancelled is paid back without its part of the discount.

use booking_svc::saga::moments::COUPONS;
use e2e::rest::{Answer, Call, Person};
use futures_util::future::join_all;
use mesh::faults::Halt;
use mesh::id;
use mesh::identity::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::real::{Order, RealMesh, Sale, ShowPlan, Timings, id_at, on_site, until, won_off};

/// What a seat costs, in won.
const PRICE: i64 = 50_000;
/// What the coupon takes off, in won.
const OFF: i64 = 8_000;

fn won(units: i64) -> Value {
    json!({"minorUnits": units.to_string(), "currency": "KRW"})
}

fn chosen(coupons: &[Uuid]) -> Value {
    json!({"chosen": {"couponIds": coupons}})
}

fn book(buyer: &Person, hold: &Answer, total: i64, coupons: &Value) -> Call {
    let mut body = on_site(hold.at("/hold/holdId"), &won(total));
    body["coupons"] = coupons.clone();
    Call::post("/v1/bookings")
        .by(buyer)
        .key(id::new())
        .json(&body)
}

async fn quote(mesh: &RealMesh, buyer: &Person, hold: &Answer, coupons: &Value) -> Answer {
    let path = format!("/v1/holds/{}:quote", hold.at("/hold/holdId"));
    let call = Call::post(path)
        .by(buyer)
        .json(&json!({"coupons": coupons}));
    mesh.rest.send(&call).await.unwrap()
}

async fn becomes(mesh: &RealMesh, coupon_id: Uuid, state: &str) {
    until(&format!("coupon {coupon_id} is {state}"), async || {
        (mesh.coupon_state(coupon_id).await == state).then_some(())
    })
    .await;
}

/// A buyer with a coupon.
struct Buyer {
    person: Person,
    coupon_id: Uuid,
}

impl Buyer {
    async fn new(mesh: &RealMesh, campaign_id: Uuid) -> Self {
        let person = mesh.person(&[Role::User]);
        let coupon_id = mesh.coupon(&person, campaign_id).await;
        Self { person, coupon_id }
    }

    /// Opens a payment for one seat, with the coupon.
    async fn order(&self, mesh: &RealMesh, sale: &Sale, seat: i64) -> Order {
        let hold = mesh.hold(&self.person, sale.pool_id, &[seat]).await;
        self.order_for(mesh, &hold).await
    }

    async fn order_for(&self, mesh: &RealMesh, hold: &Answer) -> Order {
        let call = book(&self.person, hold, PRICE - OFF, &chosen(&[self.coupon_id]));
        let booking_id = id_at(&mesh.ask(&call).await, "/booking/bookingId");
        let state = "BOOKING_STATE_AWAITING_PAYMENT";
        let booking = mesh.reaches(&self.person, booking_id, state).await;
        Order {
            hold_id: id_at(hold, "/hold/holdId"),
            booking_id,
            payment_id: id_at(&booking, "/booking/payment/paymentId"),
            total: won(PRICE - OFF),
        }
    }

    async fn give_up(&self, mesh: &RealMesh, order: &Order) {
        let call = Call::post(format!("/v1/bookings/{}:cancel", order.booking_id));
        mesh.ask(&call.by(&self.person).key(id::new()).json(&json!({})))
            .await;
    }
}

/// Two seats with 10,001 off, and why the other coupon is not used.
fn tells_each_line_and_coupon(quoted: &Answer, used: Uuid, useless: Uuid) {
    let told = &quoted.json["quote"];
    assert_eq!(
        (&told["subtotal"], &told["discount"], &told["total"]),
        (&won(100_000), &won(10_001), &won(89_999)),
        "{told}"
    );
    let lines: Vec<_> = told["lines"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&lines[0]["discount"], &lines[0]["total"]),
        (&won(5_001), &won(44_999))
    );
    assert_eq!(
        (&lines[1]["discount"], &lines[1]["total"]),
        (&won(5_000), &won(45_000))
    );
    assert_eq!(quoted.at("/quote/coupons/0/couponId"), used.to_string());
    assert_eq!(quoted.at("/quote/unused/0/couponId"), useless.to_string());
    assert_eq!(
        quoted.at("/quote/unused/0/reason"),
        "WHY_NOT_USED_MINIMUM_NOT_MET"
    );
    assert_eq!(quoted.at("/quote/unused/0/amount"), "400000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_coupons_that_cannot_be_used_are_refused_as_such() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let mut terms = won_off(1_000);
    (terms["group"], terms["groupMax"]) = (json!("석".repeat(200)), json!(1));
    let campaign_id = mesh.campaign(-1, terms).await;
    let buyer = Buyer::new(&mesh, campaign_id).await;
    mesh.coupon
        .run(&format!(
            "WITH made AS MATERIALIZED (SELECT gen_random_uuid() AS id FROM generate_series(1, 99)), campaigns AS ( \
                 INSERT INTO campaign SELECT (jsonb_populate_record(k, jsonb_build_object('campaign_id', id))).* \
                 FROM made, campaign k WHERE k.campaign_id = '{campaign_id}') \
             INSERT INTO coupon SELECT (jsonb_populate_record(c, jsonb_build_object('coupon_id', id, 'campaign_id', id))).* \
             FROM made, coupon c WHERE coupon_id = '{}'",
            buyer.coupon_id
        ))
        .await;
    let all = mesh
        .coupon
        .texts("SELECT coupon_id::text FROM coupon")
        .await;
    let all: Vec<Uuid> = all.iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(all.len(), 100);
    let hold = mesh.hold(&buyer.person, sale.pool_id, &[1]).await;
    let quoted = quote(&mesh, &buyer.person, &hold, &chosen(&all)).await;
    assert_eq!(
        (quoted.status, quoted.reason()),
        (400, "COUPONS_NOT_USABLE".to_owned()),
        "{}",
        quoted.text
    );
    let message = quoted.at("/error/message");
    assert!(
        message.starts_with("99 of the coupons cannot be used (and "),
        "{message}"
    );
    let booked = book(&buyer.person, &hold, PRICE - OFF, &chosen(&all));
    let booked = mesh.rest.send(&booked).await.unwrap();
    assert_eq!(booked.reason(), "COUPONS_NOT_USABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_quoted_is_paid_and_stays_with_the_lines() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let terms = json!({"currency": "KRW", "kind": "DISCOUNT_KIND_ORDER_FIXED", "value": 10_001, "platformShare": 2_500});
    let (best, minor) = (
        mesh.campaign(-1, terms).await,
        mesh.campaign(-1, json!({"currency": "KRW", "kind": "DISCOUNT_KIND_LINE_FIXED", "value": 5, "minOrder": 500_000})).await,
    );
    let buyer = mesh.person(&[Role::User]);
    let coupon_id = mesh.coupon(&buyer, best).await;
    let useless = mesh.coupon(&buyer, minor).await;
    let hold = mesh.hold(&buyer, sale.pool_id, &[1, 2]).await;

    let quoted = quote(&mesh, &buyer, &hold, &json!({"best": {}})).await;
    tells_each_line_and_coupon(&quoted, coupon_id, useless);
    let plain = quote(&mesh, &buyer, &hold, &Value::Null).await;
    assert_eq!(plain.json["quote"]["total"], won(100_000));

    // Whoever agreed to another sum is asked again.
    let wrong = mesh
        .rest
        .send(&book(&buyer, &hold, 100_000, &json!({"best": {}})))
        .await;
    let wrong = wrong.unwrap();
    assert_eq!(
        (wrong.status, wrong.reason()),
        (400, "TOTAL_CHANGED".to_owned())
    );
    let call = book(&buyer, &hold, 89_999, &json!({"best": {}}));
    let booked = mesh.ask(&call).await;
    let booking_id = id_at(&booked, "/booking/bookingId");
    assert_eq!(mesh.coupon_state(coupon_id).await, "RESERVED");
    let order = Order {
        hold_id: id_at(&hold, "/hold/holdId"),
        booking_id,
        payment_id: id_at(&booked, "/booking/payment/paymentId"),
        total: won(89_999),
    };
    mesh.pay(&buyer, &order, "approve").await;
    let tickets = mesh.tickets(&buyer, booking_id, 2).await.json;
    let paid = tickets["tickets"].as_array().unwrap().iter();
    let paid: Vec<&Value> = paid.map(|ticket| &ticket["paid"]).collect();
    assert_eq!(paid, [&won(44_999), &won(45_000)]);
    mesh.quiesce().await;
    let again = mesh.ask(&call).await;
    assert_eq!(again.at("/booking/state"), "BOOKING_STATE_CONFIRMED");
    let told = &again.json["booking"];
    assert_eq!(
        (&told["subtotal"], &told["discount"], &told["total"]),
        (&won(100_000), &won(10_001), &won(89_999))
    );
    assert_eq!(
        told["coupons"],
        json!([{"couponId": coupon_id, "campaignId": best, "amount": won(10_001)}])
    );
    assert_eq!(mesh.coupon_state(coupon_id).await, "USED");
    assert_eq!(mesh.coupon_state(useless).await, "AVAILABLE");
    assert_eq!(
        mesh.oracle(&order.payment_id.to_string()).await.json["captured"],
        89_999
    );
    let kept = format!(
        "SELECT line_no, amount, platform_amount FROM booking_discount WHERE booking_id = '{booking_id}' ORDER BY 1"
    );
    assert_eq!(
        mesh.booking.rows(&kept).await,
        [
            json!({"line_no": 0, "amount": 5_001, "platform_amount": 1_250}),
            json!({"line_no": 1, "amount": 5_000, "platform_amount": 1_250})
        ]
    );
    mesh.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_that_covers_everything_needs_no_payment() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let campaign_id = mesh.campaign(-1, won_off(PRICE)).await;
    let buyer = Buyer::new(&mesh, campaign_id).await;
    let hold = mesh.hold(&buyer.person, sale.pool_id, &[1]).await;
    let mut body = on_site(hold.at("/hold/holdId"), &won(0));
    body["coupons"] = chosen(&[buyer.coupon_id]);
    let on_site = Call::post("/v1/bookings").by(&buyer.person).json(&body);
    let refused = mesh.rest.send(&on_site).await.unwrap();
    assert_eq!(refused.reason(), "PAYMENT_METHOD_NOT_ALLOWED");
    body["payment"] = json!({"free": {}});
    let free = Call::post("/v1/bookings").by(&buyer.person).json(&body);
    let booking_id = id_at(&mesh.ask(&free).await, "/booking/bookingId");
    mesh.tickets(&buyer.person, booking_id, 1).await;
    mesh.quiesce().await;
    assert_eq!(mesh.coupon_state(buyer.coupon_id).await, "USED");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bookings_cannot_use_one_coupon() {
    let mesh = RealMesh::start_pairs(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let campaign_id = mesh.campaign(-1, won_off(OFF)).await;
    let buyer = Buyer::new(&mesh, campaign_id).await;
    let mut holds = Vec::new();
    for seat in 1..=6 {
        holds.push(mesh.hold(&buyer.person, sale.pool_id, &[seat]).await);
    }
    let coupons = chosen(&[buyer.coupon_id]);
    let calls: Vec<Call> = holds
        .iter()
        .map(|hold| book(&buyer.person, hold, PRICE - OFF, &coupons))
        .collect();
    let answers = join_all(calls.iter().map(|call| mesh.rest.send(call))).await;
    // Quoted while it was free, or refused before: one has it, whoever comes too late fails, and keeps its hold.
    let mut won = 0;
    for (answer, hold) in answers.into_iter().map(Result::unwrap).zip(&holds) {
        if answer.is_ok() && answer.at("/booking/state") == "BOOKING_STATE_AWAITING_PAYMENT" {
            won += 1;
            continue;
        }
        let why = if answer.is_ok() {
            answer.at("/booking/failure/reason")
        } else {
            answer.reason()
        };
        assert!(
            ["COUPONS_UNAVAILABLE", "COUPONS_NOT_USABLE"].contains(&why.as_str()),
            "{}",
            answer.text
        );
        let kept = Call::get(format!("/v1/holds/{}", hold.at("/hold/holdId"))).by(&buyer.person);
        assert_eq!(mesh.ask(&kept).await.at("/hold/state"), "HOLD_STATE_HELD");
    }
    assert_eq!(won, 1);
    let holders = "SELECT count(*) FROM reservation WHERE state = 'RESERVED'";
    assert_eq!(mesh.coupon.number(holders).await, 1);
    let late = quote(&mesh, &buyer.person, &holds[0], &coupons).await;
    assert!(["COUPONS_NOT_USABLE", "HOLD_ALREADY_BOOKED"].contains(&late.reason().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_a_booking_gives_the_coupon_back() {
    let mesh = RealMesh::start(Timings::Short).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let campaign_id = mesh.campaign(-1, won_off(OFF)).await;
    let failed = "BOOKING_STATE_FAILED";

    // Declined for good: the buyer keeps the hold, and pays at the next try with the same coupon.
    let buyer = Buyer::new(&mesh, campaign_id).await;
    let hold = mesh.hold(&buyer.person, sale.pool_id, &[1]).await;
    let order = buyer.order_for(&mesh, &hold).await;
    mesh.pay(&buyer.person, &order, "decline_final").await;
    mesh.reaches(&buyer.person, order.booking_id, failed).await;
    becomes(&mesh, buyer.coupon_id, "AVAILABLE").await;
    let order = buyer.order_for(&mesh, &hold).await;
    mesh.pay(&buyer.person, &order, "approve").await;
    mesh.tickets(&buyer.person, order.booking_id, 1).await;
    becomes(&mesh, buyer.coupon_id, "USED").await;

    // Given up.
    let buyer = Buyer::new(&mesh, campaign_id).await;
    let order = buyer.order(&mesh, &sale, 2).await;
    buyer.give_up(&mesh, &order).await;
    becomes(&mesh, buyer.coupon_id, "AVAILABLE").await;

    // Never paid.
    let buyer = Buyer::new(&mesh, campaign_id).await;
    let order = buyer.order(&mesh, &sale, 3).await;
    let ended = mesh.reaches(&buyer.person, order.booking_id, failed).await;
    assert_eq!(ended.at("/booking/failure/reason"), "PAYMENT_EXPIRED");
    becomes(&mesh, buyer.coupon_id, "AVAILABLE").await;
    mesh.quiesce().await;
    mesh.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_coupon_is_lost_while_coupon_svc_is_away() {
    let mut mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let campaign_id = mesh.campaign(-1, won_off(OFF)).await;
    let buys = Buyer::new(&mesh, campaign_id).await;
    let gives_up = Buyer::new(&mesh, campaign_id).await;
    let late = Buyer::new(&mesh, campaign_id).await;
    let bought = buys.order(&mesh, &sale, 1).await;
    let given_up = gives_up.order(&mesh, &sale, 2).await;
    let hold = mesh.hold(&late.person, sale.pool_id, &[3]).await;
    mesh.kill("coupon-svc");

    // Whoever has reserved buys, and gives up, as if nothing were wrong.
    mesh.pay(&buys.person, &bought, "approve").await;
    mesh.tickets(&buys.person, bought.booking_id, 1).await;
    gives_up.give_up(&mesh, &given_up).await;
    let state = "BOOKING_STATE_FAILED";
    mesh.reaches(&gives_up.person, given_up.booking_id, state)
        .await;
    // Whoever has not is told, and can buy without.
    let coupons = chosen(&[late.coupon_id]);
    let refused = quote(&mesh, &late.person, &hold, &coupons).await;
    assert_eq!(
        (refused.status, refused.reason()),
        (503, "COUPONS_UNAVAILABLE".to_owned())
    );
    let call = book(&late.person, &hold, PRICE - OFF, &coupons);
    let refused = mesh.rest.send(&call).await.unwrap();
    assert_eq!(refused.reason(), "COUPONS_UNAVAILABLE");
    let order = mesh.book(&late.person, &hold).await;
    mesh.pay(&late.person, &order, "approve").await;
    mesh.tickets(&late.person, order.booking_id, 1).await;

    for coupon_id in [buys.coupon_id, gives_up.coupon_id] {
        assert_eq!(mesh.coupon_state(coupon_id).await, "RESERVED");
    }
    mesh.restart("coupon-svc").await;
    mesh.quiesce().await;
    assert_eq!(mesh.coupon_state(buys.coupon_id).await, "USED");
    assert_eq!(mesh.coupon_state(gives_up.coupon_id).await, "AVAILABLE");
    assert_eq!(mesh.coupon_state(late.coupon_id).await, "AVAILABLE");
    mesh.audit().await;
}

/// A booking is opened, coupon-svc dies before it hears of it, and comes back at once or after the saga gave up.
async fn dies_before_the_reservation(back_in_time: bool) -> (String, String) {
    let mut mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let campaign_id = mesh.campaign(-1, won_off(OFF)).await;
    let buyer = Buyer::new(&mesh, campaign_id).await;
    let hold = mesh.hold(&buyer.person, sale.pool_id, &[1]).await;
    let address = mesh.address("booking-svc");
    let listen = address.trim_start_matches("http://").to_owned();
    mesh.kill("booking-svc");
    let halt = Halt::default();
    let first = mesh.instance(&listen, halt.at(COUPONS.after_intent)).await;
    let call = book(
        &buyer.person,
        &hold,
        PRICE - OFF,
        &chosen(&[buyer.coupon_id]),
    );
    let calls = async {
        until("it is booked", async || {
            let answer = mesh.rest.send(&call).await.ok()?;
            answer.is_ok().then(|| id_at(&answer, "/booking/bookingId"))
        })
        .await
    };
    let (booking_id, ()) = tokio::join!(calls, halt.reached());
    mesh.kill("coupon-svc");
    halt.go();
    if back_in_time {
        mesh.restart("coupon-svc").await;
        let state = "BOOKING_STATE_AWAITING_PAYMENT";
        mesh.reaches(&buyer.person, booking_id, state).await;
    } else {
        let state = "BOOKING_STATE_FAILED";
        let failed = mesh.reaches(&buyer.person, booking_id, state).await;
        assert_eq!(failed.at("/booking/failure/reason"), "COUPONS_UNAVAILABLE");
        mesh.restart("coupon-svc").await;
        mesh.quiesce().await;
    }
    let reservation = "SELECT state FROM reservation";
    let reservation = mesh.coupon.texts(reservation).await.concat();
    let coupon = mesh.coupon_state(buyer.coupon_id).await;
    first.stop().await;
    (reservation, coupon)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_waits_for_coupon_svc_and_gives_up_without_a_trace() {
    let reserved = ("RESERVED".to_owned(), "RESERVED".to_owned());
    assert_eq!(dies_before_the_reservation(true).await, reserved);
    // The tombstone: whoever comes late with the reservation is refused.
    let released = ("RELEASED".to_owned(), "AVAILABLE".to_owned());
    assert_eq!(dies_before_the_reservation(false).await, released);
}

/// Cancels lines of a booking; none named: all that are left.
fn cancel(buyer: &Person, booking_id: Uuid, lines: &[u32]) -> Call {
    let call = Call::post(format!("/v1/bookings/{booking_id}:cancel")).by(buyer);
    call.key(id::new())
        .json(&json!({"lineNos": lines, "reason": "ill"}))
}

async fn refunded(mesh: &RealMesh, order: &Order, amount: i64) {
    until(&format!("{amount} are back"), async || {
        let oracle = mesh.oracle(&order.payment_id.to_string()).await;
        (oracle.json["refunded"] == amount).then_some(())
    })
    .await;
}

/// Three seats for 150,000, of which a coupon takes 10,000 off.
async fn bought_three(mesh: &RealMesh, sale: &Sale) -> (Buyer, Order) {
    let campaign_id = mesh.campaign(-1, won_off(10_000)).await;
    let buyer = Buyer::new(mesh, campaign_id).await;
    let hold = mesh.hold(&buyer.person, sale.pool_id, &[1, 2, 3]).await;
    let call = book(&buyer.person, &hold, 140_000, &json!({"best": {}}));
    let booked = mesh.ask(&call).await;
    let order = Order {
        hold_id: id_at(&hold, "/hold/holdId"),
        booking_id: id_at(&booked, "/booking/bookingId"),
        payment_id: id_at(&booked, "/booking/payment/paymentId"),
        total: won(140_000),
    };
    mesh.pay(&buyer.person, &order, "approve").await;
    mesh.tickets(&buyer.person, order.booking_id, 3).await;
    mesh.quiesce().await;
    (buyer, order)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_paid_back_without_its_discount_and_the_coupon_comes_with_the_last() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let (buyer, order) = bought_three(&mesh, &sale).await;
    // 3,334, 3,333 and 3,333 were taken off.
    let first = cancel(&buyer.person, order.booking_id, &[0]);
    let answer = mesh.ask(&first).await;
    assert_eq!(answer.at("/booking/state"), "BOOKING_STATE_CONFIRMED");
    let line = |answer: &Answer, line: usize| answer.json["booking"]["lines"][line].clone();
    assert_eq!(line(&answer, 0)["refund"], won(46_666));
    assert_eq!(line(&answer, 0)["cancelled"], true);
    assert_eq!(line(&answer, 1)["cancelled"], false);
    refunded(&mesh, &order, 46_666).await;
    assert_eq!(mesh.coupon_state(buyer.coupon_id).await, "USED");
    // Once more is once.
    mesh.ask(&first).await;
    let gone = cancel(&buyer.person, order.booking_id, &[0, 1, 9]);
    let gone = mesh.rest.send(&gone).await.unwrap();
    assert_eq!(gone.reason(), "LINES_NOT_CANCELLABLE");
    let tickets = Call::get(format!("/v1/bookings/{}/tickets", order.booking_id));
    let tickets = mesh.ask(&tickets.by(&buyer.person)).await;
    let tickets = tickets.json["tickets"].as_array().unwrap().iter();
    let void: Vec<_> = tickets
        .filter(|ticket| ticket["state"] == "TICKET_STATE_VOID")
        .collect();
    assert_eq!((void.len(), void[0]["code"].as_str()), (1, Some("")));
    let qr = format!("/v1/tickets/{}/qr", void[0]["ticketId"].as_str().unwrap());
    let qr = Call::get(qr).by(&buyer.person);
    let qr = mesh.rest.send(&qr).await.unwrap();
    assert_eq!(qr.reason(), "TICKET_VOID");
    // The seat is for sale again.
    let other = mesh.person(&[Role::User]);
    let bought = mesh.order(&other, sale.pool_id, &[1]).await;
    mesh.pay(&other, &bought, "approve").await;
    mesh.tickets(&other, bought.booking_id, 1).await;

    let rest = mesh
        .ask(&cancel(&buyer.person, order.booking_id, &[]))
        .await;
    assert_eq!(rest.at("/booking/state"), "BOOKING_STATE_CANCELLED");
    refunded(&mesh, &order, 140_000).await;
    becomes(&mesh, buyer.coupon_id, "AVAILABLE").await;
    let again = cancel(&buyer.person, order.booking_id, &[]);
    let again = mesh.rest.send(&again).await.unwrap();
    assert_eq!(again.reason(), "BOOKING_NOT_CANCELLABLE");
    mesh.quiesce().await;
    let done = "SELECT count(*) FROM cancellation WHERE state = 'DONE'";
    assert_eq!(mesh.booking.number(done).await, 2);
    mesh.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_cancel_the_same_lines_at_once_and_each_is_paid_back_once() {
    let mesh = RealMesh::start_pairs(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let (buyer, order) = bought_three(&mesh, &sale).await;
    let wishes: [&[u32]; 8] = [&[0], &[1], &[2], &[0, 1], &[1, 2], &[], &[0], &[]];
    let calls = wishes.map(|lines| cancel(&buyer.person, order.booking_id, lines));
    // Each call comes twice, as from a client that lost the answer.
    let twice = calls.iter().chain(&calls).map(|call| mesh.rest.send(call));
    for answer in join_all(twice).await {
        let answer = answer.unwrap();
        let told = ["LINES_NOT_CANCELLABLE", "BOOKING_NOT_CANCELLABLE"];
        let known = answer.is_ok() || told.contains(&answer.reason().as_str());
        assert!(
            known || [409, 503].contains(&answer.status),
            "{}",
            answer.text
        );
    }
    mesh.rest.send(&calls[5]).await.unwrap();
    refunded(&mesh, &order, 140_000).await;
    becomes(&mesh, buyer.coupon_id, "AVAILABLE").await;
    mesh.quiesce().await;
    mesh.audit().await;
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    assert_eq!(oracle.json["refunded"], 140_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_waits_for_those_who_are_away() {
    let mut mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let (buyer, order) = bought_three(&mesh, &sale).await;
    mesh.kill("coupon-svc");
    mesh.kill("payment-svc");
    let cancelled = mesh
        .ask(&cancel(&buyer.person, order.booking_id, &[]))
        .await;
    assert_eq!(cancelled.at("/booking/state"), "BOOKING_STATE_CANCELLED");
    mesh.kill("booking-svc");
    mesh.restart("payment-svc").await;
    mesh.restart("coupon-svc").await;
    mesh.restart("booking-svc").await;
    refunded(&mesh, &order, 140_000).await;
    becomes(&mesh, buyer.coupon_id, "AVAILABLE").await;
    mesh.quiesce().await;
    mesh.audit().await;
}
