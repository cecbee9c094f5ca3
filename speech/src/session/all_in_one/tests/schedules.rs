//! V2: random calls with services that do all of it: whatever a service sends, and whenever, no word is heard twice, none
//! is lost, the caller is not left in silence, and history is true.
//!
//! PROPTEST_CASES tries more of them.

mod call;
mod judge;
mod plan;
mod voice;

use call::Call;
use judge::judge;
use plan::{Plan, plan};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn outcome(plan: &Plan) -> Result<(), String> {
    let call = Call::of(plan);
    judge(&call, plan.letter_ms, plan.device_tells).map_err(|rule| format!("{rule}\n{}", call.log.join("\n")))
}

proptest! {
    // The same calls each time.
    #![proptest_config(ProptestConfig {
        failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
    })]

    #[test]
    fn v2_whatever_a_service_sends_each_word_is_heard_once_and_history_is_true(plan in plan()) {
        let outcome = outcome(&plan);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
