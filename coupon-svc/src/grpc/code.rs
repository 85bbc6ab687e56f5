//! CodeService.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use mesh::clock;
use mesh::page::{List, SIZE_MAX};
use mesh::pg::idempotency::{Key, RequestHash};
use mesh::status::{INVALID_REQUEST, Violations};
use proto::google::api::HttpBody;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::code_service_server::CodeService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::campaign::operator;
use super::{account, convert, status};
use crate::app::codes::Codes;
use crate::app::codes::redeem::Redeeming;
use crate::domain::code::Code;

/// Answers CodeService.
#[derive(Clone, Debug)]
pub struct CodeApi {
    /// What is done with codes by those who make them.
    pub codes: Codes,
    /// And by those who have one.
    pub redeeming: Redeeming,
}

/// The file as it comes.
type Pieces = Pin<Box<dyn Stream<Item = Result<pb::GenerateCodesResponse, Status>> + Send>>;

/// First line of the file.
const HEAD: &str = "code\r\n";

/// A piece of the file (RFC 4180).
fn piece(codes: &[Code], first: bool) -> pb::GenerateCodesResponse {
    let mut csv = String::with_capacity(codes.len() * HEAD.len() * 4);
    if first {
        csv.push_str(HEAD);
    }
    for code in codes {
        csv.push_str(&code.shown());
        csv.push_str("\r\n");
    }
    let file = HttpBody {
        content_type: "text/csv; charset=utf-8".to_owned(),
        data: csv.into_bytes(),
        ..HttpBody::default()
    };
    pb::GenerateCodesResponse { file: Some(file) }
}

#[tonic::async_trait]
impl CodeService for CodeApi {
    type GenerateCodesStream = Pieces;

    async fn generate_codes(
        &self,
        request: Request<pb::GenerateCodesRequest>,
    ) -> Result<Response<Self::GenerateCodesStream>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let request_id = convert::id(&mut wrong, "request_id", &body.request_id);
        let wish = convert::code::wish(&mut wrong, body);
        let (request_id, wish) = wrong.finish(&INVALID_REQUEST, request_id.zip(wish))?;
        let key = Key {
            account_id: account.account_id,
            method: "usher.coupon.v1.CodeService/GenerateCodes",
            request_id,
        };
        let (hash, text) = (RequestHash::of(body), wish.text.clone());
        let batch = self.codes.generate(operator(&account), key, hash, wish);
        let batch = batch.await.map_err(status::coding)?;
        let codes = self.codes.clone().stream(batch, text).enumerate();
        let pieces = codes.map(|(at, codes)| match codes {
            Ok(codes) => Ok(piece(&codes, at == 0)),
            Err(error) => Err(error.into_status(|never| match never {})),
        });
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn list_code_batches(
        &self,
        request: Request<pb::ListCodeBatchesRequest>,
    ) -> Result<Response<pb::ListCodeBatchesResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let filter = pb::ListCodeBatchesRequest {
            campaign_id: body.campaign_id.clone(),
            ..pb::ListCodeBatchesRequest::default()
        };
        let list = List::new("ListCodeBatches", &filter);
        let mut wrong = Violations::new();
        let page = list.page::<Uuid>(
            body.page_size,
            SIZE_MAX,
            &body.page_token,
            |field, remedy| {
                wrong.add(field, remedy);
            },
        );
        let campaign_id = convert::id(&mut wrong, "campaign_id", &body.campaign_id);
        let asked = campaign_id.map(|campaign_id| (campaign_id, page));
        let (campaign_id, page) = wrong.finish(&INVALID_REQUEST, asked)?;
        let listed = self.codes.list(operator(&account), campaign_id, page).await;
        let (listed, redeemed) = listed.map_err(status::coding)?;
        let batches = listed.items.iter().map(|batch| {
            let redeemed = redeemed.get(&batch.batch_id).copied();
            convert::code::batch(batch, redeemed.unwrap_or_default())
        });
        Ok(Response::new(pb::ListCodeBatchesResponse {
            batches: batches.collect(),
            next_page_token: list.token(listed.next.as_ref()),
        }))
    }

    async fn revoke_code_batch(
        &self,
        request: Request<pb::RevokeCodeBatchRequest>,
    ) -> Result<Response<pb::RevokeCodeBatchResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let request_id = convert::id(&mut wrong, "request_id", &body.request_id);
        let batch_id = convert::id(&mut wrong, "batch_id", &body.batch_id);
        let ids = request_id.zip(batch_id);
        let (request_id, batch_id) = wrong.finish(&INVALID_REQUEST, ids)?;
        let key = Key {
            account_id: account.account_id,
            method: "usher.coupon.v1.CodeService/RevokeCodeBatch",
            request_id,
        };
        let hash = RequestHash::of(body);
        let revoked = self.codes.revoke(operator(&account), key, hash, batch_id);
        let (batch, redeemed) = revoked.await.map_err(status::coding)?;
        Ok(Response::new(pb::RevokeCodeBatchResponse {
            batch: Some(convert::code::batch(&batch, redeemed)),
        }))
    }

    async fn redeem_code(
        &self,
        request: Request<pb::RedeemCodeRequest>,
    ) -> Result<Response<pb::RedeemCodeResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let request_id = convert::id(&mut wrong, "request_id", &body.request_id);
        let code = convert::code::read(&mut wrong, "code", &body.code);
        let (request_id, code) = wrong.finish(&INVALID_REQUEST, request_id.zip(code))?;
        let redeemed = self
            .redeeming
            .redeem(account.account_id, request_id, &code)
            .await;
        match redeemed {
            Ok((campaign, coupon)) => {
                let coupon = Some(convert::coupon(&coupon, &campaign, clock::now()));
                Ok(Response::new(pb::RedeemCodeResponse { coupon }))
            }
            Err(refusal) => Err(status::redeeming(&refusal)),
        }
    }
}
