//! Messages that nobody can handle, and what an operator can do about them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lapin::types::{AMQPValue, FieldTable};
use mesh::amqp::{Handler, Message, Poison, park_queue};
use mesh::dead_letters::DeadLetters;
use mesh::faults::Faults;
use mesh::id;
use mesh::identity::{Account, Caller};
use mesh::pg::{Connection, TxError};
use mesh::policy::Access;
use prost::Name;
use proto::usher::mesh::v1::dead_letter_service_server::DeadLetterService;
use proto::usher::mesh::v1::{
    DeadLetter, DiscardDeadLetterRequest, ListDeadLettersRequest, ReplayDeadLetterRequest,
};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::broker::{Corner, Event, QUEUE, stop};
use crate::consumer::{Count, body, dead_letters, effects, properties};
use crate::support::{Fixture, insert, text, until};

/// Takes every message for poison until it is mended.
struct Broken(Arc<AtomicBool>);

impl Handler for Broken {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        insert(connection, 1, &message.kind).await?;
        match self.0.load(Ordering::Relaxed) {
            true => Err(Poison::new("as the test asked").into()),
            false => Ok(()),
        }
    }
}

/// A call of an operator.
fn by<T>(account: &Arc<Account>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller {
        account: Some(Arc::clone(account)),
        peer: None,
    });
    request
}

fn operator() -> Arc<Account> {
    Arc::new(Account {
        account_id: id::new(),
        access: Access::Admin,
        scopes: Vec::new(),
        expire_time: mesh::clock::now(),
    })
}

fn replay(message_id: &str) -> ReplayDeadLetterRequest {
    ReplayDeadLetterRequest {
        request_id: id::new().to_string(),
        queue: QUEUE.to_owned(),
        message_id: message_id.to_owned(),
        reason: "it is mended".to_owned(),
    }
}

fn discard(message_id: &str) -> DiscardDeadLetterRequest {
    DiscardDeadLetterRequest {
        request_id: id::new().to_string(),
        queue: QUEUE.to_owned(),
        message_id: message_id.to_owned(),
        reason: "nobody needs it".to_owned(),
    }
}

/// Every dead letter, read in pages of two.
async fn all(api: &DeadLetters) -> Vec<DeadLetter> {
    let mut asked = ListDeadLettersRequest {
        queue: QUEUE.to_owned(),
        page_size: 2,
        page_token: String::new(),
    };
    let mut found = Vec::new();
    loop {
        let page = api.list_dead_letters(Request::new(asked.clone())).await;
        let page = page.unwrap().into_inner();
        assert!(page.dead_letters.len() <= 2);
        found.extend(page.dead_letters);
        asked.page_token = page.next_page_token;
        if asked.page_token.is_empty() {
            return found;
        }
    }
}

/// A consumer that takes everything for poison, three dead letters, and somebody to look after them.
struct Scene {
    fixture: Fixture,
    corner: Corner,
    broken: Arc<AtomicBool>,
    api: DeadLetters,
    account: Arc<Account>,
    found: Vec<DeadLetter>,
}

impl Scene {
    async fn set() -> Self {
        let (fixture, corner) = (Fixture::new().await, Corner::new().await);
        let broken = Arc::new(AtomicBool::new(true));
        let handler = Broken(Arc::clone(&broken));
        corner.consume(&fixture.database, &fixture.tasks, Faults::none(), handler);
        let exists = async || corner.depth(QUEUE).await.is_some();
        until("the queue exists", exists).await;
        for booking in ["a", "b", "c"] {
            let message = properties(id::new());
            corner
                .publish(&Event::full_name(), &body(booking), message)
                .await;
        }
        let laid = async || dead_letters(&fixture).await == 3;
        until("all are laid aside", laid).await;
        let api = DeadLetters::new(fixture.database.clone());
        let found = all(&api).await;
        assert_eq!(found.len(), 3);
        Self {
            fixture,
            corner,
            broken,
            api,
            account: operator(),
            found,
        }
    }

    async fn replay(&self, request: ReplayDeadLetterRequest) -> Result<(), Status> {
        let call = by(&self.account, request);
        self.api.replay_dead_letter(call).await.map(drop)
    }

    async fn discard(&self, request: DiscardDeadLetterRequest) -> Result<(), Status> {
        let call = by(&self.account, request);
        self.api.discard_dead_letter(call).await.map(drop)
    }

    async fn end(self) {
        stop(&self.fixture.tasks).await;
        self.corner.clear().await;
    }
}

