//! A show on sale, made through REST as a seller would.

use chrono::{SecondsFormat, TimeDelta};
use e2e::rest::{Call, Person};
use mesh::identity::Role;
use mesh::{clock, id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{RealMesh, id_at};

/// The plan of the house of 300 that `make demo` sells too.
const PLAN_300: &[u8] = include_bytes!("../../../../dev/catalogue/plan-300.json");

/// Where the seats come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seats {
    /// The imported plan of 300 seats.
    Plan,
    /// One row with so many seats.
    Row(u32),
}

/// What to put on sale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShowPlan {
    pub(crate) seats: Seats,
    pub(crate) units_per_buyer_max: u32,
    /// Price of every unit in won.
    pub(crate) price: i64,
    /// Seconds; as the preset of timers stretches them.
    pub(crate) hold_ttl: u32,
    /// Whether only those are served whom the waiting room let in.
    pub(crate) queue_required: bool,
    /// Whether nobody else looks at it, either.
    pub(crate) browse_gated: bool,
    /// When the sale opens and closes, from now.
    pub(crate) window: (TimeDelta, TimeDelta),
    pub(crate) currency: &'static str,
}

impl Default for ShowPlan {
    fn default() -> Self {
        Self {
            seats: Seats::Row(20),
            units_per_buyer_max: 10,
            price: 50_000,
            hold_ttl: 1_800,
            queue_required: false,
            browse_gated: false,
            window: (TimeDelta::minutes(-5), TimeDelta::days(20)),
            currency: "KRW",
        }
    }
}

/// A show on sale.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub(crate) seller: Person,
    pub(crate) venue_id: Uuid,
    pub(crate) hall_id: Uuid,
    pub(crate) show_id: Uuid,
    pub(crate) performance_id: Uuid,
    pub(crate) pool_id: Uuid,
}

impl RealMesh {
    /// Creates venue, hall, show and performance, and publishes the show.
    pub(crate) async fn on_sale(&self, plan: ShowPlan) -> Sale {
        let seller = self.person(&[Role::Seller]);
        let post = |path: String, body: &Value| Call::post(path).by(&seller).json(body);
        let venue = json!({"name": "House", "address": "1 Street", "city": "Seoul", "countryCode": "KR", "timeZone": "Asia/Seoul"});
        let venue = self.ask(&post("/v1/venues".to_owned(), &venue)).await;
        let venue_id = id_at(&venue, "/venue/venueId");
        let hall = self.layout(&seller, plan.seats).await;
        let hall = self
            .ask(&post(format!("/v1/venues/{venue_id}/halls"), &hall))
            .await;
        let hall_id = id_at(&hall, "/hall/hallId");
        let now = clock::now();
        let at = |offset: TimeDelta| (now + offset).to_rfc3339_opts(SecondsFormat::Secs, true);
        let show = json!({
            "title": "A show", "castNames": [], "category": "musical", "ageRating": "8+", "description": "", "currency": plan.currency,
            "saleOpenTime": at(plan.window.0), "saleCloseTime": at(plan.window.1),
            "unitsPerBuyerMax": plan.units_per_buyer_max, "holdTtl": format!("{}s", plan.hold_ttl),
            "queueRequired": plan.queue_required, "browseGated": plan.browse_gated,
        });
        let show = self.ask(&post("/v1/shows".to_owned(), &show)).await;
        let show_id = id_at(&show, "/show/showId");
        let counts = hall
            .json
            .pointer("/hall/counts")
            .unwrap()
            .as_array()
            .unwrap();
        let mut grades: Vec<&str> = counts
            .iter()
            .filter_map(|count| count["grade"].as_str())
            .collect();
        grades.sort_unstable();
        grades.dedup();
        let price = json!({"minorUnits": plan.price.to_string(), "currency": plan.currency});
        let prices: Vec<Value> = grades
            .iter()
            .map(|grade| json!({"grade": grade, "price": price}))
            .collect();
        let performance = json!({
            "hallId": hall_id, "prices": prices, "startTime": at(TimeDelta::days(30)), "endTime": at(TimeDelta::days(30) + TimeDelta::hours(3)),
        });
        let path = format!("/v1/shows/{show_id}/performances");
        let performance = self.ask(&post(path, &performance)).await;
        self.ask(&post(format!("/v1/shows/{show_id}:publish"), &json!({})))
            .await;
        Sale {
            venue_id,
            hall_id,
            show_id,
            performance_id: id_at(&performance, "/performance/performanceId"),
            pool_id: id_at(&performance, "/performance/poolId"),
            seller,
        }
    }

    async fn layout(&self, seller: &Person, seats: Seats) -> Value {
        let name = format!("Hall {}", id::new());
        match seats {
            Seats::Row(seats) => {
                let row =
                    json!({"zone": "Stalls", "row": "A", "from": 1, "to": seats, "grade": "R"});
                json!({"name": name, "rowLayout": {"rows": [row]}})
            }
            Seats::Plan => {
                let plan = Call::post("/v1/seating-plans")
                    .by(seller)
                    .bytes(PLAN_300.to_vec());
                let plan = self.ask(&plan).await;
                json!({"name": name, "planId": plan.at("/planId")})
            }
        }
    }
}
