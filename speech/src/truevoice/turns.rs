//! Our turns as the service tells them. Its messages need not name a turn, and its audio cannot: which words and which
//! audio belong to the one that runs, which to one that nobody wants any more, and when one is over is found here, from
//! what came and when.

use super::RATE_HZ;
use crate::all_in_one::{AllInOneEvent, Said};
use crate::wire::audio::{AudioDecoder, AudioFormat};
use offhook_units::{Moment, Span};
use std::collections::VecDeque;

/// A written turn is over when no audio came for this much longer than its last piece lasts: services send at the pace of
/// speech or faster, in pieces of up to a second.
const AUDIO_GAP: Span = Span::from_millis(300);
/// Words are owed, and no audio comes for so long: nobody will say them.
const OWED: Span = Span::from_millis(2_500);
/// A turn whose end nobody tells is over when nothing came for so long after its audio,
const UNTOLD: Span = Span::from_millis(3_000);
/// and before its audio: a model may think, or use a tool.
const UNTOLD_SILENT: Span = Span::from_millis(10_000);
/// Nobody says more characters a second than this: if more are left, they are owed.
const FASTEST_CHARS_PER_S: u64 = 20;
/// So long it is waited for somebody to tell whether all was heard.
const ASKED: Span = Span::from_millis(500);
/// Audio that stops coming for so long belongs to no stale turn: what comes after it is new.
const STALE_GAP: Span = Span::from_millis(1_500);
/// The gap may be longer where the service fell silent by itself: it may go on at any time.
const SILENT_GAP: Span = Span::from_millis(10_000);
/// Stale audio is dropped for this long at most, whatever comes.
const STALE_MOST: Span = Span::from_millis(5_000);

/// The turn that comes.
#[derive(Debug)]
struct Running {
    number: Option<u64>,
    decoder: AudioDecoder,
    /// The model has written all of it.
    written: bool,
    letters: u64,
    came_us: u64,
    /// How long the last piece of audio lasts.
    piece: Span,
    last: Moment,
    quiet: Quiet,
    /// Its audio has begun, or the service said so.
    has_begun: bool,
    /// Others say its words.
    is_left: bool,
}

/// What is known of a turn of which no more audio comes, though it could be all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quiet {
    /// It is not quiet for long enough.
    No,
    /// The session was asked whether all of it was heard, and is waited for until then.
    Asked(Moment),
    /// It did not answer, and has to now.
    Expired,
    /// It was not.
    InMidTurn,
}

impl Running {
    /// Even the fastest voice cannot have said its words in the audio that came, or they were not heard in it.
    fn owes(&self) -> bool {
        self.is_left
            || self.letters * 1_000_000 > self.came_us * FASTEST_CHARS_PER_S
            || self.quiet == Quiet::InMidTurn
    }

    /// Whether no more words of it come, be it that nobody told: one that was asked about was waited for already.
    fn is_written(&self) -> bool {
        self.written || self.quiet == Quiet::InMidTurn
    }

    fn over_at(&self) -> Moment {
        let is_silent = self.came_us == 0;
        let patience = match (self.written, self.owes() || is_silent) {
            _ if let Quiet::Asked(by) = self.quiet => return by,
            _ if self.quiet == Quiet::Expired => return self.last,
            (true, false) => self.piece + AUDIO_GAP,
            (true, true) => OWED.max(self.piece + AUDIO_GAP),
            (false, _) if is_silent => UNTOLD_SILENT,
            (false, _) => UNTOLD,
        };
        self.last + patience
    }
}

/// A turn that nobody wants: the rest of it is dropped as it comes.
#[derive(Debug)]
struct Stale {
    number: Option<u64>,
    /// Its words have all come: the next ones are of another turn.
    written: bool,
    /// The service fell silent in it.
    fell_silent: bool,
    /// Its audio had not begun: that it does may still be told.
    is_unheard: bool,
    since: Moment,
    last: Moment,
}

