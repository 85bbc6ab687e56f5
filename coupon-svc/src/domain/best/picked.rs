//! A set of coupons and what it leaves of the lines.

use super::coupon::Running;
use super::rank::Rank;
use super::{Coupon, DateTime, Reverse, Utc, Uuid, WhyNot};

/// Coupons that took their turns.
#[derive(Clone, Debug)]
pub(super) struct Picked<'a> {
    pub(super) coupons: Vec<&'a Coupon<'a>>,
    pub(super) running: Vec<Running>,
    pub(super) discount: i64,
    pub(super) platform: i64,
}

impl<'a> Picked<'a> {
    /// No coupon.
    pub(super) fn none(running: Vec<Running>) -> Self {
        Self {
            coupons: Vec::new(),
            running,
            discount: 0,
            platform: 0,
        }
    }

    /// The coupon takes its turn, which is after those of the set. Answers what of its discount each line gets.
    pub(super) fn add(&mut self, coupon: &'a Coupon<'a>) -> Result<Vec<i64>, WhyNot> {
        let discount = coupon.discount(&self.running)?;
        let parts = coupon.take(discount, &mut self.running);
        self.discount += discount;
        self.platform += coupon.platform_pays(discount);
        self.coupons.push(coupon);
        Ok(parts)
    }

    /// What is left to pay.
    pub(super) fn left(&self) -> i64 {
        self.running.iter().map(|line| line.amount).sum()
    }

    /// When its coupons expire, sorted.
    pub(super) fn expiries(&self) -> Vec<DateTime<Utc>> {
        let mut expiries: Vec<_> = self.coupons.iter().map(|one| one.expire_time()).collect();
        expiries.sort_unstable();
        expiries
    }

    /// Its coupons, sorted.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        let mut ids: Vec<_> = self.coupons.iter().map(|one| one.id()).collect();
        ids.sort_unstable();
        ids
    }

    /// How good the set is.
    pub(super) fn rank(&self) -> Rank {
        Rank {
            discount: Reverse(self.discount),
            expiries: self.expiries(),
            platform: self.platform,
            ids: self.ids(),
        }
    }
}
