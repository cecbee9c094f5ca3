//! Bad networks from a seed: what customers have, in few numbers.
//!
//! ```text
//! sent ─► lost in a burst? ─► base + queueing ─► up to the next slot ─► behind a stall ─► in order ─► arrives
//! ```

use crate::replay::{PACKET_MS, Sent, Trace};
use offhook_speech::Random;
use offhook_units::Moment;

/// Two packets that were held up together come this far apart, ms: 200 bytes at 8 Mbit/s.
const APART_MS: f64 = 0.2;

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// For file names and tables.
    pub name: &'static str,
    /// For people.
    pub what: &'static str,
    /// The way itself, ms.
    base_ms: f64,
    /// Mean of the queueing on top of it, ms.
    queue_ms: f64,
    /// Packets leave in slots of this length, ms; 0 is at once.
    slot_ms: f64,
    /// Mean time between stalls, s; 0 is never.
    stall_every_s: f64,
    /// The shortest and longest stall, ms. What is sent meanwhile comes at its end, all at once.
    stall_ms: (f64, f64),
    /// Part of the packets that is lost.
    loss: f64,
    /// How many in a row, on average.
    burst: f64,
}

/// What `offhook demo` plays.
pub const NETWORKS: [Network; 4] = [
    Network {
        name: "lan",
        what: "wired, nothing wrong",
        base_ms: 4.0,
        queue_ms: 0.3,
        slot_ms: 0.0,
        stall_every_s: 0.0,
        stall_ms: (0.0, 0.0),
        loss: 0.0,
        burst: 1.0,
    },
    Network {
        name: "busy-wifi",
        what: "a radio shared by many",
        base_ms: 8.0,
        queue_ms: 6.0,
        slot_ms: 0.0,
        stall_every_s: 1.5,
        stall_ms: (30.0, 120.0),
        loss: 0.01,
        burst: 1.5,
    },
    Network {
        name: "mobile",
        what: "a phone on the move",
        base_ms: 35.0,
        queue_ms: 8.0,
        slot_ms: 10.0,
        stall_every_s: 2.5,
        stall_ms: (120.0, 320.0),
        loss: 0.015,
        burst: 2.0,
    },
    Network {
        name: "loss-bursts",
        what: "an overloaded line",
        base_ms: 20.0,
        queue_ms: 2.0,
        slot_ms: 0.0,
        stall_every_s: 0.0,
        stall_ms: (0.0, 0.0),
        loss: 0.05,
        burst: 3.0,
    },
];

impl Network {
    /// What it does to a stream of `packets`. The same seed does the same.
    pub fn trace(&self, packets: u32, seed: u64) -> Trace {
        let mut random = Random::new(seed);
        let mut is_losing = false;
        let (mut stalled_until, mut before) = (0.0, 0.0);
        let rows = (0..packets).map(|packet| {
            let sent_ms = f64::from(packet * PACKET_MS);
            is_losing = self.loses(is_losing, &mut random);
            let mut ms = sent_ms + self.base_ms - self.queue_ms * (1.0 - unit(&mut random)).ln();
            if self.slot_ms > 0.0 {
                ms = (ms / self.slot_ms).ceil() * self.slot_ms;
            }
            if self.stall_every_s > 0.0
                && unit(&mut random) < f64::from(PACKET_MS) / 1000.0 / self.stall_every_s
            {
                let (shortest, longest) = self.stall_ms;
                stalled_until = sent_ms + self.base_ms + shortest + (longest - shortest) * unit(&mut random);
            }
            before = ms.max(stalled_until).max(before + APART_MS);
            Sent { packet, sent: moment(sent_ms), arrived: (!is_losing).then(|| moment(before)) }
        });
        Trace::new(rows.collect())
    }

    /// Gilbert's model: a line that is good or bad, and what is sent while it is bad is lost.
    fn loses(&self, is_losing: bool, random: &mut Random) -> bool {
        let recovery = 1.0 / self.burst;
        let onset = self.loss * recovery / (1.0 - self.loss);
        let chance = unit(random);
        if is_losing { chance >= recovery } else { chance < onset }
    }
}

/// From 0 up to, not including, 1: 53 bits are what a double holds.
fn unit(random: &mut Random) -> f64 {
    (random.bits() >> 11) as f64 / (1u64 << 53) as f64
}

fn moment(ms: f64) -> Moment {
    Moment::from_micros((ms * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_what_a_network_does() {
        for network in NETWORKS {
            assert_eq!(network.trace(500, 7), network.trace(500, 7));
        }
        assert_ne!(NETWORKS[1].trace(500, 7), NETWORKS[1].trace(500, 8));
    }

    #[test]
    fn losses_are_as_many_as_stated() {
        for network in NETWORKS {
            let trace = network.trace(100_000, 1);
            let lost = f64::from(trace.lost()) / 100_000.0;
            assert!((lost - network.loss).abs() < 0.15 * network.loss + 1e-9, "{}: {lost}", network.name);
        }
    }

    #[test]
    fn nothing_comes_before_it_was_sent_and_nothing_overtakes() {
        for network in NETWORKS {
            let trace = network.trace(5_000, 3);
            let mut next = 0;
            for arrival in trace.arrivals() {
                let sent = Moment::from_millis(u64::from(arrival.packet * PACKET_MS));
                assert!(arrival.at >= sent && arrival.packet >= next, "{}: {arrival:?}", network.name);
                next = arrival.packet + 1;
            }
        }
    }
}
