//! Real-time: relaxed loads and stores of plain numbers.
//!
//! What is known of the sound card: written by its callbacks, the audio thread and the sound thread, read by all.

use offhook_units::{Ppm, Span};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Both ways of the card.
#[derive(Debug, Default)]
pub struct SoundGauges {
    /// Where calls are heard.
    pub speaker: Arc<SideGauges>,
    /// Where they are spoken.
    pub microphone: Arc<SideGauges>,
    /// Calls to the handset that could not be taken.
    pub refused: AtomicU64,
}

impl SoundGauges {
    /// Whether the configuration asks for a card at all.
    pub fn is_wanted(&self) -> bool {
        self.speaker.is_wanted() || self.microphone.is_wanted()
    }

    /// Whether a call can be spoken and heard as the configuration wants it.
    pub fn is_ready(&self) -> bool {
        let is_there = |side: &SideGauges| side.is_up() || !side.is_wanted();
        self.is_wanted() && is_there(&self.speaker) && is_there(&self.microphone)
    }
}

/// One way of the card. It outlives the card: counters go on with the next one.
#[derive(Debug, Default)]
pub struct SideGauges {
    wanted: AtomicBool,
    up: AtomicBool,
    opened: AtomicU64,
    /// Times that the card called.
    calls: AtomicU64,
    /// The most frames that it asked for or brought at once.
    period_frames: AtomicU32,
    /// The audio thread is at its end of the ring.
    attached: AtomicBool,
    /// Times that sound was missing or found no room.
    xruns: AtomicU64,
    /// Of them, those that the card's side met at the ring.
    dry: AtomicU64,
    /// Bits of an `f32`.
    drift_ppm: AtomicU32,
    held_us: AtomicU64,
}

impl SideGauges {
    /// Whether the configuration asks for it.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Relaxed)
    }

    /// The configuration asks for it, or does not.
    pub fn set_wanted(&self, wanted: bool) {
        self.wanted.store(wanted, Relaxed);
    }

    /// Whether a card is open.
    pub fn is_up(&self) -> bool {
        self.up.load(Relaxed)
    }

    /// A card is about to be opened; it will ask for so many frames at once, as far as it says.
    pub fn opens(&self, period_frames: u32) {
        self.attached.store(false, Relaxed);
        self.period_frames.store(period_frames, Relaxed);
    }

    /// A card is open.
    pub fn opened(&self) {
        self.opened.fetch_add(1, Relaxed);
        self.up.store(true, Relaxed);
    }

    /// It is no more.
    pub fn closed(&self) {
        self.up.store(false, Relaxed);
        self.attached.store(false, Relaxed);
        self.held_us.store(0, Relaxed);
    }

    /// Cards opened since the start.
    pub fn times_opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// The card called, for so many frames.
    pub fn called(&self, frames: usize) {
        self.calls.fetch_add(1, Relaxed);
        self.period_frames.fetch_max(u32::try_from(frames).unwrap_or(u32::MAX), Relaxed);
    }

    /// Times that the card called.
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// The most frames that it asked for or brought at once.
    pub fn period_frames(&self) -> u32 {
        self.period_frames.load(Relaxed)
    }

    /// The audio thread came to its end of the ring.
    pub fn attach(&self) {
        self.attached.store(true, Relaxed);
    }

    /// The card found too little in the ring, or too little room. Before the audio thread is there that is no fault.
    pub fn ran_dry(&self) {
        if self.attached.load(Relaxed) {
            self.dry.fetch_add(1, Relaxed);
            self.xrun();
        }
    }

    /// Times that it did.
    pub fn dry(&self) -> u64 {
        self.dry.load(Relaxed)
    }

    /// Sound was lost elsewhere: in the card, or on the audio thread's side.
    pub fn xrun(&self) {
        self.xruns.fetch_add(1, Relaxed);
    }

    /// Times that sound was lost.
    pub fn xruns(&self) -> u64 {
        self.xruns.load(Relaxed)
    }

    /// What the audio thread knows of the ring.
    pub fn publish(&self, drift: Ppm, held: Span) {
        self.drift_ppm.store(drift.0.to_bits(), Relaxed);
        self.held_us.store(held.as_micros().max(0).cast_unsigned(), Relaxed);
    }

    /// How fast the card's clock runs against ours.
    pub fn drift(&self) -> Ppm {
        Ppm(f32::from_bits(self.drift_ppm.load(Relaxed)))
    }

    /// Sound in the ring.
    pub fn held(&self) -> Span {
        Span::from_micros(self.held_us.load(Relaxed).cast_signed())
    }
}
