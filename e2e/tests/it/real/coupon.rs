//! Campaigns, and coupons of people.

use chrono::TimeDelta;
use e2e::rest::{Call, Person};
use mesh::identity::Role;
use mesh::{clock, id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{RealMesh, id_at};

/// Terms of so many won off an order.
pub(crate) fn won_off(value: i64) -> Value {
    json!({"currency": "KRW", "kind": "DISCOUNT_KIND_ORDER_FIXED", "value": value})
}

impl RealMesh {
    /// A campaign of the platform that is open; `stock` -1: as many as are asked for.
    pub(crate) async fn campaign(&self, stock: i64, terms: Value) -> Uuid {
        let admin = self.person(&[Role::User, Role::Seller, Role::Admin]);
        let time = |hours| clock::now() + TimeDelta::hours(hours);
        let settings = json!({
            "name": "Rush", "stock": stock, "claimOpenTime": time(-1), "claimCloseTime": time(1), "useDays": 30, "terms": terms,
        });
        let create = Call::post("/v1/campaigns").by(&admin).key(id::new());
        let made = self.ask(&create.json(&json!({"settings": settings}))).await;
        let campaign_id = id_at(&made, "/campaign/campaignId");
        let open = Call::post(format!("/v1/campaigns/{campaign_id}:open")).by(&admin);
        self.ask(&open.key(id::new()).json(&json!({}))).await;
        campaign_id
    }

    /// A coupon of a campaign for `buyer`.
    pub(crate) async fn coupon(&self, buyer: &Person, campaign_id: Uuid) -> Uuid {
        let claim = Call::post(format!("/v1/campaigns/{campaign_id}:claim")).by(buyer);
        let claimed = self.ask(&claim.key(id::new()).json(&json!({}))).await;
        id_at(&claimed, "/coupon/couponId")
    }

    /// What became of a coupon, as its row says; asked for where coupon-svc may be away.
    pub(crate) async fn coupon_state(&self, coupon_id: Uuid) -> String {
        let sql = format!("SELECT state FROM coupon WHERE coupon_id = '{coupon_id}'");
        self.coupon.texts(&sql).await.concat()
    }
}
