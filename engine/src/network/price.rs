//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! What each possible wait would have cost on this line lately.
//!
//! Beside the real player, a row of imagined ones plays the same arrivals, each waiting a little longer than
//! its neighbour. A wait costs its delay; a packet that comes too late costs the concealment that the player
//! would have needed; a lost packet costs less to the player that has its successor in hand, because a hole
//! is bridged better from both sides. The cheapest player's wait is the target. That weighs delay against
//! damage for any shape of jitter and loss, without a quantile that suits one network and not the next.

use super::Arrival;

/// The waits that are tried, in milliseconds beyond the floor.
const WAITS: usize = 48;
/// Packets after which the floor is trusted.
const SETTLED: u32 = 25;
/// The recent past: so many pieces of so long, 16 s in all.
const RECENT: usize = 8;
const RECENT_PIECE_MS: f32 = 2_000.0;
const RECENT_ALL_MS: f32 = RECENT as f32 * RECENT_PIECE_MS;
/// Packets in a group: those of one spike count as one.
const GROUP: u32 = 5;
/// Packets up to which a line may hold surprises.
const NOVICE: u32 = 300;
/// The longest of them.
pub(super) const REACH_MS: f32 = 480.0;

/// What damage costs, in milliseconds of delay that one would rather bear all the time than have that
/// damage all the time.
#[derive(Clone, Copy, Debug)]
pub struct Tariff {
    /// The voice stands still until a late packet comes.
    pub pause: f32,
    /// A piece of the voice is guessed and its packet thrown away.
    pub skip: f32,
    /// What the guess costs less where it is bridged from both sides.
    pub bridged: f32,
    /// Delay is given back at this share of real time,
    pub give_back: f32,
    /// but not within so many milliseconds of a packet that came too late.
    pub hold_ms: f32,
    /// A packet that is late by no more than this, and alone, is skipped; otherwise the voice pauses.
    pub skip_ms: f32,
    /// Voice in the memory, roughly.
    pub memory_ms: f32,
    /// Voice in the memory of losses.
    pub loss_memory_ms: f32,
    /// A new wait must be cheaper by this much.
    pub dead_band: f32,
}

impl Default for Tariff {
    fn default() -> Self {
        Self {
            pause: 8000.0,
            skip: 4000.0,
            bridged: 4000.0,
            give_back: 0.05,
            hold_ms: 1500.0,
            skip_ms: 20.0,
            memory_ms: 12_000.0,
            loss_memory_ms: 50_000.0,
            dead_band: 1.0,
        }
    }
}

#[derive(Debug)]
pub(super) struct PriceList {
    wait_ms: [f32; WAITS],
    /// Each imagined player's transit at this instant.
    plays_at_ms: [f32; WAITS],
    /// Since its last packet that came too late.
    calm_ms: [f32; WAITS],
    /// Since it paused for one.
    flow_ms: [f32; WAITS],
    cost: [f32; WAITS],
    /// What bridging saved: it is remembered for longer, because losses are rare beside arrivals.
    saving: [f32; WAITS],
    /// What the last hole cost less for each lost packet: taken back when it turns up after all.
    credit: [f32; WAITS],
    /// What the unseen may cost, while little was seen.
    unseen: [f32; WAITS],
    /// The slowest of each group of packets, beyond the floor: the four slowest groups, slowest first; and the
    /// group at hand. What was slow before the floor rose is not slow any more.
    slowest_ms: [f32; 4],
    group_ms: f32,
    floor_ms: f32,
    /// The slowest packet of each piece of the recent past, newest first: what was not seen for so long is
    /// not waited for, however dear it was.
    recent_ms: [f32; RECENT],
    recent_most_ms: f32,
    in_piece_ms: f32,
    /// Since a packet did not come.
    lossless_ms: f32,
    heard: u32,
    heard_ms: f32,
    tariff: Tariff,
    weight_ms: f32,
    best: usize,
}

impl PriceList {
    pub(super) fn new(start_ms: f32, tariff: Tariff) -> Self {
        let mut wait_ms = [0.0; WAITS];
        let mut cost = [0.0; WAITS];
        for (i, (wait, cost)) in wait_ms.iter_mut().zip(&mut cost).enumerate() {
            *wait = wait_of(i);
            // Before anything is known, the start wins; the first arrivals outweigh it soon.
            *cost = (*wait - start_ms).abs();
        }
        let mut list = Self {
            wait_ms,
            plays_at_ms: [f32::MIN; WAITS],
            calm_ms: [0.0; WAITS],
            flow_ms: [0.0; WAITS],
            cost,
            saving: [0.0; WAITS],
            unseen: [0.0; WAITS],
            slowest_ms: [0.0; 4],
            group_ms: 0.0,
            floor_ms: f32::MAX,
            recent_ms: [0.0; RECENT],
            recent_most_ms: REACH_MS,
            in_piece_ms: 0.0,
            lossless_ms: 0.0,
            credit: [0.0; WAITS],
            heard: 0,
            heard_ms: 0.0,
            tariff,
            weight_ms: 80.0,
            best: 0,
        };
        list.choose();
        list
    }

