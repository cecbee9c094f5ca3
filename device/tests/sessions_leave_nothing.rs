//! V1: a thousand sessions with services, each of which leaves at another moment of its life, leave no connection, no
//! port and no byte behind. A program of its own: what other tests hold would be counted too.

// What goes wrong in a test ends it, as it should; of the shared files only a part is used here.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "calls_against_the_lab"]
mod calls {
    pub(crate) mod call;
    pub(crate) mod letters;
    pub(crate) mod timer;
}
#[path = "../../engine/tests/support"]
#[allow(unreachable_pub, missing_debug_implementations, reason = "shared with the engine's tests")]
mod support {
    pub mod heap;
}

use calls::call::{Bed, TestCall, With, options, settings, truevoice};
use calls::timer::Timer;
use calls::{letters, timer};
use offhook_lab::{Lab, Options, Visit};
use offhook_speech::service::Call;
use offhook_speech::session::SessionSettings;
use offhook_speech::truevoice::PoolSettings;
use support::heap;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Calls at once; ten rounds of them go through ten moments of a call's life.
const CALLS: u64 = 50;
const ROUNDS: u64 = 10;
/// So many rounds of rounds may pass before everything has had its largest size once.
const BATCHES: usize = 10;
/// Connections that wait for calls, and stay.
const POOL: usize = 2;
/// What a session may leave behind, in bytes: less than the smallest thing that could be forgotten.
const LEFT: i64 = 8;

/// Fifty calls, half of them with the service that does all of it, hung up in the middle of whatever they do.
fn round(bed: &Bed, number: u64) {
    let call = |call| {
        let all_in_one = (call % 2 == 0).then(|| truevoice(&bed.lab).into());
        let settings = settings(&bed.base(), "Hi there, how are you?");
        bed.call(call, SessionSettings { all_in_one, ..settings })
    };
    let calls: Vec<TestCall> = (0..CALLS).map(call).collect();
    calls[0].run(&Timer::start(), 40 * number, |_| false);
    (0..CALLS).for_each(|call| bed.speech.hang_up(Call(call)).unwrap());
    let pooled = |visit: &&Visit| visit.path.contains("conversation") && visit.audio_in == 0;
    let left =
        |lab: &Lab| lab.seen().visits.iter().filter(|visit| visit.closed.is_none() && !pooled(visit)).count();
    assert!(bed.wait(|lab| left(lab) == 0), "round {number}: {} connections are left", left(&bed.lab));
    assert!(bed.wait(|_| calls.iter().all(TestCall::is_left)), "round {number}: a port is left");
    bed.lab.forget();
}

/// What is held while nothing goes on but the pool's own connections.
fn held_at_rest(bed: &Bed) -> i64 {
    let at_rest = |lab: &Lab| lab.seen().open_at("/") == POOL;
    assert!(bed.wait(at_rest), "{} connections, not {POOL}", bed.lab.seen().open_at("/"));
    // Connections that were closed linger for a second.
    TestCall::default().run(&Timer::start(), 1_100, |_| false);
    let look = |_| {
        TestCall::default().run(&Timer::start(), 20, |_| false);
        heap::held()
    };
    (0..25).map(look).min().unwrap()
}

#[test]
fn v1_a_thousand_sessions_leave_no_connection_no_port_and_no_memory_behind() {
    let pool = PoolSettings { min_idle: POOL, max: POOL, ..PoolSettings::default() };
    let lab = Options { connections: 400, ..options() };
    let bed = Bed::new(lab, With { pool: Some(pool), device: true });
    let mut held = Vec::new();
    // What only had to grow to its largest size stops growing; what is forgotten grows for ever.
    let a_thousand = (2 * ROUNDS * CALLS) as i64;
    let is_steady = |held: &[i64]| match held {
        [.., before, _, now] => now - before <= LEFT * a_thousand,
        _ => false,
    };
    while !is_steady(&held) && held.len() < BATCHES {
        (0..ROUNDS).for_each(|number| round(&bed, number));
        held.push(held_at_rest(&bed));
    }
    assert!(is_steady(&held), "bytes after each {} sessions: {held:?}", a_thousand / 2);
    // So that it is known to be seen: two pointers for each of them.
    let forgotten: Vec<Box<[u8; 16]>> = (0..a_thousand).map(|_| Box::new([0; 16])).collect();
    let seen = [held[held.len() - 1], 0, held_at_rest(&bed)];
    assert!(!is_steady(&seen), "{seen:?}: what was forgotten was not seen");
    drop(forgotten);
    assert_eq!(bed.lab.seen().open_at("multi"), 0);
}
