//! Waiting rooms through REST, over the real binaries: a person who waits and comes in; and a line while instances and Redis are killed.

use std::collections::BTreeSet;

use e2e::rest::{Answer, Call, Person};
use futures_util::StreamExt;
use mesh::id;
use mesh::identity::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kills::kill_server;
use crate::real::{RealMesh, Seats, ShowPlan, Timings, lines, until};

/// Slots of a room.
const CAPACITY: usize = 3;
/// People who are in line before anything dies.
const BEFORE: usize = 60;
/// People who join while it does, and calls at once.
const MEANWHILE: usize = 200;
const AT_ONCE: usize = 16;

/// Somebody in line.
#[derive(Clone)]
pub(crate) struct Waiter {
    pub(crate) person: Person,
    pub(crate) ticket: String,
}

/// A pass as a client saw it: from when it was told, until it ends, both in ms.
struct Seen {
    owner: Uuid,
    from: i64,
    until: i64,
}

pub(crate) async fn operate(mesh: &RealMesh, call: Call) -> Answer {
    let admin = mesh.person(&[Role::Admin]);
    let call = call.by(&admin).key(id::new());
    let answer = mesh.rest.send(&call).await.unwrap();
    assert!(answer.is_ok(), "{}: {}", call.title(), answer.text);
    answer
}

pub(crate) async fn open_room(mesh: &RealMesh, show_id: Uuid, capacity: usize) {
    open_with(mesh, show_id, &json!({"capacity": capacity, "rate": 1000})).await;
}

async fn open_with(mesh: &RealMesh, show_id: Uuid, settings: &Value) {
    let settings = json!({"settings": settings, "reason": "a sale"});
    operate(
        mesh,
        Call::put(format!("/v1/shows/{show_id}/room")).json(&settings),
    )
    .await;
    let open = Call::post(format!("/v1/shows/{show_id}/room:open"));
    let opened = operate(mesh, open.json(&json!({"reason": "it is time"}))).await;
    assert_eq!(opened.at("/room/phase"), "ROOM_PHASE_OPEN");
}

pub(crate) fn step(show_id: Uuid, verb: &str, person: &Person, body: &Value) -> Call {
    let call = Call::post(format!("/v1/shows/{show_id}/queue:{verb}"));
    call.by(person).key(id::new()).json(body)
}

/// Sends a call until the line answers it, whatever it says then.
async fn insist(mesh: &RealMesh, call: &Call) -> Answer {
    until(&format!("{} is answered", call.title()), async || {
        let answer = mesh.rest.send(call).await.ok()?;
        (!matches!(answer.status, 429 | 500 | 503 | 504)).then_some(answer)
    })
    .await
}

pub(crate) async fn join(mesh: &RealMesh, show_id: Uuid, person: Person) -> (Waiter, Answer) {
    let call = step(show_id, "join", &person, &json!({}));
    // Another instance may hear of the opening a second later; until then it gives no place.
    let joined = until("a place is given", async || {
        let joined = insist(mesh, &call).await;
        assert!(joined.is_ok(), "{}", joined.text);
        (!joined.at("/place/ticket").is_empty()).then_some(joined)
    })
    .await;
    let ticket = joined.at("/place/ticket");
    (Waiter { person, ticket }, joined)
}

/// Joins and claims until inside.
pub(crate) async fn enter(mesh: &RealMesh, show_id: Uuid, person: &Person) -> Answer {
    let (waiter, _) = join(mesh, show_id, person.clone()).await;
    let ticket = json!({"ticket": waiter.ticket});
    let claim = step(show_id, "claim", person, &ticket);
    until("they come in", async || {
        let answer = mesh.rest.send(&claim).await.ok()?;
        answer.is_ok().then_some(answer)
    })
    .await
}

fn seen(mesh_time: i64, owner: Uuid, answer: &Answer) -> Option<Seen> {
    let until = answer.at("/place/passExpireTime");
    let until = chrono::DateTime::parse_from_rfc3339(&until).ok()?;
    Some(Seen {
        owner,
        from: mesh_time,
        until: until.timestamp_millis(),
    })
}