    pub(super) fn best_ms(&self) -> f32 {
        self.wait_ms[self.best]
    }

    /// The media axis was mended: where each player stood on it means nothing any more.
    pub(super) fn forget_place(&mut self) {
        self.plays_at_ms = [f32::MIN; WAITS];
        self.credit = [0.0; WAITS];
        self.floor_ms = f32::MAX;
    }

    pub(super) fn charge(&mut self, transit_ms: f32, floor_ms: f32, arrival: &Arrival) {
        let duration_ms = arrival.duration.as_millis_f32().clamp(5.0, 120.0);
        let tariff = self.tariff;
        let hole_ms = if arrival.late { 0.0 } else { (arrival.skipped.min(4) as f32) * duration_ms };
        let passed_ms = if arrival.late { 0.0 } else { duration_ms + hole_ms };
        let (pause, skip) = (tariff.pause / duration_ms, tariff.skip / duration_ms);
        let bridged = tariff.bridged;
        // A packet that was overtaken is never waited for: its successor is in hand.
        let skip_ms = if arrival.late { f32::MAX } else { tariff.skip_ms };
        self.weight_ms = (self.weight_ms + duration_ms).min(tariff.memory_ms).max(duration_ms);
        let keep = 1.0 - duration_ms / self.weight_ms;
        let learn = duration_ms / (self.heard_ms + 2_000.0).min(tariff.loss_memory_ms);
        let players = self.wait_ms.iter().zip(&mut self.plays_at_ms);
        let players = players.zip(self.calm_ms.iter_mut().zip(&mut self.flow_ms));
        let players = players.zip(self.cost.iter_mut().zip(self.saving.iter_mut().zip(&mut self.credit)));
        // The first packets only show where the floor is; until then no player has a delay to give back.
        let settled = self.heard >= SETTLED;
        self.heard = self.heard.saturating_add(1);
        self.heard_ms = (self.heard_ms + duration_ms).min(1e6);
        for (((wait, plays_at), (calm, flow)), (cost, (saving, credit))) in players {
            if !settled {
                *plays_at = f32::MIN;
            }
            let given_back_ms = if *flow > tariff.hold_ms { tariff.give_back * passed_ms } else { 0.0 };
            let at = (*plays_at - given_back_ms).clamp(floor_ms + wait, floor_ms + wait + REACH_MS);
            let short_ms = (transit_ms - at).max(0.0);
            let missed = short_ms > 0.0;
            let pauses = missed && (short_ms > skip_ms || (*calm < 300.0 && !arrival.late));
            // The player looks once in 10 ms, so that a hole is that much longer at the mean half.
            let hole = (short_ms + 5.0).min(200.0);
            let price = match (missed, pauses) {
                (false, _) => 0.0,
                (true, true) => hole * pause,
                (true, false) => hole.min(duration_ms) * skip,
            };
            let mut saved = worth_of_lead((at - transit_ms).clamp(0.0, hole_ms) / duration_ms) * bridged;
            if arrival.late {
                saved = -*credit;
            } else if hole_ms > 0.0 {
                *credit = saved * duration_ms / hole_ms;
            }
            *calm = if missed { 0.0 } else { *calm + passed_ms };
            *flow = if pauses { 0.0 } else { *flow + passed_ms };
            *plays_at = if pauses { at + short_ms.min(REACH_MS) } else { at };
            let price = (at - floor_ms) + price;
            *saving += (saved - *saving) * learn;
            *cost = *cost * keep + price * (1.0 - keep);
        }
        let risen_ms = (floor_ms - self.floor_ms).max(0.0);
        self.floor_ms = floor_ms;
        if risen_ms > 0.0 {
            self.group_ms -= risen_ms;
            self.slowest_ms = self.slowest_ms.map(|slow| (slow - risen_ms).max(0.0));
        }
        self.remember_slowest(transit_ms - floor_ms, duration_ms);
        self.lossless_ms = if hole_ms > 0.0 { 0.0 } else { self.lossless_ms + duration_ms };
        if self.lossless_ms > RECENT_ALL_MS {
            // The line loses nothing any more.
            self.saving = [0.0; WAITS];
        }
        self.group_ms = self.group_ms.max((transit_ms - floor_ms).min(REACH_MS));
        if self.heard <= NOVICE && self.heard.is_multiple_of(GROUP) {
            self.expect_the_unseen(pause);
        }
        self.choose();
    }

