//! The demo catalogue: a theatre, a hall from a real seating plan, a show with one performance, on sale.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use mesh::identity::Role;
use mesh::{clock, id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DemoError, Stage};
use crate::rest::{Answer, Call, Person};

/// The seller of the demo, the same in every run, so that a second run finds the first one's show.
const SELLER: Uuid = Uuid::from_u128(0x7573_6865_7200_5000_8000_6465_6d6f_0001);
/// The plan that the demo hall is made of; `dev/catalogue` has a larger one beside it.
const PLAN: &[u8] = include_bytes!("../../../dev/catalogue/plan-300.json");
/// Prices by grade in won, dearest first; a grade beyond them costs what the last one does.
const PRICES: [i64; 4] = [150_000, 120_000, 90_000, 60_000];

/// What is on sale.
#[derive(Clone, Debug)]
pub struct Sale {
    /// The show.
    pub show_id: String,
    /// Its performance.
    pub performance_id: String,
    /// The units of the performance.
    pub pool_id: String,
}

/// Who may buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Everybody, at once.
    Free,
    /// Whom the waiting room lets in, one at a time, so that two people see a line.
    WaitingRoom,
}

/// Finds the demo show with this entry, or creates it. `tell` gets each call with its answer.
pub async fn seed(
    stage: &Stage,
    entry: Entry,
    tell: &mut impl FnMut(&Call, &Answer),
) -> Result<Sale, DemoError> {
    let seller = stage.person(SELLER, &[Role::Seller])?;
    let sale = match find(stage, entry, tell).await? {
        Some(sale) => sale,
        None => create(stage, &seller, entry, tell).await?,
    };
    ask(
        stage,
        tell,
        &Call::get(format!("/v1/shows/{}", sale.show_id)),
    )
    .await?;
    Ok(sale)
}

/// Whoever runs the demo show.
pub(super) fn operator(stage: &Stage) -> Result<Person, DemoError> {
    stage.person(SELLER, &[Role::Admin])
}

/// Sends a call that has to succeed.
pub(super) async fn ask(
    stage: &Stage,
    tell: &mut impl FnMut(&Call, &Answer),
    call: &Call,
) -> Result<Answer, DemoError> {
    let answer = stage.edge.send(call).await?;
    tell(call, &answer);
    if answer.is_ok() {
        return Ok(answer);
    }
    Err(DemoError::Refused {
        call: call.title(),
        status: answer.status,
        body: answer.text,
    })
}

async fn find(
    stage: &Stage,
    entry: Entry,
    tell: &mut impl FnMut(&Call, &Answer),
) -> Result<Option<Sale>, DemoError> {
    let shows = format!("/v1/shows?sellerId={SELLER}&state=SHOW_STATE_PUBLISHED");
    let shows = ask(stage, tell, &Call::get(shows)).await?;
    for show in shows
        .json
        .pointer("/shows")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Some(show_id) = show.get("showId").and_then(Value::as_str) else {
            continue;
        };
        let queued = show.get("queueRequired").and_then(Value::as_bool);
        if queued.unwrap_or_default() != (entry == Entry::WaitingRoom) {
            continue;
        }
        let after = rfc3339(clock::now() + TimeDelta::hours(1));
        let path = format!("/v1/shows/{show_id}/performances?startTimeAfter={after}");
        let performances = ask(stage, tell, &Call::get(path)).await?;
        let sale = Sale {
            show_id: show_id.to_owned(),
            performance_id: performances.at("/performances/0/performanceId"),
            pool_id: performances.at("/performances/0/poolId"),
        };
        if !sale.pool_id.is_empty() && has_room(stage, tell, &sale.pool_id).await? {
            return Ok(Some(sale));
        }
    }
    Ok(None)
}

async fn has_room(
    stage: &Stage,
    tell: &mut impl FnMut(&Call, &Answer),
    pool_id: &str,
) -> Result<bool, DemoError> {
    let path = format!("/v1/pools/{pool_id}/units?state=UNIT_STATE_AVAILABLE&pageSize=2");
    let units = ask(stage, tell, &Call::get(path)).await?;
    Ok(units.json.pointer("/units/1").is_some())
}

