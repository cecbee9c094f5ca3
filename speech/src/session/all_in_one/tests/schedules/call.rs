//! A call in virtual time: a session, a service that keeps to a plan, a play-out, and a device with a voice and an ear.

use super::super::*;
use super::plan::{Caller, Fades, Message, Plan, Turn};
use super::voice::{RATE, letters, listen, voice};
use crate::tts::CharTime;
use crate::wire::audio::{to_base64, to_bytes};
use std::collections::{BTreeMap, VecDeque};

/// Time passes in steps of so many milliseconds; the play-out takes a frame each 20.
const STEP_MS: u64 = 5;
const FRAME_MS: u64 = 20;
/// The play-out holds so much.
const HELD: usize = RATE as usize / 10;
/// Said instead of an answer: it has a number that no word of the service has.
pub(super) const SORRY: &str = "a99sorry.";
/// The service's words are numbered from here on: of a part of one the number is lower.
pub(super) const FIRST: usize = 10;
/// No turn lasts so long.
const LONGEST_MS: u64 = 90_000;

/// A turn of the service as it came to the session.
#[derive(Debug)]
pub(super) struct Came {
    /// All that it would write.
    pub(super) text: String,
    /// Of which so many bytes had come at these milliseconds.
    pub(super) written: Vec<(u64, usize)>,
    /// The caller let it come to its end.
    pub(super) is_undisturbed: bool,
}

enum Happens {
    Net(ConnId, FromNet),
    Says(ConnId, Message),
    Device(JobId, FromDevice),
    /// The service has noticed that it shall stop the turn that was the last of so many.
    Stops(ConnId, usize),
}

/// The call.
pub(super) struct Call {
    plan: Plan,
    pub(super) session: Session,
    pub(super) ms: u64,
    queue: BTreeMap<(u64, u64), Happens>,
    order: u64,
    conn: Option<ConnId>,
    is_open: bool,
    /// When it is told to stop.
    stops_ms: u64,
    ring: VecDeque<i16>,
    taken: u64,
    pub(super) heard: Vec<i16>,
    pub(super) turns: Vec<Came>,
    sound: Vec<i16>,
    /// What should never happen.
    pub(super) faults: Vec<String>,
    pub(super) log: Vec<String>,
}

fn settings_of(plan: &Plan) -> SessionSettings {
    let mut settings = SessionSettings { rate_hz: RATE, ..settings() };
    SORRY.clone_into(&mut settings.conversation.sorry);
    settings.plan.breath_level.level_db = -90.0;
    if plan.is_realtime {
        settings.all_in_one = Some(realtime().into());
    }
    settings
}