impl Stale {
    const fn new(now: Moment, running: &Running, written: bool) -> Self {
        let is_unheard = !running.has_begun;
        Self { number: running.number, written, fell_silent: false, is_unheard, since: now, last: now }
    }

    fn is_past(&self, now: Moment) -> bool {
        match self.fell_silent {
            true => now >= self.last + SILENT_GAP,
            false => now >= self.last + STALE_GAP || now >= self.since + STALE_MOST,
        }
    }
}

/// The turns of one connection after the other.
#[derive(Debug, Default)]
pub(super) struct Turns {
    running: Option<Running>,
    stale: Option<Stale>,
    pub(super) out: VecDeque<Said>,
}

impl Turns {
    /// Words of an answer came.
    pub(super) fn words(&mut self, now: Moment, number: Option<u64>, text: String) {
        if let Some(stale) = &mut self.stale {
            let is_its = match (stale.number, number) {
                (Some(its), Some(number)) => its == number,
                _ => !stale.written && !stale.is_past(now),
            };
            if is_its {
                stale.last = now;
                return;
            }
            self.stale = None;
        }
        if self.running.as_ref().is_some_and(|running| number.is_some() && running.number != number) {
            self.end();
        }
        let letters = text.chars().filter(|c| !c.is_whitespace()).count() as u64;
        let running = self.begin(now);
        running.number = running.number.or(number);
        (running.written, running.quiet) = (false, Quiet::No);
        running.letters += letters;
        running.last = now;
        if !text.is_empty() {
            self.out.push_back(Said::Event(AllInOneEvent::Words(text)));
        }
    }

    /// All words of an answer came.
    pub(super) fn written(&mut self, now: Moment, number: Option<u64>) {
        if let Some(stale) = &mut self.stale
            && (stale.number.is_none() || number.is_none() || stale.number == number)
        {
            stale.written = true;
        } else if let Some(running) = &mut self.running {
            running.written = true;
            running.last = now;
            if running.is_left {
                self.give_up(now, AllInOneEvent::Ends);
            }
        }
    }

    /// Audio came, of whatever turn.
    pub(super) fn audio(&mut self, now: Moment, bytes: &[u8]) {
        if let Some(stale) = &mut self.stale {
            if !stale.is_past(now) {
                stale.last = now;
                return;
            }
            self.stale = None;
        }
        let running = self.begin(now);
        if running.is_left {
            return;
        }
        running.has_begun = true;
        let mut samples = Vec::new();
        running.decoder.put(bytes, &mut samples);
        let piece_us = samples.len() as u64 * 1_000_000 / u64::from(RATE_HZ);
        running.came_us += piece_us;
        running.piece = Span::from_micros(piece_us as i64);
        (running.last, running.quiet) = (now, Quiet::No);
        if !samples.is_empty() {
            self.out.push_back(Said::Event(AllInOneEvent::Audio(samples)));
        }
    }

    /// The service says that audio of a turn begins.
    pub(super) fn audio_start(&mut self, number: Option<u64>) {
        if let Some(running) = &mut self.running {
            running.has_begun = true;
        }
        self.stale.take_if(|stale| {
            let is_unheard = std::mem::take(&mut stale.is_unheard);
            match (stale.number, number) {
                (Some(its), Some(number)) => its != number,
                _ => !is_unheard,
            }
        });
    }

    /// The service says that all audio of a turn came; of the one before, if that of this one has not begun and nobody
    /// waits for it.
    pub(super) fn audio_end(&mut self) {
        match (&self.stale, &self.running) {
            (Some(stale), _) if !(stale.fell_silent && stale.is_unheard) => self.stale = None,
            (None, Some(running)) if running.has_begun || !running.is_left => self.end(),
            _ => {}
        }
    }

