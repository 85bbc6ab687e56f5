//! How good a set can become at most: what lets the search leave most combinations out.

use super::coupon::Running;
use super::search::Work;
use super::{Coupon, Picked, Rank, Reverse, rules};
use crate::domain::discount::Scope;
use crate::domain::terms::BASIS_POINTS;

/// A coupon that can still join a set.
#[derive(Clone, Debug)]
pub(super) struct Open<'a> {
    pub(super) coupon: &'a Coupon<'a>,
    /// Most that it takes off: what it would now. It never takes more later, as amounts only fall.
    most: i64,
    /// Coupons of its group that can still join.
    room: u32,
    /// Whether it is computed from the sum of some lines, not of all.
    partial: bool,
    /// Whether more of its group are open than can join.
    tight: bool,
}

/// Coupons that can still join a set.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// In the order of their turns.
    pub(super) open: Vec<Open<'a>>,
    /// What each takes off at most and its position, the largest first.
    by_value: Vec<(i64, usize)>,
}

impl<'a> Options<'a> {
    /// Those of `coupons` that can still join. What fails for the minimum or for nothing left always will; what fails for the
    /// maximum may not.
    pub(super) fn of(picked: &Picked<'a>, coupons: impl Iterator<Item = &'a Coupon<'a>>) -> Self {
        let mut open: Vec<_> = coupons
            .filter_map(|coupon| can_join(picked, coupon))
            .collect();
        let tight: Vec<_> = open.iter().map(|one| is_tight(one, &open)).collect();
        for (one, tight) in open.iter_mut().zip(tight) {
            one.tight = tight;
        }
        let values = open.iter().enumerate();
        let mut by_value: Vec<_> = values.map(|(position, one)| (one.most, position)).collect();
        by_value.sort_unstable_by_key(|&(most, _)| Reverse(most));
        Self { open, by_value }
    }

    /// Whether a set with at least one coupon from `from` on more may rank before `best`.
    pub(super) fn may_beat(
        &self,
        picked: &Picked<'a>,
        from: usize,
        best: &Rank,
        work: &mut Work,
    ) -> bool {
        let Reverse(goal) = best.discount;
        let mut most = self.sum(from, |_| true).min(picked.left());
        if picked.discount + most < goal {
            return false;
        }
        let partial = self.free(from).any(|one| one.partial);
        for by_line in [false, true] {
            if !by_line || partial {
                work.spend(self.open.len() - from, picked);
                most = most.min(self.in_turn(picked, from, by_line));
            }
            if picked.discount + most < goal {
                return false;
            }
        }
        if picked.discount + most > goal {
            return true;
        }
        work.spend(self.open.len() - from, picked);
        self.may_win_tie(picked, from, best)
    }

