//! QueueService.

use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream::{Stream, StreamExt};
use mesh::clock;
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::queue_service_server::QueueService;
use tonic::{Request, Response, Status};

use super::{account, convert, status};
use crate::app::answer::{Answer, Refusal};
use crate::app::wait::{Knock, Waiting};
use crate::app::watch::Watching;

/// Answers QueueService.
#[derive(Clone, Debug)]
pub struct QueueApi {
    /// The use cases.
    pub waiting: Waiting,
    /// Streams of them.
    pub watching: Watching,
}

/// A field that was set.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// What a use case told, as an answer.
fn placed(told: Result<Answer, Refusal>) -> Result<Option<pb::Place>, Status> {
    match told {
        Ok(answer) => Ok(Some(convert::place(answer))),
        Err(refusal) => Err(status::waiting(&refusal)),
    }
}

#[tonic::async_trait]
impl QueueService for QueueApi {
    async fn join(
        &self,
        request: Request<pb::JoinRequest>,
    ) -> Result<Response<pb::JoinResponse>, Status> {
        let account = account(&request)?;
        let asked = request.get_ref();
        let show_id = convert::show(&asked.show_id)?;
        let knock = Knock {
            ticket: given(&asked.ticket),
            shown: asked.shown_position,
            invitation: given(&asked.invitation),
            grades: convert::grades(&asked.grades)?,
        };
        let joined = self.waiting.join(show_id, account.account_id, knock);
        let place = placed(joined.await)?;
        Ok(Response::new(pb::JoinResponse { place }))
    }

    async fn poll(
        &self,
        request: Request<pb::PollRequest>,
    ) -> Result<Response<pb::PollResponse>, Status> {
        let account = account(&request)?;
        let asked = request.get_ref();
        let show_id = convert::show(&asked.show_id)?;
        let polled = self
            .waiting
            .poll(
                show_id,
                account.account_id,
                &asked.ticket,
                asked.shown_position,
            )
            .await;
        let place = placed(polled)?;
        Ok(Response::new(pb::PollResponse { place }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let account = account(&request)?;
        let asked = request.into_inner();
        let show_id = convert::show(&asked.show_id)?;
        let states = self
            .watching
            .watch(
                show_id,
                account.account_id,
                asked.ticket,
                asked.shown_position,
            )
            .await
            .map_err(|refusal| status::waiting(&refusal))?;
        let stream = states.map(|told| placed(told).map(|place| pb::WatchResponse { place }));
        Ok(Response::new(Box::pin(stream)))
    }

    async fn claim(
        &self,
        request: Request<pb::ClaimRequest>,
    ) -> Result<Response<pb::ClaimResponse>, Status> {
        let account = account(&request)?;
        let asked = request.get_ref();
        let show_id = convert::show(&asked.show_id)?;
        let claimed = self
            .waiting
            .claim(show_id, account.account_id, &asked.ticket)
            .await;
        let place = placed(claimed)?;
        Ok(Response::new(pb::ClaimResponse { place }))
    }

    async fn renew(
        &self,
        request: Request<pb::RenewRequest>,
    ) -> Result<Response<pb::RenewResponse>, Status> {
        let account = account(&request)?;
        let asked = request.get_ref();
        let show_id = convert::show(&asked.show_id)?;
        let renewed = self
            .waiting
            .renew(show_id, account.account_id, &asked.pass)
            .await;
        let place = placed(renewed)?;
        Ok(Response::new(pb::RenewResponse { place }))
    }

    async fn leave(
        &self,
        request: Request<pb::LeaveRequest>,
    ) -> Result<Response<pb::LeaveResponse>, Status> {
        let account = account(&request)?;
        let asked = request.get_ref();
        let show_id = convert::show(&asked.show_id)?;
        let left = self
            .waiting
            .leave(show_id, account.account_id, &asked.ticket)
            .await;
        let place = placed(left)?;
        Ok(Response::new(pb::LeaveResponse { place }))
    }

    async fn get_lottery(
        &self,
        request: Request<pb::GetLotteryRequest>,
    ) -> Result<Response<pb::GetLotteryResponse>, Status> {
        let show_id = convert::show(&request.get_ref().show_id)?;
        let room = self.waiting.room(show_id).await;
        let room = room.map_err(|refusal| status::waiting(&refusal))?;
        let lottery = convert::lottery(&room).ok_or_else(status::no_lottery)?;
        Ok(Response::new(pb::GetLotteryResponse {
            lottery: Some(lottery),
        }))
    }

    async fn get_pass_keys(
        &self,
        _: Request<pb::GetPassKeysRequest>,
    ) -> Result<Response<pb::GetPassKeysResponse>, Status> {
        let known = self.waiting.ring.known(clock::now());
        let keys = known.map(|key| pb::PassKey {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
            kid: key.kid(),
            x: URL_SAFE_NO_PAD.encode(&key.public),
        });
        Ok(Response::new(pb::GetPassKeysResponse {
            keys: keys.collect(),
        }))
    }
}
