//! One purchase, told step by step: two seats, a declined card, another card, two tickets.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh::id;
use mesh::identity::Role;
use serde_json::{Value, json};

use super::seed::{Entry, ask, seed};
use super::{DemoError, Stage, qr, verify};
use crate::rest::{Answer, Call, Person};

/// Tickets come by message moments after the payment; longer than this is a fault.
const TICKETS_WITHIN: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Lines of an answer that are shown.
const SHOWN_LINES: usize = 24;

/// Tells the purchase through `say`.
pub async fn buy(stage: &Stage, say: &mut impl FnMut(&str)) -> Result<(), DemoError> {
    say("1. What is on sale\n");
    let sale = seed(stage, Entry::Free, &mut |call: &Call, answer: &Answer| {
        say(&told(call, answer))
    })
    .await?;
    let buyer = stage.person(id::new(), &[Role::User])?;
    let units = format!(
        "/v1/pools/{}/units?state=UNIT_STATE_AVAILABLE&pageSize=2",
        sale.pool_id
    );
    let units = step(stage, say, "2. The first two free seats", &Call::get(units)).await?;
    let lines = json!([
        {"poolId": sale.pool_id, "ord": units.json.pointer("/units/0/ord")},
        {"poolId": sale.pool_id, "ord": units.json.pointer("/units/1/ord")},
    ]);
    let hold = Call::post("/v1/holds")
        .by(&buyer)
        .json(&json!({ "lines": lines }));
    let hold = step(stage, say, "3. Hold both, or none", &hold).await?;
    let total = hold
        .json
        .pointer("/hold/total")
        .cloned()
        .unwrap_or(Value::Null);
    let booking = json!({
        "holdId": hold.at("/hold/holdId"), "expectedTotal": total, "payment": {"onSite": {"provider": "toss"}},
    });
    let booking = Call::post("/v1/bookings").by(&buyer).json(&booking);
    let booking = step(
        stage,
        say,
        "4. Book the hold: the saga opens a payment",
        &booking,
    )
    .await?;
    pay(
        stage,
        say,
        &buyer,
        &booking,
        "decline_retry",
        "5. Pay with a card that is declined",
    )
    .await?;
    let booking_id = booking.at("/booking/bookingId");
    let path = format!("/v1/bookings/{booking_id}");
    let waiting = Call::get(&path).by(&buyer);
    step(stage, say, "6. The seats are still ours", &waiting).await?;
    pay(
        stage,
        say,
        &buyer,
        &booking,
        "approve",
        "7. Pay with a card that works",
    )
    .await?;
    let tickets = tickets(stage, &buyer, &booking_id).await?;
    let listed = Call::get(format!("{path}/tickets")).by(&buyer);
    say("8. The tickets, issued by the consumer of BookingConfirmed\n");
    say(&told(&listed, &tickets));
    step(stage, say, "9. The booking", &waiting).await?;
    admit(stage, say, &tickets).await?;
    say(&lines_to_paste(stage, &buyer, &booking_id, &tickets));
    Ok(())
}

async fn step(
    stage: &Stage,
    say: &mut impl FnMut(&str),
    title: &str,
    call: &Call,
) -> Result<Answer, DemoError> {
    say(&format!("{title}\n"));
    ask(
        stage,
        &mut |call: &Call, answer: &Answer| say(&told(call, answer)),
        call,
    )
    .await
}

/// What the buyer does in the provider's widget, and the confirmation that follows it.
async fn pay(
    stage: &Stage,
    say: &mut impl FnMut(&str),
    buyer: &Person,
    booking: &Answer,
    outcome: &str,
    title: &str,
) -> Result<(), DemoError> {
    let order_id = booking.at("/booking/payment/orderId");
    let amount: i64 = booking
        .at("/booking/total/minorUnits")
        .parse()
        .unwrap_or_default();
    let authorize = Call::post(format!("/sim/orders/{order_id}/authorize"))
        .json(&json!({"amount": amount, "outcome": outcome}));
    say(&format!("{title}\n"));
    let key = stage.simulator.send(&authorize).await?;
    say(&told(&authorize, &key));
    let confirm = json!({
        "paymentKey": key.at("/paymentKey"), "amount": booking.json.pointer("/booking/total"),
    });
    let path = format!(
        "/v1/payments/{}:confirm",
        booking.at("/booking/payment/paymentId")
    );
    let confirm = Call::post(path).by(buyer).json(&confirm);
    ask(
        stage,
        &mut |call: &Call, answer: &Answer| say(&told(call, answer)),
        &confirm,
    )
    .await?;
    Ok(())
}

