//! Where the switches take hold of a conversation: between what a session wants to send and the socket.

use crate::faults::Faults;
use crate::session::Send;
use offhook_units::{Moment, Span};

/// What happens to one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It goes.
    Go,
    /// It is lost.
    Lost,
    /// Not before then.
    NotBefore(Moment),
    /// Something else happens instead.
    Instead(Incident),
}

/// What a switch makes happen to the whole connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incident {
    /// The WebSocket is closed.
    Close { code: u16, reason: String },
    /// TCP goes away.
    Kill,
    /// TCP stays, and that is all.
    HalfOpen,
    /// The vendor's own error message.
    Error(String),
}

/// The gate of one connection.
#[derive(Debug)]
pub(crate) struct Gate {
    faults: Faults,
    /// Progress in the unit of `after`, in thousandths: microseconds of audio, or thousandths of tokens.
    progress: u64,
    paused: Option<Moment>,
    muted: bool,
    /// A recogniser has gone silent, which has no audio to keep back but its words.
    silent: bool,
    happened: bool,
}

impl Gate {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self {
            faults: faults.clone(),
            progress: 0,
            paused: None,
            muted: false,
            silent: false,
            happened: false,
        }
    }

    pub(crate) const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What happens as soon as the connection stands.
    pub(crate) fn opened(&mut self) -> Option<Incident> {
        if self.faults.after.is_none() { self.incident() } else { None }
    }

    /// What happens because a listener has heard so much.
    pub(crate) fn heard(&mut self, now: Moment, us: u64) -> Option<Incident> {
        if us == 0 || !self.is_past(us) {
            return None;
        }
        self.silent = self.faults.mute;
        let wait = self.faults.pause_ms.take().map(|wait_ms| Span::from_millis(wait_ms.into()));
        self.paused = wait.map(|wait| now + wait).or(self.paused);
        self.incident()
    }

    /// When something that was held may go.
    pub(crate) const fn held_until(&self) -> Option<Moment> {
        self.paused
    }

    /// What happens to `send`.
    pub(crate) fn pass(&mut self, now: Moment, send: &Send) -> Passage {
        let (is_audio, us) = match send {
            Send::Text { audio, .. } | Send::Binary { audio, .. } => (audio.bytes > 0, audio.us),
            Send::Close { .. } => return Passage::Go,
        };
        self.pass_units(now, is_audio, us)
    }

    /// The same for anything else that counts: tokens, bodies of HTTP answers.
    pub(crate) fn pass_units(&mut self, now: Moment, counts: bool, thousandths: u64) -> Passage {
        let past = self.is_past(self.progress + if counts { thousandths } else { 0 });
        if counts && past {
            if let Some(incident) = self.incident() {
                return Passage::Instead(incident);
            }
            if let Some(wait_ms) = self.faults.pause_ms.take() {
                self.paused = Some(now + Span::from_millis(wait_ms.into()));
            }
        }
        if let Some(until) = self.paused {
            if now < until {
                return Passage::NotBefore(until);
            }
            self.paused = None;
        }
        self.muted = self.muted || (self.faults.mute && counts && past);
        // From the first word on only the audio is lost; later everything is, as with a service that hangs.
        if self.silent || self.muted && (counts || self.faults.after.is_some()) {
            return Passage::Lost;
        }
        if counts {
            self.progress += thousandths;
        }
        Passage::Go
    }

    fn is_past(&self, progress: u64) -> bool {
        self.faults.after.is_none_or(|after| progress > u64::from(after) * 1000)
    }

    fn incident(&mut self) -> Option<Incident> {
        if std::mem::replace(&mut self.happened, true) {
            return None;
        }
        let faults = &self.faults;
        if faults.kill {
            Some(Incident::Kill)
        } else if faults.half_open {
            Some(Incident::HalfOpen)
        } else if let Some(code) = &faults.error {
            Some(Incident::Error(code.clone()))
        } else {
            faults.close.map(|code| Incident::Close { code, reason: faults.reason.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Audio;

    fn gate(faults: &str) -> Gate {
        Gate::new(&faults.parse().unwrap())
    }

    fn audio(ms: u64) -> Send {
        Send::Text { body: String::new(), audio: Audio { bytes: 1, us: ms * 1000 } }
    }

    #[test]
    fn a_healthy_gate_lets_everything_through() {
        let mut gate = gate("");
        assert_eq!(gate.opened(), None);
        assert!((0..100).all(|_| gate.pass(Moment::ZERO, &audio(200)) == Passage::Go));
    }

    #[test]
    fn without_after_the_incident_is_at_the_opening() {
        assert_eq!(gate("kill").opened(), Some(Incident::Kill));
        assert_eq!(gate("close=1012").opened(), Some(Incident::Close { code: 1012, reason: String::new() }));
    }

    #[test]
    fn after_so_much_audio_it_happens_once() {
        let mut gate = gate("error=quota_exceeded,after=400");
        assert_eq!(gate.opened(), None);
        assert_eq!(gate.pass(Moment::ZERO, &audio(200)), Passage::Go);
        assert_eq!(gate.pass(Moment::ZERO, &audio(200)), Passage::Go);
        let wanted = Passage::Instead(Incident::Error("quota_exceeded".to_owned()));
        assert_eq!(gate.pass(Moment::ZERO, &audio(200)), wanted);
        assert_eq!(gate.pass(Moment::ZERO, &audio(200)), Passage::Go);
    }

    #[test]
    fn a_pause_holds_everything_and_ends() {
        let mut gate = gate("pause_ms=100,after=0");
        let until = Moment::from_millis(110);
        assert_eq!(gate.pass(Moment::from_millis(10), &audio(20)), Passage::NotBefore(until));
        assert_eq!(gate.held_until(), Some(until));
        assert_eq!(gate.pass(until, &audio(20)), Passage::Go);
        assert_eq!(gate.pass(until, &audio(20)), Passage::Go);
    }

    #[test]
    fn a_mute_service_takes_everything_and_gives_no_audio() {
        let mut gate = gate("mute");
        let message = Send::Text { body: String::new(), audio: Audio::default() };
        assert_eq!(gate.pass(Moment::ZERO, &audio(20)), Passage::Lost);
        assert_eq!(gate.pass(Moment::ZERO, &message), Passage::Go);
        assert_eq!(gate.pass(Moment::ZERO, &Send::Close { code: 1000, reason: String::new() }), Passage::Go);
    }

    #[test]
    fn a_listener_counts_what_it_hears() {
        let mut gate = gate("close=1011,after=500");
        assert_eq!(gate.heard(Moment::ZERO, 500_000), None);
        assert!(matches!(gate.heard(Moment::ZERO, 500_001), Some(Incident::Close { code: 1011, .. })));
    }

    #[test]
    fn a_listeners_words_wait_or_are_lost() {
        let words = Send::Text { body: String::new(), audio: Audio::default() };
        let (mut pausing, mut mute) = (gate("pause_ms=100,after=500"), gate("mute,after=500"));
        let now = Moment::from_millis(600);
        for gate in [&mut pausing, &mut mute] {
            assert_eq!(gate.heard(now, 500_000), None);
            assert_eq!(gate.pass(now, &words), Passage::Go);
            assert_eq!(gate.heard(now, 520_000), None);
        }
        let until = Moment::from_millis(700);
        assert_eq!(pausing.pass(now, &words), Passage::NotBefore(until));
        assert_eq!(pausing.pass(until, &words), Passage::Go);
        assert_eq!(mute.pass(until, &words), Passage::Lost);
    }
}
