//! A plain model beside the decider: random holds, releases, expiries, pins, confirms and frees, with the invariants checked after each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::domain::hold::{ClaimState, HoldState, MAX_LIFE_BEYOND_TTL};

const AREA: i32 = 4;
const AREA_ROOM: i32 = 5;
const BUYERS: u128 = 3;
const CAP: i32 = 4;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn krw(units: i64) -> Money {
    Money::new(units, "KRW".parse().unwrap())
}

/// Two pools of two shows; each has four seats and an area for five.
fn world() -> Snapshot {
    let mut snapshot = Snapshot::default();
    for pool in 1..=2 {
        let rules = ShowRules {
            published: true,
            sale_open_time: start(),
            sale_close_time: start() + TimeDelta::days(1),
            units_per_buyer_max: CAP,
            hold_ttl: Duration::from_secs(300),
            beyond_ttl: MAX_LIFE_BEYOND_TTL,
            currency: "KRW".parse().unwrap(),
            queue_required: false,
        };
        snapshot.shows.insert(id(100 + pool), rules);
        let start_time = start() + TimeDelta::days(2);
        snapshot.pools.insert(
            id(pool),
            Pool {
                show_id: id(100 + pool),
                start_time,
                sold: 0,
                sales: 0,
            },
        );
        for ord in 0..=AREA {
            let exclusive = ord != AREA;
            let room = if exclusive { 1 } else { AREA_ROOM };
            let unit = Unit {
                grade: "R".into(),
                exclusive,
                room,
                held: 0,
                sold: 0,
                price: krw(1000),
            };
            snapshot.units.insert(
                UnitKey {
                    pool_id: id(pool),
                    ord,
                },
                unit,
            );
        }
    }
    snapshot
}

fn hold(hold: u128, buyer: u128, wishes: &[(u128, i32, i32)]) -> Command {
    let wishes = wishes.iter().map(|(pool, ord, quantity)| Wish {
        unit: UnitKey {
            pool_id: id(*pool),
            ord: *ord,
        },
        quantity: *quantity,
    });
    Command::Hold(HoldUnits {
        hold_id: id(1000 + hold),
        account_id: id(buyer),
        buyer_reference: None,
        request_hash: vec![],
        wishes: wishes.collect(),
        admitted: BTreeSet::new(),
    })
}

fn rejection(snapshot: &Snapshot, command: &Command, now: DateTime<Utc>) -> Rejection {
    decide(snapshot, command, now).unwrap_err()
}

fn carry_out(snapshot: &mut Snapshot, command: &Command, now: DateTime<Utc>) -> Hold {
    match decide(snapshot, command, now).unwrap() {
        Decision::Unchanged(hold) => hold,
        Decision::Change(change) => {
            snapshot.apply(&change);
            change.hold
        }
    }
}

#[test]
fn the_window_of_the_sale_is_kept() {
    let (world, wish) = (world(), hold(1, 1, &[(1, 0, 1)]));
    let early = start() - TimeDelta::seconds(1);
    assert!(matches!(
        rejection(&world, &wish, early),
        Rejection::SaleNotOpen { .. }
    ));
    assert!(decide(&world, &wish, start()).is_ok());
    let close = start() + TimeDelta::days(1);
    assert!(matches!(
        rejection(&world, &wish, close),
        Rejection::SaleClosed(_)
    ));
    let mut late_sale = world.clone();
    late_sale.shows.get_mut(&id(101)).unwrap().sale_close_time = start() + TimeDelta::days(9);
    let curtain = start() + TimeDelta::days(2);
    assert!(matches!(
        rejection(&late_sale, &wish, curtain),
        Rejection::PerformanceStarted(_)
    ));
}

#[test]
fn a_draft_is_as_good_as_absent() {
    let mut world = world();
    world.shows.get_mut(&id(101)).unwrap().published = false;
    let refused = rejection(&world, &hold(1, 1, &[(1, 0, 1)]), start());
    assert_eq!(refused, Rejection::PoolNotFound(id(1)));
    let refused = rejection(&world, &hold(1, 1, &[(9, 0, 1)]), start());
    assert_eq!(refused, Rejection::PoolNotFound(id(9)));
}

