//! When silence on the wire means that the call is dead. Knows hold, and knows senders that stop in pauses.

use super::Kind;
use offhook_units::{Moment, Span};

/// How long silence is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After answer, before the first packet: time to say "nothing arrives" (not the end of the call).
    pub first: Span,
    /// After voice. Long enough for a pause of a sender that suppresses silence without saying so.
    pub voice: Span,
    /// After comfort noise, which announces a pause.
    pub noise: Span,
    /// On hold, when nothing needs to come; `None` waits for ever.
    pub held: Option<Span>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Span::from_millis(2_000),
            voice: Span::from_millis(30_000),
            noise: Span::from_millis(120_000),
            held: None,
        }
    }
}

/// What silence there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing arrived since the call was answered: one-way audio, told once.
    NothingYet,
    /// The peer's packets stopped; the call is to be ended. Told once until packets come again.
    Stopped,
}

/// Watches one leg. Tell it what is [`heard`](Self::heard) and whether media is [`expected`](Self::expect).
#[derive(Debug)]
pub struct MediaWatch {
    patience: Patience,
    /// Since when media is due: the last packet of any kind, or the last change of direction.
    since: Moment,
    last: Option<Kind>,
    /// RTCP came after the last packet.
    reported: bool,
    expecting: bool,
    told_nothing: bool,
    told_stopped: bool,
}

impl MediaWatch {
    /// Watches from `now` on, with media expected.
    pub const fn new(now: Moment, patience: Patience) -> Self {
        Self {
            patience,
            since: now,
            last: None,
            reported: false,
            expecting: true,
            told_nothing: false,
            told_stopped: false,
        }
    }

    /// An admitted packet came.
    pub fn heard(&mut self, now: Moment, kind: Kind) {
        (self.since, self.last) = (now, Some(kind));
        (self.reported, self.told_stopped) = (false, false);
    }

    /// RTCP came: the peer lives, whether it speaks or not. Silence is then taken for a pause, but not for ever:
    /// a stream can die alone.
    pub fn heard_report(&mut self, now: Moment) {
        if self.expecting {
            self.reported = self.last.is_some();
        } else {
            (self.since, self.told_stopped) = (now, false);
        }
    }

    /// The direction changed: on hold (we said `sendonly` or `inactive`, or the peer did the reverse) nothing
    /// is expected. Coming back from hold the wait begins anew.
    pub fn expect(&mut self, now: Moment, expecting: bool) {
        if expecting != self.expecting {
            (self.expecting, self.since, self.told_stopped) = (expecting, now, false);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to say.
    pub fn poll_timeout(&self) -> Option<Moment> {
        if self.told_stopped {
            return None;
        }
        let patience = match (self.expecting, self.last) {
            (false, _) => self.patience.held?,
            (true, None) if !self.told_nothing => self.patience.first,
            (true, Some(_)) if self.reported => self.patience.noise.max(self.patience.voice),
            (true, Some(Kind::ComfortNoise)) => self.patience.noise,
            (true, _) => self.patience.voice,
        };
        Some(self.since + patience)
    }

    /// What silence there is at `now`, if it is new.
    pub fn handle_timeout(&mut self, now: Moment) -> Option<Silence> {
        if now < self.poll_timeout()? {
            return None;
        }
        if self.expecting && self.last.is_none() && !self.told_nothing {
            self.told_nothing = true;
            return Some(Silence::NothingYet);
        }
        self.told_stopped = true;
        Some(Silence::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_units::Codec;

    const VOICE: Kind = Kind::Voice(Codec::Pcmu);

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    fn watch() -> MediaWatch {
        MediaWatch::new(Moment::ZERO, Patience::default())
    }

    #[test]
    fn one_way_audio_is_told_after_two_seconds_and_the_end_after_thirty() {
        let mut watch = watch();
        assert_eq!(watch.poll_timeout(), Some(at(2)));
        assert_eq!(watch.handle_timeout(at(2)), Some(Silence::NothingYet));
        assert_eq!(watch.handle_timeout(at(29)), None);
        assert_eq!(watch.handle_timeout(at(30)), Some(Silence::Stopped));
        assert_eq!((watch.poll_timeout(), watch.handle_timeout(at(90))), (None, None));
    }

    #[test]
    fn reports_alone_do_not_hide_one_way_audio() {
        let mut watch = watch();
        watch.heard_report(at(1));
        assert_eq!(watch.handle_timeout(at(2)), Some(Silence::NothingYet));
    }

    #[test]
    fn a_stream_that_stops_is_told_and_may_come_back() {
        let mut watch = watch();
        watch.heard(at(10), VOICE);
        assert_eq!(watch.handle_timeout(at(39)), None);
        assert_eq!(watch.handle_timeout(at(40)), Some(Silence::Stopped));
        watch.heard(at(41), VOICE);
        assert_eq!(watch.poll_timeout(), Some(at(71)));
    }

    #[test]
    fn hold_is_no_silence_and_coming_back_starts_the_wait_anew() {
        let mut watch = watch();
        watch.heard(at(10), VOICE);
        watch.expect(at(11), false);
        assert_eq!((watch.poll_timeout(), watch.handle_timeout(at(10_000))), (None, None));
        watch.expect(at(10_000), true);
        assert_eq!(watch.poll_timeout(), Some(at(10_030)));
    }

    #[test]
    fn comfort_noise_and_reports_prolong_the_patience_but_not_without_end() {
        let mut watch = watch();
        watch.heard(at(10), Kind::ComfortNoise);
        assert_eq!(watch.poll_timeout(), Some(at(130)));
        watch.heard(at(20), VOICE);
        assert_eq!(watch.poll_timeout(), Some(at(50)));
        for seconds in (25..140).step_by(5) {
            watch.heard_report(at(seconds));
            assert_eq!(watch.handle_timeout(at(seconds)), None);
        }
        assert_eq!(watch.handle_timeout(at(140)), Some(Silence::Stopped));
    }

    #[test]
    fn a_limit_on_hold_is_kept_when_it_is_set() {
        let patience = Patience { held: Some(Span::from_millis(600_000)), ..Patience::default() };
        let mut watch = MediaWatch::new(Moment::ZERO, patience);
        watch.expect(at(5), false);
        assert_eq!(watch.handle_timeout(at(604)), None);
        assert_eq!(watch.handle_timeout(at(605)), Some(Silence::Stopped));
    }
}
