//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! Puts each packet at its place on one axis of media time that never jumps (J1).
//!
//! The wire counts in 16 and 32 bits, and senders start both counters anew in mid-call: a transfer
//! brings another SSRC, a gateway resets its sequence, a hold freezes the timestamp. Whatever they do,
//! the sequencer answers with a 64-bit sequence number and a media time that goes on from where it was,
//! so nothing behind it has to know. Where the sender's own clock cannot be followed, arrival stands in.

use crate::packet::Packet;
use offhook_units::{ExtSeq, Moment, RtpTime, SampleRate, SeqNo, Span, Ssrc};

/// A sequence jump further ahead than this is a restart, not a loss (RFC 3550 A.1, MAX_DROPOUT).
const MAX_DROPOUT: i16 = 3000;
/// A packet further behind than this is a restart, not a straggler (RFC 3550 A.1, MAX_MISORDER).
const MAX_MISORDER: i16 = -100;
/// Media time and arrival may part by this much before the sender's clock counts as restarted. It lies
/// above any delay that the buffer would wait for.
const MAX_PARTING: Span = Span::from_millis(1_200);
/// Packets of the stream that was left behind are refused for so long after a change of SSRC.
const STRAGGLERS: Span = Span::from_millis(1_000);

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number in the unbroken sequence.
    pub seq: ExtSeq,
    /// Its first sample on the unbroken axis, in frames of the RTP clock.
    pub media: i64,
    /// Packets between the highest one before and this one that have not come (yet).
    pub skipped: u64,
    /// It came after a packet that was sent later.
    pub late: bool,
    /// A counter of the sender started anew here.
    pub restarted: bool,
}

/// Why a packet has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// Its number was seen before.
    Duplicate,
    /// It is from before the window in which duplicates can be told.
    TooOld,
    /// Its sequence number lies far off, or its SSRC is new: the next one decides whether the sender restarted.
    OnProbation,
    /// It belongs to the stream that the sender has left.
    Straggler,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: Ssrc,
    highest: ExtSeq,
    /// Wire number of `highest`: a restart breaks the tie between the two.
    wire: SeqNo,
    /// Bit n is set when `highest − n` was seen.
    seen: u128,
    /// The newest packet's first sample, on the wire and on our axis.
    time: RtpTime,
    media: i64,
    /// Frames that the newest packet lasts.
    duration: i64,
    arrival: Moment,
    /// Numbers from before a restart are not told apart from new ones: none below this is taken.
    oldest: ExtSeq,
}

/// The order of one call's incoming packets. `place` is called for each packet as it comes.
#[derive(Debug)]
pub struct Sequencer {
    clock: SampleRate,
    stream: Option<Stream>,
    /// The packet that would confirm a restart.
    odd: Option<(Ssrc, SeqNo, Moment)>,
    left: Option<(Ssrc, Moment)>,
}

impl Sequencer {
    /// For a call whose RTP clock runs at `clock`.
    pub const fn new(clock: SampleRate) -> Self {
        Self { clock, stream: None, odd: None, left: None }
    }

    /// Places a packet that holds `duration` frames of the RTP clock (0 for one without audio).
    ///
    /// # Errors
    /// [`Misfit`] says why it has no place; the state is as before, but for the probation.
    pub fn place(&mut self, packet: &Packet<'_>, duration: i64) -> Result<Place, Misfit> {
        let Some(mut stream) = self.stream else {
            self.stream = Some(Stream {
                ssrc: packet.ssrc,
                highest: ExtSeq(1 << 16).extend(packet.seq),
                wire: packet.seq,
                seen: 1,
                time: packet.time,
                media: 0,
                duration,
                arrival: packet.arrival,
                oldest: ExtSeq(0),
            });
            let seq = ExtSeq(1 << 16).extend(packet.seq);
            return Ok(Place { seq, media: 0, skipped: 0, late: false, restarted: false });
        };
        let place = if packet.ssrc == stream.ssrc {
            match packet.seq.ahead_of(stream.wire) {
                step @ 1..=MAX_DROPOUT => Ok(self.ahead(&mut stream, packet, duration, step)),
                step @ MAX_MISORDER..=0 => Self::behind(self.clock, &mut stream, packet, duration, step),
                _ if self.confirms(packet) => Ok(self.restart(&mut stream, packet, duration)),
                _ => Err(Misfit::OnProbation),
            }
        } else if self
            .left
            .is_some_and(|(ssrc, when)| ssrc == packet.ssrc && packet.arrival.since(when) < STRAGGLERS)
        {
            Err(Misfit::Straggler)
        } else if !self.confirms(packet) {
            Err(Misfit::OnProbation)
        } else {
            self.left = Some((stream.ssrc, packet.arrival));
            stream.ssrc = packet.ssrc;
            Ok(self.restart(&mut stream, packet, duration))
        };
        if place == Err(Misfit::OnProbation) {
            self.odd = Some((packet.ssrc, SeqNo(packet.seq.0.wrapping_add(1)), packet.arrival));
        }
        self.stream = Some(stream);
        place
    }

