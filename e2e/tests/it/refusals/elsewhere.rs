//! Reasons that no bad request can provoke, and where each of them is provoked.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::docs::{errors, root};
use e2e::rest::Call;

use super::scene::Scene;
use crate::real::RealMesh;

/// A reason, the test that shows it, and what stands there.
const SHOWN: [(&str, &str, &str); 50] = [
    (
        "REQUEST_IN_PROGRESS",
        "booking-svc/tests/it/catalogue/venue.rs",
        "REQUEST_IN_PROGRESS",
    ),
    ("OVERLOADED", "edge-proxy/tests/it/limits.rs", "OVERLOADED"),
    (
        "RATE_LIMITED",
        "edge-proxy/tests/it/rates.rs",
        "RATE_LIMITED",
    ),
    (
        "DEADLINE_PASSED",
        "mesh/src/server/tests.rs",
        "DEADLINE_PASSED",
    ),
    (
        "DEAD_LETTER_NOT_FOUND",
        "mesh/tests/it/dead_letters.rs",
        "DEAD_LETTER_NOT_FOUND",
    ),
    ("INTERNAL", "mesh/src/server/tests.rs", "INTERNAL"),
    (
        "BODY_TIMEOUT",
        "edge-proxy/tests/it/bodies.rs",
        "BODY_TIMEOUT",
    ),
    (
        "SHUTTING_DOWN",
        "edge-proxy/tests/it/streams.rs",
        "SHUTTING_DOWN",
    ),
    (
        "UPSTREAM_MESSAGE_INVALID",
        "transcode/tests/it/response.rs",
        "UPSTREAM_MESSAGE_INVALID",
    ),
    (
        "ROOM_NOT_FOUND",
        "queue-svc/tests/it/refusals.rs",
        "ROOM_NOT_FOUND",
    ),
    ("ROOM_FULL", "queue-svc/tests/it/refusals.rs", "ROOM_FULL"),
    (
        "CAMPAIGN_NOT_FOUND",
        "coupon-svc/tests/it/claims.rs",
        "CAMPAIGN_NOT_FOUND",
    ),
    (
        "CAMPAIGN_NOT_DRAFT",
        "coupon-svc/tests/it/campaigns.rs",
        "CAMPAIGN_NOT_DRAFT",
    ),
    (
        "CLAIM_NOT_OPEN",
        "coupon-svc/tests/it/claims.rs",
        "CLAIM_NOT_OPEN",
    ),
    (
        "CLAIM_WINDOW_OVER",
        "coupon-svc/tests/it/claims.rs",
        "CLAIM_WINDOW_OVER",
    ),
    (
        "COUPONS_SOLD_OUT",
        "coupon-svc/tests/it/claims.rs",
        "COUPONS_SOLD_OUT",
    ),
    (
        "ALREADY_CLAIMED",
        "coupon-svc/tests/it/claims.rs",
        "ALREADY_CLAIMED",
    ),
    (
        "CLAIM_UNDECIDED",
        "coupon-svc/tests/it/gates.rs",
        "CLAIM_UNDECIDED",
    ),
    (
        "COUPONS_NOT_USABLE",
        "coupon-svc/tests/it/quotes.rs",
        "COUPONS_NOT_USABLE",
    ),
    (
        "CLAIM_BATCH_NOT_FOUND",
        "coupon-svc/tests/it/batches.rs",
        "CLAIM_BATCH_NOT_FOUND",
    ),
    (
        "COUPON_NOT_FOUND",
        "coupon-svc/tests/it/claims.rs",
        "COUPON_NOT_FOUND",
    ),
    (
        "ISSUED_OTHERWISE",
        "coupon-svc/tests/it/codes.rs",
        "ISSUED_OTHERWISE",
    ),
    (
        "CODE_NOT_VALID",
        "coupon-svc/tests/it/codes.rs",
        "CODE_NOT_VALID",
    ),
    (
        "CODE_BATCH_NOT_FOUND",
        "coupon-svc/tests/it/codes.rs",
        "CODE_BATCH_NOT_FOUND",
    ),
    (
        "CODE_TEXT_TAKEN",
        "coupon-svc/tests/it/codes.rs",
        "CODE_TEXT_TAKEN",
    ),
    (
        "CAMPAIGN_NOT_OPEN",
        "coupon-svc/tests/it/grants.rs",
        "CAMPAIGN_NOT_OPEN",
    ),
    (
        "GRANT_NOT_FOUND",
        "coupon-svc/tests/it/grants.rs",
        "GRANT_NOT_FOUND",
    ),
    (
        "GRANT_FINISHED",
        "coupon-svc/tests/it/grants.rs",
        "GRANT_FINISHED",
    ),
    (
        "GRANT_NOT_FINISHED",
        "coupon-svc/tests/it/revocations.rs",
        "GRANT_NOT_FINISHED",
    ),
    (
        "ROOM_CLOSED",
        "queue-svc/tests/it/operators.rs",
        "ROOM_CLOSED",
    ),
    (
        "LINE_UNAVAILABLE",
        "queue-svc/tests/it/service.rs",
        "LINE_UNAVAILABLE",
    ),
    (
        "TICKET_NOT_VALID",
        "queue-svc/tests/it/refusals.rs",
        "TICKET_NOT_VALID",
    ),
    (
        "TICKET_OF_ANOTHER",
        "queue-svc/tests/it/refusals.rs",
        "TICKET_OF_ANOTHER",
    ),
    (
        "QUEUE_RESET",
        "queue-svc/tests/it/operators.rs",
        "QUEUE_RESET",
    ),
    ("NO_OFFER", "queue-svc/tests/it/refusals.rs", "NO_OFFER"),
    (
        "INVITATION_NOT_VALID",
        "queue-svc/tests/it/sale.rs",
        "INVITATION_NOT_VALID",
    ),
    (
        "LOTTERY_NOT_FOUND",
        "queue-svc/tests/it/lottery.rs",
        "LOTTERY_NOT_FOUND",
    ),
    (
        "ORDER_FIXED",
        "queue-svc/tests/it/lottery.rs",
        "ORDER_FIXED",
    ),
    (
        "ROOM_OF_ANOTHER",
        "queue-svc/tests/it/sale.rs",
        "ROOM_OF_ANOTHER",
    ),
    (
        "PASS_NOT_VALID",
        "queue-svc/tests/it/refusals.rs",
        "PASS_NOT_VALID",
    ),
    (
        "PASS_EXPIRED",
        "queue-svc/tests/it/operators.rs",
        "PASS_EXPIRED",
    ),
    (
        "QUEUE_PASS_REQUIRED",
        "e2e/tests/it/waiting.rs",
        "QUEUE_PASS_REQUIRED",
    ),
    (
        "QUEUE_PASS_NOT_VALID",
        "e2e/tests/it/waiting.rs",
        "QUEUE_PASS_NOT_VALID",
    ),
    (
        "QUEUE_PASS_USED",
        "booking-svc/tests/it/passes.rs",
        "QueuePassUsed",
    ),
    (
        "RESERVATION_RELEASED",
        "coupon-svc/tests/it/reservations.rs",
        "RESERVATION_RELEASED",
    ),
    (
        "RESERVATION_USED",
        "coupon-svc/tests/it/reservations.rs",
        "RESERVATION_USED",
    ),
    (
        "COUPONS_UNAVAILABLE",
        "e2e/tests/it/discounts.rs",
        "COUPONS_UNAVAILABLE",
    ),
    (
        "REFUND_NOT_PARKED",
        "payment-svc/tests/it/rpc.rs",
        "REFUND_NOT_PARKED",
    ),
    ("TICKET_VOID", "e2e/tests/it/discounts.rs", "TICKET_VOID"),
    ("POOL_BUSY", "booking-svc/tests/it/inventory.rs", "PoolBusy"),
];