#[test]
fn a_wrong_line_is_named() {
    let world = world();
    let refused = rejection(&world, &hold(1, 1, &[(1, 0, 1), (1, 77, 1)]), start());
    assert_eq!(refused, Rejection::UnknownUnit(1));
    let refused = rejection(&world, &hold(1, 1, &[(1, 0, 2)]), start());
    assert_eq!(refused, Rejection::SeatQuantity(0));
    let mut mixed = world;
    mixed
        .units
        .get_mut(&UnitKey {
            pool_id: id(2),
            ord: 0,
        })
        .unwrap()
        .price = Money::new(1, "EUR".parse().unwrap());
    let refused = rejection(&mixed, &hold(1, 1, &[(1, 0, 1), (2, 0, 1)]), start());
    assert_eq!(refused, Rejection::TwoCurrencies);
}

#[test]
fn all_or_nothing_and_every_taken_unit_is_told() {
    let mut world = world();
    carry_out(&mut world, &hold(1, 1, &[(1, 0, 1), (1, 1, 1)]), start());
    let before = format!("{world:?}");
    let refused = rejection(
        &world,
        &hold(2, 2, &[(1, 1, 1), (1, 2, 1), (1, 0, 1)]),
        start(),
    );
    let Rejection::UnitsTaken(units) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        units.iter().map(|(unit, _)| unit.ord).collect::<Vec<_>>(),
        [1, 0]
    );
    assert!(units.iter().all(|(_, level)| *level == Level::HeldOut));
    assert_eq!(format!("{world:?}"), before);
}

#[test]
fn a_replay_answers_the_hold_as_it_is_and_another_body_is_refused() {
    let mut world = world();
    let first = carry_out(&mut world, &hold(1, 1, &[(1, 0, 1)]), start());
    let released = Command::Release {
        hold_id: first.hold_id,
        account_id: id(1),
    };
    carry_out(&mut world, &released, start());
    let again = carry_out(&mut world, &hold(1, 1, &[(1, 0, 1)]), start());
    assert_eq!(again.state, HoldState::Released);
    assert_eq!(
        rejection(&world, &hold(1, 2, &[(1, 0, 1)]), start()),
        Rejection::RequestIdReused
    );
    let mut other = hold(1, 1, &[(1, 0, 1)]);
    let Command::Hold(body) = &mut other else {
        unreachable!()
    };
    body.request_hash = vec![1];
    assert_eq!(
        rejection(&world, &other, start()),
        Rejection::RequestIdReused
    );
}

#[test]
fn the_cap_counts_a_person_over_all_holds_of_a_show() {
    let mut world = world();
    carry_out(&mut world, &hold(1, 1, &[(1, AREA, 3)]), start());
    let refused = rejection(&world, &hold(2, 1, &[(1, 0, 1), (1, 1, 1)]), start());
    let cap = Rejection::BuyerCapReached {
        show_id: id(101),
        max: CAP,
        taken: 3,
        asked: 2,
    };
    assert_eq!(refused, cap);
    carry_out(&mut world, &hold(3, 1, &[(2, 0, 1), (2, 1, 1)]), start());
    carry_out(&mut world, &hold(4, 1, &[(1, 0, 1)]), start());
}

#[test]
fn expiry_is_a_permission_and_money_in_flight_withdraws_it() {
    let mut world = world();
    let made = carry_out(&mut world, &hold(1, 1, &[(1, 0, 1)]), start());
    let expire = Command::Expire {
        hold_id: made.hold_id,
    };
    assert_eq!(
        carry_out(&mut world, &expire, start()).state,
        HoldState::Held
    );
    let late = made.expire_time;
    let mut paying = world.clone();
    paying.holds.get_mut(&made.hold_id).unwrap().state = HoldState::Paying;
    assert_eq!(
        carry_out(&mut paying, &expire, late).state,
        HoldState::Paying
    );
    assert_eq!(
        carry_out(&mut world, &expire, late).state,
        HoldState::Expired
    );
    assert_eq!(
        world.units[&UnitKey {
            pool_id: id(1),
            ord: 0
        }]
            .held,
        0
    );
}

