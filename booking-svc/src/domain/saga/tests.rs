use super::*;

fn at(direction: Direction, step: Step) -> Position {
    let state = if direction == Direction::Back {
        State::Compensating
    } else {
        State::Waiting
    };
    Position {
        state,
        direction,
        step,
    }
}

fn every_news() -> Vec<News> {
    let declined = |may_retry| News::Declined {
        code: "X".into(),
        may_retry,
    };
    vec![
        News::Captured,
        News::WrongAmount,
        declined(true),
        declined(false),
        News::Expired,
        News::Gone,
    ]
}

#[test]
fn the_table_of_the_module_holds() {
    let step = |direction, step| -> Vec<Option<(State, Step, bool)>> {
        let from = at(direction, step);
        let learned = every_news().into_iter().map(|news| learn(from, &news));
        learned
            .map(|turn| turn.map(|turn| (turn.to.state, turn.to.step, turn.cancel_payment)))
            .collect()
    };
    let free = Some((State::Compensating, Step::Pin, false));
    assert_eq!(
        step(Direction::Forward, Step::Pay),
        [
            Some((State::Running, Step::Confirm, false)),
            Some((State::Compensating, Step::Pay, true)),
            Some((State::Waiting, Step::Pay, false)),
            Some((State::Compensated, Step::Pin, false)),
            free,
            free
        ]
    );
    for paid in [Step::Confirm, Step::Tickets] {
        assert_eq!(step(Direction::Forward, paid), [None; 6]);
    }
    let again = Some((State::Compensating, Step::Pay, true));
    assert_eq!(
        step(Direction::Back, Step::Pay),
        [again, again, None, free, free, free]
    );
    let again = Some((State::Compensating, Step::Pin, true));
    assert_eq!(
        step(Direction::Back, Step::Pin),
        [again, again, None, None, None, None]
    );
}

#[test]
fn nothing_ever_turns_forward_again_and_captured_money_has_one_end() {
    for direction in Direction::ALL {
        for step in Step::ALL {
            for news in every_news() {
                let Some(turn) = learn(at(*direction, *step), &news) else {
                    continue;
                };
                if *direction == Direction::Back {
                    assert_eq!(turn.to.direction, Direction::Back);
                    assert_eq!(
                        turn.cancel_payment,
                        matches!(news, News::Captured | News::WrongAmount)
                    );
                }
                if turn.to.direction == Direction::Forward {
                    assert!(
                        !turn.cancel_payment && !matches!(turn.booking, BookingTurn::Fail { .. })
                    );
                }
            }
        }
    }
    for turn in [give_up(reason::ABANDONED), stop_waiting()] {
        assert!(turn.cancel_payment && turn.to.direction == Direction::Back);
    }
}

#[test]
fn coupons_come_before_the_money() {
    let before = at(Direction::Forward, Step::Coupons);
    for news in every_news() {
        assert_eq!(learn(before, &news), None, "nothing was paid: {news:?}");
    }
    let paying = coupons_reserved(before);
    let place = (paying.to.direction, paying.to.step, paying.to.state);
    assert_eq!(place, (Direction::Forward, Step::Pay, State::Running));
    assert_eq!(paying.intent, Some(Step::Pay));
    let failed = without_coupons(before, reason::COUPONS_NOT_USABLE);
    assert_eq!(
        (failed.to.direction, failed.to.state, failed.hold),
        (Direction::Back, State::Compensated, HoldTurn::BackToHeld)
    );
    assert!(matches!(failed.booking, BookingTurn::Fail { .. }) && !failed.cancel_payment);
}

#[test]
fn a_booking_fails_exactly_when_its_saga_turns_back() {
    for news in every_news() {
        let turn = learn(at(Direction::Forward, Step::Pay), &news).unwrap();
        let failed = matches!(turn.booking, BookingTurn::Fail { .. });
        assert_eq!(failed, turn.to.direction == Direction::Back, "{news:?}");
    }
}
