//! What stands on the pages of the HTTP server.

use super::book::Book;
use super::{exposition, sessions, status};
use crate::audio::{Command, LineId};
use crate::clock::Clock;
use crate::http::router::{Act, Pages, Part};
use crate::rings::ControlDesk;
use crate::trunk::command::{Handle, Outgoing, Reply, Request};
use crate::trunk::routes::Target;
use offhook_sip_rtp::media::dtmf::Digit;
use offhook_sip_rtp::sip::agent::CallId;
use offhook_units::{Moment, Pii, Span};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The trunk answers within its next turn. When it does not, the last that was heard of it is shown.
const PATIENCE: Duration = Duration::from_millis(250);
/// Without a tick for so long the audio thread is not ready.
const STANDSTILL: Span = Span::from_millis(500);

/// What the control thread and the HTTP thread share. No other thread sees it.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) trunk: Handle,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) desk: Arc<Mutex<ControlDesk>>,
}

/// A lock whose last holder panicked still holds numbers that are worth showing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// Hands a command to the audio thread; whether there was room.
    pub(super) fn command(&self, command: Command) -> bool {
        lock(&self.desk).commands.push(command).is_ok()
    }

    /// Asks the trunk how it stands, and writes that into the book.
    pub(super) fn refresh(&self) {
        let (reply, answer) = sync_channel(1);
        if self.trunk.ask(Request::Snapshot(reply)).is_ok()
            && let Ok(snapshot) = answer.recv_timeout(PATIENCE)
        {
            self.book().look(*snapshot);
        }
    }
}

/// The pages, and what they were when the audio thread was last looked at.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) shared: Shared,
    /// Ticks, and when they were seen to be more than before.
    pub(super) ticked: (u64, Moment),
}

impl Desk {
    /// Asks the trunk for something that is about a call: its number, or why it was refused.
    fn ask(&self, request: impl FnOnce(Reply) -> Request) -> Result<u64, String> {
        let (reply, answered) = sync_channel(1);
        let silent = || "the trunk does not answer".to_owned();
        self.shared.trunk.ask(request(reply)).map_err(|_not_taken| silent())?;
        match answered.recv_timeout(PATIENCE).map_err(|_too_late| silent())? {
            Ok(call) => Ok(call.0),
            Err(refused) => Err(refused.to_string()),
        }
    }

    fn press(&self, call: CallId, keys: &Pii<String>) -> Result<(), String> {
        let digits: Option<Vec<Digit>> = keys.reveal().chars().map(Digit::from_char).collect();
        let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
            return Err("expected keys: 0 to 9, *, #, A to D".into());
        };
        let mut pressed =
            digits.into_iter().map(|digit| self.ask(|reply| Request::Press(call, digit, reply)));
        pressed.try_for_each(|pressed| pressed.map(drop))
    }

    fn audio(&mut self, book: &Book) -> Part {
        let now = self.shared.clock.now();
        let ticks = book.ticks();
        if ticks.ticks > self.ticked.0 {
            self.ticked = (ticks.ticks, now);
        }
        let silent = now.since(self.ticked.1);
        let is_ready = silent <= STANDSTILL;
        let refused: Vec<String> = book.refused.iter().map(ToString::to_string).collect();
        let why = match (is_ready, refused.is_empty()) {
            (false, _) => format!("no tick for {:.0} ms", silent.as_millis_f32()),
            (true, true) => format!("{} ticks, {} of them late", ticks.ticks, ticks.late),
            (true, false) => refused.join("; "),
        };
        Part { name: "audio thread", is_ready, why }
    }
}

fn trunk(book: &Book) -> Part {
    let told: Vec<&str> = book.trunks.iter().map(|trunk| &*trunk.told).collect();
    let (is_ready, why) = match told[..] {
        [] => (true, "none is configured; calls come from sip.networks".to_owned()),
        _ => (book.trunks.iter().any(|trunk| trunk.up), told.join("; ")),
    };
    Part { name: "trunk", is_ready, why }
}

/// Nothing where no card is wanted.
fn sound(book: &Book) -> Option<Part> {
    let how: Vec<&str> = book.sound.how.values().map(String::as_str).collect();
    let part = Part { name: "sound", is_ready: book.sound.gauges.is_ready(), why: how.join("; ") };
    (!how.is_empty()).then_some(part)
}

impl Pages for Desk {
    fn parts(&mut self) -> Vec<Part> {
        let shared = self.shared.clone();
        let book = shared.book();
        let agents = Part { name: "speech", is_ready: book.agents.is_ready, why: book.agents.why.clone() };
        let mut parts = vec![self.audio(&book), trunk(&book), agents];
        parts.extend(sound(&book));
        if book.is_ending {
            let why = "it is being stopped; no new calls are taken".to_owned();
            parts.push(Part { name: "service", is_ready: false, why });
        }
        parts
    }

    fn metrics(&mut self) -> String {
        self.shared.refresh();
        exposition::metrics(&self.shared.book(), self.shared.clock.now())
    }

    fn sessions(&mut self) -> String {
        self.shared.refresh();
        sessions::list(&self.shared.book().snapshot.calls)
    }

    fn session(&mut self, id: u64) -> Option<String> {
        self.shared.refresh();
        let book = self.shared.book();
        let call = book.snapshot.calls.iter().find(|call| call.call.0 == id)?;
        Some(sessions::detail(call, book.talk.stages(id)))
    }

    fn hush(&mut self) -> usize {
        let speaking: Vec<u64> = self.shared.book().talk.speaking().collect();
        speaking.into_iter().filter(|call| self.shared.command(Command::Hush(LineId(*call)))).count()
    }

    fn place(&mut self, to: Pii<String>, answer: &str) -> Result<u64, String> {
        let target = match answer {
            "echo" => Target::Echo,
            "tone" => Target::Tone,
            // Listening in may have opened the speaker, and nobody the microphone.
            "handset" if !self.shared.book().sound.has_handset => {
                return Err("no route leads to the handset, so its sound card is not open".to_owned());
            }
            "handset" => Target::Handset,
            // It would greet the ringing tone.
            "agent" => {
                return Err("an agent does not call, it is called; expected echo, tone or handset".to_owned());
            }
            _ => {
                return Err(format!("no call can be answered with {answer}; expected echo, tone or handset"));
            }
        };
        self.ask(|reply| Request::Place(Box::new(Outgoing { to, trunk: None, target }), reply))
    }

    fn act(&mut self, id: u64, act: Act) -> Option<Result<(), String>> {
        self.shared.refresh();
        let call = self.shared.book().snapshot.calls.iter().find(|call| call.call.0 == id)?.call;
        let done = match act {
            Act::Press(keys) => return Some(self.press(call, &keys)),
            Act::Hold => self.ask(|reply| Request::Hold(call, true, reply)),
            Act::Resume => self.ask(|reply| Request::Hold(call, false, reply)),
            Act::Transfer(to) => self.ask(|reply| Request::Transfer(call, to, reply)),
            Act::TransferToCall(other) => {
                self.ask(|reply| Request::TransferToCall(call, CallId(other), reply))
            }
            Act::HangUp => self.ask(|reply| Request::HangUp(call, reply)),
        };
        Some(done.map(drop))
    }

    fn status(&mut self) -> String {
        self.shared.refresh();
        let parts = self.parts();
        status::page(&self.shared.book(), self.shared.clock.now(), &parts)
    }
}