/// The state a command leaves a hold in, from each state; `None` where it is refused.
fn check_states(command: &Command, expected: [Option<HoldState>; 6]) {
    use HoldState::*;
    for (from, expected) in [Held, Paying, Closing, Confirmed, Released, Expired]
        .into_iter()
        .zip(expected)
    {
        let mut world = world();
        let made = carry_out(&mut world, &hold(1, 1, &[(1, 0, 1)]), start());
        world.holds.get_mut(&made.hold_id).unwrap().state = from;
        let after = match decide(&world, command, made.expire_time) {
            Ok(Decision::Change(change)) => Some(change.hold.state),
            Ok(Decision::Unchanged(hold)) => Some(hold.state),
            Err(rejection) => {
                assert_eq!(rejection, Rejection::WrongState(from));
                None
            }
        };
        assert_eq!(after, expected, "{command:?} from {from:?}");
    }
}

#[test]
fn every_command_in_every_state() {
    use HoldState::*;
    let hold_id = id(1001);
    let free = |released| Command::Free { hold_id, released };
    let (released, expired) = (Some(Released), Some(Expired));
    check_states(
        &Command::Release {
            hold_id,
            account_id: id(1),
        },
        [released, None, None, None, released, expired],
    );
    check_states(
        &Command::Expire { hold_id },
        [
            expired,
            Some(Paying),
            Some(Closing),
            Some(Confirmed),
            released,
            expired,
        ],
    );
    check_states(
        &Command::Confirm { hold_id },
        [None, Some(Confirmed), None, Some(Confirmed), None, None],
    );
    check_states(
        &free(true),
        [None, released, released, None, released, expired],
    );
    check_states(
        &free(false),
        [None, expired, expired, None, released, expired],
    );
}

/// Units of a hold are given back.
fn returned(number: u128, units: &BTreeSet<(u128, i32)>) -> Command {
    let unit = |(pool, ord): &(u128, i32)| UnitKey {
        pool_id: id(*pool),
        ord: *ord,
    };
    Command::Return {
        hold_id: id(1000 + number),
        units: units.iter().map(unit).collect(),
    }
}

#[test]
fn what_was_sold_is_given_back_once() {
    let mut world = world();
    let made = carry_out(&mut world, &hold(1, 1, &[(1, 0, 1), (1, 1, 1)]), start());
    let back = returned(1, &[(1, 0)].into());
    let refused = decide(&world, &back, start());
    assert_eq!(refused, Err(Rejection::WrongState(HoldState::Held)));
    world.holds.get_mut(&made.hold_id).unwrap().state = HoldState::Paying;
    let hold_id = made.hold_id;
    carry_out(&mut world, &Command::Confirm { hold_id }, start());
    let sold = carry_out(&mut world, &back, start());
    assert_eq!(sold.state, HoldState::Confirmed);
    let unit = |ord| UnitKey {
        pool_id: id(1),
        ord,
    };
    assert_eq!(
        (world.units[&unit(0)].sold, world.units[&unit(1)].sold),
        (0, 1)
    );
    assert_eq!(
        (world.pools[&id(1)].sold, world.pools[&id(1)].sales),
        (1, 1)
    );
    for gone in [[(1, 0)].into(), [(1, 0), (1, 1)].into()] {
        let again = decide(&world, &returned(1, &gone), start());
        assert_eq!(again, Err(Rejection::NotSold([unit(0)].into())));
    }
    // The seat is for sale again, and the rest of the hold goes, too.
    carry_out(&mut world, &hold(2, 2, &[(1, 0, 1)]), start());
    carry_out(&mut world, &returned(1, &[(1, 1)].into()), start());
    assert_eq!(
        (world.pools[&id(1)].sold, world.pools[&id(1)].sales),
        (0, 0)
    );
}

