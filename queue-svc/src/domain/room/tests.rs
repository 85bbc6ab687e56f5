use proptest::prelude::*;

use super::super::draw::Draw;
use super::super::plan::LineOrder;
use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn plan() -> Plan {
    Plan {
        capacity: 100,
        rate: 10,
        burst: 10,
        offer: Duration::from_secs(90),
        session: Duration::from_secs(900),
        grace: Duration::from_secs(600),
        silence: Duration::from_secs(120),
        waiting_max: 1_000_000,
        weights: [1, 1, 1, 4],
        arm_time: Some(at(10)),
        open_time: Some(at(20)),
        close_time: Some(at(30)),
        strict: false,
        waiting_per_place: 10,
        order: LineOrder::Arrival,
    }
}

fn room() -> Room {
    Room::new(mesh::id::new(), None, plan())
}

#[test]
fn the_hold_outlasts_every_pass_on_every_clock() {
    assert_eq!(HOLD, PASS + 2 * SKEW);
}

#[test]
fn a_schedule_arms_opens_and_closes() {
    let phases = [9, 10, 19, 20, 29, 30].map(|second| room().phase(at(second)));
    let expected = [
        Phase::NotYetOpen,
        Phase::Armed,
        Phase::Armed,
        Phase::Open,
        Phase::Open,
        Phase::Closed,
    ];
    assert_eq!(phases, expected);
}

#[test]
fn orders_go_before_the_schedule_and_a_closed_room_stays_closed() {
    let opened = room().ordered(Order::Open).unwrap();
    assert_eq!(opened.phase(at(0)), Phase::Open);
    let paused = opened.ordered(Order::Pause).unwrap();
    assert_eq!(paused.phase(at(25)), Phase::Paused);
    assert_eq!(
        paused.ordered(Order::Resume).unwrap().phase(at(25)),
        Phase::Open
    );
    let draining = opened.ordered(Order::Drain).unwrap();
    assert_eq!(draining.phase(at(25)), Phase::Draining);
    let halted = draining.ordered(Order::Pause).unwrap();
    assert_eq!(
        (halted.phase(at(25)), halted.mode(at(25))),
        (Phase::Paused, Mode::Still)
    );
    let closed = draining.ordered(Order::Close).unwrap();
    for order in [
        Order::Open,
        Order::Pause,
        Order::Resume,
        Order::Drain,
        Order::SetRate(1),
    ] {
        assert_eq!(closed.ordered(order), Err(Closed), "{order:?}");
    }
    assert_eq!(closed.ordered(Order::Close).unwrap(), closed);
    assert_eq!(closed.planned(plan(), at(0)), Err(Blocked::Closed(Closed)));
}

#[test]
fn what_changes_nothing_leaves_the_version() {
    assert_eq!(room().ordered(Order::Resume).unwrap().version, 1);
    assert_eq!(room().planned(plan(), at(0)).unwrap().version, 1);
    let faster = room().ordered(Order::SetRate(50)).unwrap();
    assert_eq!((faster.version, faster.plan.burst), (2, 50));
}

#[test]
fn a_flush_begins_an_epoch_with_buckets_for_the_size_of_now() {
    let larger = Plan {
        waiting_max: 2_000_000,
        ..plan()
    };
    let planned = room().planned(larger, at(0)).unwrap();
    assert_eq!((planned.epoch, planned.buckets), (1, 10_000));
    let flushed = planned.ordered(Order::Flush).unwrap();
    assert_eq!(
        (flushed.epoch, flushed.buckets, flushed.version),
        (2, 20_000, 3)
    );
}

#[test]
fn each_limit_is_told_with_its_field() {
    assert_eq!(plan().broken(), []);
    let wrong = Plan {
        capacity: 0,
        rate: 100_001,
        burst: 0,
        offer: Duration::from_millis(20_500),
        session: Duration::from_secs(59),
        grace: Duration::from_secs(3_601),
        silence: Duration::from_secs(10),
        waiting_max: 0,
        weights: [1, 0, 1, 1],
        arm_time: Some(at(2)),
        open_time: Some(at(1)),
        close_time: Some(at(1)),
        strict: false,
        waiting_per_place: 1_001,
        order: LineOrder::Arrival,
    };
    let broken = wrong.broken();
    let fields: Vec<&str> = broken.iter().map(|(field, _)| *field).collect();
    let expected = [
        "capacity",
        "rate",
        "burst",
        "waiting_max",
        "waiting_per_place",
        "offer_duration",
        "session_duration",
        "grace_duration",
        "silence_duration",
        "weights",
        "arm_time",
        "close_time",
    ];
    assert_eq!(fields, expected);
    let unopened = Plan {
        open_time: None,
        close_time: None,
        ..plan()
    };
    assert_eq!(unopened.broken().len(), 1);
}

