//! T5: two agents over a network that loses, repeats and reorders, with both sides doing what they like. No stuck
//! dialog, no leaked transaction, and every call ends exactly once on each side.

use super::desk::{key, media, peer, settings, trunk};
use offhook_sip_rtp::sip::agent::{Agent, CallId, Event, Input, Output, Place, TrunkId};
use offhook_sip_rtp::sip::status::Status;
use offhook_units::{Moment, Pii, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

const A: &str = "192.0.2.1:5060";
const B: &str = "192.0.2.2:5060";

#[derive(Debug, Clone, Copy)]
struct Fate {
    lost: bool,
    copies: u8,
    delay_ms: u64,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Ring,
    Progress,
    Answer,
    Reject,
    Hold,
    Resume,
    HangUp,
    Key,
}

fn act() -> impl Strategy<Value = Act> {
    prop::sample::select(vec![
        Act::Ring,
        Act::Progress,
        Act::Answer,
        Act::Answer,
        Act::Answer,
        Act::Reject,
        Act::Hold,
        Act::Resume,
        Act::HangUp,
        Act::Key,
    ])
}

fn fate() -> impl Strategy<Value = Fate> {
    (prop::bool::weighted(0.25), 1..3u8, 0..900u64).prop_map(|(lost, copies, delay_ms)| Fate {
        lost,
        copies,
        delay_ms,
    })
}

#[derive(Default)]
struct Tally {
    /// Calls by how often they began and ended.
    calls: BTreeMap<CallId, (u32, u32)>,
}

struct World {
    now: Moment,
    sides: [Agent; 2],
    tallies: [Tally; 2],
    fates: Vec<Fate>,
    used: usize,
    flying: BTreeMap<(Moment, u64), (usize, Vec<u8>)>,
    sequence: u64,
}

impl World {
    fn new(fates: Vec<Fate>) -> Self {
        let mut near = settings(A);
        near.session.interval_s = 90;
        let mut far = settings(B);
        far.session.interval_s = 90;
        let a = Agent::new(near, vec![trunk("far.example")], [1; 32]);
        let b = Agent::new(far, Vec::new(), [2; 32]);
        Self {
            now: Moment::ZERO,
            sides: [a, b],
            tallies: Default::default(),
            fates,
            used: 0,
            flying: BTreeMap::new(),
            sequence: 0,
        }
    }

    fn settle(&mut self) {
        for side in 0..2 {
            while let Some(output) = self.sides[side].poll_output() {
                match output {
                    Output::Send { bytes, .. } => self.launch(1 - side, bytes),
                    Output::Event(Event::IncomingCall { call, .. }) => {
                        self.tallies[side].calls.entry(call).or_default().0 += 1;
                    }
                    Output::Event(Event::Ended { call, .. }) => {
                        self.tallies[side].calls.entry(call).or_default().1 += 1;
                    }
                    Output::Event(_) => {}
                }
            }
        }
    }

    fn launch(&mut self, to: usize, bytes: Vec<u8>) {
        let fate = self.fates[self.used % self.fates.len()];
        self.used += 1;
        for copy in 0..if fate.lost { 0 } else { u64::from(fate.copies) } {
            self.sequence += 1;
            let at = self.now + Span::from_millis((fate.delay_ms * (copy + 1)) as i64);
            self.flying.insert((at, self.sequence), (to, bytes.clone()));
        }
    }

    /// Runs all that is due until `end`.
    fn run(&mut self, end: Moment) {
        loop {
            self.settle();
            let due = [
                self.sides[0].poll_timeout(),
                self.sides[1].poll_timeout(),
                self.flying.keys().next().map(|k| k.0),
            ];
            let Some(next) = due.into_iter().flatten().min().filter(|next| *next <= end) else { break };
            self.now = next;
            while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= next) {
                let (to, bytes) = entry.remove();
                let from = peer(if to == 0 { B } else { A });
                self.sides[to].handle_input(next, Input::Bytes { from, bytes: &bytes });
                self.settle();
            }
            for side in &mut self.sides {
                side.handle_timeout(next);
            }
        }
        self.now = end;
    }

    fn act(&mut self, side: usize, act: Act) {
        let Some(call) = self.sides[side].calls().last() else { return };
        let (agent, now) = (&mut self.sides[side], self.now);
        // Commands that do not fit the call's state are refused, which is fine.
        let _ = match act {
            Act::Ring => agent.ring(now, call),
            Act::Progress => agent.progress(now, call, media()),
            Act::Answer => agent.answer(now, call, media()),
            Act::Reject => agent.reject(now, call, Status::BUSY_HERE),
            Act::Hold => agent.hold(now, call),
            Act::Resume => agent.resume(now, call),
            Act::HangUp => agent.hang_up(now, call),
            Act::Key => agent.send_key(now, call, key('1'), 100),
        };
        self.settle();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_dialog_is_stuck_and_nothing_leaks(
        fates in prop::collection::vec(fate(), 1..60),
        acts in prop::collection::vec((0..2usize, act(), 0..4000u64), 1..25),
    ) {
        // The trunk comes up over a good network; then it turns bad.
        let mut world = World::new(vec![Fate { lost: false, copies: 1, delay_ms: 1 }]);
        world.sides[0].set_servers(Moment::ZERO, TrunkId(0), vec![peer(B)]);
        world.run(Moment::from_millis(100));
        prop_assert!(world.sides[0].is_up(TrunkId(0)));
        world.fates = fates;
        world.used = 0;
        let order = Place { to: Pii::new("100".into()), display: None, trunk: None, media: media() };
        let call = world.sides[0].place(world.now, order).unwrap();
        world.tallies[0].calls.entry(call).or_default().0 += 1;
        for (side, act, wait_ms) in acts {
            world.run(world.now + Span::from_millis(wait_ms as i64));
            world.act(side, act);
        }
        // Whoever still has a call hangs up; then the trunk is stopped and everything runs out.
        for side in 0..2 {
            for call in world.sides[side].calls().collect::<Vec<_>>() {
                let _ = world.sides[side].hang_up(world.now, call);
            }
        }
        world.run(world.now + Span::from_millis(400_000));
        world.sides[0].stop_trunks(world.now);
        world.run(world.now + Span::from_millis(200_000));
        for side in 0..2 {
            prop_assert!(world.sides[side].is_idle(), "side {side}: {:?}", world.sides[side]);
            for (call, (began, ended)) in &world.tallies[side].calls {
                prop_assert_eq!((began, ended), (&1, &1), "side {} {:?}", side, call);
            }
        }
    }
}
