//! ReservationService.

use std::collections::BTreeSet;

use mesh::outbox::Waker;
use mesh::pg::{Connection, Database};
use mesh::status::{INVALID_REQUEST, Violations};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::reservation_service_server::ReservationService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{convert, status};
use crate::app::reservations;
use crate::domain::reservation::{COUPONS_MAX, Order};

/// Answers ReservationService.
#[derive(Clone, Debug)]
pub struct ReservationApi {
    /// Where reservations are.
    pub database: Database,
    /// Wakes the relay: what a call did is told at once.
    pub outbox: Waker,
}

/// What a request names; fields that it does not have are empty.
struct Named {
    reservation_id: Uuid,
    booking_id: Uuid,
    coupon_ids: BTreeSet<Uuid>,
}

fn named(
    wrong: &mut Violations,
    reservation_id: &str,
    booking_id: &str,
    coupon_ids: &[String],
) -> Option<Named> {
    let reservation_id = convert::id(wrong, "reservation_id", reservation_id);
    let booking_id = convert::id(wrong, "booking_id", booking_id);
    let numbered = coupon_ids.iter().enumerate().take(COUPONS_MAX);
    let coupons = numbered.map(|(n, text)| convert::id(wrong, &format!("coupon_ids[{n}]"), text));
    let coupons: Vec<Option<Uuid>> = coupons.collect();
    Some(Named {
        reservation_id: reservation_id?,
        booking_id: booking_id?,
        coupon_ids: coupons.into_iter().collect::<Option<_>>()?,
    })
}

fn some_coupons(wrong: &mut Violations, coupon_ids: &[String]) {
    if !(1..=COUPONS_MAX).contains(&coupon_ids.len()) {
        wrong.add("coupon_ids", format!("must be 1..{COUPONS_MAX}"));
    }
}

impl ReservationApi {
    async fn order(&self, named: Named, order: Order) -> Result<(), Status> {
        let work = async move |connection: &mut Connection| {
            let returning: Vec<Uuid> = named.coupon_ids.iter().copied().collect();
            let (booking_id, reservation_id) = (named.booking_id, named.reservation_id);
            reservations::order(connection, booking_id, reservation_id, order, &returning).await
        };
        let done = self.database.transaction("reservation order", work).await;
        done.map_err(status::reserving)?;
        self.outbox.wake();
        Ok(())
    }
}

#[tonic::async_trait]
impl ReservationService for ReservationApi {
    async fn reserve_coupons(
        &self,
        request: Request<pb::ReserveCouponsRequest>,
    ) -> Result<Response<pb::ReserveCouponsResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let account_id = convert::id(&mut wrong, "account_id", &body.account_id);
        some_coupons(&mut wrong, &body.coupon_ids);
        let named = named(
            &mut wrong,
            &body.reservation_id,
            &body.booking_id,
            &body.coupon_ids,
        );
        let (named, account_id) = wrong.finish(&INVALID_REQUEST, named.zip(account_id))?;
        let work = async move |connection: &mut Connection| {
            reservations::reserve(
                connection,
                named.booking_id,
                account_id,
                named.reservation_id,
                &named.coupon_ids,
            )
            .await
        };
        let done = self.database.transaction("reserve coupons", work).await;
        done.map_err(status::reserving)?;
        Ok(Response::new(pb::ReserveCouponsResponse {}))
    }

    async fn commit_coupons(
        &self,
        request: Request<pb::CommitCouponsRequest>,
    ) -> Result<Response<pb::CommitCouponsResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let named = named(&mut wrong, &body.reservation_id, &body.booking_id, &[]);
        let named = wrong.finish(&INVALID_REQUEST, named)?;
        self.order(named, Order::Commit).await?;
        Ok(Response::new(pb::CommitCouponsResponse {}))
    }

    async fn release_coupons(
        &self,
        request: Request<pb::ReleaseCouponsRequest>,
    ) -> Result<Response<pb::ReleaseCouponsResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let named = named(&mut wrong, &body.reservation_id, &body.booking_id, &[]);
        let named = wrong.finish(&INVALID_REQUEST, named)?;
        self.order(named, Order::Release).await?;
        Ok(Response::new(pb::ReleaseCouponsResponse {}))
    }

    async fn restore_coupons(
        &self,
        request: Request<pb::RestoreCouponsRequest>,
    ) -> Result<Response<pb::RestoreCouponsResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        some_coupons(&mut wrong, &body.coupon_ids);
        let named = named(
            &mut wrong,
            &body.reservation_id,
            &body.booking_id,
            &body.coupon_ids,
        );
        let named = wrong.finish(&INVALID_REQUEST, named)?;
        self.order(named, Order::Restore).await?;
        Ok(Response::new(pb::RestoreCouponsResponse {}))
    }
}
