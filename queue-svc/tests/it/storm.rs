//! Ten thousand people with two tabs each want into a room of a hundred.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::PlaceState;
use uuid::Uuid;

use crate::history::{Bounds, Event, broken};
use crate::people::claims;
use crate::service::{Home, Instance, reason, settings, until};

/// People, each with two tabs, and calls at once.
const PEOPLE: usize = 10_000;
const AT_ONCE: usize = 96;
const CAPACITY: usize = 100;

/// Somebody of the crowd.
struct Person {
    index: u32,
    account_id: Uuid,
    tickets: BTreeSet<String>,
    is_inside: bool,
}

struct Crowd<'a> {
    home: &'a Home,
    instance: &'a Instance,
    show_id: Uuid,
    people: Vec<Person>,
    history: Vec<Event>,
    began: i64,
}

impl Crowd<'_> {
    fn note(&mut self, index: usize, place: &pb::Place) {
        let person = &mut self.people[index];
        person.tickets.insert(place.ticket.clone());
        if place.state() == PlaceState::Admitted {
            person.is_inside = true;
            let (spot, until) = claims(&place.pass);
            let (account, at) = (person.index, self.began);
            self.history.push(Event::Issued { account, spot });
            // Valid from the beginning, as far as anybody can prove.
            self.history.push(Event::Pass {
                at,
                until,
                account,
                spot,
            });
        }
    }

    async fn everybody_joins_twice(&mut self) {
        let tabs: Vec<(usize, Uuid)> = self
            .people
            .iter()
            .map(|person| person.account_id)
            .enumerate()
            .collect();
        let (home, instance, show_id) = (self.home, self.instance, self.show_id);
        let joined: Vec<(usize, pb::Place)> = stream::iter(tabs.iter().chain(&tabs).copied())
            .map(|(index, account_id)| async move {
                (
                    index,
                    instance.join(home, show_id, account_id, "").await.unwrap(),
                )
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (index, place) in joined {
            self.note(index, &place);
        }
    }

    /// Offers that were made meanwhile are taken up.
    async fn offers_are_claimed(&mut self) {
        for index in 0..PEOPLE {
            let person = &self.people[index];
            let ticket = person.tickets.first().unwrap().clone();
            if person.is_inside {
                continue;
            }
            let claim = self
                .instance
                .claim(self.home, self.show_id, person.account_id, &ticket);
            match claim.await {
                Ok(place) => self.note(index, &pb::Place { ticket, ..place }),
                Err(status) => assert_eq!(reason(&status), "NO_OFFER"),
            }
        }
    }

    async fn each_stands_alone(&self) {
        let waiting = u64::try_from(PEOPLE - CAPACITY).unwrap();
        let stats = until("the view has everybody", async || {
            let stats = self.instance.stats(self.home, self.show_id).await;
            (stats.general == waiting).then_some(stats)
        })
        .await;
        let slots = u64::try_from(CAPACITY).unwrap();
        assert_eq!((stats.slots, stats.over_by), (slots, 0));
        let mut positions = BTreeSet::new();
        for person in self.people.iter().filter(|person| !person.is_inside) {
            let ticket = person.tickets.first().unwrap();
            let polled = self
                .instance
                .poll(self.home, self.show_id, person.account_id, ticket);
            let place = polled.await.unwrap();
            assert_eq!(place.state(), PlaceState::Waiting);
            positions.insert(place.position);
        }
        let expected: BTreeSet<u64> = (1..=waiting).collect();
        assert!(positions == expected, "each position once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_come_at_once_and_a_hundred_are_inside() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance
        .room(&home, settings(u32::try_from(CAPACITY).unwrap()))
        .await;
    let person = |index| Person {
        index,
        account_id: mesh::id::new(),
        tickets: BTreeSet::new(),
        is_inside: false,
    };
    let mut crowd = Crowd {
        home: &home,
        instance: &instance,
        show_id,
        people: (0..).map(person).take(PEOPLE).collect(),
        history: Vec::new(),
        began: mesh::clock::now().timestamp_millis(),
    };
    crowd.everybody_joins_twice().await;
    let one_each = crowd.people.iter().all(|person| person.tickets.len() == 1);
    assert!(one_each, "two tabs have one place");
    crowd.offers_are_claimed().await;
    let inside = crowd
        .people
        .iter()
        .filter(|person| person.is_inside)
        .count();
    assert_eq!(inside, CAPACITY);
    let bounds = Bounds {
        capacity: CAPACITY,
        rate: 100_000,
        burst: 100_000,
    };
    assert_eq!(broken(&crowd.history, bounds), Vec::<String>::new());
    crowd.each_stands_alone().await;
    instance.stop().await;
}
