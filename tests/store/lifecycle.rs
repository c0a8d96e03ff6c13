//! Whatever several runners, operators and the reaper do, in whatever order, a store does what the table of
//! states says. Sequences of calls are made up at random, the same ones each time, and shrunk to the shortest
//! that shows a fault. `PROPTEST_CASES=1000` tries more of them.

mod model;
mod operation;

use flowmonkey_tests::database::Fixture;
use model::Model;
use operation::{Operation, operations};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeSet;
use tokio::runtime::Handle;

on_both_stores! {
    random_sequences_do_what_the_table_says,
}

const SEQUENCES: u32 = 400;
const SEED: u64 = 20_260_417;
/// What a fault may cost on its way to the shortest sequence.
const SHRINK_MS_MAX: u32 = 60_000;

async fn random_sequences_do_what_the_table_says(f: Fixture) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: asked.unwrap_or(SEQUENCES),
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        max_shrink_time: SHRINK_MS_MAX,
        ..Config::default()
    };
    let seen = RefCell::new(BTreeSet::new());
    let follow = |sequence: Vec<Operation>| {
        let followed = Handle::current().block_on(follow(&f, &sequence));
        seen.borrow_mut().extend(followed.map_err(TestCaseError::fail)?);
        Ok(())
    };
    let result = tokio::task::block_in_place(|| TestRunner::new(config).run(&operations(), follow));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, sequence)) => {
            let lines: String = sequence.iter().map(|operation| format!("  {operation:?}\n")).collect();
            panic!("{why}\nafter\n{lines}");
        }
        Err(aborted) => panic!("{aborted}"),
    }
    let missing: Vec<&str> =
        model::OCCASIONS.into_iter().filter(|one| !seen.borrow().contains(one)).collect();
    assert!(missing.is_empty(), "no sequence came to this: {missing:?}");
}

/// Does it all to the store and to the model, and returns what it came to.
async fn follow(f: &Fixture, sequence: &[Operation]) -> Result<BTreeSet<&'static str>, String> {
    f.execute("delete from fm_jobs").await;
    let mut model = Model::default();
    for (step, operation) in sequence.iter().enumerate() {
        let done = async {
            model.follow(f, operation).await?;
            model.check(&model::rows(f).await)
        };
        done.await.map_err(|why| format!("at step {}, {operation:?}: {why}", step + 1))?;
    }
    Ok(model.seen)
}