    /// The caller took the turn; what the service still sends of ours is stale.
    pub(super) fn callers_turn(&mut self, now: Moment) {
        match (self.running.take(), &mut self.stale) {
            (Some(running), _) => {
                self.stale = Some(Stale { is_unheard: false, ..Stale::new(now, &running, true) });
            }
            (None, Some(stale)) => {
                stale.written = true;
                stale.is_unheard = false;
                if std::mem::take(&mut stale.fell_silent) {
                    (stale.since, stale.last) = (now, now);
                }
            }
            (None, None) => {}
        }
    }

    /// Nobody wants the turn that runs any more. Gives its number, if it has one.
    pub(super) fn cancel(&mut self, now: Moment) -> Option<u64> {
        let running = self.running.take()?;
        self.stale = Some(Stale::new(now, &running, running.written));
        running.number
    }

    /// The connection is gone, and with it the rest of what was said on it.
    pub(super) fn broken(&mut self) {
        self.stale = None;
        if let Some(running) = self.running.take() {
            let written = running.written;
            self.out.push_back(Said::Event(AllInOneEvent::Breaks { written }));
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        (self.running, self.stale) = (None, None);
    }

    /// When a turn is over that nobody says the end of.
    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        self.running.as_ref().map(Running::over_at)
    }

    /// That time has come, perhaps.
    pub(super) fn handle_timeout(&mut self, now: Moment) {
        if let Some(running) = &mut self.running
            && !running.owes()
            && running.quiet == Quiet::No
            && now >= running.over_at()
        {
            running.quiet = Quiet::Asked(now + ASKED);
            self.out.push_back(Said::Event(AllInOneEvent::Pauses));
        }
        let is_over = |running: &&mut Running| now >= running.over_at();
        let Some(running) = self.running.as_mut().filter(is_over) else { return };
        if running.owes() {
            let written = running.is_written();
            self.give_up(now, AllInOneEvent::Breaks { written });
        } else if running.quiet == Quiet::Expired {
            self.end();
        } else {
            running.quiet = Quiet::Expired;
            self.out.push_back(Said::Event(AllInOneEvent::Expires));
        }
    }

    /// No more audio of the turn that runs is wanted: others say its words, those too that still come.
    pub(super) fn leaves_alone(&mut self, now: Moment) {
        match &mut self.running {
            Some(running) if running.is_written() => {
                self.give_up(now, AllInOneEvent::Breaks { written: true });
            }
            Some(running) if !running.is_left => {
                running.is_left = true;
                self.out.push_back(Said::Event(AllInOneEvent::FallsSilent));
            }
            _ => {}
        }
    }

    /// The turn that runs is over, for the others who have said its words: should its audio come after all, it is dropped.
    fn give_up(&mut self, now: Moment, event: AllInOneEvent) {
        if let Some(running) = self.running.take() {
            self.stale = Some(Stale { fell_silent: true, ..Stale::new(now, &running, true) });
            self.out.push_back(Said::Event(event));
        }
    }

    /// Whether all words of the turn that runs were heard in its audio.
    pub(super) fn heard_out(&mut self, is_all: bool) {
        match &mut self.running {
            Some(running) if matches!(running.quiet, Quiet::No | Quiet::InMidTurn) => {}
            Some(running) if !is_all => running.quiet = Quiet::InMidTurn,
            _ => self.end(),
        }
    }

    /// The turn that runs; it begins with whatever comes first of it. The service may greet without any word.
    fn begin(&mut self, now: Moment) -> &mut Running {
        let out = &mut self.out;
        self.running.get_or_insert_with(|| {
            out.push_back(Said::Event(AllInOneEvent::Begins));
            Running {
                number: None,
                decoder: AudioDecoder::new(AudioFormat::Pcm16 { rate_hz: RATE_HZ }),
                written: false,
                letters: 0,
                came_us: 0,
                piece: Span::ZERO,
                last: now,
                quiet: Quiet::No,
                has_begun: false,
                is_left: false,
            }
        })
    }

    fn end(&mut self) {
        if self.running.take().is_some() {
            self.out.push_back(Said::Event(AllInOneEvent::Ends));
        }
    }
}
