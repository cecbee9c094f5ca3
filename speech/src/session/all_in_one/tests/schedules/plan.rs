//! What a service does in a call, and when.

use super::voice::letters;
use proptest::prelude::*;

/// A call with a service.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) is_realtime: bool,
    /// Its messages name their turn, where that is left to it.
    pub(super) is_named: bool,
    /// TrueVoice tells where the audio of a turn begins.
    pub(super) tells_start: bool,
    /// How long each voice takes for a letter, and the ear to answer.
    pub(super) letter_ms: u64,
    pub(super) ear_ms: u64,
    /// What becomes of the ear behind the first two turns.
    pub(super) fades: Fades,
    pub(super) device_tells: bool,
    pub(super) turns: Vec<Turn>,
}

/// How well the ear hears, where that changes: it is right all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fades {
    Never,
    /// It is not sure that it was this text.
    Unsure,
    /// It takes each end for a soft one.
    Soft,
    /// It takes so long.
    Slow(u64),
}

/// One turn of the service.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// The caller has said something before it.
    pub(super) is_asked: bool,
    /// So many letters beside the number of each word, and what stands behind it.
    pub(super) words: Vec<(usize, Mark)>,
    pub(super) writes: Writes,
    pub(super) speaks: Speaks,
    /// The connection breaks then.
    pub(super) breaks_ms: Option<u64>,
    pub(super) caller: Caller,
    /// Between this one and the next.
    pub(super) rest_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Nothing,
    Comma,
    FullStop,
}

/// How its words come.
#[derive(Clone, Debug)]
pub(super) struct Writes {
    pub(super) from_ms: u64,
    /// So many letters in one piece, one piece after so long.
    pub(super) piece: usize,
    pub(super) every_ms: u64,
    /// In thousandths of them it stops for so long.
    pub(super) rests: Vec<(u64, u64)>,
    pub(super) end: Told,
}

/// How its audio comes.
#[derive(Clone, Debug)]
pub(super) struct Speaks {
    pub(super) from_ms: u64,
    pub(super) piece_ms: u64,
    /// In percent of real time.
    pub(super) pace: u64,
    pub(super) rests: Vec<(u64, u64)>,
    /// In thousandths of it: there it falls silent for ever.
    pub(super) until: Option<u64>,
    /// So much silence is behind it where it does not.
    pub(super) silence_ms: u64,
    pub(super) end: Told,
}

/// When an end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// So long behind the last piece.
    Behind(u64),
    Never,
}

/// What the caller does, so long after the turn began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Listens,
    /// The appliance notices it; the service stops so long after it was told.
    BreaksIn(u64, u64),
    /// The service notices it.
    IsHeard(u64),
}

/// What the service sends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    Begins,
    Words(String),
    Written,
    AudioBegins,
    /// From and to this millisecond of the sound.
    Audio(u64, u64),
    AudioEnds,
}

/// About half a second of them.
const LATE_LETTERS: usize = 8;

impl Turn {
    /// Its words, counted on from number `first`.
    pub(super) fn text(&self, first: usize) -> String {
        let last = self.words.len().saturating_sub(1);
        let word = |(at, (letters, mark)): (usize, &(usize, Mark))| {
            let mark = match mark {
                _ if at == last => ".",
                Mark::Nothing => "",
                Mark::Comma => ",",
                Mark::FullStop => ".",
            };
            format!("a{}{}{mark}", first + at, &"bcdefghijklm"[..*letters])
        };
        self.words.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
    }

    /// What is sent of it, and when.
    pub(super) fn messages(&self, text: &str, letter_ms: u64, is_realtime: bool) -> Vec<(u64, Message)> {
        let mut all = vec![(0, Message::Begins)];
        let words = self.writes.messages(text);
        let sound_ms = letters(text, letter_ms).count() as u64 * letter_ms;
        let mut sound = self.speaks.messages(sound_ms);
        // TrueVoice says what was written; what Realtime says may be written a little later.
        behind_words(&words, &mut sound, letter_ms, if is_realtime { LATE_LETTERS } else { 0 });
        if is_realtime {
            done_is_last(&words, &mut sound);
        }
        all.extend(words);
        all.extend(sound);
        all.sort_by_key(|(ms, _)| *ms);
        all
    }
}

/// No letter is said before it was written, but for so many.
fn behind_words(words: &[(u64, Message)], sound: &mut [(u64, Message)], letter_ms: u64, late: usize) {
    let length =
        |(_, message): &(u64, Message)| if let Message::Words(text) = message { text.len() } else { 0 };
    let all = words.iter().map(length).sum::<usize>();
    let mut later_ms = 0;
    for (ms, message) in sound {
        *ms += later_ms;
        let Message::Audio(_, to) = message else { continue };
        // Behind the last of them is silence.
        let (letters, mut written) = ((to.div_ceil(letter_ms) as usize).min(all), late);
        let is_there = |word: &&(u64, Message)| {
            written += length(word);
            written >= letters
        };
        let from_ms = words.iter().find(is_there).map_or(0, |(ms, _)| *ms);
        later_ms += from_ms.saturating_sub(*ms);
        *ms = from_ms.max(*ms);
    }
}

/// Realtime tells the end of a response behind all of it.
fn done_is_last(words: &[(u64, Message)], sound: &mut [(u64, Message)]) {
    let last_ms = words.iter().chain(sound.iter()).map(|(ms, _)| *ms).max().unwrap_or(0);
    for (ms, _) in sound.iter_mut().filter(|(_, message)| *message == Message::AudioEnds) {
        *ms = last_ms.max(*ms) + 1;
    }
}

