//! Which coupons can be in one set, whatever they take off.

use super::{Coupon, Uuid, WhyNot};

/// Why a coupon cannot join a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    Exclusive,
    /// With this coupon of the set.
    Campaign(Uuid),
    Group,
}

/// What keeps a coupon out of a set that keeps the rules.
pub(super) fn conflict(set: &[&Coupon<'_>], coupon: &Coupon<'_>) -> Option<Conflict> {
    let alone = |one: &Coupon<'_>| one.candidate.terms.exclusive;
    if !set.is_empty() && (alone(coupon) || set.iter().any(|one| alone(one))) {
        return Some(Conflict::Exclusive);
    }
    let campaign = coupon.candidate.campaign_id;
    let mut others = set.iter();
    if let Some(other) = others.find(|one| one.candidate.campaign_id == campaign) {
        return Some(Conflict::Campaign(other.id()));
    }
    (room(set, coupon) == 0).then_some(Conflict::Group)
}

/// Coupons of its group that can still join a set, this one included. Without a group there is no limit.
pub(super) fn room(set: &[&Coupon<'_>], coupon: &Coupon<'_>) -> u32 {
    let Some((group, most)) = coupon.group else {
        return u32::MAX;
    };
    let others = set.iter().filter_map(|one| one.group);
    let others = others.filter(|(other, _)| *other == group);
    let (count, limit) = others.fold((0, most), |(count, limit), (_, most)| {
        (count + 1, limit.min(most))
    });
    limit.saturating_sub(count)
}

impl Conflict {
    /// What to tell of it.
    pub(super) fn reason(self, set: &[&Coupon<'_>], coupon: &Coupon<'_>) -> WhyNot {
        let ids = |keep: &dyn Fn(&Coupon<'_>) -> bool| {
            let kept = set.iter().filter(|one| keep(one));
            kept.map(|one| one.id()).collect()
        };
        match self {
            Self::Exclusive => WhyNot::ExclusiveWith {
                coupon_ids: ids(&|_| true),
            },
            Self::Campaign(coupon_id) => WhyNot::SameCampaign { coupon_id },
            Self::Group => {
                let group = coupon.candidate.terms.group.as_ref();
                let number = coupon.group.map(|(number, _)| number);
                WhyNot::GroupFull {
                    group: group.map(|group| group.name.clone()).unwrap_or_default(),
                    coupon_ids: ids(&|one| one.group.map(|(number, _)| number) == number),
                }
            }
        }
    }
}
