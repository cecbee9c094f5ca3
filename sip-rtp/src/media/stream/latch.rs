//! Symmetric RTP: where the peer really sends from, learnt so that a stranger cannot take the stream over.
//!
//! ```text
//!            SDP's own address: at once          same host: 3 packets      elsewhere: 8 packets and 300 ms
//!  Open  ---------------------------------> Held <----------------------------------------------------- Open
//!  Held  -- SDP's address speaks up (3 packets), or: silence, and the same stream goes on elsewhere --> Held
//!  any   -- re-INVITE with another address --> Open
//! ```
//!
//! Behind NAT the peer's packets do not come from the address in its SDP. Whoever floods the port first must
//! not win for that: SDP's own address is believed at once and takes the latch back from anybody else; others
//! have to send a steady stream of one source for a while; and once latched, an address keeps the stream for
//! as long as it sends. After silence only the very stream that fell silent (SSRC and sequence number, which a
//! stranger off the path does not know) may go on from another address.

use crate::media::packet::PacketView;
use heapless::Vec;
use offhook_units::{Moment, SeqNo, Span, Ssrc};
use std::net::SocketAddr;

/// From where media is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From the address and port in SDP only.
    Exact,
    /// From any port of the address in SDP.
    Host,
    /// From anywhere: the peer may be behind NAT.
    Anywhere,
}

/// What the latch makes of a packet's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the call's.
    Ours,
    /// It is the call's, and the address is new.
    Latched,
    /// Not, or not yet.
    Foreign,
}

/// An address that may become the peer's.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: Ssrc,
    seq: SeqNo,
    packets: u8,
    since: Moment,
}

/// The address that the stream comes from.
#[derive(Clone, Copy, Debug)]
struct Hold {
    from: SocketAddr,
    ssrc: Ssrc,
    seq: SeqNo,
    last: Moment,
}

/// The address logic of one leg.
#[derive(Debug)]
pub(super) struct Latch {
    reach: Reach,
    /// The address in the peer's SDP, when it gave one that can be sent to.
    expected: Option<SocketAddr>,
    hold: Option<Hold>,
    /// Few: a flood must not cost memory. A peer whose SDP does not name its address competes with strangers
    /// here, and more of them within 20 ms than there are places can keep it out until its SDP is right.
    candidates: Vec<Candidate, { Self::MOST_CANDIDATES }>,
}

/// A steady stream from SDP's own host, and from elsewhere.
const HOST_PACKETS: u8 = 3;
const ELSEWHERE_PACKETS: u8 = 8;
/// Head start of SDP's own address over all others.
const HEAD_START: Span = Span::from_millis(300);
/// After so long without a packet the address may have changed.
const SILENCE: Span = Span::from_millis(2_000);
/// Largest hole in a steady stream; and in one that goes on elsewhere after a silence (RFC 3550 A.1).
const STEADY_STEP: i16 = 5;
const RESUMED_STEP: i16 = 3_000;

impl Latch {
    const MOST_CANDIDATES: usize = 8;

    pub(super) const fn new(reach: Reach, expected: Option<SocketAddr>) -> Self {
        Self { reach, expected, hold: None, candidates: Vec::new() }
    }

    /// What the peer's SDP says.
    pub(super) const fn expected(&self) -> Option<SocketAddr> {
        self.expected
    }

