//! ReservationService.

use mesh::pg::{Connection, Database};
use mesh::status::{INVALID_REQUEST, Violations};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::reservation_service_server::ReservationService;
use tonic::{Request, Response, Status};

use super::{convert, status};
use crate::app::reservations::{Wanted, reserve};
use crate::domain::reservation::COUPONS_MAX;

/// Answers ReservationService.
#[derive(Clone, Debug)]
pub struct ReservationApi {
    /// Where reservations are.
    pub database: Database,
}

#[tonic::async_trait]
impl ReservationService for ReservationApi {
    async fn reserve_coupons(
        &self,
        request: Request<pb::ReserveCouponsRequest>,
    ) -> Result<Response<pb::ReserveCouponsResponse>, Status> {
        let wanted = wanted(request.get_ref())?;
        let work = async move |connection: &mut Connection| reserve(connection, &wanted).await;
        let done = self.database.transaction("reserve coupons", work).await;
        done.map_err(status::reserving)?;
        Ok(Response::new(pb::ReserveCouponsResponse {}))
    }
}

fn wanted(request: &pb::ReserveCouponsRequest) -> Result<Wanted, Status> {
    let mut wrong = Violations::new();
    let reservation_id = convert::id(&mut wrong, "request_id", &request.request_id);
    let booking_id = convert::id(&mut wrong, "booking_id", &request.booking_id);
    let account_id = convert::id(&mut wrong, "account_id", &request.account_id);
    let coupons = convert::coupons(&mut wrong, &request.coupon_ids, COUPONS_MAX);
    let ids = reservation_id.zip(booking_id).zip(account_id.zip(coupons));
    let wanted = ids.map(
        |((reservation_id, booking_id), (account_id, coupons))| Wanted {
            reservation_id,
            booking_id,
            account_id,
            coupons,
        },
    );
    wrong.finish(&INVALID_REQUEST, wanted)
}
