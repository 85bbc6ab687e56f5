//! The RPCs: parse into a command, call the use case, answer.

use std::time::Duration;

use mesh::deadline;
use mesh::identity::Caller;
use mesh::pg::idempotency::RequestHash;
use mesh::server::caller;
use mesh::status::TOKEN_MISSING;
use proto::usher::payment::v1 as pb;
use proto::usher::payment::v1::payment_service_server::PaymentService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

mod convert;
mod parse;
pub mod status;

use crate::app::App;
use crate::app::read::Viewer;

/// A method that waits for an outcome answers its present state this long before its deadline.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);
/// Deadline of ConfirmPayment and InquirePayment, when no layer set one.
const DEADLINE: Duration = Duration::from_secs(10);

/// The service.
#[derive(Clone, Debug)]
pub struct Payments {
    app: App,
}

impl Payments {
    /// RPCs of these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl PaymentService for Payments {
    async fn create_payment(
        &self,
        request: Request<pb::CreatePaymentRequest>,
    ) -> Result<Response<pb::CreatePaymentResponse>, Status> {
        let hash = RequestHash::of(request.get_ref());
        let payment = self
            .app
            .create(parse::create(request.get_ref())?, hash)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::CreatePaymentResponse {
            payment: Some(convert::payment(&payment)),
        }))
    }

    async fn get_payment(
        &self,
        request: Request<pb::GetPaymentRequest>,
    ) -> Result<Response<pb::GetPaymentResponse>, Status> {
        let payment_id = parse::get(request.get_ref())?;
        let (stored, refunds) = self
            .app
            .get_with_refunds(payment_id, viewer(&caller(&request))?)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::GetPaymentResponse {
            payment: Some(convert::stored(&stored)),
            refunds: refunds.iter().map(convert::refund).collect(),
        }))
    }

    async fn list_payments(
        &self,
        request: Request<pb::ListPaymentsRequest>,
    ) -> Result<Response<pb::ListPaymentsResponse>, Status> {
        let (list, filter, page) = parse::list(request.get_ref(), viewer(&caller(&request))?)?;
        let page = self.app.list(filter, page).await.map_err(status::of)?;
        Ok(Response::new(pb::ListPaymentsResponse {
            payments: page.items.iter().map(convert::payment).collect(),
            next_page_token: list.token(page.next.as_ref()),
        }))
    }

    async fn confirm_payment(
        &self,
        request: Request<pb::ConfirmPaymentRequest>,
    ) -> Result<Response<pb::ConfirmPaymentResponse>, Status> {
        let (account_id, patience) = (account(&caller(&request))?, patience());
        let confirm = parse::confirm(request.get_ref(), account_id)?;
        let payment = self
            .app
            .confirm(confirm, patience)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::ConfirmPaymentResponse {
            payment: Some(convert::payment(&payment)),
        }))
    }

    async fn inquire_payment(
        &self,
        request: Request<pb::InquirePaymentRequest>,
    ) -> Result<Response<pb::InquirePaymentResponse>, Status> {
        let (account_id, patience) = (account(&caller(&request))?, patience());
        let asked = parse::inquire(request.get_ref(), account_id)?;
        let payment = self
            .app
            .inquire(asked, patience)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::InquirePaymentResponse {
            payment: Some(convert::payment(&payment)),
        }))
    }

    async fn cancel_payment(
        &self,
        request: Request<pb::CancelPaymentRequest>,
    ) -> Result<Response<pb::CancelPaymentResponse>, Status> {
        let call = parse::cancel(request.get_ref(), subject(&caller(&request)))?;
        let stored = self.app.cancel(call).await.map_err(status::of)?;
        Ok(Response::new(pb::CancelPaymentResponse {
            payment: Some(convert::stored(&stored)),
        }))
    }

    async fn refund_payment(
        &self,
        request: Request<pb::RefundPaymentRequest>,
    ) -> Result<Response<pb::RefundPaymentResponse>, Status> {
        let asked = parse::refund(request.get_ref(), subject(&caller(&request)))?;
        let (refund, payment) = self.app.refund(asked).await.map_err(status::of)?;
        let (refund, payment) = (
            Some(convert::refund(&refund)),
            Some(convert::payment(&payment)),
        );
        Ok(Response::new(pb::RefundPaymentResponse { refund, payment }))
    }

    async fn retry_refund(
        &self,
        request: Request<pb::RetryRefundRequest>,
    ) -> Result<Response<pb::RetryRefundResponse>, Status> {
        let asked = parse::retry(request.get_ref(), account(&caller(&request))?)?;
        let (refund, payment) = self.app.retry_refund(asked).await.map_err(status::of)?;
        let (refund, payment) = (
            Some(convert::refund(&refund)),
            Some(convert::payment(&payment)),
        );
        Ok(Response::new(pb::RetryRefundResponse { refund, payment }))
    }
}

/// Operators and peers see all; the policy has decided which peers come here at all.
fn viewer(caller: &Caller) -> Result<Viewer, Status> {
    match &caller.account {
        Some(account) if account.is_admin() => Ok(Viewer::Everyone),
        Some(account) => Ok(Viewer::Account(account.account_id)),
        None if caller.peer.is_some() => Ok(Viewer::Everyone),
        None => Err(TOKEN_MISSING.refuse("nobody is calling").into()),
    }
}

fn account(caller: &Caller) -> Result<Uuid, Status> {
    let account = caller.account.as_ref().map(|account| account.account_id);
    account.ok_or_else(|| TOKEN_MISSING.refuse("this method needs an account").into())
}

/// Who stands in the audit log.
fn subject(caller: &Caller) -> String {
    match (&caller.peer, &caller.account) {
        (Some(peer), _) => peer.clone(),
        (None, Some(account)) => account.account_id.to_string(),
        (None, None) => "nobody".to_owned(),
    }
}

/// How long this call may wait for an outcome.
fn patience() -> Duration {
    deadline::left()
        .unwrap_or(DEADLINE)
        .saturating_sub(ANSWER_MARGIN)
}
