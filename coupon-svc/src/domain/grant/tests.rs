use proptest::prelude::*;

use super::*;

fn grant(total: u32) -> Grant {
    Grant {
        grant_id: Uuid::nil(),
        campaign_id: Uuid::nil(),
        state: State::Pending,
        total,
        granted: 0,
        already_had: 0,
        no_stock: 0,
        too_late: 0,
        create_time: DateTime::UNIX_EPOCH,
        finish_time: None,
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Pending),
        Just(Outcome::Granted(Uuid::nil())),
        Just(Outcome::AlreadyHad),
        Just(Outcome::NoStock),
        Just(Outcome::TooLate),
    ]
}

proptest! {
    #[test]
    fn a_grant_is_done_with_its_last_account_and_not_before(
        outcomes in prop::collection::vec(outcome(), 1..60),
        batch in 1_usize..20,
        cancel_after in 0_usize..80,
    ) {
        let (now, mut looked_at) = (DateTime::UNIX_EPOCH, 0);
        let ends = outcomes.iter().filter(|outcome| **outcome != Outcome::Pending).count();
        let mut state = grant(u32::try_from(ends.max(1)).unwrap());
        for outcomes in outcomes.chunks(batch) {
            if looked_at >= cancel_after && state.state != State::Done {
                let cancelled = state.cancelled(now).unwrap();
                prop_assert_eq!(cancelled.state, State::Cancelled);
                prop_assert_eq!(cancelled.cancelled(now), Ok(cancelled.clone()));
                prop_assert_eq!((cancelled.granted, cancelled.total), (state.granted, state.total));
            }
            state = state.advanced(outcomes, now);
            looked_at += outcomes.iter().filter(|outcome| **outcome != Outcome::Pending).count();
            let expected = match looked_at {
                0 => State::Pending,
                some if some < usize::try_from(state.total).unwrap() => State::Running,
                _ => State::Done,
            };
            prop_assert_eq!(state.state, expected);
            prop_assert_eq!(state.finish_time.is_some(), expected == State::Done);
        }
        if state.state == State::Done {
            prop_assert_eq!(state.cancelled(now), Err(Finished));
        }
    }
}