impl Call {
    /// The whole call.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut session = Session::open(at(0), settings_of(plan), &Shared::default());
        session.answered(at(0));
        let mut call = Self {
            plan: plan.clone(),
            session,
            ms: 0,
            queue: BTreeMap::new(),
            order: 0,
            conn: None,
            is_open: false,
            stops_ms: 0,
            ring: VecDeque::new(),
            taken: 0,
            heard: Vec::new(),
            turns: Vec::new(),
            sound: Vec::new(),
            faults: Vec::new(),
            log: Vec::new(),
        };
        call.poll();
        let mut first = FIRST;
        for turn in &plan.turns {
            call.turn(turn, first);
            first += turn.words.len();
        }
        call.until(LONGEST_MS, |call| !call.session.is_speaking());
        call
    }

    fn later(&mut self, ms: u64, what: Happens) {
        self.order += 1;
        self.queue.insert((ms.max(self.ms), self.order), what);
    }

    fn turn(&mut self, turn: &Turn, first: usize) {
        if !self.until(20_000, |call| call.is_open) {
            return self.faults.push("it does not connect again".to_owned());
        }
        let Some(conn) = self.conn else { return };
        let text = turn.text(first);
        let rate_hz = if self.plan.is_realtime { 24_000 } else { RATE };
        self.sound = voice(&text, self.plan.letter_ms, rate_hz);
        let silence = turn.speaks.silence_ms as usize * rate_hz as usize / 1000;
        self.sound.resize(self.sound.len() + silence, 0);
        let messages = turn.messages(&text, self.plan.letter_ms, self.plan.is_realtime);
        // One who breaks in says something.
        if turn.is_asked || self.turns.last().is_some_and(|before| !before.is_undisturbed) {
            self.caller_speaks(conn);
        }
        let from_ms = self.ms;
        self.turns.push(Came { text, written: Vec::new(), is_undisturbed: true });
        for (ms, message) in messages {
            self.later(from_ms + ms, Happens::Says(conn, message));
        }
        if let Some(ms) = turn.breaks_ms {
            self.later(from_ms + ms, Happens::Net(conn, FromNet::Closed(Closed::Lost(Lost::Broken))));
        }
        self.listens(turn.caller, from_ms);
        let is_over = |call: &Self| call.queue.is_empty() && !call.session.is_speaking();
        if !self.until(LONGEST_MS, is_over) {
            self.faults.push(format!("turn {} does not end", self.turns.len() - 1));
        }
        self.until(turn.rest_ms, |_| false);
    }

    /// The caller listens to a turn, or does not.
    fn listens(&mut self, caller: Caller, from_ms: u64) {
        let is_over = |call: &Self| call.queue.is_empty() && !call.session.is_speaking();
        match caller {
            Caller::Listens => {}
            Caller::BreaksIn(ms, stops_ms) => {
                self.until(from_ms + ms - self.ms, is_over);
                if !is_over(self) {
                    self.stops_ms = stops_ms;
                    self.log.push(format!("{} breaks in", self.ms));
                    self.disturbs();
                    self.input(Input::BargeIn(self.taken));
                    if let Some(conn) = self.conn {
                        self.later(self.ms + stops_ms, Happens::Stops(conn, self.turns.len()));
                    }
                }
            }
            Caller::IsHeard(ms) => {
                self.until(from_ms + ms - self.ms, is_over);
                if let Some(conn) = self.conn.filter(|_| !is_over(self) && self.is_open) {
                    self.disturbs();
                    self.stop(conn);
                    self.caller_speaks(conn);
                }
            }
        }
    }

    fn disturbs(&mut self) {
        if let Some(turn) = self.turns.last_mut() {
            turn.is_undisturbed = false;
        }
    }

    fn caller_speaks(&mut self, conn: ConnId) {
        let message = match self.plan.is_realtime {
            true => json!({"type": "input_audio_buffer.committed"}),
            false => json!({"type": "transcript", "text": "Go on."}),
        };
        self.net(conn, FromNet::Text(message.to_string()));
    }

    /// The service says no more of its turn.
    fn stop(&mut self, conn: ConnId) {
        let all = self.queue.len();
        self.queue.retain(|_, what| !matches!(what, Happens::Says(..)));
        if self.plan.is_realtime && self.queue.len() < all {
            let mut response = json!({"status": "cancelled"});
            if self.plan.is_named {
                response["id"] = json!(format!("r{}", self.turns.len()));
            }
            let done = json!({"type": "response.done", "response": response});
            self.net(conn, FromNet::Text(done.to_string()));
        }
    }

    fn net(&mut self, conn: ConnId, what: FromNet) {
        if self.conn != Some(conn) {
            return;
        }
        match what {
            FromNet::Closed(_) => {
                self.log.push(format!("{} the connection breaks", self.ms));
                self.gone();
            }
            FromNet::Opened => self.is_open = true,
            _ => {}
        }
        self.input(Input::Net(conn, what));
    }

    fn gone(&mut self) {
        (self.conn, self.is_open) = (None, false);
        self.queue.retain(|_, what| matches!(what, Happens::Device(..)));
    }

    fn says(&mut self, conn: ConnId, message: Message) {
        if self.conn != Some(conn) {
            return;
        }
        if let (Message::Words(text), Some(turn)) = (&message, self.turns.last_mut()) {
            let before = turn.written.last().map_or(0, |(_, bytes)| *bytes);
            turn.written.push((self.ms, before + text.len()));
        }
        let kind = |line: &str| line.split([' ', '(']).nth(1).map(str::to_owned);
        let line = format!("{} {message:?}", self.ms);
        match self.log.last_mut().filter(|last| kind(last) == kind(&line)) {
            Some(last) if !matches!(message, Message::Words(_)) => {
                *last = format!("{} .. {line}", last.split(" .. ").next().unwrap_or_default());
            }
            Some(last) => *last = format!("{last}, {line}"),
            None => self.log.push(line),
        }
        let what = if self.plan.is_realtime { self.realtime(&message) } else { self.truevoice(&message) };
        if let Some(what) = what {
            self.net(conn, what);
        }
    }

    fn truevoice(&self, message: &Message) -> Option<FromNet> {
        let mut told = match message {
            Message::Begins => return None,
            Message::AudioBegins if !self.plan.tells_start => return None,
            Message::Audio(from, to) => {
                return Some(FromNet::Binary(to_bytes(self.part(*from, *to, RATE))));
            }
            Message::Words(text) => json!({"type": "llm_token", "text": text}),
            Message::Written => json!({"type": "llm_done"}),
            Message::AudioBegins => json!({"type": "audio_start"}),
            Message::AudioEnds => json!({"type": "audio_end"}),
        };
        if self.plan.is_named {
            told["turn"] = json!(self.turns.len());
        }
        Some(FromNet::Text(told.to_string()))
    }

    fn realtime(&self, message: &Message) -> Option<FromNet> {
        let (response, item) = (format!("r{}", self.turns.len()), format!("i{}", self.turns.len()));
        let is_named = self.plan.is_named;
        let part = |kind: &str, delta: &str| match is_named {
            true => json!({"type": kind, "response_id": response, "item_id": item, "delta": delta}),
            false => json!({"type": kind, "delta": delta}),
        };
        let whole = |kind: &str, status: &str| match is_named {
            true => json!({"type": kind, "response": {"id": response, "status": status}}),
            false => json!({"type": kind, "response": {"status": status}}),
        };
        let told = match message {
            Message::Begins => whole("response.created", "in_progress"),
            Message::AudioBegins => return None,
            Message::Audio(from, to) => {
                let bytes = to_bytes(self.part(*from, *to, 24_000));
                part("response.output_audio.delta", &to_base64(&bytes))
            }
            Message::Words(text) => part("response.output_audio_transcript.delta", text),
            Message::Written => part("response.output_audio_transcript.done", ""),
            Message::AudioEnds => whole("response.done", "completed"),
        };
        Some(FromNet::Text(told.to_string()))
    }

    fn part(&self, from_ms: u64, to_ms: u64, rate_hz: u32) -> &[i16] {
        let at = |ms: u64| ((ms * u64::from(rate_hz) / 1000) as usize).min(self.sound.len());
        &self.sound[at(from_ms)..at(to_ms)]
    }

    fn input(&mut self, input: Input<'_>) {
        self.session.handle_input(at(self.ms), input);
        self.poll();
    }

    fn poll(&mut self) {
        let mut count = 0;
        while let Some(output) = self.session.poll_output() {
            count += 1;
            match output {
                Output::Net(ToNet::Open(conn, _)) => self.opens(conn),
                Output::Net(ToNet::Close(conn)) if self.conn == Some(conn) => self.gone(),
                Output::Net(ToNet::Text(conn, text)) if text.contains("cancel") => {
                    self.log.push(format!("{} to the service: {text}", self.ms));
                    self.later(self.ms + self.stops_ms, Happens::Stops(conn, self.turns.len()));
                }
                Output::Net(_) => {}
                Output::Device(ToDevice::Say(job, text)) => self.device_says(job, &text),
                Output::Device(ToDevice::Place(job, broken)) => {
                    let mut came = listen(&broken, self.plan.letter_ms);
                    self.log.push(format!(
                        "{} the ear: {:?} of {:?}",
                        self.ms,
                        came.surely_reached(),
                        broken.text
                    ));
                    let mut ear_ms = self.plan.ear_ms;
                    match self.plan.fades {
                        _ if self.turns.len() <= 2 => {}
                        Fades::Never => {}
                        Fades::Unsure => came.is_sure = false,
                        Fades::Soft => came.ends_softly = true,
                        Fades::Slow(ms) => ear_ms = ms,
                    }
                    let answer = FromDevice::Places(Some(came));
                    self.later(self.ms + ear_ms, Happens::Device(job, answer));
                }
                Output::Device(ToDevice::Stop(job)) => {
                    self.queue.retain(|_, what| !matches!(what, Happens::Device(its, _) if *its == job));
                }
                Output::Event(SessionEvent::Flush { up_to }) => self.flush(up_to),
                Output::Event(SessionEvent::Chunk(_) | SessionEvent::Mark(_)) => {}
                Output::Event(event) => self.log.push(format!("{} {event:?}", self.ms)),
            }
        }
        if count > 1_000 {
            self.faults.push(format!("{count} outputs at {} ms", self.ms));
        }
    }

    fn opens(&mut self, conn: ConnId) {
        self.conn = Some(conn);
        self.later(self.ms + 40, Happens::Net(conn, FromNet::Opened));
        if self.plan.is_realtime {
            for kind in ["session.created", "session.updated"] {
                let text = json!({"type": kind}).to_string();
                self.later(self.ms + 50, Happens::Net(conn, FromNet::Text(text)));
            }
        }
    }

    fn flush(&mut self, up_to: u64) {
        let count = (up_to.saturating_sub(self.taken) as usize).min(self.ring.len());
        self.ring.drain(..count);
        self.taken += count as u64;
    }

    fn device_says(&mut self, job: JobId, text: &str) {
        self.log.push(format!("{} the device says {text:?}", self.ms));
        let letter_ms = self.plan.letter_ms;
        let silence_ms = 100;
        let frames = |ms: u64| (ms * u64::from(RATE) / 1000) as usize;
        let mut sound = voice(text, letter_ms, RATE);
        if text == SORRY {
            // Where it is cut off by the service's next word the two would be taken for one sound.
            sound.fill(0);
        }
        let mut ms = self.ms + 60;
        for (n, part) in sound.chunks(frames(2 * letter_ms)).enumerate() {
            let mut samples = vec![0; if n == 0 { frames(silence_ms) } else { 0 }];
            let before_ms = if n == 0 { silence_ms } else { 0 };
            samples.extend(part);
            let of_it = letters(text, letter_ms).skip(2 * n).take(2).filter(|(c, _)| *c != ' ');
            let chars = of_it.map(|(c, at_ms)| {
                let at_ms = (at_ms - 2 * n as u64 * letter_ms + before_ms) as u32;
                CharTime { c, at_ms, end_ms: at_ms + letter_ms as u32 }
            });
            let chars = if self.plan.device_tells { chars.collect() } else { Vec::new() };
            let audio = FromDevice::Audio { samples, rate_hz: RATE, chars };
            self.later(ms, Happens::Device(job, audio));
            ms += 10;
        }
        self.later(ms, Happens::Device(job, FromDevice::Finished));
    }

    /// Time passes, for so long or until something is so: whether it is.
    fn until(&mut self, within_ms: u64, is_so: impl Fn(&Self) -> bool) -> bool {
        let until_ms = self.ms + within_ms;
        while self.ms < until_ms && !is_so(self) {
            self.step();
        }
        is_so(self)
    }

    fn step(&mut self) {
        self.ms += STEP_MS;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.ms) {
            match entry.remove() {
                Happens::Net(conn, what) => self.net(conn, what),
                Happens::Says(conn, message) => self.says(conn, message),
                Happens::Device(job, answer) => self.input(Input::Device(job, answer)),
                Happens::Stops(conn, turn) if turn == self.turns.len() => self.stop(conn),
                Happens::Stops(..) => {}
            }
        }
        let mut times = 0;
        while self.session.poll_timeout().is_some_and(|due| due <= at(self.ms)) {
            self.session.handle_timeout(at(self.ms));
            self.poll();
            times += 1;
            if times > 20 {
                self.faults.push(format!("what is due at {} ms is due for ever", self.ms));
                break;
            }
        }
        let mut part = vec![0; HELD - self.ring.len()];
        let count = self.session.read_audio(&mut part);
        self.ring.extend(&part[..count]);
        self.poll();
        if self.ms.is_multiple_of(FRAME_MS) {
            let frame = (RATE as u64 * FRAME_MS / 1000) as usize;
            let count = frame.min(self.ring.len());
            self.heard.extend(self.ring.drain(..count));
            self.heard.resize(self.heard.len() + frame - count, 0);
            self.taken += count as u64;
            self.input(Input::Played(self.taken));
        }
    }
}
