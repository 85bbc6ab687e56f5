//! People who claim at a server, each with a token of their own.

use std::sync::Arc;

use mesh::id;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::coupon_service_client::CouponServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use uuid::Uuid;

use super::scene::CONNECTIONS;
use crate::bench::BenchError;
use crate::bench::process::Process;

/// What somebody shows with every call.
pub(super) type Token = MetadataValue<Ascii>;

/// People and the connections that they share. Clones are the same.
#[derive(Clone)]
pub(super) struct Callers {
    clients: Arc<[CouponServiceClient<Channel>]>,
    people: Arc<[Token]>,
}

impl Callers {
    pub(super) async fn connect(
        process: &Process,
        people: &Arc<[Token]>,
    ) -> Result<Self, BenchError> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(CouponServiceClient::new(process.connect().await?));
        }
        Ok(Self {
            clients: clients.into(),
            people: Arc::clone(people),
        })
    }

    /// Other people on the same connections.
    pub(super) fn of(&self, people: &Arc<[Token]>) -> Self {
        Self {
            clients: Arc::clone(&self.clients),
            people: Arc::clone(people),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.people.len()
    }

    pub(super) fn client(&self, caller: usize) -> CouponServiceClient<Channel> {
        self.clients[caller % self.clients.len()].clone()
    }

    fn by<T>(&self, person: usize, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.people[person % self.people.len()].clone();
        request.metadata_mut().insert("authorization", token);
        request
    }

    /// Lets the server see a token: it verifies it once. What it answers does not matter.
    pub(super) async fn show_token(&self, caller: usize, person: usize) {
        let request = self.by(person, pb::GetCouponRequest::default());
        drop(self.client(caller).get_coupon(request).await);
    }

    pub(super) async fn claim(
        &self,
        caller: usize,
        person: usize,
        campaign_id: Uuid,
    ) -> Result<pb::Coupon, Status> {
        let request = pb::ClaimCouponRequest {
            request_id: id::new().to_string(),
            campaign_id: campaign_id.to_string(),
        };
        let request = self.by(person, request);
        let answer = self.client(caller).claim_coupon(request).await?;
        let coupon = answer.into_inner().coupon;
        coupon.ok_or_else(|| Status::internal("no coupon"))
    }
}
