//! The appliance's voice in a call: sentences go in as the model writes them, one stream of samples comes out, and
//! whatever happens to a service, the words go on.
//!
//! ```text
//!            ┌ socket: the whole turn in one stream ┐
//! phrases ─► ├ HTTP: one phrase at a time           ├─► joined, with rests and breaths ─► samples at the call's rate
//!            └ the device's voice: one at a time    ┘        └► timeline: which word lies where
//! ```
//!
//! A stream that is lost goes on in the next way down from the first word of which not all audio came; what of that word
//! was heard is left out there, where the new voice tells which character lies where or the ear finds it. At the start of
//! a sentence the socket is taken again as soon as it is open. What was heard is known from the play-out alone.

mod chunk;
mod ending;
mod foreign;
mod give;
mod layout;
mod mixdown;
mod pace;
mod parting;
mod place;
mod script;
mod stream;
mod timeline;
mod turn;
mod untold;
mod watch;

#[cfg(test)]
mod tests;

use crate::breath::BreathKind;
use crate::ear::Came;
use crate::failure::Fault;
use crate::text::{PauseKind, PlanSettings, RateMeter, Sentence};
use crate::transport::{ConnId, FromNet, Part, ToNet};
use crate::tts::{CharTime, HttpVoice, JobId, TtsEvent, TtsOutput, VoiceSocket};
use chunk::Chunker;
pub use chunk::{Chunk, ChunkFlags, ChunkSettings};
pub use ending::Endings;
use layout::lay_out;
use mixdown::Mixdown;
use offhook_units::{Moment, Span};
use std::collections::VecDeque;
use stream::LEAST_MS;
use turn::Turn;

/// A way to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The service's socket.
    Socket,
    /// The service over HTTP.
    Http,
    /// The voice on the device.
    Device,
    /// A service that thinks and speaks by itself.
    AllInOne,
}

/// A place in the stream of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Counted in samples from the start of the call; the count of [`Speaking::read`].
    pub at: u64,
    /// What is there.
    pub kind: MarkKind,
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A sentence begins; counted from 0 in its turn.
    SentenceBegins(u32),
    /// A sentence ends.
    SentenceEnds(u32),
    /// A pause begins.
    Pause(Option<PauseKind>),
    /// A breath begins.
    Breath(BreathKind),
}

/// What the voice on the device is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToDevice {
    /// Say this.
    Say(JobId, String),
    /// Stop at once.
    Stop(JobId),
    /// Tell where the words of a text lie in a sound that may have broken off.
    Place(JobId, Broken),
}

/// The sound of a voice that did not tell where its words are, as far as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What it was to say.
    pub text: String,
    /// What came of it from the start, mono.
    pub samples: Vec<i16>,
    /// Their rate.
    pub rate_hz: u32,
    /// It surely broke off; otherwise it may be all of the text.
    pub is_cut: bool,
}

/// What the voice on the device answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromDevice {
    /// The next samples.
    Audio {
        /// Mono.
        samples: Vec<i16>,
        /// Their rate.
        rate_hz: u32,
        /// What is spoken in them; empty when the voice does not say.
        chars: Vec<CharTime>,
    },
    /// That was all.
    Finished,
    /// It cannot say it.
    Failed,
    /// How far it came, or nothing if that cannot be told.
    Places(Option<Came>),
}

/// What comes out beside the samples.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeakingOutput {
    /// For the network.
    Net(ToNet),
    /// For the voice on the device.
    Device(ToDevice),
    /// For the conversation and the counters.
    Event(SpeakingEvent),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeakingEvent {
    /// Something is at a place in the stream.
    Mark(Mark),
    /// The turn's first words went to a voice.
    TextSent,
    /// The first of their sound is here.
    FirstAudio,
    /// A portion of the stream was handed out.
    Chunk(Chunk),
    /// Whether all words of a service that speaks by itself are in its audio, as [`Speaking::foreign_pauses`] asked.
    HeardOut(bool),
    /// Such a service has left the caller in the middle of a sentence or of a sound: the device can say its words, those that came
    /// ([`Speaking::foreign_break`]) and those that come ([`Speaking::foreign_falls_silent`]).
    LeftAlone,
    /// The turn was heard to its end.
    Heard(Spoken),
    /// Speech goes on in another way.
    Moved {
        /// From here,
        from: Source,
        /// to here.
        to: Source,
    },
    /// No voice could say this phrase.
    Unspoken(String),
    /// So much of a service's speech came too far ahead of its playing to be kept, and is lost.
    Surplus(Span),
    /// The service failed.
    Fault(Fault),
}