fn now() -> i64 {
    mesh::clock::now().timestamp_millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_waits_comes_in_and_shows_a_pass() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let show_id = id::new();
    open_room(&mesh, show_id, 1).await;
    let (first, second) = (mesh.person(&[Role::User]), mesh.person(&[Role::User]));
    let admitted = enter(&mesh, show_id, &first).await;
    assert_eq!(admitted.at("/place/state"), "PLACE_STATE_ADMITTED");
    let (waiter, joined) = join(&mesh, show_id, second).await;
    assert_eq!(joined.at("/place/state"), "PLACE_STATE_WAITING");
    let poll = step(
        show_id,
        "poll",
        &waiter.person,
        &json!({"ticket": waiter.ticket}),
    );
    // Positions are those of a quarter of a second ago.
    let polled = until("they are first", async || {
        let polled = insist(&mesh, &poll).await;
        (polled.at("/place/position") == "1").then_some(polled)
    })
    .await;
    assert_eq!(polled.at("/place/lane"), "LANE_GENERAL", "{}", polled.text);
    // Somebody who waits is told within seconds when to ask again.
    assert!(
        polled.at("/place/pollAfter").ends_with('s'),
        "{}",
        polled.text
    );
    let keys = mesh.rest.send(&Call::get("/v1/queue/keys")).await.unwrap();
    assert_eq!(keys.at("/keys/0/alg"), "EdDSA", "{}", keys.text);
    let more = json!({"capacity": 2, "reason": "the shop is fast"});
    operate(
        &mesh,
        Call::post(format!("/v1/shows/{show_id}/room:set-capacity")).json(&more),
    )
    .await;
    let offered = until("it is their turn", async || {
        let answer = mesh.rest.send(&poll).await.ok()?;
        (answer.at("/place/state") == "PLACE_STATE_OFFERED").then_some(answer)
    })
    .await;
    assert_ne!(offered.at("/place/claimExpireTime"), "");
    let claim = step(
        show_id,
        "claim",
        &waiter.person,
        &json!({"ticket": waiter.ticket}),
    );
    let claimed = insist(&mesh, &claim).await;
    assert_eq!(
        claimed.at("/place/pass").split('.').count(),
        3,
        "{}",
        claimed.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_with_a_waiting_room_is_sold_to_those_it_lets_in() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let plan = ShowPlan {
        queue_required: true,
        browse_gated: true,
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let (buyer, other) = (mesh.person(&[Role::User]), mesh.person(&[Role::User]));
    let hold = |person: &Person, seat: i64| {
        Call::post("/v1/holds")
            .by(person)
            .json(&lines(sale.pool_id, &[seat]))
    };
    let refused = mesh.rest.send(&hold(&buyer, 1)).await.unwrap();
    assert_eq!(refused.reason(), "QUEUE_PASS_REQUIRED", "{}", refused.text);
    let join_at = format!("/v1/shows/{}/queue:join", sale.show_id);
    assert!(refused.text.contains(&join_at), "{}", refused.text);
    let look = Call::get(format!("/v1/shows/{}", sale.show_id));
    for look in [look.clone(), look.clone().by(&buyer)] {
        let refused = mesh.rest.send(&look).await.unwrap();
        assert_eq!(refused.reason(), "QUEUE_PASS_REQUIRED", "{}", refused.text);
        assert!(refused.text.contains(&join_at), "{}", refused.text);
    }

    open_room(&mesh, sale.show_id, 1).await;
    let pass = enter(&mesh, sale.show_id, &buyer).await.at("/place/pass");
    let stolen = mesh.rest.send(&hold(&other, 1).pass(&pass)).await.unwrap();
    assert_eq!(stolen.reason(), "QUEUE_PASS_NOT_VALID", "{}", stolen.text);
    let held = mesh.ask(&hold(&buyer, 1).pass(&pass)).await;
    assert_eq!(held.at("/hold/state"), "HOLD_STATE_HELD");
    let seen = mesh.ask(&look.by(&buyer).pass(&pass)).await;
    assert_eq!(seen.at("/show/showId"), sale.show_id.to_string());
    // What is one's own needs no pass.
    let own = Call::get(format!("/v1/holds/{}", held.at("/hold/holdId")));
    assert_eq!(
        mesh.ask(&own.by(&buyer)).await.at("/hold/state"),
        "HOLD_STATE_HELD"
    );
    // Repeated with its own key it is the same hold, whatever became of the pass; what is none at all does not get so far.
    let key = id::new();
    let mine = hold(&buyer, 3).key(key);
    let first = mesh.ask(&mine.clone().pass(&pass)).await;
    let again = mesh.ask(&mine).await;
    assert_eq!(again.at("/hold/holdId"), first.at("/hold/holdId"));
    let forged = mesh.rest.send(&mine.pass("forged")).await.unwrap();
    assert_eq!(forged.reason(), "QUEUE_PASS_NOT_VALID", "{}", forged.text);
    // A pass of another show opens nothing here.
    let quiet = id::new();
    open_room(&mesh, quiet, 1).await;
    let pass = enter(&mesh, quiet, &other).await.at("/place/pass");
    let refused = mesh.rest.send(&hold(&other, 2).pass(&pass)).await.unwrap();
    assert_eq!(refused.reason(), "QUEUE_PASS_REQUIRED", "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_a_strict_room_gets_one_hold() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let plan = ShowPlan {
        queue_required: true,
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let strict = json!({"capacity": 1, "rate": 1000, "strict": true});
    open_with(&mesh, sale.show_id, &strict).await;
    let buyer = mesh.person(&[Role::User]);
    let hold = |seat: i64| {
        let seat = lines(sale.pool_id, &[seat]);
        Call::post("/v1/holds").by(&buyer).json(&seat)
    };
    let pass = enter(&mesh, sale.show_id, &buyer).await.at("/place/pass");
    let first = hold(1).key(id::new()).pass(&pass);
    let held = mesh.ask(&first).await;
    assert_eq!(
        mesh.ask(&first).await.at("/hold/holdId"),
        held.at("/hold/holdId")
    );
    let second = mesh.rest.send(&hold(2).pass(&pass)).await.unwrap();
    assert_eq!(second.reason(), "QUEUE_PASS_USED", "{}", second.text);
    let join_at = format!("/v1/shows/{}/queue:join", sale.show_id);
    assert_eq!(
        second.at("/error/details/0/metadata/join"),
        join_at,
        "{}",
        second.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_ends_the_session_of_its_buyer_and_a_sold_out_show_takes_nobody() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let plan = ShowPlan {
        seats: Seats::Row(1),
        queue_required: true,
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let room = Call::get(format!("/v1/shows/{}/room", sale.show_id)).by(&sale.seller);
    let made = until("the show has its room", async || {
        let answer = mesh.rest.send(&room).await.ok()?;
        answer.is_ok().then_some(answer)
    })
    .await;
    assert_eq!(
        (made.at("/room/sellerId"), made.at("/room/phase")),
        (
            sale.seller.account_id.to_string(),
            "ROOM_PHASE_OPEN".to_owned()
        ),
        "{}",
        made.text
    );
    let buyer = mesh.person(&[Role::User]);
    let pass = enter(&mesh, sale.show_id, &buyer).await.at("/place/pass");
    let hold = Call::post("/v1/holds").by(&buyer).pass(&pass);
    let hold = mesh.ask(&hold.json(&lines(sale.pool_id, &[0]))).await;
    let order = mesh.book(&buyer, &hold).await;
    mesh.pay(&buyer, &order, "approve").await;
    mesh.reaches(&buyer, order.booking_id, "BOOKING_STATE_CONFIRMED")
        .await;
    let renew = step(sale.show_id, "renew", &buyer, &json!({"pass": pass}));
    until("the session is over", async || {
        let answer = mesh.rest.send(&renew).await.ok()?;
        (answer.reason() == "PASS_EXPIRED").then_some(())
    })
    .await;
    // The levels of the sale come by a queue of their own; whoever joins before that is let in.
    let late = until("nobody joins any more", async || {
        let late = mesh.person(&[Role::User]);
        let join = step(sale.show_id, "join", &late, &json!({"grades": ["R"]}));
        let answer = mesh.rest.send(&join).await.ok()?;
        (answer.at("/place/state") == "PLACE_STATE_SOLD_OUT").then_some(late)
    })
    .await;
    let wish = step(
        sale.show_id,
        "join",
        &late,
        &json!({"grades": ["R", "Box"]}),
    );
    let refused = mesh.rest.send(&wish).await.unwrap();
    assert_eq!(refused.reason(), "INVALID_REQUEST", "{}", refused.text);
    assert!(refused.text.contains("grades[1]"), "{}", refused.text);
    let room = mesh.ask(&room).await;
    assert_eq!(room.at("/room/soldOut"), "true", "{}", room.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_keeps_its_order_and_its_bounds_while_instances_and_redis_are_killed() {
    let mut mesh = RealMesh::start_pairs(Timings::Standard).await;
    let show_id = id::new();
    open_room(&mesh, show_id, CAPACITY).await;
    let mut passes: Vec<Seen> = Vec::new();
    let mut line: Vec<Waiter> = Vec::new();
    for _ in 0..BEFORE + CAPACITY {
        let (waiter, answer) = join(&mesh, show_id, mesh.person(&[Role::User])).await;
        passes.extend(seen(now(), waiter.person.account_id, &answer));
        line.push(waiter);
    }
    claim_all(&mesh, show_id, &line, &mut passes).await;
    let inside: BTreeSet<Uuid> = passes.iter().map(|pass| pass.owner).collect();
    assert_eq!(inside.len(), CAPACITY);
    line.retain(|waiter| !inside.contains(&waiter.person.account_id));
    assert_eq!(line.len(), BEFORE);

    let joined = join_while_all_is_killed(&mut mesh, show_id).await;
    let all: Vec<Waiter> = line.iter().cloned().chain(joined).collect();
    let positions = positions_of(&mesh, show_id, &all).await;
    assert!(
        positions[..BEFORE].is_sorted(),
        "{:?}",
        &positions[..BEFORE]
    );
    assert_eq!(
        positions[BEFORE - 1],
        u64::try_from(BEFORE).unwrap(),
        "nobody came in between"
    );
    let generation = mesh.queue.number("SELECT generation FROM room").await;
    assert!(generation >= 2, "the room has recovered");

    // Whoever is next comes in when the passes of before have ended, and not earlier.
    until("the next ones come in", async || {
        claim_all(&mesh, show_id, &line[..CAPACITY], &mut passes).await;
        let owners: BTreeSet<Uuid> = passes.iter().map(|pass| pass.owner).collect();
        (owners.len() == 2 * CAPACITY).then_some(())
    })
    .await;
    assert_eq!(most_at_once(&passes), CAPACITY);
    // The checker notices one pass too many.
    let full = passes[..CAPACITY]
        .iter()
        .map(|pass| pass.from)
        .max()
        .unwrap();
    passes.push(Seen {
        owner: id::new(),
        from: full,
        until: full + 1,
    });
    assert!(most_at_once(&passes) > CAPACITY);
}

/// People join while an instance and Redis are killed.
async fn join_while_all_is_killed(mesh: &mut RealMesh, show_id: Uuid) -> Vec<Waiter> {
    let mut killed = mesh.take("queue-svc.2");
    let mesh = &*mesh;
    let people: Vec<Person> = (0..MEANWHILE).map(|_| mesh.person(&[Role::User])).collect();
    let joins = futures_util::stream::iter(people)
        .map(|person| join(mesh, show_id, person))
        .buffer_unordered(AT_ONCE)
        .map(|(waiter, _)| waiter)
        .collect();
    let deaths = async {
        killed.kill();
        killed.start_again().await;
        killed.ready().await;
        mesh::tasks::blocking(|| kill_server("redis"))
            .await
            .unwrap();
    };
    tokio::join!(joins, deaths).0
}

/// Positions of people who all wait, once each has one of their own.
async fn positions_of(mesh: &RealMesh, show_id: Uuid, people: &[Waiter]) -> Vec<u64> {
    until("everybody has a place again", async || {
        let mut positions: Vec<u64> = Vec::new();
        for waiter in people {
            let ticket = json!({"ticket": waiter.ticket});
            let answer = insist(mesh, &step(show_id, "poll", &waiter.person, &ticket)).await;
            let state = answer.at("/place/state");
            assert_eq!(state, "PLACE_STATE_WAITING", "{}", answer.text);
            positions.push(answer.at("/place/position").parse().unwrap());
        }
        let different: BTreeSet<u64> = positions.iter().copied().collect();
        (different.len() == people.len()).then_some(positions)
    })
    .await
}

/// Claims for everybody; whoever gets a pass is noted.
async fn claim_all(mesh: &RealMesh, show_id: Uuid, line: &[Waiter], passes: &mut Vec<Seen>) {
    for waiter in line {
        let claim = step(
            show_id,
            "claim",
            &waiter.person,
            &json!({"ticket": waiter.ticket}),
        );
        let answer = insist_or_wait(mesh, &claim).await;
        passes.extend(answer.and_then(|answer| seen(now(), waiter.person.account_id, &answer)));
    }
}

/// The answer to a claim, unless the room recovers: then nobody is let in, which is an answer, too.
async fn insist_or_wait(mesh: &RealMesh, call: &Call) -> Option<Answer> {
    let answer = mesh.rest.send(call).await.ok()?;
    answer.is_ok().then_some(answer)
}

/// How many owners had a valid pass at the fullest moment.
fn most_at_once(passes: &[Seen]) -> usize {
    let valid_at = |moment: i64| {
        let valid = passes
            .iter()
            .filter(|pass| pass.from <= moment && moment < pass.until);
        valid.map(|pass| pass.owner).collect::<BTreeSet<_>>().len()
    };
    passes
        .iter()
        .map(|pass| valid_at(pass.from))
        .max()
        .unwrap_or(0)
}