async fn tickets(stage: &Stage, buyer: &Person, booking_id: &str) -> Result<Answer, DemoError> {
    let call = Call::get(format!("/v1/bookings/{booking_id}/tickets")).by(buyer);
    let waiting = async {
        loop {
            let answer = ask(stage, &mut |_: &Call, _: &Answer| {}, &call).await?;
            if answer.json.pointer("/tickets/1").is_some() {
                return Ok(answer);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let late = || DemoError::Waited(format!("no tickets within {TICKETS_WITHIN:?}"));
    tokio::time::timeout(TICKETS_WITHIN, waiting)
        .await
        .map_err(|_| late())?
}

/// Draws the first ticket and checks it as a gate without network would.
async fn admit(
    stage: &Stage,
    say: &mut impl FnMut(&str),
    tickets: &Answer,
) -> Result<(), DemoError> {
    let code = tickets.at("/tickets/0/code");
    say("10. At the gate\n");
    let drawn = qr::draw(&code).map_err(|error| DemoError::Waited(error.to_string()))?;
    say(&drawn);
    let listed = ask(
        stage,
        &mut |_: &Call, _: &Answer| {},
        &Call::get("/v1/ticket-keys"),
    )
    .await?;
    let keys = listed
        .json
        .pointer("/keys")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let keys: Vec<(u16, Vec<u8>)> = keys
        .iter()
        .filter_map(|key| {
            let id = u16::try_from(key.get("keyId")?.as_u64()?).ok()?;
            Some((id, STANDARD.decode(key.get("publicKey")?.as_str()?).ok()?))
        })
        .collect();
    let verified = verify(&code, &keys)?;
    say(&format!(
        "\n  The signature holds: ticket {}, performance {}, key {}.\n\n",
        verified.ticket_id, verified.performance_id, verified.key_id
    ));
    Ok(())
}

/// A call and its answer as a person would read them.
fn told(call: &Call, answer: &Answer) -> String {
    let mut text = format!("  {}\n", call.title());
    if let Some(body) = call.body_text().filter(|body| body.len() < 2_000) {
        text.push_str(&format!("    {body}\n"));
    }
    text.push_str(&format!("  -> {}\n", answer.status));
    let pretty = format!("{:#}", answer.json);
    let mut shown = pretty.lines();
    for line in shown.by_ref().take(SHOWN_LINES) {
        text.push_str(&format!("     {line}\n"));
    }
    let rest = shown.count();
    if rest > 0 {
        text.push_str(&format!("     ... {rest} more lines\n"));
    }
    text.push('\n');
    text
}

fn lines_to_paste(stage: &Stage, buyer: &Person, booking_id: &str, tickets: &Answer) -> String {
    let (edge, booking, token) = (stage.edge.base(), &stage.booking, &buyer.token);
    let ticket_id = tickets.at("/tickets/0/ticketId");
    let grpcurl = ".run/venv/bin/grpcurl";
    let install = if std::path::Path::new(grpcurl).exists() {
        ""
    } else {
        "dev/tools\n"
    };
    format!(
        "Paste these while `make run` is in another terminal (the token lives for an hour):\n\n\
         TOKEN={token}\n\
         curl -s -H \"authorization: Bearer $TOKEN\" {edge}/v1/bookings/{booking_id}\n\
         curl -sN -H \"authorization: Bearer $TOKEN\" -H 'accept: text/event-stream' {edge}/v1/bookings/{booking_id}:watch\n\
         curl -s -H \"authorization: Bearer $TOKEN\" '{edge}/v1/tickets/{ticket_id}/qr?format=QR_FORMAT_PNG' > ticket.png\n\
         {install}{grpcurl} -plaintext -H \"authorization: Bearer $TOKEN\" -d '{{\"booking_id\":\"{booking_id}\"}}' {booking} usher.booking.v1.BookingService/GetBooking\n\
         {grpcurl} -plaintext {booking} list\n"
    )
}
