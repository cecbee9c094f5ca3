//! One stream at a time: which SSRC is the call's voice, when another may follow it, and what to do when the
//! peer uses ours (RFC 3550 8.2). One slot for the present source and one for the next: whatever is sent, the
//! state does not grow.

use crate::media::packet::PacketView;
use offhook_units::{Moment, SeqNo, Span, Ssrc};

/// What a packet's SSRC makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The present source.
    Present,
    /// A source that is the present one from here.
    Changed,
    /// Another, which has not proved itself.
    Unproven,
}

/// The sources of one leg.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sources {
    /// The present source and when it last sent.
    present: Option<(Ssrc, Moment)>,
    /// The latest other one.
    next: Option<(Ssrc, SeqNo)>,
}

/// Silence after which another source may follow: two packets of 20 ms missing. Longer would clip the first
/// word after a transfer, shorter would let a second stream beside the first take over in its jitter.
const GONE: Span = Span::from_millis(60);

impl Sources {
    /// The present source.
    pub(super) fn present(&self) -> Option<Ssrc> {
        self.present.map(|(ssrc, _)| ssrc)
    }

    /// The stream comes from another address: what sends there follows at once.
    pub(super) fn move_to(&mut self, ssrc: Ssrc) {
        if self.present() != Some(ssrc) {
            *self = Self::default();
        }
    }

    /// Places a packet from the call's own address. A new source is taken with its second packet in order
    /// (RFC 3550 A.1) once the present one has fallen silent: of two streams at once the older is kept.
    /// `proven` packets are taken at once.
    pub(super) fn place(&mut self, now: Moment, packet: &PacketView<'_>, proven: bool) -> Place {
        let gone = match &mut self.present {
            Some((ssrc, last)) if *ssrc == packet.ssrc => {
                *last = now;
                return Place::Present;
            }
            Some((_, last)) => now.since(*last) >= GONE,
            None => true,
        };
        let in_order = self
            .next
            .is_some_and(|(ssrc, seq)| ssrc == packet.ssrc && (1..=3).contains(&packet.seq.ahead_of(seq)));
        if self.present.is_none() || (gone && in_order) || proven {
            (self.present, self.next) = (Some((packet.ssrc, now)), None);
            return Place::Changed;
        }
        self.next = Some((packet.ssrc, packet.seq));
        Place::Unproven
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_units::{PayloadType, RtpTime};

    fn place(sources: &mut Sources, ms: u64, ssrc: u32, seq: u16) -> Place {
        let packet = PacketView {
            seq: SeqNo(seq),
            time: RtpTime(0),
            ssrc: Ssrc(ssrc),
            payload_type: PayloadType::PCMU,
            marker: false,
            payload: &[],
        };
        sources.place(Moment::from_millis(ms), &packet, false)
    }

    #[test]
    fn a_source_that_follows_another_costs_two_packets() {
        let mut sources = Sources::default();
        assert_eq!(place(&mut sources, 0, 1, 10), Place::Changed);
        assert_eq!(place(&mut sources, 20, 1, 11), Place::Present);
        assert_eq!(place(&mut sources, 40, 2, 500), Place::Unproven);
        assert_eq!(place(&mut sources, 60, 2, 501), Place::Unproven);
        assert_eq!(place(&mut sources, 80, 2, 502), Place::Changed);
        assert_eq!(place(&mut sources, 100, 2, 503), Place::Present);
    }

    #[test]
    fn a_source_after_a_pause_has_to_be_in_order_only() {
        let mut sources = Sources::default();
        place(&mut sources, 0, 1, 10);
        assert_eq!(place(&mut sources, 5_000, 2, 500), Place::Unproven);
        assert_eq!(place(&mut sources, 5_020, 2, 900), Place::Unproven);
        assert_eq!(place(&mut sources, 5_040, 2, 901), Place::Changed);
    }

    #[test]
    fn of_two_streams_at_once_the_older_is_kept_however_fast_the_other() {
        let mut sources = Sources::default();
        place(&mut sources, 0, 1, 0);
        for n in 1..500 {
            for fast in 0..10 {
                assert_eq!(place(&mut sources, 20 * u64::from(n) - 1, 2, 10 * n + fast), Place::Unproven);
            }
            assert_eq!(place(&mut sources, 20 * u64::from(n), 1, n), Place::Present);
        }
    }

    #[test]
    fn a_new_source_in_every_packet_is_never_taken() {
        let mut sources = Sources::default();
        place(&mut sources, 0, 1, 0);
        for n in 0..10_000_u32 {
            assert_eq!(place(&mut sources, u64::from(n), 100 + n, 7), Place::Unproven);
        }
        assert_eq!(sources.present(), Some(Ssrc(1)));
    }
}