/// What the caller heard of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Whole words only.
    pub text: String,
    /// Whether that is all of it.
    pub whole: bool,
}

/// The service in the cloud, both ways to it.
#[derive(Debug)]
pub struct Cloud {
    /// The socket.
    pub socket: Box<dyn VoiceSocket>,
    /// What speaks when it is gone, if the service has it.
    pub http: Option<HttpVoice>,
}

/// The machine. Calling order: [`Speaking::open`] when the call comes; a turn is [`Speaking::begin`],
/// [`Speaking::say`] for each sentence and [`Speaking::complete`]; [`Speaking::stop`] at any time; all the while
/// [`Speaking::read`], and [`Speaking::played`] as the caller hears it.
#[derive(Debug)]
pub struct Speaking {
    cloud: Option<Cloud>,
    has_device: bool,
    plan: PlanSettings,
    seed: u64,
    mix: Mixdown,
    chunks: Chunker,
    /// How fast the service's voice speaks: one turn is too short to tell.
    meter: RateMeter,
    last_job: u32,
    turn: Option<Turn>,
    /// What the caller has heard, and when that was told.
    played: (u64, Moment),
    /// When it was last told that the caller heard more.
    hears: Moment,
    /// The voice on the device can say any part of a sentence.
    device_says_parts: bool,
    /// How long it last took to begin.
    device_wait: Span,
    /// HTTP failed: not tried again before.
    no_http_before: Moment,
    /// The pace of a service that speaks by itself, as last measured.
    foreign_chars_per_s: u64,
    /// And how its answers end, where it need not tell that they do.
    endings: Option<Endings>,
    /// That of a voice in the cloud that does not say where its characters are, once it was measured.
    cloud_pace: Option<u64>,
    /// When it was last told that speech was dropped.
    surplus_told: Option<Moment>,
    out: VecDeque<SpeakingOutput>,
}

/// Speech that was dropped is told in sums, no sooner after one another: a flood must not drown what others tell.
const SURPLUS_EVERY: Span = Span::from_millis(1_000);

impl Speaking {
    /// For a call at `rate_hz`. Without a cloud, and whenever it fails, the device speaks if it can.
    pub fn new(
        cloud: Option<Cloud>,
        has_device: bool,
        plan: PlanSettings,
        chunks: ChunkSettings,
        rate_hz: u32,
        seed: u64,
    ) -> Self {
        Self {
            cloud,
            has_device,
            plan,
            seed,
            mix: Mixdown::new(rate_hz),
            chunks: Chunker::new(chunks, rate_hz),
            meter: RateMeter::new(RateMeter::NORMAL_CHARS_PER_S),
            last_job: 0,
            turn: None,
            played: (0, Moment::ZERO),
            hears: Moment::ZERO,
            device_says_parts: true,
            device_wait: Span::ZERO,
            no_http_before: Moment::ZERO,
            foreign_chars_per_s: Self::usual_foreign_pace(),
            endings: None,
            cloud_pace: None,
            surplus_told: None,
            out: VecDeque::new(),
        }
    }

    /// With what is known already, and is learned here, of how the answers of a service end that speaks by itself and need
    /// not tell that they do.
    pub fn knowing(mut self, endings: Option<Endings>) -> Self {
        self.endings = endings;
        self
    }

    /// With a voice on the device that can say any part of a sentence, or whole ones only.
    pub const fn with_parts(mut self, device_says_parts: bool) -> Self {
        self.device_says_parts = device_says_parts;
        self
    }

    /// The call comes: connects, so that the socket is there before the first word.
    pub fn open(&mut self, now: Moment) {
        if let Some(cloud) = &mut self.cloud {
            cloud.socket.open(now);
        }
        self.pump(now);
    }

    /// A turn begins. One that was not over yet is stopped at what was last known to be heard.
    pub fn begin(&mut self, now: Moment) {
        let heard = self.played.0;
        self.stop(now, heard);
        self.seed = self.seed.wrapping_add(1);
        self.turn = Some(Turn::new(self.plan, self.seed, self.mix.made()));
        self.chunks.turn();
    }

