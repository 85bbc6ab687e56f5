//! Five thousand people and one behind them: a waiting room fills, admits at its rate, and drains.

use std::time::Duration;

use futures_util::stream::{StreamExt, iter};
use mesh::clock::Stopwatch;
use mesh::id;
use mesh::identity::Role;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::seed::{ask, operator};
use super::{DemoError, Stage};
use crate::rest::{Answer, Call, Person};

/// People in front.
const PEOPLE: usize = 5_000;
/// Slots: more than people, so that the rate alone holds them back; a slot that somebody leaves is free a minute later.
const CAPACITY: usize = 2 * PEOPLE;
/// Admissions a second: the line drains in half a minute.
const RATE: usize = 200;
/// Calls under way at once: what a laptop takes without refusals.
const AT_ONCE: usize = 64;
/// How often one of the crowd looks: rarely, as on a phone in a pocket; nobody is passed over before two minutes.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How often the person behind them is shown.
const SHOW_EVERY: Duration = Duration::from_secs(2);
/// Longer than this is a fault.
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// One of the crowd.
struct Member {
    person: Person,
    ticket: String,
    next_look: Instant,
    inside: bool,
}

/// Tells the story through `say`.
pub async fn crowd(stage: &Stage, say: &mut impl FnMut(&str)) -> Result<(), DemoError> {
    // A room of its own: one that was left behind by an earlier mesh would first wait for the passes of its people.
    let show_id = id::new();
    let queue = format!("/v1/shows/{show_id}/queue");
    say("\n11. A waiting room\n");
    open(stage, show_id, say).await?;

    let since = Stopwatch::start();
    let mut members = join_all(stage, &queue).await?;
    let seconds = since.elapsed().as_secs_f64();
    say(&format!(
        "\n{PEOPLE} people joined in {seconds:.1} s; {} of them came in at once\n",
        members.iter().filter(|member| member.inside).count()
    ));
    let me = stage.person(id::new(), &[Role::User])?;
    let joined = call(stage, &join(&queue, &me)).await?;
    say(&format!(
        "somebody joins behind them: {}\n\n",
        seen(&joined)
    ));
    let ticket = joined.at("/place/ticket");
    let inside = drain(stage, &queue, &mut members, (&me, &ticket), say).await?;
    let pass = inside.at("/place/pass");
    say(&format!(
        "they are inside until {}, with a pass of {} characters for the header usher-queue-pass\n",
        inside.at("/place/passExpireTime"),
        pass.len()
    ));
    let renew = step(&queue, "renew", &me, &json!({"pass": pass}));
    let renewed = call(stage, &renew).await?;
    say(&format!(
        "renewed: {}; at {} the session ends\n",
        renewed.at("/place/state"),
        renewed.at("/place/sessionExpireTime")
    ));
    let close = order(show_id, "close", &operator(stage)?);
    ask(stage, &mut telling(say), &close).await?;
    Ok(())
}

async fn open(stage: &Stage, show_id: Uuid, say: &mut impl FnMut(&str)) -> Result<(), DemoError> {
    let operator = operator(stage)?;
    let settings = json!({"capacity": CAPACITY, "rate": RATE});
    let room = Call::put(format!("/v1/shows/{show_id}/room"))
        .by(&operator)
        .key(id::new())
        .json(&json!({"settings": settings, "reason": "demo"}));
    for call in [room, order(show_id, "open", &operator)] {
        ask(stage, &mut telling(say), &call).await?;
    }
    Ok(())
}

fn order(show_id: Uuid, verb: &str, operator: &Person) -> Call {
    Call::post(format!("/v1/shows/{show_id}/room:{verb}"))
        .by(operator)
        .key(id::new())
        .json(&json!({"reason": "demo"}))
}

fn telling(say: &mut impl FnMut(&str)) -> impl FnMut(&Call, &Answer) {
    |call, answer| say(&format!("{} -> {}\n", call.title(), answer.status))
}

fn step(queue: &str, verb: &str, person: &Person, body: &serde_json::Value) -> Call {
    Call::post(format!("{queue}:{verb}"))
        .by(person)
        .key(id::new())
        .json(body)
}

fn join(queue: &str, person: &Person) -> Call {
    step(queue, "join", person, &json!({}))
}

