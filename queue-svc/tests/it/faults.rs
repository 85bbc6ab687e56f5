//! Two instances, each a process of its own, and what people are told while one stands still, or is killed, or Redis is.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh::config::Secret;
use uuid::Uuid;

use crate::crowd::{Crowd, settings};
use crate::history::{Bounds, Event, broken, is_close_to};
use crate::processes::Process;
use crate::servers::Server;
use crate::service::{Home, until};
use crate::support::redis_url;

const PEOPLE: u32 = 30;
const BOUNDS: Bounds = Bounds {
    capacity: 6,
    rate: 2,
    burst: 2,
};
/// People ask for the next pass so often; whoever stands still for longer missed one. In ms.
const RENEW_EVERY: i64 = 20_000;

/// A room that two processes look after, and people who come to it.
struct Scene {
    home: Arc<Home>,
    show_id: Uuid,
    first: Process,
    second: Process,
    crowd: Crowd,
}

impl Scene {
    async fn set(redis: &Secret) -> Self {
        let home = Arc::new(Home::new().await);
        let (first, second) = (
            Process::start(&home, redis).await,
            Process::start(&home, redis).await,
        );
        let capacity = u32::try_from(BOUNDS.capacity).unwrap();
        let settings = settings(capacity, 2, 2);
        let show_id = first.door.room(&home, settings).await;
        let doors = vec![first.door.clone(), second.door.clone()];
        let crowd = Crowd::come(&home, show_id, doors, PEOPLE);
        Self {
            home,
            show_id,
            first,
            second,
            crowd,
        }
    }

    async fn somebody_is_inside(&self, count: usize) {
        let what = format!("{count} are inside");
        until(&what, async || (self.crowd.inside() >= count).then_some(())).await;
    }

    /// An instance answers people again and again.
    async fn answers(&self, door: usize) {
        let before = self.crowd.answers(door);
        until("an instance answers", async || {
            (self.crowd.answers(door) >= before + 50).then_some(())
        })
        .await;
    }

    /// Everybody has a place again.
    async fn everybody_is_heard(&self) {
        self.crowd.forget_who_was_heard();
        until("everybody is told of a place", async || {
            self.crowd.everybody_was_heard().then_some(())
        })
        .await;
    }

    async fn reaches_generation(&self, generation: i64) {
        let sql = format!(
            "SELECT generation AS n FROM room WHERE show_id = '{}'",
            self.show_id
        );
        until("the room recovers", async || {
            (self.home.number(&sql).await >= generation).then_some(())
        })
        .await;
    }
}

fn now() -> i64 {
    mesh::clock::now().timestamp_millis()
}

/// Refusals that are no answers of the room.
fn odd(refusals: &BTreeMap<String, u64>, known: &[&str]) -> Vec<String> {
    let odd = refusals
        .keys()
        .filter(|refusal| !known.iter().any(|known| refusal.contains(known)));
    odd.cloned().collect()
}

fn keeps_its_bounds(history: &[Event]) {
    assert_eq!(broken(history, BOUNDS), Vec::<String>::new());
    is_close_to(history, BOUNDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stood_still_admits_nobody_too_many_when_it_goes_on() {
    let scene = Scene::set(&Secret::new(redis_url())).await;
    let crowd = &scene.crowd;
    scene.somebody_is_inside(2).await;
    let (end, late) = (crowd.last_end(), crowd.late());
    scene.second.freeze();
    until("a pass was due that nobody asked it for", async || {
        (crowd.last_end() > end + RENEW_EVERY).then_some(())
    })
    .await;
    let open = crowd.open();
    assert!(open > 20, "{open} calls wait for it");
    scene.second.thaw();
    until("it answers all that was asked meanwhile", async || {
        (crowd.late() >= late + open / 2 && crowd.open() < open / 2).then_some(())
    })
    .await;
    scene.answers(1).await;
    scene.somebody_is_inside(BOUNDS.capacity).await;
    let (history, refusals) = scene.crowd.leave().await;
    keeps_its_bounds(&history);
    // Offers ended while claims of them waited there.
    assert!(refusals.contains_key("Claim NO_OFFER"), "{refusals:?}");
    let known = ["NO_OFFER", "LINE_UNAVAILABLE", "DEADLINE"];
    assert_eq!(odd(&refusals, &known), Vec::<String>::new(), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_kept_while_instances_and_redis_are_killed() {
    let mut redis = Server::start_with(&["--appendonly", "yes"]).await;
    let mut scene = Scene::set(&redis.url()).await;
    scene.somebody_is_inside(1).await;
    scene.second.kill();
    scene.answers(0).await;
    scene.second.start_again().await;
    scene.answers(1).await;
    scene.first.kill();
    scene.answers(1).await;
    scene.first.start_again().await;
    scene.somebody_is_inside(BOUNDS.capacity).await;

    let from = now();
    redis.kill();
    redis.start_again().await;
    scene.crowd.lost(from, now());
    scene.reaches_generation(2).await;
    scene.everybody_is_heard().await;

    // The next time it comes back with nothing.
    let from = now();
    redis.kill();
    redis.wipe();
    redis.start_again().await;
    scene.crowd.lost(from, now());
    scene.reaches_generation(3).await;
    scene.everybody_is_heard().await;
    let (home, show_id) = (&scene.home, scene.show_id);
    until("whoever is inside is counted again", async || {
        let stats = scene.first.door.try_stats(home, show_id).await.ok()?;
        let slots = usize::try_from(stats.slots).unwrap();
        (slots == BOUNDS.capacity && stats.over_by == 0).then_some(())
    })
    .await;
    let inside = scene.crowd.inside();
    let (history, _) = scene.crowd.leave().await;
    keeps_its_bounds(&history);
    assert_eq!(inside, BOUNDS.capacity, "nobody new comes in meanwhile");
}
