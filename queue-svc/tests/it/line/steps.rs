//! What happens to a room, in random order.

use proptest::prelude::*;
use queue_svc::domain::lane::Lane;
use queue_svc::line::Mode;

use super::{ACCOUNTS, STEPS};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Pass {
        ms: u32,
    },
    Join {
        account: u32,
        lane: Lane,
        with_ticket: bool,
    },
    Touch {
        account: u32,
    },
    Admit {
        most: u32,
    },
    Claim {
        account: u32,
    },
    Renew {
        account: u32,
    },
    Leave {
        account: u32,
    },
    /// A booking of the account ended so long ago.
    Depart {
        account: u32,
        ago: u32,
    },
    Beat {
        accounts: u32,
    },
    Reap {
        lane: Lane,
    },
    Configure {
        mode: Mode,
        capacity: u32,
        rate: u32,
    },
    Reserve {
        lane: Lane,
    },
    /// The server comes back as another one, with or without its data.
    Restart {
        data: bool,
    },
}

fn lanes() -> impl Strategy<Value = Lane> {
    prop_oneof![4 => Just(Lane::General), 1 => Just(Lane::Presale), 1 => Just(Lane::Access)]
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        12 => Just(Mode::Open),
        1 => Just(Mode::Armed),
        1 => Just(Mode::Paused),
        1 => Just(Mode::Drain),
        1 => Just(Mode::Still),
        1 => Just(Mode::Closed),
    ]
}

pub(super) fn steps(capacity: BoxedStrategy<u32>) -> impl Strategy<Value = Vec<Step>> {
    let account = 0..ACCOUNTS;
    let step = prop_oneof![
        6 => prop_oneof![1_u32..400, 400_u32..20_000].prop_map(|ms| Step::Pass { ms }),
        8 => (account.clone(), lanes(), any::<bool>())
            .prop_map(|(account, lane, with_ticket)| Step::Join { account, lane, with_ticket }),
        6 => account.clone().prop_map(|account| Step::Touch { account }),
        8 => (1_u32..6).prop_map(|most| Step::Admit { most }),
        6 => account.clone().prop_map(|account| Step::Claim { account }),
        6 => account.clone().prop_map(|account| Step::Renew { account }),
        1 => account.clone().prop_map(|account| Step::Leave { account }),
        1 => (account.clone(), prop_oneof![Just(0_u32), 0_u32..60_000])
            .prop_map(|(account, ago)| Step::Depart { account, ago }),
        3 => any::<u32>().prop_map(|accounts| Step::Beat { accounts }),
        2 => lanes().prop_map(|lane| Step::Reap { lane }),
        1 => (modes(), capacity, 1_u32..20)
            .prop_map(|(mode, capacity, rate)| Step::Configure { mode, capacity, rate }),
        1 => lanes().prop_map(|lane| Step::Reserve { lane }),
        1 => any::<bool>().prop_map(|data| Step::Restart { data }),
    ];
    prop::collection::vec(step, 1..2 * STEPS)
}
