//! Real-time: plain counters, owned by the audio thread and copied out whole.
//!
//! What happened to one call's incoming voice. Every refusal and every operation has its counter.

use crate::sequencer::Misfit;
use offhook_units::{Ppm, SampleRate, Span};

/// Counters since the call began; frames are of the call's sample rate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Packets offered.
    pub packets: u64,
    /// Taken from the buffer in their turn.
    pub played: u64,
    /// Refused: seen before.
    pub duplicates: u64,
    /// Refused: from before the sequencer's window.
    pub too_old: u64,
    /// Refused: lone packets far out of sequence.
    pub on_probation: u64,
    /// Refused: of a stream that the sender had left.
    pub stragglers: u64,
    /// Refused: came after its place was played, or guessed to its end.
    pub late: u64,
    /// Refused: no codec here decodes it.
    pub undecodable: u64,
    /// Thrown out because the buffer was at its cap.
    pub overrun: u64,
    /// Times the sender's counters started anew.
    pub restarts: u64,
    /// Packets that never came or came too late, as the player saw it.
    pub missing: u64,
    /// Ticks rendered.
    pub ticks: u64,
    /// Frames decoded and played.
    pub voice_frames: u64,
    /// Frames guessed from the past.
    pub extrapolated_frames: u64,
    /// Frames filled from both sides.
    pub bridged_frames: u64,
    /// Frames that the decoder recovered from a later packet (Opus FEC).
    pub recovered_frames: u64,
    /// Frames of comfort noise.
    pub noise_frames: u64,
    /// Frames of silence before the call's first packet.
    pub silent_frames: u64,
    /// Times the buffer ran dry in a voice.
    pub underruns: u64,
    /// Frames taken out to catch up.
    pub squeezed_frames: u64,
    /// Frames put in to fall back.
    pub stretched_frames: u64,
    /// Of both, frames beyond the usual speed limit.
    pub hurried_frames: u64,
    /// Changes of speed that speech or a pause went through.
    pub warps: u64,
    /// Audio that waits, decoded or not: above the configured maximum by a single packet at most.
    pub held: Span,
    /// Delay of what is played, packet included, against the fastest packet of late.
    pub delay: Span,
    /// What the line asks for.
    pub target: Span,
    /// The sender's clock against ours, once known.
    pub drift: Option<Ppm>,
}

impl Stats {
    pub(crate) fn refuse(&mut self, misfit: Misfit) {
        let counter = match misfit {
            Misfit::Duplicate => &mut self.duplicates,
            Misfit::TooOld => &mut self.too_old,
            Misfit::OnProbation => &mut self.on_probation,
            Misfit::Straggler => &mut self.stragglers,
        };
        *counter += 1;
    }

    /// Counts on from what another codec counted at `from`, in frames of `to`: up to a frame more, so that no count goes
    /// back. What is no count is this one's own.
    pub(crate) fn go_on_from(&mut self, before: &Self, from: SampleRate, to: SampleRate) {
        let frames = |frames: u64| (frames * u64::from(to.hz())).div_ceil(u64::from(from.hz().max(1)));
        self.packets += before.packets;
        self.played += before.played;
        self.duplicates += before.duplicates;
        self.too_old += before.too_old;
        self.on_probation += before.on_probation;
        self.stragglers += before.stragglers;
        self.late += before.late;
        self.undecodable += before.undecodable;
        self.overrun += before.overrun;
        self.restarts += before.restarts;
        self.missing += before.missing;
        self.ticks += before.ticks;
        self.voice_frames += frames(before.voice_frames);
        self.extrapolated_frames += frames(before.extrapolated_frames);
        self.bridged_frames += frames(before.bridged_frames);
        self.recovered_frames += frames(before.recovered_frames);
        self.noise_frames += frames(before.noise_frames);
        self.silent_frames += frames(before.silent_frames);
        self.underruns += before.underruns;
        self.squeezed_frames += frames(before.squeezed_frames);
        self.stretched_frames += frames(before.stretched_frames);
        self.hurried_frames += frames(before.hurried_frames);
        self.warps += before.warps;
    }
}