#[derive(Clone, Debug)]
enum Step {
    Do(Command),
    /// What a saga does to a hold's state alone.
    Turn(u128, HoldState, HoldState),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let wish = (1..=2_u128, 0..=AREA, 1..=3_i32)
        .prop_map(|(pool, ord, quantity)| (pool, ord, if ord == AREA { quantity } else { 1 }));
    let wishes = prop::collection::btree_map(
        (1..=2_u128, 0..=AREA),
        wish.prop_map(|(_, _, quantity)| quantity),
        1..4,
    );
    let holds = (0..12_u128, 1..=BUYERS, wishes).prop_map(|(number, buyer, wishes)| {
        let list: Vec<_> = wishes
            .into_iter()
            .map(|((pool, ord), quantity)| (pool, ord, if ord == AREA { quantity } else { 1 }))
            .collect();
        Step::Do(hold(number, buyer, &list))
    });
    let named = 0..12_u128;
    prop_oneof![
        4 => holds,
        1 => (named.clone(), 1..=BUYERS).prop_map(|(n, b)| Step::Do(Command::Release { hold_id: id(1000 + n), account_id: id(b) })),
        2 => named.clone().prop_map(|n| Step::Do(Command::Expire { hold_id: id(1000 + n) })),
        1 => named.clone().prop_map(|n| Step::Do(Command::Confirm { hold_id: id(1000 + n) })),
        2 => (named.clone(), prop::collection::btree_set((1..=2_u128, 0..=AREA), 1..3)).prop_map(|(n, units)| Step::Do(returned(n, &units))),
        1 => (named.clone(), any::<bool>()).prop_map(|(n, released)| Step::Do(Command::Free { hold_id: id(1000 + n), released })),
        2 => named.clone().prop_map(|n| Step::Turn(n, HoldState::Held, HoldState::Paying)),
        1 => named.clone().prop_map(|n| Step::Turn(n, HoldState::Paying, HoldState::Held)),
        1 => named.prop_map(|n| Step::Turn(n, HoldState::Paying, HoldState::Closing)),
        1 => (1..400_i64).prop_map(Step::Wait),
    ]
}