/// Code and reason of a refusal.
fn refused(outcome: Result<(), Status>) -> (Code, String) {
    let status = outcome.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    (status.code(), info.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_is_laid_aside_newest_first() {
    let scene = Scene::set().await;
    let mut times = Vec::new();
    for letter in &scene.found {
        let told = (letter.queue.as_str(), letter.reason.as_str());
        assert_eq!(told, (QUEUE, "as the test asked"));
        let kind = (letter.r#type.clone(), letter.payload.len());
        assert_eq!(kind, (Event::full_name(), 3));
        let time = letter.park_time.unwrap();
        times.push((time.seconds, time.nanos));
    }
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_has_its_effect_once() {
    let scene = Scene::set().await;
    let letter = &scene.found[0].message_id;
    // Too early: it comes back.
    let first = replay(letter);
    scene.replay(first.clone()).await.unwrap();
    let again = async || dead_letters(&scene.fixture).await == 3;
    until("it is laid aside again", again).await;
    // The same call again has no second effect, although there is a dead letter again.
    scene.replay(first).await.unwrap();
    assert_eq!(dead_letters(&scene.fixture).await, 3);

    scene.broken.store(false, Ordering::Relaxed);
    let second = replay(letter);
    scene.replay(second.clone()).await.unwrap();
    let effect = async || effects(&scene.fixture).await == 1;
    until("it has its effect", effect).await;
    assert_eq!(
        refused(scene.replay(replay(letter)).await),
        (Code::NotFound, "DEAD_LETTER_NOT_FOUND".to_owned())
    );
    let reused = ReplayDeadLetterRequest {
        message_id: scene.found[2].message_id.clone(),
        ..second
    };
    assert_eq!(
        refused(scene.replay(reused).await),
        (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned())
    );
    assert_eq!(effects(&scene.fixture).await, 1);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_discarded_is_gone_and_every_order_is_audited() {
    let scene = Scene::set().await;
    let letter = &scene.found[1].message_id;
    scene.discard(discard(letter)).await.unwrap();
    assert_eq!(dead_letters(&scene.fixture).await, 2);
    assert_eq!(
        refused(scene.discard(discard(letter)).await),
        (Code::NotFound, "DEAD_LETTER_NOT_FOUND".to_owned())
    );
    let unfounded = ReplayDeadLetterRequest {
        reason: String::new(),
        ..replay("x")
    };
    let status = scene.replay(unfounded).await.unwrap_err();
    let fields = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = fields.into_iter().map(|found| found.field).collect();
    assert_eq!(fields, ["message_id", "reason"]);
    scene
        .replay(replay(&scene.found[0].message_id))
        .await
        .unwrap();
    let audited = "SELECT string_agg(split_part(method, '/', 2) || ': ' || reason, ', ' ORDER BY create_time) AS t FROM audit_log";
    let mut connection = scene.fixture.connection().await;
    assert_eq!(
        text(&mut connection, audited).await.unwrap(),
        "DiscardDeadLetter: nobody needs it, ReplayDeadLetter: it is mended"
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_laid_aside_is_kept() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    let park = park_queue(QUEUE);
    until("the queue exists", async || {
        corner.depth(&park).await.is_some()
    })
    .await;
    corner.put(&park, &body("b"), properties(id::new())).await;
    until("it is kept", async || dead_letters(&fixture).await == 1).await;
    until("it was acknowledged", async || {
        corner.depth(&park).await == Some(0)
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(corner.depth(&park).await, Some(0));
    let reason = "SELECT reason AS t FROM dead_letter";
    let reason = text(&mut fixture.connection().await, reason).await.unwrap();
    assert_eq!(reason, "the broker laid it aside: unknown");
    assert_eq!(effects(&fixture).await, 0, "nobody handled it");
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_survives_a_database_that_is_away() {
    let (fixture, elsewhere, corner) = (
        Fixture::new().await,
        Fixture::new().await,
        Corner::new().await,
    );
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("the queue exists", async || {
        corner.depth(QUEUE).await.is_some()
    })
    .await;
    elsewhere.forbid(&fixture, true).await;
    let nameless = lapin::BasicProperties::default().with_type(Event::full_name().into());
    corner
        .publish(&Event::full_name(), &body("b"), nameless)
        .await;
    until("it was delivered", async || {
        corner.depth(QUEUE).await == Some(0)
    })
    .await;
    elsewhere.forbid(&fixture, false).await;
    until("it is kept", async || dead_letters(&fixture).await == 1).await;
    stop(&fixture.tasks).await;
    assert_eq!(corner.depth(&park_queue(QUEUE)).await, Some(0));
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_postgres_refuses_is_kept_all_the_same() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    let exists = async || corner.depth(QUEUE).await.is_some();
    until("the queue exists", exists).await;
    let mut headers = FieldTable::default();
    headers.insert("a\0b".into(), AMQPValue::LongString("c\0d".into()));
    let message = properties(id::new()).with_type("not.a\0.Type".into());
    let message = message.with_headers(headers);
    corner
        .publish(&Event::full_name(), &body("b"), message)
        .await;
    let kept = async || dead_letters(&fixture).await == 1;
    until("it is kept", kept).await;
    stop(&fixture.tasks).await;
    let headers = "SELECT headers::text AS t FROM dead_letter";
    let headers = text(&mut fixture.connection().await, headers).await;
    assert_eq!(headers.unwrap(), "{\"a\u{fffd}b\": \"c\u{fffd}d\"}");
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_its_effect_is_no_dead_letter() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    let park = park_queue(QUEUE);
    let exists = async || corner.depth(&park).await.is_some();
    until("the queue exists", exists).await;
    let message = properties(id::new());
    corner
        .publish(&Event::full_name(), &body("b"), message.clone())
        .await;
    let effect = async || effects(&fixture).await == 1;
    until("it has its effect", effect).await;
    corner.put(&park, &body("b"), message).await;
    corner.put(&park, &body("c"), properties(id::new())).await;
    let kept = async || dead_letters(&fixture).await == 1;
    until("the other one is kept", kept).await;
    stop(&fixture.tasks).await;
    assert_eq!(corner.depth(&park).await, Some(0), "both were taken");
    assert_eq!(dead_letters(&fixture).await, 1);
    corner.clear().await;
}
