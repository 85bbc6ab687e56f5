//! Coupons as operators see them, on the wire.

use chrono::{DateTime, Utc};
use mesh::clock::to_timestamp;
use mesh::status::Violations;
use proto::usher::coupon::v1 as pb;
use uuid::Uuid;

use super::{coupon, id, state_asked};
use crate::domain::campaign::Campaign;
use crate::domain::coupon::{Asked, Issued};

/// What a filter asks for.
pub(in crate::grpc) fn asked(
    wrong: &mut Violations,
    request: &pb::ListIssuedCouponsRequest,
) -> Asked {
    if request.campaign_id.is_empty() && request.account_id.is_empty() {
        wrong.add("campaign_id", "set it, or account_id, or both");
    }
    let mut given = |field: &str, text: &str| {
        let given = Some(text).filter(|text| !text.is_empty());
        given.and_then(|text| id(wrong, field, text))
    };
    Asked {
        campaign_id: given("campaign_id", &request.campaign_id),
        account_id: given("account_id", &request.account_id),
        state: state_asked(wrong, request.state),
    }
}

pub(in crate::grpc) fn issued(
    issued: &Issued,
    campaign: &Campaign,
    now: DateTime<Utc>,
) -> pb::IssuedCoupon {
    let text = |id: Option<Uuid>| id.map_or_else(String::new, |id| id.to_string());
    pb::IssuedCoupon {
        coupon: Some(coupon(&issued.coupon, campaign, now)),
        account_id: issued.coupon.account_id.to_string(),
        booking_id: text(issued.holder.map(|holder| holder.booking_id)),
        reservation_id: text(issued.holder.map(|holder| holder.reservation_id)),
        revoke_time: issued.revoke_time.map(to_timestamp),
    }
}
