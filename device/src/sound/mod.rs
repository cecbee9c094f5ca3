//! The sound thread: opens the card, watches it, and opens it again when it was gone.
//!
//! ```text
//!  control ──► asks ──► thread ──► card (the driver, its callbacks) ◄─── card PCM rings ───► audio thread
//!                         │  └─ watch: when to open, when to give up                              ▲
//!                         └───────────────────────── changes ─────────────────────────────────────┘
//! ```
//!
//! It may wait for a driver as long as that takes: nobody waits for it. A call to the handset goes on while the card is
//! gone, and is heard again when it is back.

mod card;
mod thread;
mod watch;

pub use thread::{Handle, Told, Wants, begin};

/// One way of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Where calls are heard.
    Speaker,
    /// Where they are spoken.
    Microphone,
}

impl Way {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Speaker, Self::Microphone];

    /// Its name in the log and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Speaker => "speaker",
            Self::Microphone => "microphone",
        }
    }
}
