//! Every function of the line against a model in memory, in random order: answers, positions, slots. Beside it the checker of histories,
//! which knows only what clients were told.

mod play;
mod silence;
mod steps;

use mesh::redis::Library;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::history::{Bounds, broken};
use crate::support::{on_test_seams, redis};
use play::{Play, settings};
use steps::{Step, steps};

/// Steps of one random history on average, and histories: 100,000 steps together.
const STEPS: usize = 500;
const HISTORIES: u32 = 200;
/// Steps between two looks at the whole room.
const COMPARE_EACH: usize = 50;
/// Few accounts, so that they meet.
const ACCOUNTS: u32 = 24;

/// Plays random histories of `steps` on `library`, and checks each against the model and, for constant settings, against the bounds.
fn play(cases: u32, library: &Library, steps: impl Strategy<Value = Vec<Step>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(async { redis() });
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 1_500,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&steps, |steps| {
        runtime.block_on(async {
            let mut play = Play::begin(&redis, library).await;
            for (index, step) in steps.iter().enumerate() {
                play.step(step).await.map_err(|error| {
                    TestCaseError::fail(format!("step {index}, {step:?}: {error}"))
                })?;
                if index % COMPARE_EACH == 0 {
                    play.compare().await?;
                }
            }
            play.compare().await?;
            play.stage.lose().await;
            let settings = settings();
            let bounds = Bounds {
                capacity: usize::try_from(settings.capacity).unwrap(),
                // Configure changes it; the bound that always holds is the largest.
                rate: 20,
                burst: u64::from(settings.burst),
            };
            prop_assert_eq!(broken(&play.history, bounds), Vec::<String>::new());
            Ok(())
        })
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
            panic!("{}\n{reason}", steps.join("\n"));
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn every_function_agrees_with_the_model() {
    play(HISTORIES, &on_test_seams(), steps(Just(3).boxed()));
}