/// Sends a call again and again while the line is only being set up, or somebody else's burst is served.
async fn call(stage: &Stage, call: &Call) -> Result<Answer, DemoError> {
    let end = Instant::now() + DRAINED_WITHIN;
    loop {
        let answer = stage.edge.send(call).await?;
        let later = matches!(answer.status, 429 | 503 | 504) && Instant::now() < end;
        if !later {
            return if answer.is_ok() {
                Ok(answer)
            } else {
                ask(stage, &mut |_, _| {}, call).await
            };
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn join_all(stage: &Stage, queue: &str) -> Result<Vec<Member>, DemoError> {
    let people: Vec<Person> = (0..PEOPLE)
        .map(|_| stage.person(id::new(), &[Role::User]))
        .collect::<Result<_, _>>()?;
    // They look at different moments, as people do.
    let spread = |number: usize| {
        let part = f64::from(u32::try_from(number % 1_000).unwrap_or(0)) / 1_000.0;
        Instant::now() + LOOK_EVERY.mul_f64(part)
    };
    let joins = iter(people.into_iter().enumerate()).map(async |(number, person)| {
        let joined = call(stage, &join(queue, &person)).await?;
        Ok(Member {
            ticket: joined.at("/place/ticket"),
            inside: joined.at("/place/state") == "PLACE_STATE_ADMITTED",
            next_look: spread(number),
            person,
        })
    });
    let joined: Vec<Result<Member, DemoError>> = joins.buffer_unordered(AT_ONCE).collect().await;
    joined.into_iter().collect()
}

/// The crowd looks and claims; answers the place of the one behind them once they are inside.
async fn drain(
    stage: &Stage,
    queue: &str,
    members: &mut [Member],
    (me, ticket): (&Person, &str),
    say: &mut impl FnMut(&str),
) -> Result<Answer, DemoError> {
    let since = Stopwatch::start();
    let mut shown = Instant::now();
    let mut position = "0".to_owned();
    while since.elapsed() < DRAINED_WITHIN {
        let due = members
            .iter_mut()
            .filter(|member| !member.inside && member.next_look <= Instant::now());
        let mut looks = iter(due.take(AT_ONCE))
            .map(|member| look(stage, queue, member))
            .buffer_unordered(AT_ONCE);
        while let Some(looked) = looks.next().await {
            looked?;
        }
        if Instant::now() < shown {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        shown = Instant::now() + SHOW_EVERY;
        let body = json!({"ticket": ticket, "shownPosition": position});
        let place = call(stage, &step(queue, "poll", me, &body)).await?;
        let seconds = since.elapsed().as_secs_f64();
        say(&format!("{seconds:5.1} s  {}\n", seen(&place)));
        if place.at("/place/state") == "PLACE_STATE_OFFERED" {
            return call(stage, &step(queue, "claim", me, &json!({"ticket": ticket}))).await;
        }
        position = place.at("/place/position");
    }
    Err(DemoError::Waited(format!(
        "the line did not drain within {} s",
        DRAINED_WITHIN.as_secs()
    )))
}

/// One of the crowd looks, and takes the offer if there is one.
async fn look(stage: &Stage, queue: &str, member: &mut Member) -> Result<(), DemoError> {
    let ticket = json!({"ticket": member.ticket});
    let place = call(stage, &step(queue, "poll", &member.person, &ticket)).await?;
    member.next_look = Instant::now() + LOOK_EVERY;
    if place.at("/place/state") == "PLACE_STATE_OFFERED" {
        call(stage, &step(queue, "claim", &member.person, &ticket)).await?;
        member.inside = true;
    }
    Ok(())
}

/// A place in words.
fn seen(answer: &Answer) -> String {
    match answer.at("/place/state").as_str() {
        "PLACE_STATE_WAITING" => format!(
            "place {} of {} in line{}",
            answer.at("/place/position"),
            answer.at("/place/live"),
            match (answer.at("/place/waitP50"), answer.at("/place/waitP90")) {
                (half, most) if !half.is_empty() => format!(", {half} to {most}"),
                _ => String::new(),
            }
        ),
        "PLACE_STATE_OFFERED" => "it is their turn".to_owned(),
        other => other.to_owned(),
    }
}
