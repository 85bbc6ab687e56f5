//! What /readyz says.
//!
//! Not ready until every routed package had one address that takes connections: a fresh instance must not answer 503 where its siblings
//! answer. From then on a package that goes away is shown and does not take the door down, or one broken service would close every other;
//! only when nothing at all is reachable is the door itself cut off, and not ready.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use http::Uri;
use mesh::health::{Health, Need};
use mesh::tasks::Tasks;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::routes::Routes;

/// Time for one connect: a neighbour in the data centre answers at once, or is gone.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// The check that makes the door ready.
const ROUTES: &str = "routes";
/// The check that shows a package that went away.
const EVERY_ROUTE: &str = "every route";

/// Looks at the services behind again and again.
pub(crate) fn follow(tasks: &Tasks, health: Health, routes: Routes, pause: Duration) {
    health.down(ROUTES, Need::Required, "not looked at yet");
    tasks.keep_running("readiness", move |stop| {
        let (health, routes) = (health.clone(), routes.clone());
        async move {
            let mut reached = BTreeSet::new();
            while !stop.is_cancelled() {
                let down = unreachable(&routes).await;
                note(&health, &routes, &mut reached, &down);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    });
}

fn note<'r>(
    health: &Health,
    routes: &'r Routes,
    reached: &mut BTreeSet<String>,
    down: &BTreeSet<&'r str>,
) {
    let packages: Vec<_> = routes.iter().map(|(package, _)| package).collect();
    let up = packages.iter().filter(|package| !down.contains(**package));
    reached.extend(up.map(|package| (*package).to_owned()));
    let never: Vec<_> = packages
        .iter()
        .filter(|package| !reached.contains(**package))
        .copied()
        .collect();
    if !never.is_empty() {
        health.down(
            ROUTES,
            Need::Required,
            format!("never reached: {}", never.join(", ")),
        );
    } else if down.len() == packages.len() {
        health.down(ROUTES, Need::Required, "nothing is reachable");
    } else {
        health.up(ROUTES, Need::Required);
    }
    if down.is_empty() {
        health.up(EVERY_ROUTE, Need::Degrading);
    } else {
        let down: Vec<_> = down.iter().copied().collect();
        health.down(
            EVERY_ROUTE,
            Need::Degrading,
            format!("not reachable: {}", down.join(", ")),
        );
    }
}

/// The packages of which no address takes a connection.
async fn unreachable(routes: &Routes) -> BTreeSet<&str> {
    let looks = routes.iter().map(|(package, peers)| async move {
        let connects = join_all(peers.addresses().iter().map(|address| connects(address))).await;
        (package, connects.contains(&true))
    });
    let looks = join_all(looks).await;
    looks
        .into_iter()
        .filter(|(_, up)| !up)
        .map(|(package, _)| package)
        .collect()
}

async fn connects(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else {
        return false;
    };
    let Some((host, port)) = uri.host().zip(uri.port_u16()) else {
        return false;
    };
    // Brackets of an IPv6 address belong to the URI.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    matches!(
        timeout(CONNECT_MAX, TcpStream::connect((host, port))).await,
        Ok(Ok(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_goes_away_is_shown_and_the_last_one_closes_the_door() {
        let routes: Routes = "a.v1=http://x:1;b.v1=http://y:1".parse().unwrap();
        let (health, mut reached) = (Health::new(), BTreeSet::new());
        let mut look = |down: &[&'static str]| {
            note(
                &health,
                &routes,
                &mut reached,
                &down.iter().copied().collect(),
            );
            (health.is_ready(), health.report()[EVERY_ROUTE].up)
        };
        assert_eq!(look(&["a.v1", "b.v1"]), (false, false));
        assert_eq!(look(&["b.v1"]), (false, false));
        assert_eq!(look(&[]), (true, true));
        assert_eq!(look(&["b.v1"]), (true, false));
        assert_eq!(look(&["a.v1", "b.v1"]), (false, false));
        assert_eq!(look(&["a.v1"]), (true, false));
    }
}
