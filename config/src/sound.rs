//! `[sound]`: the sound card, for calls to `handset` and for listening in.

use crate::Fault;
use crate::key::{Effect, Expects, Key};
use crate::reading::Reading;
use crate::text::Kind;

/// The card that the system takes when nobody names one.
const DEFAULT: &str = "default";
/// No card at all.
const NONE: &str = "none";

const fn key(path: &'static str, expects: Expects) -> Key {
    Key { path, variable: None, expects, effect: Effect::Live }
}

const fn card(path: &'static str) -> Key {
    key(path, Expects::Text { kind: Kind::Card, default: DEFAULT })
}

const fn decibels(path: &'static str, from: i64, to: i64, default: i64) -> Key {
    key(path, Expects::Whole { unit: "whole decibels", from, to, default })
}

const fn flag(path: &'static str) -> Key {
    key(path, Expects::Flag { default: false })
}

static SPEAKER: Key = card("sound.speaker");
static MICROPHONE: Key = card("sound.microphone");
static SPEAKER_DB: Key = decibels("sound.speaker_db", -60, 20, 0);
static MICROPHONE_DB: Key = decibels("sound.microphone_db", -60, 20, 0);
static SPEAKER_MUTE: Key = flag("sound.speaker_mute");
static MICROPHONE_MUTE: Key = flag("sound.microphone_mute");
static MONITOR: Key =
    key("sound.monitor", Expects::Choice { of: &["off", "caller", "both"], default: "off" });
static DUCK_DB: Key = decibels("sound.duck_db", 0, 60, 20);

pub(crate) static KEYS: [&Key; 8] =
    [&SPEAKER, &MICROPHONE, &SPEAKER_DB, &MICROPHONE_DB, &SPEAKER_MUTE, &MICROPHONE_MUTE, &MONITOR, &DUCK_DB];

/// Which card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Card {
    /// The system's own choice.
    Default,
    /// The one of that name.
    Named(String),
}

/// What of the calls is heard on the speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Monitor {
    /// Nothing but calls to `handset`.
    Off,
    /// What callers say.
    Caller,
    /// What callers say and what they hear.
    Both,
}

/// One way of the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// `None`: there is none.
    pub card: Option<Card>,
    /// How much louder, decibels.
    pub level_db: i8,
    /// Whether it is silent.
    pub mute: bool,
}

/// The sound card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Where calls are heard.
    pub speaker: Side,
    /// Where they are spoken.
    pub microphone: Side,
    /// What of all other calls is heard.
    pub monitor: Monitor,
    /// How much quieter that gets while the handset is in a call, decibels.
    pub duck_db: u8,
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Sound {
    if reading.is_changed(&MONITOR) && reading.text(&SPEAKER) == NONE {
        let (this, other) = (reading.setting(&MONITOR), reading.setting(&SPEAKER));
        let because = "there is nothing to hear them on";
        reading.contradiction(
            &this,
            &other,
            Fault::Alone { key: MONITOR.path, needs: SPEAKER.path, because },
        );
    }
    let side = |card, level, mute| Side {
        card: match reading.text(card).as_str() {
            NONE => None,
            DEFAULT => Some(Card::Default),
            name => Some(Card::Named(name.to_owned())),
        },
        level_db: reading.whole(level),
        mute: reading.flag(mute),
    };
    Sound {
        speaker: side(&SPEAKER, &SPEAKER_DB, &SPEAKER_MUTE),
        microphone: side(&MICROPHONE, &MICROPHONE_DB, &MICROPHONE_MUTE),
        monitor: match reading.text(&MONITOR).as_str() {
            "caller" => Monitor::Caller,
            "both" => Monitor::Both,
            _ => Monitor::Off,
        },
        duck_db: reading.whole(&DUCK_DB),
    }
}