/// A service that is gone is told as such, and comes back.
pub(super) async fn while_a_service_is_away(
    mesh: &mut RealMesh,
    scene: &Scene,
) -> BTreeSet<&'static str> {
    mesh.kill("payment-svc");
    let path = format!("/v1/payments/{}", scene.waiting.payment_id);
    let call = Call::get(path).by(&scene.buyer);
    let answer = mesh.rest.send(&call).await.unwrap();
    let told = (answer.status, answer.at("/error/status"), answer.reason());
    let down = (503, "UNAVAILABLE".to_owned(), "DEPENDENCY_DOWN".to_owned());
    assert_eq!(told, down, "{}", answer.text);
    mesh.restart("payment-svc").await;
    crate::real::until("the payment is found again", async || {
        let answer = mesh.rest.send(&call).await.unwrap();
        answer.is_ok().then_some(())
    })
    .await;
    BTreeSet::from(["DEPENDENCY_DOWN"])
}

/// Every reason of the tables is provoked here, or where the table above says.
pub(super) fn covers(seen: &BTreeSet<&'static str>) {
    let mut seen = seen.clone();
    for (reason, file, mark) in SHOWN {
        let text = std::fs::read_to_string(root().join(Path::new(file))).unwrap_or_default();
        assert!(
            text.contains(mark),
            "{file} does not show {reason}: {mark} is not in it"
        );
        seen.insert(reason);
    }
    let known: BTreeSet<&str> = errors::entries(errors::TABLES)
        .unwrap()
        .into_keys()
        .collect();
    let missing: Vec<_> = known.difference(&seen).collect();
    assert!(missing.is_empty(), "nobody provokes {missing:?}");
    let unknown: Vec<_> = seen.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "docs/ERRORS.md does not know {unknown:?}"
    );
}