    /// Where to send to: whence the peer sends, or what its SDP says until then.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.hold.map(|hold| hold.from).or(self.expected)
    }

    /// Whether an RTCP datagram may be the call's: it comes from a host that its RTP comes from, or should.
    pub(super) fn knows_host(&self, from: SocketAddr) -> bool {
        let host = |known: Option<SocketAddr>| known.is_some_and(|known| known.ip() == from.ip());
        host(self.hold.map(|hold| hold.from)) || host(self.expected)
    }

    /// The peer's SDP changed. The same address keeps the latch; another opens it.
    pub(super) fn renegotiate(&mut self, expected: Option<SocketAddr>) {
        if expected != self.expected {
            self.expected = expected;
            self.hold = None;
            self.candidates.clear();
        }
    }

    /// Cheap look at an address before anything is spent on the packet: `false` is final.
    pub(super) fn may_be_ours(&self, now: Moment, from: SocketAddr) -> bool {
        match self.hold {
            Some(hold) if hold.from == from => true,
            Some(hold) => self.is_expected(from) || (self.in_reach(from) && self.is_silent(now, hold)),
            None => self.in_reach(from),
        }
    }

    /// Judges a packet that is valid RTP of a negotiated type. `proven` says that it was authenticated, which
    /// is worth more than any address.
    pub(super) fn judge(
        &mut self,
        now: Moment,
        from: SocketAddr,
        packet: &PacketView<'_>,
        proven: bool,
    ) -> Verdict {
        if let Some(hold) = self.hold.as_mut().filter(|hold| hold.from == from) {
            (hold.ssrc, hold.seq, hold.last) = (packet.ssrc, packet.seq, now);
            return Verdict::Ours;
        }
        if !self.may_be_ours(now, from) {
            return Verdict::Foreign;
        }
        if !(proven && self.hold.is_none_or(|hold| self.is_silent(now, hold))
            || self.is_won(now, from, packet))
        {
            return Verdict::Foreign;
        }
        self.hold = Some(Hold { from, ssrc: packet.ssrc, seq: packet.seq, last: now });
        self.candidates.clear();
        Verdict::Latched
    }

    fn is_expected(&self, from: SocketAddr) -> bool {
        self.expected == Some(from)
    }

    fn in_reach(&self, from: SocketAddr) -> bool {
        match (self.reach, self.expected) {
            (Reach::Anywhere, _) => true,
            (Reach::Host, Some(expected)) => expected.ip() == from.ip(),
            (Reach::Exact, Some(expected)) => expected == from,
            (Reach::Host | Reach::Exact, None) => false,
        }
    }

    fn is_silent(&self, now: Moment, hold: Hold) -> bool {
        now.since(hold.last) >= SILENCE
    }

    /// Whether `from` has earned the latch with this packet.
    fn is_won(&mut self, now: Moment, from: SocketAddr, packet: &PacketView<'_>) -> bool {
        let expected = self.is_expected(from);
        if expected && self.hold.is_none_or(|hold| self.is_silent(now, hold)) {
            return true;
        }
        let resumes = self.hold.is_none_or(|hold| {
            hold.ssrc == packet.ssrc && (1..=RESUMED_STEP).contains(&packet.seq.ahead_of(hold.seq))
        });
        if !(expected || resumes) {
            return false;
        }
        let same_host = self.expected.is_some_and(|known| known.ip() == from.ip());
        let candidate = self.note_candidate(now, from, packet);
        if expected || same_host {
            candidate.packets >= HOST_PACKETS
        } else {
            candidate.packets >= ELSEWHERE_PACKETS && now.since(candidate.since) >= HEAD_START
        }
    }

    /// Counts a packet for its address. A stream that is not steady begins anew; when all places are taken the
    /// one with the fewest packets gives way.
    fn note_candidate(&mut self, now: Moment, from: SocketAddr, packet: &PacketView<'_>) -> Candidate {
        let fresh = Candidate { from, ssrc: packet.ssrc, seq: packet.seq, packets: 1, since: now };
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.from == from) {
            let steady = candidate.ssrc == packet.ssrc
                && (1..=STEADY_STEP).contains(&packet.seq.ahead_of(candidate.seq));
            let packets = candidate.packets.saturating_add(1);
            *candidate = if steady { Candidate { packets, since: candidate.since, ..fresh } } else { fresh };
            return *candidate;
        }
        if self.candidates.is_full() {
            let weakest = self.candidates.iter().enumerate().min_by_key(|(_, candidate)| candidate.packets);
            if let Some((place, _)) = weakest {
                self.candidates.swap_remove(place);
            }
        }
        let _ = self.candidates.push(fresh);
        fresh
    }
}

#[cfg(test)]
mod tests;