    /// Whether `packet` is the second of two in a row that lie off the stream (RFC 3550 A.1).
    fn confirms(&self, packet: &Packet<'_>) -> bool {
        self.odd.is_some_and(|(ssrc, seq, at)| {
            ssrc == packet.ssrc && seq == packet.seq && packet.arrival.since(at) < STRAGGLERS
        })
    }

    /// The next packet, or one further on after a hole.
    fn ahead(&self, stream: &mut Stream, packet: &Packet<'_>, duration: i64, step: i16) -> Place {
        let step = u64::from(step.unsigned_abs());
        stream.highest = ExtSeq(stream.highest.0 + step);
        stream.wire = packet.seq;
        stream.seen = stream.seen.checked_shl(step as u32).unwrap_or(0) | 1;
        let (seq, skipped) = (stream.highest, step - 1);
        if duration == 0 {
            // A key press keeps the timestamp of its beginning for seconds (RFC 4733 2.5.1.3): what makes no
            // sound says nothing about the clock.
            let media = stream.media + stream.duration;
            return Place { seq, media, skipped, late: false, restarted: false };
        }
        let media_step = i64::from(packet.time.ahead_of(stream.time));
        let elapsed = self.frames_between(stream.arrival, packet.arrival);
        let parting = self.clock.span_of(elapsed.saturating_sub(media_step));
        let follows = media_step > 0 && parting <= MAX_PARTING && parting >= Span::ZERO - MAX_PARTING;
        let media_step = if follows { media_step } else { elapsed.max(stream.duration) };
        stream.time = packet.time;
        stream.media += media_step;
        stream.duration = duration;
        stream.arrival = packet.arrival;
        Place { seq, media: stream.media, skipped, late: false, restarted: !follows }
    }

    /// A packet that was overtaken, or one that we have.
    fn behind(
        clock: SampleRate,
        stream: &mut Stream,
        packet: &Packet<'_>,
        duration: i64,
        step: i16,
    ) -> Result<Place, Misfit> {
        let back = u64::from(step.unsigned_abs());
        let bit = 1u128.checked_shl(back as u32).ok_or(Misfit::TooOld)?;
        if stream.seen & bit != 0 {
            return Err(Misfit::Duplicate);
        }
        let seq = ExtSeq(stream.highest.0.saturating_sub(back));
        let media_step = i64::from(packet.time.ahead_of(stream.time));
        if seq < stream.oldest || clock.span_of(media_step.abs()) > MAX_PARTING {
            return Err(Misfit::TooOld);
        }
        stream.seen |= bit;
        let media = stream.media + media_step;
        if media_step > 0 && duration > 0 {
            // What overtook it made no sound: this is the newest voice.
            (stream.time, stream.media) = (packet.time, media);
            (stream.duration, stream.arrival) = (duration, packet.arrival);
        }
        Ok(Place { seq, media, skipped: 0, late: true, restarted: false })
    }

    /// The sender began anew: the axis goes on by what the clock on our side says.
    fn restart(&self, stream: &mut Stream, packet: &Packet<'_>, duration: i64) -> Place {
        let elapsed = self.frames_between(stream.arrival, packet.arrival);
        stream.highest = ExtSeq(stream.highest.0 + 1);
        stream.wire = packet.seq;
        stream.seen = 1;
        stream.time = packet.time;
        stream.media += elapsed.max(stream.duration);
        stream.duration = duration;
        stream.arrival = packet.arrival;
        stream.oldest = stream.highest;
        Place { seq: stream.highest, media: stream.media, skipped: 0, late: false, restarted: true }
    }

    fn frames_between(&self, earlier: Moment, later: Moment) -> i64 {
        later.since(earlier).as_micros().saturating_mul(i64::from(self.clock.hz())) / 1_000_000
    }
}
