//! One call's rings as the speech thread sees them. Both sides count samples from the start of the call, so that a
//! cut, a place and the history speak of the same sample.

use crate::audio::ear::{Ear, Heard};
use crate::audio::prompter::{Mark, MarkKind, Said, Turn};
use crate::clock::Clock;
use crate::rings::SpeechEnds;
use offhook_speech::service::{Port, PortNews};
use offhook_speech::session::SessionEvent;
use offhook_units::{Moment, Span};
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;

/// Marks that wait for room in their ring. A turn lays down two.
const MOST_WAITING: usize = 64;

/// What a conversation tells the rest of the appliance: for its log line, its counters and the status page.
#[derive(Debug)]
pub struct Told {
    /// The call's number.
    pub call: u64,
    /// When it happened.
    pub at: Moment,
    /// What happened.
    pub news: News,
}

/// What happened in a conversation.
#[derive(Debug, PartialEq)]
pub enum News {
    /// In the session.
    Session(SessionEvent),
    /// The caller began to speak, as the device's own ear has it.
    Speaks,
    /// The caller fell silent, as the device's own ear has it.
    Silent,
    /// The first sample of a turn was laid down for the audio thread.
    Laid,
    /// The packet with the first sample of a turn was made.
    Packed,
    /// The turn went on after a silence that nobody planned, as its voice did not keep pace.
    Gap(Span),
    /// The conversation is over; this is the last of it.
    Over,
}

/// The speech thread's side of one call.
#[derive(Debug)]
pub struct CallPort {
    call: u64,
    clock: Clock,
    ends: SpeechEnds,
    /// Samples laid into the ring since the call began.
    laid: u64,
    turn: Turn,
    /// Whether the turn's end is still to be marked.
    open: bool,
    /// Whether nothing of the turn was laid down yet.
    is_fresh: bool,
    waiting: VecDeque<Mark>,
    caller_speaks: bool,
    /// Turns up to this one were stopped by the conversation itself: their cuts are no news to it.
    hushed: Turn,
    told: SyncSender<Told>,
}

impl CallPort {
    /// For the call with this number; what happens in it goes to `told`, as far as there is room.
    pub fn new(call: u64, clock: Clock, ends: SpeechEnds, told: SyncSender<Told>) -> Self {
        Self {
            call,
            clock,
            ends,
            laid: 0,
            turn: Turn(0),
            open: false,
            is_fresh: false,
            waiting: VecDeque::new(),
            caller_speaks: false,
            hushed: Turn(0),
            told,
        }
    }

    fn mark(&mut self, kind: MarkKind) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(Mark { at: self.laid, kind });
        }
        self.lay_marks();
    }

    fn lay_marks(&mut self) {
        while let Some(mark) = self.waiting.front() {
            if self.ends.marks.push(*mark).is_err() {
                return;
            }
            self.waiting.pop_front();
        }
    }

    fn tell(&self, at: Moment, news: News) {
        // Whoever writes the log may be behind; the conversation goes on.
        let _full = self.told.try_send(Told { call: self.call, at, news });
    }

    fn end_turn(&mut self) {
        if std::mem::take(&mut self.open) {
            self.mark(MarkKind::End);
        }
    }
}

/// The speech thread drops the port when it has seen the end of the call.
impl Drop for CallPort {
    fn drop(&mut self) {
        self.tell(self.clock.now(), News::Over);
    }
}

impl Port for CallPort {
    fn news(&mut self) -> PortNews {
        self.lay_marks();
        while let Ok(heard) = self.ends.heard.pop() {
            self.caller_speaks = heard == Heard::Began;
            let now = self.clock.now();
            match heard {
                Heard::Began => self.tell(now, News::Speaks),
                Heard::Ended => self.tell(now - Ear::PAUSE, News::Silent),
            }
        }
        let mut barge_in = None;
        while let Ok(said) = self.ends.said.pop() {
            match said {
                Said::Cut { turn, at } if turn > self.hushed => barge_in = Some(at),
                Said::Packed { at, .. } => self.tell(at, News::Packed),
                Said::Resumed { gap, .. } => self.tell(self.clock.now(), News::Gap(gap)),
                Said::Cut { .. } | Said::Began(_) | Said::Ended(_) | Said::RanDry(_) => {}
            }
        }
        PortNews { caller_speaks: self.caller_speaks, heard: self.ends.taken.load(Relaxed), barge_in }
    }

    fn caller(&mut self, into: &mut Vec<i16>) {
        into.extend(self.ends.caller.pop_iter());
    }

    fn room(&mut self) -> usize {
        self.lay_marks();
        // No sample may overtake a mark that belongs before it.
        if self.waiting.is_empty() { self.ends.samples.vacant_len() } else { 0 }
    }

    fn speak(&mut self, samples: &[i16]) {
        if !samples.is_empty() && std::mem::take(&mut self.is_fresh) {
            self.tell(self.clock.now(), News::Laid);
        }
        self.laid += self.ends.samples.push_slice(samples) as u64;
    }