/// The equations of the audit, from the holds alone.
fn audit(snapshot: &Snapshot) {
    let mut held: BTreeMap<UnitKey, i32> = BTreeMap::new();
    let mut sold: BTreeMap<UnitKey, i32> = BTreeMap::new();
    let mut taken: BTreeMap<CapKey, i32> = BTreeMap::new();
    for hold in snapshot.holds.values() {
        for line in &hold.lines {
            match hold.claim(&line.unit) {
                ClaimState::Held => *held.entry(line.unit).or_default() += line.quantity,
                ClaimState::Sold => *sold.entry(line.unit).or_default() += line.quantity,
                ClaimState::Freed => continue,
            }
            *taken.entry((line.show_id, hold.buyer())).or_default() += line.quantity;
        }
    }
    for (key, unit) in &snapshot.units {
        assert_eq!(
            unit.held,
            held.get(key).copied().unwrap_or_default(),
            "held of {key:?}"
        );
        assert_eq!(
            unit.sold,
            sold.get(key).copied().unwrap_or_default(),
            "sold of {key:?}"
        );
        assert!(unit.held + unit.sold <= unit.room, "{key:?} is oversold");
    }
    for (pool_id, pool) in &snapshot.pools {
        let sold = snapshot
            .units
            .iter()
            .filter(|(key, _)| key.pool_id == *pool_id);
        let sold: i32 = sold.map(|(_, unit)| unit.sold).sum();
        let sales = snapshot.holds.values().filter(|hold| {
            let mut lines = hold.lines.iter().map(|line| line.unit);
            lines.any(|unit| unit.pool_id == *pool_id && hold.claim(&unit) == ClaimState::Sold)
        });
        let sales = i64::try_from(sales.count()).unwrap();
        assert_eq!(
            (pool.sold, pool.sales),
            (i64::from(sold), sales),
            "pool {pool_id}"
        );
    }
    for (key, cap) in &snapshot.caps {
        assert_eq!(
            cap.taken,
            taken.get(key).copied().unwrap_or_default(),
            "cap of {key:?}"
        );
        assert!(cap.taken <= cap.taken_max, "cap of {key:?} is passed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_order_of_commands_breaks_the_equations(steps in prop::collection::vec(step(), 1..80)) {
        let (mut snapshot, mut now) = (world(), start());
        for step in steps {
            match step {
                Step::Wait(seconds) => now += TimeDelta::seconds(seconds),
                Step::Turn(number, from, to) => {
                    if let Some(hold) = snapshot.holds.get_mut(&id(1000 + number)) && hold.state == from {
                        hold.state = to;
                    }
                }
                Step::Do(command) => {
                    let before = snapshot.clone();
                    match decide(&snapshot, &command, now) {
                        Ok(Decision::Change(change)) => snapshot.apply(&change),
                        Ok(Decision::Unchanged(_)) | Err(_) => {}
                    }
                    // A hold keeps its lines, total and owner whatever happens to it.
                    for (hold_id, hold) in &before.holds {
                        let after = &snapshot.holds[hold_id];
                        prop_assert_eq!((&hold.lines, hold.total, hold.account_id), (&after.lines, after.total, after.account_id));
                    }
                }
            }
            audit(&snapshot);
        }
    }
}

/// A pass by which a buyer came into the waiting room of a show.
fn pass(show: u128, seq: u64, strict: bool) -> Pass {
    let place = Place {
        show_id: id(show),
        epoch: 1,
        lane: 0,
        seq,
    };
    Pass { place, strict }
}

/// A hold of one buyer, who shows `passes`.
fn hold_with(number: u128, wishes: &[(u128, i32, i32)], passes: &[Pass]) -> Command {
    let Command::Hold(wanted) = hold(number, 1, wishes) else {
        panic!("it holds");
    };
    Command::Hold(HoldUnits {
        admitted: passes.iter().copied().collect(),
        ..wanted
    })
}

#[test]
fn a_show_with_a_waiting_room_serves_those_who_were_let_in() {
    let mut snapshot = world();
    snapshot.shows.get_mut(&id(102)).unwrap().queue_required = true;
    let with = |passes: &[Pass]| hold_with(1, &[(1, 0, 1), (2, 0, 1)], passes);
    let needed = Rejection::QueuePassRequired(BTreeSet::from([id(102)]));
    for passes in [&[][..], &[pass(101, 1, false)]] {
        assert_eq!(rejection(&snapshot, &with(passes), start()), needed);
    }
    let held = carry_out(&mut snapshot, &with(&[pass(102, 1, false)]), start());
    assert_eq!(held.state, HoldState::Held);
    // The pass has ended meanwhile: what is held is held.
    assert_eq!(
        decide(&snapshot, &with(&[]), start()),
        Ok(Decision::Unchanged(held))
    );
}

#[test]
fn a_place_of_a_strict_room_gets_one_hold() {
    let mut snapshot = world();
    for show in [101, 102] {
        snapshot.shows.get_mut(&id(show)).unwrap().queue_required = true;
    }
    let strict = [pass(101, 7, true)];
    let first = carry_out(&mut snapshot, &hold_with(1, &[(1, 0, 1)], &strict), start());
    let used = Rejection::QueuePassUsed(BTreeSet::from([id(101)]));
    let second = |passes: &[Pass]| hold_with(2, &[(1, 1, 1)], passes);
    assert_eq!(rejection(&snapshot, &second(&strict), start()), used);
    // Repeated, it is the same hold; given back, the place stays used.
    let again = hold_with(1, &[(1, 0, 1)], &strict);
    assert_eq!(carry_out(&mut snapshot, &again, start()), first);
    let release = Command::Release {
        hold_id: first.hold_id,
        account_id: first.account_id,
    };
    carry_out(&mut snapshot, &release, start());
    assert_eq!(rejection(&snapshot, &second(&strict), start()), used);
    // Who lacks a pass of another show is told that first: without it a new place would be of no use.
    let both = hold_with(3, &[(1, 1, 1), (2, 0, 1)], &strict);
    let needed = Rejection::QueuePassRequired(BTreeSet::from([id(102)]));
    assert_eq!(rejection(&snapshot, &both, start()), needed);
    // Another place, the same number in another epoch, and a room that is not strict.
    let mut later = pass(101, 7, true);
    later.place.epoch = 2;
    for fresh in [pass(101, 8, true), later, pass(101, 7, false)] {
        for shown in [vec![fresh], vec![strict[0], fresh]] {
            let mut snapshot = snapshot.clone();
            let held = carry_out(&mut snapshot, &second(&shown), start());
            assert_eq!(held.state, HoldState::Held);
        }
    }
}

#[test]
fn a_place_is_used_by_a_hold_that_is_made_and_by_no_other() {
    let mut snapshot = world();
    let strict = [pass(101, 7, true)];
    // No room lets people into this show: its pass is not looked at.
    carry_out(&mut snapshot, &hold_with(1, &[(1, 0, 1)], &strict), start());
    assert!(snapshot.burned.is_empty());
    snapshot.shows.get_mut(&id(101)).unwrap().queue_required = true;
    // What is taken is refused, and costs no place.
    let taken = rejection(&snapshot, &hold_with(2, &[(1, 0, 1)], &strict), start());
    assert!(matches!(taken, Rejection::UnitsTaken(_)), "{taken:?}");
    carry_out(&mut snapshot, &hold_with(3, &[(1, 1, 1)], &strict), start());
    assert_eq!(snapshot.burned, BTreeSet::from([strict[0].place]));
}
