//! The limit of a call: a server of the mesh with the same layers, policies and messages, which knows the answer before it is asked.

use std::sync::OnceLock;

use futures_util::stream::Empty;
use mesh::config::{self, Variable};
use mesh::health::Health;
use mesh::process::Runtime;
use mesh::server::{Listeners, Server, ServerConfig, ServerError};
use prost_types::Duration;
use proto::usher::coupon::v1::coupon_service_server::CouponServiceServer;
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::queue_service_server::{QueueService, QueueServiceServer};
use tonic::{Request, Response, Status};

use super::answers::Answers;

/// Every variable that it reads.
pub const VARIABLES: &[&Variable] = &[
    &config::LISTEN,
    &config::ADMIN_LISTEN,
    &config::ADDR_FILE,
    &config::JWKS,
    &config::JWT_ISSUER,
    &config::JWT_AUDIENCE,
    &config::MESH_TOKEN,
    &config::LOG,
];

/// Characters of a ticket, as queue-svc makes them.
const TICKET_CHARS: usize = queue_svc::credentials::ticket::TICKET_CHARS;

/// Answers QueueService without a look at anything.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

/// Serves until the shutdown of `runtime`.
pub async fn serve(config: ServerConfig, runtime: Runtime) -> Result<(), ServerError> {
    let listeners = Listeners::bind(&config).await?;
    Server::new(runtime.tasks, Health::new(), runtime.telemetry)
        .service(QueueServiceServer::new(Echo))
        .service(CouponServiceServer::new(Answers::Echo))
        .serve(&config, listeners, runtime.shutdown)
        .await
}

/// A place as long as those of somebody far away.
fn place(ticket: &str) -> Option<pb::Place> {
    Some(pb::Place {
        state: pb::PlaceState::Waiting.into(),
        lane: pb::Lane::General.into(),
        position: 543_210,
        live: 1_000_000,
        poll_after: Some(Duration {
            seconds: 290,
            nanos: 987_654_321,
        }),
        ticket: ticket.to_owned(),
        ..pb::Place::default()
    })
}

#[tonic::async_trait]
impl QueueService for Echo {
    async fn join(
        &self,
        _: Request<pb::JoinRequest>,
    ) -> Result<Response<pb::JoinResponse>, Status> {
        static TICKET: OnceLock<String> = OnceLock::new();
        let ticket = TICKET.get_or_init(|| "A".repeat(TICKET_CHARS));
        let place = place(ticket);
        Ok(Response::new(pb::JoinResponse { place }))
    }

    async fn poll(
        &self,
        _: Request<pb::PollRequest>,
    ) -> Result<Response<pb::PollResponse>, Status> {
        let place = place("");
        Ok(Response::new(pb::PollResponse { place }))
    }

    type WatchStream = Empty<Result<pb::WatchResponse, Status>>;

    async fn watch(
        &self,
        _: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("no limit of it is measured"))
    }

    async fn get_lottery(
        &self,
        _: Request<pb::GetLotteryRequest>,
    ) -> Result<Response<pb::GetLotteryResponse>, Status> {
        Err(Status::unimplemented("no limit of it is measured"))
    }

    async fn claim(
        &self,
        _: Request<pb::ClaimRequest>,
    ) -> Result<Response<pb::ClaimResponse>, Status> {
        Err(Status::unimplemented("no limit of it is measured"))
    }

    async fn renew(
        &self,
        _: Request<pb::RenewRequest>,
    ) -> Result<Response<pb::RenewResponse>, Status> {
        Err(Status::unimplemented("no limit of it is measured"))
    }

    async fn leave(
        &self,
        _: Request<pb::LeaveRequest>,
    ) -> Result<Response<pb::LeaveResponse>, Status> {
        Err(Status::unimplemented("no limit of it is measured"))
    }

    async fn get_pass_keys(
        &self,
        _: Request<pb::GetPassKeysRequest>,
    ) -> Result<Response<pb::GetPassKeysResponse>, Status> {
        Ok(Response::new(pb::GetPassKeysResponse { keys: Vec::new() }))
    }
}