    fn event(&mut self, event: SessionEvent) {
        match &event {
            SessionEvent::TurnBegins => {
                self.end_turn();
                self.turn = Turn(self.turn.0.saturating_add(1));
                self.open = true;
                self.is_fresh = true;
                self.mark(MarkKind::Begin(self.turn));
            }
            SessionEvent::TurnEnds(_) => self.end_turn(),
            SessionEvent::Flush { .. } => {
                self.hushed = self.turn;
                self.ends.hushed.store(self.turn.0, Relaxed);
            }
            _ => {}
        }
        self.tell(self.clock.now(), News::Session(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::prompter::Prompter;
    use crate::rings::{self, AgentEnds};
    use offhook_units::SampleRate;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn call() -> (CallPort, Prompter, AgentEnds, Receiver<Told>) {
        let (speech, agent, prompter) = rings::conversation(SampleRate::HZ_8000);
        let (told, heard_of) = sync_channel(8);
        let prompter = Prompter::new(prompter, SampleRate::HZ_8000);
        (CallPort::new(5, Clock::start(), speech, told), prompter, agent, heard_of)
    }

    fn render(prompter: &mut Prompter, ticks: usize) -> Vec<i16> {
        let mut all = Vec::new();
        for _ in 0..ticks {
            let mut out = [0; 80];
            prompter.render(&mut out);
            all.extend(out);
        }
        all
    }

    #[test]
    fn a_turn_is_played_and_its_progress_is_news() {
        let (mut port, mut prompter, _agent, told) = call();
        port.event(SessionEvent::TurnBegins);
        assert_eq!(port.room(), 8_000);
        port.speak(&[1_000; 240]);
        assert_eq!(render(&mut prompter, 3), [1_000; 240]);
        assert_eq!(port.news(), PortNews { caller_speaks: false, heard: 240, barge_in: None });
        assert_eq!(
            told.try_iter().map(|told| (told.call, told.news)).collect::<Vec<_>>(),
            [(5, News::Session(SessionEvent::TurnBegins)), (5, News::Laid)]
        );
    }

    #[test]
    fn the_stages_of_a_turn_are_told_with_their_times() {
        let (mut port, mut prompter, mut agent, heard_of) = call();
        agent.heard.push(Heard::Ended).unwrap();
        port.news();
        port.event(SessionEvent::TurnBegins);
        port.speak(&[1_000; 80]);
        port.speak(&[1_000; 80]);
        render(&mut prompter, 2);
        let packed_at = Moment::from_millis(70);
        prompter.packed(packed_at);
        port.news();
        let told: Vec<Told> = heard_of.try_iter().collect();
        let news: Vec<&News> = told.iter().map(|told| &told.news).collect();
        let begins = News::Session(SessionEvent::TurnBegins);
        assert_eq!(news, [&News::Silent, &begins, &News::Laid, &News::Packed]);
        assert!(told[1].at <= told[2].at && told[3].at == packed_at);
        drop(port);
        assert_eq!(heard_of.try_iter().map(|told| told.news).collect::<Vec<_>>(), [News::Over]);
    }

    #[test]
    fn an_interruption_is_told_once_at_its_sample_and_the_next_turn_is_heard() {
        let (mut port, mut prompter, mut agent, _told) = call();
        port.event(SessionEvent::TurnBegins);
        port.speak(&[1_000; 800]);
        render(&mut prompter, 2);
        let mut out = [0; 80];
        prompter.cut(&mut out);
        agent.heard.push(Heard::Began).unwrap();
        assert_eq!(port.news(), PortNews { caller_speaks: true, heard: 240, barge_in: Some(240) });
        // More of the old turn was under way, then the session knows.
        port.speak(&[1_000; 80]);
        port.event(SessionEvent::Flush { up_to: 880 });
        port.event(SessionEvent::TurnBegins);
        port.speak(&[2_000; 80]);
        assert_eq!(render(&mut prompter, 1), [2_000; 80]);
        assert_eq!(port.news(), PortNews { caller_speaks: true, heard: 960, barge_in: None });
    }

    #[test]
    fn what_the_conversation_stops_by_itself_is_no_interruption() {
        let (mut port, mut prompter, _agent, _told) = call();
        port.event(SessionEvent::TurnBegins);
        port.speak(&[1_000; 800]);
        render(&mut prompter, 1);
        port.event(SessionEvent::Flush { up_to: 800 });
        port.event(SessionEvent::TurnBegins);
        port.speak(&[2_000; 80]);
        assert_eq!(render(&mut prompter, 1)[79], 0);
        assert_eq!(render(&mut prompter, 1), [2_000; 80]);
        assert_eq!(port.news().barge_in, None);
    }

    #[test]
    fn the_callers_samples_arrive_in_order() {
        let (mut port, _prompter, mut agent, _told) = call();
        let mut heard = vec![7];
        agent.caller.push_slice(&[1, 2, 3]);
        port.caller(&mut heard);
        assert_eq!(heard, [7, 1, 2, 3]);
    }

    #[test]
    fn samples_wait_for_the_marks_before_them() {
        let (mut port, mut prompter, _agent, _told) = call();
        for _ in 0..60 {
            port.event(SessionEvent::TurnBegins);
        }
        assert_eq!(port.room(), 0, "the marks' ring is full");
        render(&mut prompter, 1);
        assert!(port.room() > 0);
    }
}
