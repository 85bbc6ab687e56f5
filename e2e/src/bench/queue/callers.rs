//! People who call a server, each with a token of their own.

use std::sync::Arc;

use mesh::id;
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::queue_service_client::QueueServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use super::room::Room;
use super::scene::CONNECTIONS;
use crate::bench::process::Process;
use crate::bench::{BenchError, failed};

/// Somebody who waits, or is about to.
pub(super) struct Person {
    pub(super) token: MetadataValue<Ascii>,
    /// Empty before they join.
    pub(super) ticket: String,
}

/// People and the connections that they share. Clones are the same.
#[derive(Clone)]
pub(super) struct Callers {
    inner: Arc<Inner>,
}

struct Inner {
    clients: Vec<QueueServiceClient<Channel>>,
    people: Arc<[Person]>,
    show_id: String,
}

impl Callers {
    pub(super) async fn connect(
        process: &Process,
        room: &Room,
        people: &Arc<[Person]>,
    ) -> Result<Self, BenchError> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(QueueServiceClient::new(process.connect().await?));
        }
        let inner = Inner {
            clients,
            people: Arc::clone(people),
            show_id: room.show_id.to_string(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(super) fn count(&self) -> usize {
        self.inner.people.len()
    }

    fn client(&self, caller: usize) -> QueueServiceClient<Channel> {
        self.inner.clients[caller % self.inner.clients.len()].clone()
    }

    fn person(&self, index: usize) -> &Person {
        &self.inner.people[index % self.inner.people.len()]
    }

    /// Lets the server see a token: it verifies it once.
    pub(super) async fn show_token(&self, caller: usize, index: usize) -> Result<(), BenchError> {
        let request = by(self.person(index), pb::GetPassKeysRequest {});
        let answer = self.client(caller).get_pass_keys(request).await;
        answer.map(drop).map_err(failed("GetPassKeys"))
    }

    pub(super) async fn poll(&self, caller: usize, index: usize) -> Result<pb::Place, BenchError> {
        let person = self.person(index);
        let request = pb::PollRequest {
            show_id: self.inner.show_id.clone(),
            ticket: person.ticket.clone(),
            shown_position: 0,
        };
        let answer = self.client(caller).poll(by(person, request)).await;
        waiting(answer.map_err(failed("Poll"))?.into_inner().place)
    }

    pub(super) async fn join(&self, caller: usize, index: usize) -> Result<pb::Place, BenchError> {
        let person = self.person(index);
        let request = pb::JoinRequest {
            request_id: id::new().to_string(),
            show_id: self.inner.show_id.clone(),
            ticket: person.ticket.clone(),
            ..pb::JoinRequest::default()
        };
        let answer = self.client(caller).join(by(person, request)).await;
        waiting(answer.map_err(failed("Join"))?.into_inner().place)
    }
}

fn by<T>(person: &Person, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let token = person.token.clone();
    request.metadata_mut().insert("authorization", token);
    request
}

fn waiting(place: Option<pb::Place>) -> Result<pb::Place, BenchError> {
    match place {
        Some(place) if place.state() == pb::PlaceState::Waiting => Ok(place),
        other => Err(BenchError::Contradiction(format!("not in line: {other:?}"))),
    }
}
