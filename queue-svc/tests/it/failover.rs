//! A primary and a replica of our own: whoever is promoted is another server to the line, also when it is the process of before.

use std::time::Duration;

use mesh::redis::{CallError, Redis, Wait};
use queue_svc::domain::lane::{Block, Lane, Spot};
use queue_svc::domain::settings::{Mode, Settings};
use queue_svc::line::{Line, LineError, Standing, library};
use uuid::Uuid;

use crate::losses::{joiner, settings as three};
use crate::servers::Server;
use crate::service::until;

fn line_of(server: &Server, show_id: Uuid, wait: Option<Wait>) -> Line {
    Line::new(server.redis.clone(), library(), show_id, 1, wait)
}

fn open() -> Settings {
    Settings {
        mode: Mode::Open,
        ..three(1)
    }
}

async fn set_up(line: &Line) {
    let block = Block {
        first: 0,
        end: 1_000,
    };
    line.recover(1, Duration::ZERO, [block; 3]).await.unwrap();
    line.configure(1, &open()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_is_another_server_with_everybody_in_line() {
    let (primary, replica) = (Server::start().await, Server::start().await);
    let show_id = mesh::id::new();
    replica.follow(&primary).await;
    let wait = Wait {
        replicas: 1,
        timeout: Duration::from_secs(5),
    };
    let line = line_of(&primary, show_id, Some(wait));
    set_up(&line).await;
    let people: Vec<_> = (0..10).map(joiner).collect();
    let (_, told) = line.join(1, 10_000_000, &people).await.unwrap();
    drop(primary);
    replica.lead().await;
    let promoted = line_of(&replica, show_id, None);
    let refused = promoted.join(1, 10_000_000, &people).await;
    assert!(matches!(refused, Err(LineError::Fenced(1))), "{refused:?}");
    let block = Block {
        first: 1_000,
        end: 2_000,
    };
    promoted
        .recover(2, Duration::from_secs(64), [block; 3])
        .await
        .unwrap();
    let (_, again) = promoted.join(2, 10_000_000, &people).await.unwrap();
    let spots =
        |told: &[queue_svc::line::Told]| told.iter().map(|told| told.spot).collect::<Vec<_>>();
    assert_eq!(
        spots(&again),
        spots(&told),
        "what was answered was replicated"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_was_issued_elsewhere_is_not_told_again_before_the_replicas_know_it() {
    let (primary, replica) = (Server::start().await, Server::start().await);
    replica.follow(&primary).await;
    let show_id = mesh::id::new();
    let line = line_of(&primary, show_id, None);
    set_up(&line).await;
    // A bucket begins empty.
    until("somebody is let in", async || {
        line.admit(1, 10).await.unwrap();
        let (_, told) = line.join(1, 10_000_000, &[joiner(1)]).await.unwrap();
        let spot = told[0].spot.unwrap();
        let (_, told) = line.claim(1, &[spot]).await.unwrap();
        matches!(told[0].standing, Standing::Admitted(_)).then_some(())
    })
    .await;
    replica.silence();
    let wait = Wait {
        replicas: 1,
        timeout: Duration::from_millis(100),
    };
    let other = Line::new(
        Redis::open(&primary.url()).unwrap(),
        library(),
        show_id,
        1,
        Some(wait),
    );
    let again = other.join(1, 10_000_000, &[joiner(1)]).await;
    assert!(is_unknown(&again), "{again:?}");
    let fresh = Line::new(
        Redis::open(&primary.url()).unwrap(),
        library(),
        show_id,
        1,
        Some(wait),
    );
    let spot = Spot {
        lane: Lane::General,
        seq: 0,
    };
    let claimed = fresh.claim(1, &[spot]).await;
    assert!(is_unknown(&claimed), "{claimed:?}");
}

fn is_unknown<T>(answer: &Result<T, LineError>) -> bool {
    matches!(answer, Err(LineError::Call(CallError::Unknown(_))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_comes_back_to_the_same_process_is_noticed() {
    let (first, second) = (Server::start().await, Server::start().await);
    let show_id = mesh::id::new();
    let line = line_of(&first, show_id, None);
    set_up(&line).await;
    // A first replica changes nothing: a sale may go on.
    second.follow(&first).await;
    line.join(1, 10_000_000, &[joiner(1)]).await.unwrap();
    second.lead().await;
    first.follow(&second).await;
    first.lead().await;
    let refused = line.join(1, 10_000_000, &[joiner(1)]).await;
    assert!(matches!(refused, Err(LineError::Fenced(1))), "{refused:?}");
}