    /// What the open coupons take off at most, each for itself, with no more of a group than can join.
    fn sum(&self, from: usize, counts: impl Fn(&Open<'a>) -> bool) -> i64 {
        let mut joined: Vec<(usize, u32)> = Vec::new();
        let mut sum = 0;
        for one in self.falling(from).filter(|one| counts(one)) {
            if let (true, Some((group, _))) = (one.tight, one.coupon.group) {
                match joined.iter_mut().find(|(other, _)| *other == group) {
                    Some((_, count)) if *count >= one.room => continue,
                    Some((_, count)) => *count += 1,
                    None => joined.push((group, 1)),
                }
            }
            sum += one.most;
        }
        sum
    }

    /// What they take off at most when each works on what the ones before left, which no set leaves less of: kinds leave
    /// less of less, but never less by more, so that a coupon outside the sequence lowers the end by no more than it takes.
    ///
    /// Kinds that look at the sum work `by_line`, rounded up, which is closer where they are for different lines; or else as if
    /// the sum were that of all lines, which is exact where they are for all.
    fn in_turn(&self, picked: &Picked<'a>, from: usize, by_line: bool) -> i64 {
        let mut running = picked.running.clone();
        let mut aside = self.sum(from, |one| one.tight);
        let mut take = |scope| {
            for one in self.free(from).filter(|one| one.coupon.scope == scope) {
                if !one.coupon.take_by_line(one.most, &mut running) {
                    aside += one.most;
                }
            }
        };
        take(Scope::Line);
        if by_line {
            take(Scope::Sum);
        }
        let mut total: i64 = running.iter().map(|line| line.amount).sum();
        if !by_line {
            let of_sum = |one: &&Open<'_>| one.coupon.scope == Scope::Sum;
            for one in self.free(from).filter(of_sum) {
                total -= one.coupon.of_sum(total).min(one.most);
            }
        }
        picked.left() - (total - aside).max(0)
    }

    /// Whether a set whose discount is that of `best`, which is the most that one can reach, may win the tie.
    fn may_win_tie(&self, picked: &Picked<'a>, from: usize, best: &Rank) -> bool {
        let missing = best.discount.0 - picked.discount;
        let mut sum = 0;
        let needed = self.falling(from).take_while(|one| {
            let short = sum < missing;
            sum += one.most;
            short
        });
        let needed = needed.count();
        let open = || self.open.iter().skip(from).map(|one| one.coupon);
        let expiries = open().map(Coupon::expire_time).collect();
        let expiries = least_list(picked.expiries(), expiries, needed);
        let platform = || picked.platform + self.platform_pays(from, missing);
        let ids = || least_list(picked.ids(), open().map(Coupon::id).collect(), needed);
        let order = expiries.cmp(&best.expiries);
        let order = order.then_with(|| platform().cmp(&best.platform));
        order.then_with(|| ids().cmp(&best.ids)).is_lt()
    }

    /// Least that the platform pays of `missing` more.
    fn platform_pays(&self, from: usize, mut missing: i64) -> i64 {
        let open = self.open.iter().skip(from);
        let mut shares: Vec<_> = open
            .map(|one| (one.coupon.candidate.terms.platform_share, one.most))
            .collect();
        shares.sort_unstable();
        let (mut pays, whole) = (0_i128, i128::from(BASIS_POINTS));
        for (share, most) in shares {
            let part = most.min(missing);
            missing -= part;
            pays += i128::from(part) * i128::from(share);
            if share % BASIS_POINTS > 0 {
                pays -= whole - 1; // each coupon is rounded down
            }
        }
        i64::try_from((pays + whole - 1) / whole)
            .unwrap_or_default()
            .max(0)
    }

    /// The open coupons from `from` on that can all join.
    fn free(&self, from: usize) -> impl Iterator<Item = &Open<'a>> {
        self.open.iter().skip(from).filter(|one| !one.tight)
    }

    /// The open coupons from `from` on, those that take off most first.
    fn falling(&self, from: usize) -> impl Iterator<Item = &Open<'a>> {
        let positions = self.by_value.iter().map(|(_, position)| *position);
        let positions = positions.filter(move |position| *position >= from);
        positions.filter_map(|position| self.open.get(position))
    }
}

fn can_join<'a>(picked: &Picked<'a>, coupon: &'a Coupon<'a>) -> Option<Open<'a>> {
    if rules::conflict(&picked.coupons, coupon).is_some() {
        return None;
    }
    let running: &[Running] = &picked.running;
    let base = coupon.base(running);
    let most = coupon.value(running, base);
    let open = Open {
        coupon,
        most,
        room: rules::room(&picked.coupons, coupon),
        partial: coupon.scope == Scope::Sum && base < picked.left(),
        tight: false,
    };
    (base >= coupon.candidate.terms.min_order && most > 0).then_some(open)
}

fn is_tight(one: &Open<'_>, open: &[Open<'_>]) -> bool {
    let Some((group, _)) = one.coupon.group else {
        return false;
    };
    let same = open.iter();
    let same = same.filter(|other| {
        other
            .coupon
            .group
            .is_some_and(|(number, _)| number == group)
    });
    let (count, room) = same.fold((0, 0), |(count, room), other| {
        (count + 1, other.room.max(room))
    });
    count > room
}

/// The least sorted list of what a set `has` and at least `needed` of `more`: an element before the last one makes it less,
/// a longer end makes it more.
fn least_list<T: Ord>(mut has: Vec<T>, mut more: Vec<T>, needed: usize) -> Vec<T> {
    more.sort_unstable();
    let earlier = has.iter().max();
    let earlier = earlier.map_or(0, |last| more.partition_point(|one| one < last));
    has.extend(more.into_iter().take(earlier.max(needed)));
    has.sort_unstable();
    has
}