/// So long it rests before it comes from `from` to `to` of `all`.
fn rests(rests: &[(u64, u64)], from: u64, to: u64, all: u64) -> u64 {
    let is_there = |mille: u64| (from..to).contains(&(all * mille / 1000));
    rests.iter().filter(|(mille, _)| is_there(*mille)).map(|(_, ms)| ms).sum()
}

/// Puts an end behind the pieces.
fn with_end(mut pieces: Vec<(u64, Message)>, end: Told, message: Message) -> Vec<(u64, Message)> {
    let last_ms = pieces.last().map_or(0, |(ms, _)| *ms);
    match end {
        Told::Behind(ms) => pieces.push((last_ms + ms, message)),
        Told::Never => {}
    }
    pieces
}

impl Writes {
    /// It rests between two words: of one that is not whole after a quarter of a second nobody knows it.
    fn messages(&self, text: &str) -> Vec<(u64, Message)> {
        let (mut ms, mut pieces) = (self.from_ms, Vec::new());
        let mut from = 0;
        for (at, rest_ms) in self.rests_in(text).into_iter().chain([(text.len(), 0)]) {
            for piece in text.as_bytes()[from.min(at)..at].chunks(self.piece.max(1)) {
                pieces.push((ms, Message::Words(String::from_utf8_lossy(piece).into_owned())));
                ms += self.every_ms;
            }
            (ms, from) = (ms + rest_ms, at.max(from));
        }
        with_end(pieces, self.end, Message::Written)
    }

    fn rests_in(&self, text: &str) -> Vec<(usize, u64)> {
        let place = |(mille, ms): &(u64, u64)| {
            let at = text.len() * *mille as usize / 1000;
            (text[at..].find(' ').map_or(text.len(), |space| at + space), *ms)
        };
        let mut rests: Vec<(usize, u64)> = self.rests.iter().map(place).collect();
        rests.sort_unstable();
        rests
    }
}

impl Speaks {
    fn messages(&self, sound_ms: u64) -> Vec<(u64, Message)> {
        let until = self.until.map_or(sound_ms + self.silence_ms, |mille| sound_ms * mille / 1000);
        let (mut ms, mut at, mut pieces) = (self.from_ms, 0, Vec::new());
        while at < until {
            let to = (at + self.piece_ms.max(1)).min(until);
            ms += rests(&self.rests, at, to, sound_ms);
            pieces.push((ms, Message::Audio(at, to)));
            ms += (to - at) * 100 / self.pace.max(1);
            at = to;
        }
        // One that falls silent tells no end.
        let end = if self.until.is_some() { Told::Never } else { self.end };
        let mut all = with_end(pieces, end, Message::AudioEnds);
        all.insert(0, (self.from_ms, Message::AudioBegins));
        all
    }
}

fn mark() -> impl Strategy<Value = Mark> {
    prop_oneof![6 => Just(Mark::Nothing), 1 => Just(Mark::Comma), 2 => Just(Mark::FullStop)]
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        4 => Just(Told::Behind(0)),
        2 => (0..3_000u64).prop_map(Told::Behind),
        2 => Just(Told::Never),
    ]
}

fn some_rests(most_ms: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec((0..1_000u64, 0..most_ms), 1..3)]
}

prop_compose! {
    fn writes()(
        from_ms in 0..600u64, piece in 1..40usize, every_ms in 0..150u64, rests in some_rests(1_400), end in told(),
    ) -> Writes {
        // No model writes fewer than 25 letters a second.
        let every_ms = every_ms.min(40 * piece as u64);
        Writes { from_ms, piece, every_ms, rests, end }
    }
}

prop_compose! {
    fn speaks()(
        from_ms in 0..900u64,
        piece_ms in prop_oneof![10..200u64, 10..1_000u64],
        pace in prop_oneof![90..150u64, 90..800u64],
        rests in some_rests(4_000),
        until in prop::option::weighted(0.4, 0..1_000u64),
        silence_ms in prop_oneof![Just(0), 0..400u64],
        end in told(),
    ) -> Speaks {
        Speaks { from_ms, piece_ms, pace, rests, until, silence_ms, end }
    }
}

fn caller() -> impl Strategy<Value = Caller> {
    prop_oneof![
        5 => Just(Caller::Listens),
        1 => (0..8_000u64, 0..800u64).prop_map(|(ms, stops_ms)| Caller::BreaksIn(ms, stops_ms)),
        1 => (0..8_000u64).prop_map(Caller::IsHeard),
    ]
}

prop_compose! {
    fn turn()(
        is_asked in prop::bool::weighted(0.8),
        words in prop::collection::vec((0..10usize, mark()), 1..25),
        writes in writes(),
        speaks in speaks(),
        breaks_ms in prop::option::weighted(0.25, 0..7_000u64),
        caller in caller(),
        rest_ms in 0..2_000u64,
    ) -> Turn {
        Turn { is_asked, words, writes, speaks, breaks_ms, caller, rest_ms }
    }
}

prop_compose! {
    /// Any call.
    pub(super) fn plan()(
        is_realtime in any::<bool>(),
        is_named in any::<bool>(),
        tells_start in any::<bool>(),
        letter_ms in 45..76u64,
        ear_ms in 0..100u64,
        device_tells in any::<bool>(),
        turns in prop::collection::vec(turn(), 1..4),
    ) -> Plan {
        let fades = Fades::Never;
        Plan { is_realtime, is_named, tells_start, letter_ms, ear_ms, fades, device_tells, turns }
    }
}
