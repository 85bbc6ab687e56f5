//! Methods for services of the mesh have no route: they are called as a service would, by gRPC.

use std::collections::BTreeSet;

use mesh::id;
use proto::usher::payment::v1::payment_service_client::PaymentServiceClient;
use proto::usher::payment::v1::{CancelPaymentRequest, RefundPaymentRequest};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::scene::Scene;
use crate::real::{MESH_TOKEN, RealMesh};

/// Sends what peers get wrong; answers the reasons that were told.
pub(super) async fn refused(mesh: &RealMesh, scene: &Scene) -> BTreeSet<&'static str> {
    let mut client = PaymentServiceClient::connect(mesh.address("payment-svc"))
        .await
        .unwrap();
    let refund = |payment_id: uuid::Uuid| RefundPaymentRequest {
        request_id: id::new().to_string(),
        payment_id: payment_id.to_string(),
        amount: None,
        reason: "a test".to_owned(),
    };
    let cancel = CancelPaymentRequest {
        request_id: id::new().to_string(),
        payment_id: id::new().to_string(),
        booking_id: id::new().to_string(),
        reason: "a test".to_owned(),
    };
    let nobody = client.cancel_payment(cancel.clone()).await.unwrap_err();
    told(&nobody, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
    let mut liar = peer(cancel);
    let wrong = "not the secret of this mesh".parse().unwrap();
    liar.metadata_mut().insert("usher-mesh-token", wrong);
    let liar = client.cancel_payment(liar).await.unwrap_err();
    told(&liar, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
    let unpaid = client
        .refund_payment(peer(refund(scene.waiting.payment_id)))
        .await;
    told(
        &unpaid.unwrap_err(),
        Code::FailedPrecondition,
        "PAYMENT_NOT_REFUNDABLE",
    );
    let unknown = client.refund_payment(peer(refund(id::new()))).await;
    told(&unknown.unwrap_err(), Code::NotFound, "PAYMENT_NOT_FOUND");
    BTreeSet::from(["CALLER_NOT_ALLOWED", "PAYMENT_NOT_REFUNDABLE"])
}

/// A request of booking-svc.
fn peer<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("usher-mesh-identity", "booking-svc".parse().unwrap());
    metadata.insert("usher-mesh-token", MESH_TOKEN.parse().unwrap());
    request
}

fn told(status: &Status, code: Code, reason: &str) {
    let details = status.get_error_details();
    let given = details.error_info().map(|info| info.reason.as_str());
    assert_eq!((status.code(), given), (code, Some(reason)), "{status}");
}