    /// The next sentence of the turn.
    pub fn say(&mut self, now: Moment, sentence: &Sentence) {
        if let Some(turn) = &mut self.turn {
            turn.add(sentence, self.meter.rate());
        }
        self.assign(now);
        self.pump(now);
    }

    /// The turn has no more sentences.
    pub fn complete(&mut self, now: Moment) {
        if let Some(turn) = &mut self.turn {
            turn.complete = true;
        }
        self.assign(now);
        self.pump(now);
    }

    /// The turn is broken off: the caller heard the stream up to `heard`, and nothing behind it will be played. Gives
    /// what of the turn was heard.
    pub fn stop(&mut self, now: Moment, heard: u64) -> Option<Spoken> {
        self.played = (heard.min(self.mix.given()), now);
        let mut turn = self.turn.take()?;
        if let Some(stream) = turn.stream.take() {
            lay_out(&mut turn, &stream, self.mix.position());
            self.stop_listening(&stream.listening);
            if stream.placed_by.is_none() {
                self.cancel(now, stream.job, stream.source);
            }
        }
        self.mix.clear();
        self.chunks.turn();
        self.pump(now);
        Some(turn.spoken(heard))
    }

    /// How much of the turn is heard when the stream is heard up to `heard`; of a service that speaks by itself, how much of
    /// its own voice.
    pub fn heard_of_turn(&self, heard: u64) -> Span {
        let heard_of =
            |turn: &Turn| heard.min(turn.own_voice_to.unwrap_or(heard)).saturating_sub(turn.starts);
        let frames = self.turn.as_ref().map_or(0, heard_of);
        Span::from_micros((frames * 1_000_000 / u64::from(self.mix.rate_hz().max(1))) as i64)
    }

    /// Whether a turn is on its way.
    pub const fn is_speaking(&self) -> bool {
        self.turn.is_some()
    }

    /// The call is over.
    pub fn shut(&mut self, now: Moment) -> Option<Spoken> {
        let spoken = self.stop(now, self.played.0);
        self.surplus_told = None;
        self.tell_surplus();
        if let Some(cloud) = &mut self.cloud {
            cloud.socket.shut(now);
        }
        self.pump(now);
        spoken
    }

