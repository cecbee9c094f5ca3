//! The timers of RFC 3261 17 and RFC 6026, in one table.

use offhook_units::Span;

/// The three times from which all others follow (RFC 3261 17.1.1.1, table 4).
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// The round trip to expect.
    pub t1: Span,
    /// The longest gap between two sendings.
    pub t2: Span,
    /// How long a message may stay in the network.
    pub t4: Span,
}

impl Default for Timings {
    fn default() -> Self {
        Self { t1: Span::from_millis(500), t2: Span::from_millis(4000), t4: Span::from_millis(5000) }
    }
}

impl Timings {
    /// 64·T1: how long anything is tried.
    pub const fn patience(&self) -> Span {
        Span::from_micros(self.t1.as_micros().saturating_mul(64))
    }

    /// The gap after one of `gap`: doubled, at most `T2`.
    pub fn doubled(&self, gap: Span) -> Span {
        (gap + gap).min(self.t2)
    }
}

/// A timer of a transaction. C belongs to proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// INVITE again.
    A,
    /// INVITE given up.
    B,
    /// Answers to INVITE may still come again.
    D,
    /// Other requests again.
    E,
    /// Other requests given up.
    F,
    /// Final answer to INVITE again.
    G,
    /// ACK given up.
    H,
    /// ACKs may still come again.
    I,
    /// Other requests may still come again.
    J,
    /// Answers to other requests may still come again.
    K,
    /// INVITE may still come again after a 2xx.
    L,
    /// 2xx of other branches may still come.
    M,
}

impl Timer {
    /// How long it runs at first. `None` where a reliable transport needs it not: A, E and G never start, D, I, J
    /// and K end at once (RFC 3261 table 4; L and M from RFC 6026 8.5, 8.6).
    pub(super) fn first(self, times: &Timings, reliable: bool) -> Option<Span> {
        let unless_reliable = |span| (!reliable).then_some(span);
        match self {
            Self::A | Self::E | Self::G => unless_reliable(times.t1),
            Self::B | Self::F | Self::H | Self::L | Self::M => Some(times.patience()),
            // "At least 32 seconds".
            Self::D => unless_reliable(times.patience().max(Span::from_millis(32_000))),
            Self::I | Self::K => unless_reliable(times.t4),
            Self::J => unless_reliable(times.patience()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 table 4.
    #[test]
    fn the_table_has_the_rfcs_values() {
        let times = Timings::default();
        let first = |t: Timer, reliable| t.first(&times, reliable).map(|s| s.as_micros() / 1000);
        for (timer, udp, tcp) in [
            (Timer::A, Some(500), None),
            (Timer::B, Some(32_000), Some(32_000)),
            (Timer::D, Some(32_000), None),
            (Timer::E, Some(500), None),
            (Timer::F, Some(32_000), Some(32_000)),
            (Timer::G, Some(500), None),
            (Timer::H, Some(32_000), Some(32_000)),
            (Timer::I, Some(5_000), None),
            (Timer::J, Some(32_000), None),
            (Timer::K, Some(5_000), None),
            (Timer::L, Some(32_000), Some(32_000)),
            (Timer::M, Some(32_000), Some(32_000)),
        ] {
            assert_eq!((first(timer, false), first(timer, true)), (udp, tcp), "{timer:?}");
        }
        let gaps: Vec<_> = std::iter::successors(Some(times.t1), |gap| Some(times.doubled(*gap)))
            .take(6)
            .map(|gap| gap.as_micros() / 1000)
            .collect();
        assert_eq!(gaps, [500, 1000, 2000, 4000, 4000, 4000]);
    }
}
