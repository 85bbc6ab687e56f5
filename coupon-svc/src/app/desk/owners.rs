//! Who has coupons of a campaign of which nothing is left, read once from Postgres and kept in little memory.
//!
//! EXHAUSTED is final: nothing gives a coupon back to the stock, and the last one is taken under the locks of all its parts, so that whoever
//! took one before has committed. Somebody who is not among the owners then never will be: that the coupons are sold out can be said
//! without asking anybody. Whoever may be among them is asked about as before.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError};

use mesh::clock;
use mesh::pg::Connection;
use mesh::status::chain;
use tracing::warn;
use uuid::Uuid;

use super::Desk;
use crate::domain::campaign::{Campaign, Issue, Standing, State};
use crate::store;

/// Bits for each owner, and how many of them are set: 1 in 400 of the others are asked about in vain. 20 MB for the largest stock.
const BITS: u64 = 16;
const MARKS: u64 = 4;
/// Owners that are read at once: some milliseconds of Postgres.
const PAGE: i64 = 5_000;

/// A set of accounts that forgets nobody, and takes few others for one of them.
#[derive(Debug)]
pub(super) struct Owners {
    words: Vec<u64>,
    hasher: RandomState,
}

impl Owners {
    /// A set for as many as `most`.
    fn new(most: u64) -> Self {
        let words = most.saturating_mul(BITS).div_ceil(64).max(1);
        Self {
            words: vec![0; usize::try_from(words).unwrap_or(1)],
            hasher: RandomState::new(),
        }
    }

    /// Word and bit of each mark of an account.
    fn marks(&self, account_id: Uuid) -> impl Iterator<Item = (usize, u64)> {
        let hash = self.hasher.hash_one(account_id);
        // Odd, so that the marks differ.
        let (first, step) = (hash, hash.rotate_left(32) | 1);
        let bits = u64::try_from(self.words.len()).unwrap_or(1) * 64;
        (0..MARKS).map(move |mark| {
            let bit = first.wrapping_add(step.wrapping_mul(mark)) % bits;
            (
                usize::try_from(bit / 64).unwrap_or_default(),
                1 << (bit % 64),
            )
        })
    }

    fn add(&mut self, account_id: Uuid) {
        for (word, bit) in self.marks(account_id).collect::<Vec<_>>() {
            self.words[word] |= bit;
        }
    }

    fn may_have(&self, account_id: Uuid) -> bool {
        self.marks(account_id)
            .all(|(word, bit)| self.words[word] & bit != 0)
    }
}

impl Desk {
    /// Whether it is known without asking anybody that nothing is left, and that this account has nothing.
    #[must_use]
    pub fn knows_sold_out(&self, campaign: &Campaign, account_id: Uuid) -> bool {
        // Once its window is over the answer is another one.
        if campaign.state != State::Exhausted || clock::now() >= campaign.settings.claim_close {
            return false;
        }
        let sold_out = self.inner.sold_out.read();
        let sold_out = sold_out.unwrap_or_else(PoisonError::into_inner);
        let owners = sold_out.get(&campaign.campaign_id).cloned().flatten();
        owners.is_some_and(|owners| !owners.may_have(account_id))
    }

    /// Begins to read the owners of campaigns that have become EXHAUSTED, and forgets those of campaigns that nobody asks for.
    pub(super) fn keep_owners(&self) {
        let all = self.all();
        let now = clock::now();
        let wanted = all.iter().filter(|campaign| {
            campaign.settings.issue == Issue::Claim
                && campaign.standing(now) == Standing::Exhausted
                && now < campaign.settings.claim_close
        });
        let new: Vec<Arc<Campaign>> = {
            let sold_out = self.inner.sold_out.write();
            let mut sold_out = sold_out.unwrap_or_else(PoisonError::into_inner);
            sold_out.retain(|campaign_id, _| {
                all.iter()
                    .any(|campaign| campaign.campaign_id == *campaign_id)
            });
            let new = wanted.filter(|campaign| {
                let begun = sold_out.contains_key(&campaign.campaign_id);
                if !begun {
                    sold_out.insert(campaign.campaign_id, None);
                }
                !begun
            });
            new.cloned().collect()
        };
        for campaign in new {
            let desk = self.clone();
            self.inner.tasks.spawn("read owners", async move {
                let owners = desk.read_owners(&campaign).await;
                let sold_out = desk.inner.sold_out.write();
                let mut sold_out = sold_out.unwrap_or_else(PoisonError::into_inner);
                match owners {
                    Some(owners) => {
                        drop(sold_out.insert(campaign.campaign_id, Some(Arc::new(owners))))
                    }
                    // The next look begins anew.
                    None => drop(sold_out.remove(&campaign.campaign_id)),
                }
            });
        }
    }

    async fn read_owners(&self, campaign: &Campaign) -> Option<Owners> {
        let campaign_id = campaign.campaign_id;
        let stock = campaign.settings.stock.unwrap_or_default();
        let mut owners = Owners::new(stock.unsigned_abs());
        let mut after = None;
        loop {
            let read = async move |connection: &mut Connection| {
                store::coupons::owners(connection, campaign_id, after, PAGE).await
            };
            let page = match self.inner.database.read(read).await {
                Ok(page) => page,
                Err(error) => {
                    warn!(%campaign_id, error = chain(&error), "the owners of campaign {campaign_id} are not read");
                    return None;
                }
            };
            let Some((last, _)) = page.last() else {
                return Some(owners);
            };
            after = Some(*last);
            page.iter()
                .for_each(|(account_id, _)| owners.add(*account_id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_owner_is_forgotten_and_few_others_are_taken_for_one() {
        let mut owners = Owners::new(10_000);
        let (have, others): (Vec<Uuid>, Vec<Uuid>) = (0..10_000)
            .map(|_| (mesh::id::new(), mesh::id::new()))
            .unzip();
        have.iter().for_each(|account_id| owners.add(*account_id));
        assert!(have.iter().all(|account_id| owners.may_have(*account_id)));
        let mistaken = others.iter().filter(|id| owners.may_have(**id)).count();
        assert!(mistaken < 100, "{mistaken} of 10,000");
    }
}