    fn remember_slowest(&mut self, slow_ms: f32, duration_ms: f32) {
        self.in_piece_ms += duration_ms;
        if self.in_piece_ms > RECENT_PIECE_MS {
            self.in_piece_ms = duration_ms;
            self.recent_ms.rotate_right(1);
            self.recent_ms[0] = 0.0;
        }
        self.recent_ms[0] = self.recent_ms[0].max(slow_ms);
        if self.heard_ms > RECENT_ALL_MS {
            self.recent_most_ms = self.recent_ms.iter().copied().fold(0.0, f32::max);
        }
    }

    /// Of n packets the slowest is beaten by the next one with a chance of 1 in n + 1 (Laplace's rule of
    /// succession), by a margin as large as the slowest ones differ among themselves. Without this a call
    /// would trust its first calm second.
    fn expect_the_unseen(&mut self, pause: f32) {
        let mut rest_ms = std::mem::take(&mut self.group_ms);
        for slow in &mut self.slowest_ms {
            if rest_ms > *slow {
                std::mem::swap(&mut rest_ms, slow);
            }
        }
        let [most_ms, .., fourth_ms] = self.slowest_ms;
        // With an exponential tail, the largest and the fourth largest lie 1 + 1/2 + 1/3 means apart.
        let margin_ms = ((most_ms - fourth_ms) / 1.83).min(most_ms / 3.0).max(1.0);
        let known = 4 * GROUP..NOVICE;
        let chance = if known.contains(&self.heard) { 1.0 / (self.heard as f32 + 1.0) } else { 0.0 };
        for (wait, unseen) in self.wait_ms.iter().zip(&mut self.unseen) {
            let beyond = ((wait - most_ms) / margin_ms).max(0.0);
            *unseen = pause * margin_ms * chance * (-beyond).exp();
        }
    }

    fn price(&self, i: usize) -> f32 {
        self.harm(i) - self.saving[i]
    }

    /// Delay and damage; no damage where no packet of late was so slow.
    fn harm(&self, i: usize) -> f32 {
        let lately = if self.wait_ms[i] >= self.recent_most_ms { self.wait_ms[i] } else { self.cost[i] };
        lately + self.unseen[i]
    }

    /// The price of any wait, between those that were tried. A hole's successor is in hand or it is not, so what
    /// that saves is taken from the shorter neighbour.
    pub(super) fn at_ms(&self, wait_ms: f32) -> f32 {
        let above = self.wait_ms.partition_point(|w| *w <= wait_ms).clamp(1, WAITS - 1);
        let (low, high) = (above - 1, above);
        let share =
            ((wait_ms - self.wait_ms[low]) / (self.wait_ms[high] - self.wait_ms[low])).clamp(0.0, 1.0);
        self.harm(low) * (1.0 - share) + self.harm(high) * share - self.saving[low]
    }

    fn choose(&mut self) {
        let price = |i: usize| self.price(i);
        let best = (1..WAITS).fold(0, |best, i| if price(i) < price(best) { i } else { best });
        if price(best) + self.tariff.dead_band < price(self.best) {
            self.best = best;
        }
    }
}

/// What it is worth to have the successor of a hole in hand so many packets early: a whole packet bridged in one
/// go is worth far more than two halves, one guessed and one bridged.
fn worth_of_lead(packets: f32) -> f32 {
    let whole = packets.floor();
    let part = packets - whole;
    whole + part * part
}

/// Close together where calls live, coarse where a few milliseconds do not matter.
fn wait_of(i: usize) -> f32 {
    let i = i as f32;
    if i < 16.0 {
        i * 4.0
    } else if i < 32.0 {
        60.0 + (i - 15.0) * 8.0
    } else {
        188.0 + (i - 31.0) * 18.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_rise_and_reach_the_end() {
        for i in 1..WAITS {
            assert!(wait_of(i) > wait_of(i - 1), "{i}");
        }
        assert!((wait_of(WAITS - 1) - REACH_MS).abs() < 10.0, "{}", wait_of(WAITS - 1));
    }
}