#[test]
fn a_sold_out_room_admits_nobody_and_keeps_its_line() {
    let open = room().ordered(Order::Open).unwrap();
    let sold_out = open.heard(true);
    assert_eq!(
        (sold_out.phase(at(25)), sold_out.mode(at(25))),
        (Phase::Open, Mode::Paused)
    );
    assert_eq!(sold_out.heard(true), sold_out);
    let returned = sold_out.heard(false);
    assert_eq!((returned.mode(at(25)), returned.version), (Mode::Open, 4));
    let draining = sold_out.ordered(Order::Drain).unwrap();
    assert_eq!(draining.mode(at(25)), Mode::Still);
    assert_eq!(
        draining.heard(false).mode(at(25)),
        Mode::Drain,
        "whoever is in line gets what is returned"
    );
}

#[test]
fn lots_are_drawn_when_a_room_opens_and_a_draw_that_began_is_finished() {
    let lottery = Plan {
        order: LineOrder::Lottery,
        ..plan()
    };
    let unseeded = Room::new(mesh::id::new(), None, lottery.clone());
    let room = unseeded.seeded([7; 32]);
    assert_eq!(room.clone().seeded([8; 32]), room, "the promise is kept");
    assert_eq!(
        (room.mode(at(15)), room.is_entered(at(15))),
        (Mode::Armed, true)
    );
    assert_eq!(room.mode(at(25)), Mode::Drawing);
    let paused = room.ordered(Order::Pause).unwrap();
    assert_eq!(paused.mode(at(25)), Mode::Paused);
    let draw = Draw {
        entrants: [3, 0, 0],
        first: [65_536, 0, 0],
        reserved: [131_072, 0, 0],
        done: false,
    };
    let begun = Room {
        draw: Some(draw),
        ..paused
    };
    assert_eq!(begun.mode(at(25)), Mode::Drawing);
    assert_eq!(begun.mode(at(30)), Mode::Closed);
    let drawn = begun.drawn();
    assert_eq!(
        (drawn.mode(at(25)), drawn.is_entered(at(25))),
        (Mode::Paused, false)
    );
    assert_eq!(drawn.version, begun.version + 1);
    let flushed = drawn.ordered(Order::Flush).unwrap();
    assert_eq!((flushed.seed, flushed.draw), (None, None));
    for second in [10, 25] {
        let back = room.planned(plan(), at(second));
        assert_eq!(back, Err(Blocked::OrderFixed), "{second}");
    }
    assert!(room.planned(plan(), at(0)).is_ok());
    let put_off = Plan {
        arm_time: Some(at(16)),
        ..lottery.clone()
    };
    let later = room.planned(put_off, at(15)).unwrap();
    assert_eq!(later.phase(at(15)), Phase::NotYetOpen);
    let back = later.planned(plan(), at(15));
    assert_eq!(back, Err(Blocked::OrderFixed), "people joined before");
    let never_armed = Plan {
        arm_time: None,
        ..lottery
    };
    assert_eq!(never_armed.broken()[0].0, "order");
}

#[test]
fn a_sale_arms_its_room_half_an_hour_before() {
    let plan = Plan::of_sale(Some(at(3_600)), Some(at(7_200)));
    assert_eq!(plan.broken(), []);
    assert_eq!(plan.arm_time, Some(at(1_800)));
    let odd = Plan::of_sale(Some(at(3_600)), Some(at(3_600)));
    assert_eq!((odd.broken(), odd.close_time), (Vec::new(), None));
    assert_eq!(Plan::of_sale(None, None).broken(), []);
}

#[derive(Clone, Debug)]
enum Change {
    Order(Order),
    Heard(bool),
}

fn changes() -> impl Strategy<Value = Change> {
    let order = prop_oneof![
        Just(Order::Open),
        Just(Order::Pause),
        Just(Order::Resume),
        Just(Order::Drain),
        (1_u32..100).prop_map(Order::SetRate),
        (1_u32..100).prop_map(Order::SetCapacity),
    ];
    prop_oneof![
        3 => order.prop_map(Change::Order),
        1 => any::<bool>().prop_map(Change::Heard),
    ]
}

proptest! {
    /// The line takes only newer settings: whatever differs has another version, and later ones are greater.
    #[test]
    fn versions_of_settings_grow(changes in prop::collection::vec((changes(), 0_i64..10), 1..30)) {
        let mut room = room();
        let (mut second, mut last) = (0, room.settings(at(0)));
        for (change, wait) in changes {
            room = match change {
                Change::Order(order) => room.ordered(order).unwrap(),
                Change::Heard(sold_out) => room.heard(sold_out),
            };
            second += wait;
            let settings = room.settings(at(second));
            prop_assert!(settings.version >= last.version);
            prop_assert!(settings == last || settings.version > last.version);
            last = settings;
        }
    }
}