    /// Hands out the next samples, chunk by chunk; fewer when there are not as many.
    pub fn read(&mut self, into: &mut [i16]) -> usize {
        let up_to = [self.handed_out_to(), self.in_hand_to()].into_iter().flatten().min().unwrap_or(u64::MAX);
        let complete = self.turn.as_ref().is_none_or(|turn| turn.is_made);
        let least = self.played.0 + u64::from(self.mix.rate_hz()) * LEAST_MS / 1000;
        self.mix.let_quiet_out(least.min(up_to));
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let given = self.mix.given();
            let ready = self.mix.made().min(up_to).saturating_sub(given);
            let ready = usize::try_from(ready).unwrap_or(usize::MAX);
            let window = self.chunks.window(given, ready, given.saturating_sub(self.played.0), complete);
            let count = window.min(rest.len());
            let count = self.mix.read(rest.get_mut(..count).unwrap_or_default(), up_to);
            if count == 0 {
                break;
            }
            if let Some(chunk) = self.chunks.handed_out(rest.get(..count).unwrap_or_default()) {
                self.out.push_back(SpeakingOutput::Event(SpeakingEvent::Chunk(chunk)));
            }
            filled += count;
        }
        filled
    }

    /// Samples that were handed out so far.
    pub const fn given(&self) -> u64 {
        self.mix.given()
    }

    /// The caller has heard the stream up to `heard`.
    pub fn played(&mut self, now: Moment, heard: u64) {
        let before = self.played.0;
        self.played = (heard.max(before).min(self.mix.given()), now);
        if self.played.0 > before {
            self.hears = now;
        }
        self.tell_surplus();
        let over = self.turn.as_ref().is_some_and(|turn| turn.is_made && self.played.0 >= self.mix.made());
        if over && let Some(turn) = self.turn.take() {
            self.event(SpeakingEvent::Heard(turn.spoken(self.played.0)));
        }
        self.listen(now);
        self.go_on(now);
        self.pump(now);
    }

    /// Takes what came for a connection of its services.
    pub fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if let Some(cloud) = &mut self.cloud {
            match conn.part {
                Part::VoiceHttp => {
                    if let Some(http) = &mut cloud.http {
                        http.handle_net(conn, message);
                    }
                }
                _ => cloud.socket.handle_net(now, conn, message),
            }
        }
        self.pump(now);
    }

    /// Takes what the voice on the device answers.
    pub fn handle_device(&mut self, now: Moment, job: JobId, answer: FromDevice) {
        match answer {
            FromDevice::Audio { samples, rate_hz, chars } => self.audio(now, job, &samples, rate_hz, &chars),
            FromDevice::Finished => self.finished(now, job),
            FromDevice::Failed if self.is_listening_to(job) => self.ear_answers(now, job, None),
            FromDevice::Failed => self.lost(now, job),
            FromDevice::Places(words) => self.ear_answers(now, job, words),
        }
        self.pump(now);
    }

    /// The time has come that [`Speaking::poll_timeout`] gave.
    pub fn handle_timeout(&mut self, now: Moment) {
        if let Some(cloud) = &mut self.cloud {
            cloud.socket.handle_timeout(now);
        }
        self.pump(now);
        if self.watch_due().is_some_and(|due| now >= due)
            && let Some((job, source)) =
                self.turn.as_ref().and_then(|turn| Some(turn.stream.as_ref()?.running()))
        {
            if self.is_placing() {
                self.placed(now, job, None);
            } else if self.is_keeping() {
                self.say_untold(now, None);
            } else {
                self.cancel(now, job, source);
                self.lost(now, job);
            }
            self.pump(now);
        }
        if self.silence_due().is_some_and(|due| now >= due) {
            self.seems_silent(now);
        }
        if self.coming_due().is_some_and(|due| now >= due) {
            self.say_what_came(now);
        }
    }

    /// When [`Speaking::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let socket = self.cloud.as_ref().and_then(|cloud| cloud.socket.poll_timeout());
        [socket, self.watch_due(), self.silence_due(), self.coming_due()].into_iter().flatten().min()
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<SpeakingOutput> {
        self.out.pop_front()
    }

    fn event(&mut self, event: SpeakingEvent) {
        self.out.push_back(SpeakingOutput::Event(event));
    }

    /// Audio of the turn came.
    fn sounds(&mut self, now: Moment) {
        if let Some(turn) = &mut self.turn
            && !std::mem::replace(&mut turn.has_sounded, true)
        {
            self.hears = now;
            self.event(SpeakingEvent::FirstAudio);
        }
    }

    /// What did not fit is told, if it is time to: by when it was last told what the caller heard.
    fn tell_surplus(&mut self) {
        let now = self.played.1;
        if self.surplus_told.is_some_and(|told| now < told + SURPLUS_EVERY) {
            return;
        }
        let dropped = self.mix.take_dropped();
        if dropped > Span::ZERO {
            self.surplus_told = Some(now);
            self.event(SpeakingEvent::Surplus(dropped));
        }
    }

    fn cancel(&mut self, now: Moment, job: JobId, source: Source) {
        match (source, &mut self.cloud) {
            (Source::Socket, Some(cloud)) => cloud.socket.cancel(now, job),
            (Source::Http, Some(Cloud { http: Some(http), .. })) => http.cancel(job),
            (Source::Device, _) => self.out.push_back(SpeakingOutput::Device(ToDevice::Stop(job))),
            _ => {}
        }
    }

    /// Passes on what the services have to say, until they are silent.
    fn pump(&mut self, now: Moment) {
        loop {
            let Some(cloud) = &mut self.cloud else { return };
            let socket = cloud.socket.poll_output().map(|output| (output, cloud.socket.rate_hz()));
            let http = || {
                let http = cloud.http.as_mut()?;
                Some((http.poll_output()?, http.rate_hz()))
            };
            let Some((output, rate_hz)) = socket.or_else(http) else { return };
            match output {
                TtsOutput::Net(net) => self.out.push_back(SpeakingOutput::Net(net)),
                TtsOutput::Event(TtsEvent::Audio { job, samples, chars }) => {
                    self.audio(now, job, &samples, rate_hz, &chars);
                }
                TtsOutput::Event(TtsEvent::Finished(job)) => self.finished(now, job),
                TtsOutput::Event(TtsEvent::Lost(job, _)) => self.lost(now, job),
                TtsOutput::Event(TtsEvent::Fault(fault)) => self.event(SpeakingEvent::Fault(fault)),
            }
        }
    }
}