async fn create(
    stage: &Stage,
    seller: &Person,
    entry: Entry,
    tell: &mut impl FnMut(&Call, &Answer),
) -> Result<Sale, DemoError> {
    let (hall_id, grades) = hall(stage, seller, tell).await?;
    let now = clock::now();
    let show = json!({
        "title": match entry { Entry::Free => "The Nightingale", Entry::WaitingRoom => "The Nightingale, last night" },
        "castNames": ["Han Seo-yun", "Kim Ji-ho"], "category": "musical", "ageRating": "8+",
        "description": "A musical in two acts.", "currency": "KRW",
        "saleOpenTime": rfc3339(now - TimeDelta::minutes(1)), "saleCloseTime": rfc3339(now + TimeDelta::days(29)),
        "unitsPerBuyerMax": 4, "holdTtl": "300s", "queueRequired": entry == Entry::WaitingRoom,
    });
    let show = ask(stage, tell, &Call::post("/v1/shows").by(seller).json(&show)).await?;
    let show_id = show.at("/show/showId");
    let prices: Vec<Value> = grades
        .iter()
        .enumerate()
        .map(|(index, grade)| {
            let price = PRICES
                .get(index)
                .or(PRICES.last())
                .copied()
                .unwrap_or_default();
            json!({"grade": grade, "price": {"minorUnits": price.to_string(), "currency": "KRW"}})
        })
        .collect();
    let performance = json!({
        "hallId": hall_id, "prices": prices,
        "startTime": rfc3339(now + TimeDelta::days(30)), "endTime": rfc3339(now + TimeDelta::days(30) + TimeDelta::hours(3)),
    });
    let path = format!("/v1/shows/{show_id}/performances");
    let performance = ask(stage, tell, &Call::post(path).by(seller).json(&performance)).await?;
    if entry == Entry::WaitingRoom {
        open_room(stage, &show_id, tell).await?;
    }
    let publish = Call::post(format!("/v1/shows/{show_id}:publish"));
    ask(stage, tell, &publish.by(seller)).await?;
    Ok(Sale {
        show_id,
        performance_id: performance.at("/performance/performanceId"),
        pool_id: performance.at("/performance/poolId"),
    })
}

/// A hall of a new venue, and its grades, dearest first.
async fn hall(
    stage: &Stage,
    seller: &Person,
    tell: &mut impl FnMut(&Call, &Answer),
) -> Result<(String, Vec<String>), DemoError> {
    let venue = json!({
        "name": "Daehangno Theatre", "address": "12 Daehak-ro", "city": "Seoul", "countryCode": "KR", "timeZone": "Asia/Seoul",
    });
    let venue = Call::post("/v1/venues").by(seller).json(&venue);
    let venue = ask(stage, tell, &venue).await?;
    let plan = Call::post("/v1/seating-plans")
        .by(seller)
        .bytes(PLAN.to_vec());
    let plan = ask(stage, tell, &plan).await?;
    let grades = grades(&plan);
    let last = grades.last().cloned().unwrap_or_default();
    let hall = json!({
        "name": format!("Main hall {}", id::new()),
        "planId": plan.at("/planId"),
        "areas": [{"name": "Standing", "zone": "Stalls", "grade": last, "capacity": 50}],
        "accessibleRows": [{"zone": "Stalls", "row": "A"}],
    });
    let path = format!("/v1/venues/{}/halls", venue.at("/venue/venueId"));
    let hall = ask(stage, tell, &Call::post(path).by(seller).json(&hall)).await?;
    Ok((hall.at("/hall/hallId"), grades))
}

/// Opens the waiting room for one person at a time. Before the show is published nobody but an admin may.
async fn open_room(
    stage: &Stage,
    show_id: &str,
    tell: &mut impl FnMut(&Call, &Answer),
) -> Result<(), DemoError> {
    let admin = operator(stage)?;
    let settings = json!({"settings": {"capacity": 1, "rate": 10}, "reason": "demo"});
    let put = Call::put(format!("/v1/shows/{show_id}/room")).key(id::new());
    ask(stage, tell, &put.by(&admin).json(&settings)).await?;
    let open = Call::post(format!("/v1/shows/{show_id}/room:open"));
    let open = open.by(&admin).json(&json!({"reason": "demo"}));
    ask(stage, tell, &open).await?;
    Ok(())
}

/// Grades in the order of the plan.
fn grades(plan: &Answer) -> Vec<String> {
    let counts = plan.json.pointer("/counts").and_then(Value::as_array);
    let mut grades: Vec<String> = Vec::new();
    for count in counts.into_iter().flatten() {
        let grade = count
            .get("grade")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !grades.iter().any(|known| known == grade) {
            grades.push(grade.to_owned());
        }
    }
    grades
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
