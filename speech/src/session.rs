//! A call's conversation: everything of one call that speaks, listens and thinks, as one machine that is told the
//! time. It opens no socket and starts no thread; the network thread drives it in the
//! appliance, and a loop in tests.
//!
//! ```text
//! caller's samples ─► Input::CallerAudio ─► recognition ─► conversation ─► language model
//!                                                               ▲               │ sentences
//! play-out: heard up to sample N ─► Input::Played ──────────────┘               ▼
//! play-out ◄── read_audio(): samples at the call's rate ◄── voice: socket, HTTP, the device
//!          ◄── Output::Event(Mark): where sentences, pauses and breaths lie in them
//! ```
//!
//! **Samples are counted once.** Every sample that [`Session::read_audio`] hands out has a number, from 0 at the start
//! of the call. The play-out must consume all of them in order, by playing or by throwing away, and says up to which
//! number the caller has heard them. On a barge-in it throws away what it holds, says where that happened
//! ([`Input::BargeIn`]), and goes on throwing away until [`SessionEvent::Flush`] tells the first sample that counts.

mod all_in_one;

use crate::all_in_one::AllInOneSettings;
use crate::conversation::{Act, Conversation, ConversationSettings};
use crate::failure::{Breaker, Fault};
use crate::llm::{Chat, ChatEvent, ChatOutput, ChatSettings, Role};
use crate::speaking::{
    Chunk, ChunkSettings, Cloud, Endings, FromDevice, Mark, Source, Speaking, SpeakingEvent, SpeakingOutput,
    Spoken, ToDevice,
};
use crate::stt::{EarsSettings, Recogniser, SttEvent, SttOutput};
use crate::text::PlanSettings;
use crate::transport::{ConnId, FromNet, Part, ToNet};
use crate::tts::{JobId, VoiceSettings};
use all_in_one::AllInOne;
use offhook_units::{Moment, Pii, Span};
use std::collections::VecDeque;

/// What a call's conversation is made of. A part that is `None` is not there: without a mind every utterance is
/// answered with [`ConversationSettings::sorry`], without ears nobody listens, without a voice in the cloud the device
/// speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSettings {
    /// Samples a second, of the caller's audio and of ours.
    pub rate_hz: u32,
    /// What is said.
    pub conversation: ConversationSettings,
    /// The voice in the cloud.
    pub voice: Option<VoiceSettings>,
    /// Whether the device has a voice for when the cloud is gone.
    pub has_device_voice: bool,
    /// Whether that says any part of a sentence, and not whole ones alone.
    pub device_says_parts: bool,
    /// Pauses and breaths.
    pub plan: PlanSettings,
    /// In which portions speech is handed out.
    pub chunks: ChunkSettings,
    /// Recognition.
    pub ears: Option<EarsSettings>,
    /// The language model.
    pub mind: Option<ChatSettings>,
    /// A service that does all of it, and greets by itself. Then the other three are left alone, and the device speaks
    /// where the service fails.
    pub all_in_one: Option<AllInOneSettings>,
    /// What pauses, breaths and waits are drawn from. Different for each call.
    pub seed: u64,
}

/// What all calls share: a switch for each service, and what one call learned for the others.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// The switch of the voice.
    pub voice: Breaker,
    /// That of recognition.
    pub ears: Breaker,
    /// That of the service that does all of it.
    pub all_in_one: Breaker,
    /// How the answers of that service end.
    pub endings: Endings,
}

/// What a session is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The next samples of the caller, at the call's rate; silence too.
    CallerAudio(&'a [i16]),
    /// Whether the caller is heard to speak, by the appliance's own ears.
    CallerSpeaks(bool),
    /// The caller has heard the stream up to this sample.
    Played(u64),
    /// The caller broke in, or a command stops the voice: the stream was heard up to this sample, and nothing of what
    /// was handed out so far will be played behind it.
    BargeIn(u64),
    /// Say this now, as a turn of its own; the voice is stopped as by a barge-in at what was last heard.
    Say(&'a str),
    /// Something came for a connection.
    Net(ConnId, FromNet),
    /// The voice on the device answers.
    Device(JobId, FromDevice),
    /// The call is over.
    HangUp,
}

/// What a session asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Of the network.
    Net(ToNet),
    /// Of the voice on the device.
    Device(ToDevice),
    /// Something happened.
    Event(SessionEvent),
}

/// What happened, for the play-out, logs, counters and the status page.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// A place in our stream of samples.
    Mark(Mark),
    /// A portion of our stream was handed out.
    Chunk(Chunk),
    /// What the caller seems to be saying.
    Interim(Pii<String>),
    /// What the caller said.
    Utterance(Pii<String>),
    /// The model was asked.
    Asked,
    /// The model's first words are here.
    FirstToken,
    /// The first sentence goes to a voice.
    TurnBegins,
    /// Its first words went to a service, or to the voice on the device.
    TextSent,
    /// The first of their sound came.
    FirstAudio,
    /// Our turn is over; this is what of it the caller heard.
    TurnEnds(Pii<Spoken>),
    /// Every sample with a lower number than this must be thrown away, played or not: the voice was stopped. It comes
    /// after each [`Input::BargeIn`], too, since samples may have been handed out before that was known here: the
    /// play-out throws away all that comes between the two.
    Flush {
        /// The first sample that counts.
        up_to: u64,
    },
    /// Speech goes on in another way.
    Moved {
        /// From here,
        from: Source,
        /// to here.
        to: Source,
    },
    /// No voice could say this.
    Unspoken(Pii<String>),
    /// So much of a service's speech came too far ahead of its playing to be kept, and is lost.
    Surplus(Span),
    /// A service failed.
    Fault(Part, Fault),
}

/// The machine. Calling order: [`Session::open`]; then [`Session::handle_input`] for all that happens and
/// [`Session::handle_timeout`] when it is due, each followed by [`Session::poll_output`] until that is empty; all the
/// while [`Session::read_audio`].
#[derive(Debug)]
pub struct Session {
    conversation: Conversation,
    speaking: Speaking,
    ears: Option<Box<dyn Recogniser>>,
    mind: Option<Chat>,
    all_in_one: Option<AllInOne>,
    heard: u64,
    waits_for_token: bool,
    out: VecDeque<Output>,
}

impl Session {
    /// The call comes: connects to its services and, when `answered`, greets.
    pub fn open(now: Moment, settings: SessionSettings, shared: &Shared) -> Self {
        let SessionSettings {
            rate_hz,
            conversation,
            voice,
            has_device_voice,
            device_says_parts,
            plan,
            chunks,
            ears,
            mind,
            all_in_one,
            seed,
        } = settings;
        // Realtime tells each end.
        let tells_no_end = matches!(all_in_one, Some(AllInOneSettings::TrueVoice(_)));
        let all_in_one =
            all_in_one.map(|service| AllInOne::new(service, shared.all_in_one.clone(), seed ^ 2, rate_hz));
        let alone = all_in_one.is_none();
        let (voice, ears, mind) = (voice.filter(|_| alone), ears.filter(|_| alone), mind.filter(|_| alone));
        let cloud =
            voice.map(|voice| Cloud { http: voice.http(), socket: voice.socket(shared.voice.clone(), seed) });
        let mut session = Self {
            conversation: Conversation::new(conversation),
            speaking: Speaking::new(cloud, has_device_voice, plan, chunks, rate_hz, seed)
                .with_parts(device_says_parts)
                .knowing(tells_no_end.then(|| shared.endings.clone())),
            ears: ears.map(|ears| ears.recogniser(shared.ears.clone(), seed ^ 1)),
            mind: mind.map(Chat::new),
            all_in_one,
            heard: 0,
            waits_for_token: false,
            out: VecDeque::new(),
        };
        session.speaking.open(now);
        if let Some(ears) = &mut session.ears {
            ears.open(now);
        }
        session.run(now);
        session
    }

    /// The caller hears us from now on: the greeting is said.
    pub fn answered(&mut self, now: Moment) {
        match &mut self.all_in_one {
            Some(all) => all.service.open(now),
            None => self.conversation.answered(),
        }
        self.run(now);
    }

    /// Takes what happens.
    pub fn handle_input(&mut self, now: Moment, input: Input<'_>) {
        match input {
            Input::CallerAudio(samples) => {
                if let Some(ears) = &mut self.ears {
                    ears.hear(now, samples);
                }
                if let Some(all) = &mut self.all_in_one {
                    all.hear(now, samples);
                }
            }
            Input::CallerSpeaks(speaks) => {
                if let Some(ears) = &mut self.ears {
                    ears.caller_speaks(now, speaks);
                }
                let in_vain = self.all_in_one.as_mut().is_some_and(|all| all.caller_speaks(now, speaks));
                if in_vain && !self.speaking.is_speaking() {
                    self.conversation.not_understood();
                }
            }
            Input::Played(heard) => {
                self.heard = self.heard.max(heard);
                self.speaking.played(now, heard);
            }
            Input::BargeIn(heard) => {
                self.heard = self.heard.max(heard);
                // While the model thinks there is nothing to stop: the caller's next words decide.
                if self.speaking.is_speaking() {
                    self.cancel_service(now, heard);
                    self.stop(now, heard);
                }
                self.event(SessionEvent::Flush { up_to: self.speaking.given() });
            }
            Input::Say(text) => {
                self.cancel_service(now, self.heard);
                self.flush(now);
                self.conversation.say(text);
            }
            Input::Net(conn, message) => self.net(now, conn, message),
            Input::Device(job, answer) => self.speaking.handle_device(now, job, answer),
            Input::HangUp => self.hang_up(now),
        }
        self.run(now);
    }

    /// The time has come that [`Session::poll_timeout`] gave.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.speaking.handle_timeout(now);
        if let Some(ears) = &mut self.ears {
            ears.handle_timeout(now);
        }
        if let Some(mind) = &mut self.mind {
            mind.handle_timeout(now);
        }
        if let Some(all) = &mut self.all_in_one {
            all.service.handle_timeout(now);
        }
        self.run(now);
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let ears = self.ears.as_ref().and_then(|ears| ears.poll_timeout());
        let mind = self.mind.as_ref().and_then(Chat::poll_timeout);
        let all = self.all_in_one.as_ref().and_then(|all| all.service.poll_timeout());
        [self.speaking.poll_timeout(), ears, mind, all].into_iter().flatten().min()
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Hands out the next samples of our stream, at the call's rate; fewer when there are not as many. What is not
    /// fetched waits here: two minutes of speech at most.
    pub fn read_audio(&mut self, into: &mut [i16]) -> usize {
        self.speaking.read(into)
    }

    /// Samples that were handed out so far.
    pub const fn given(&self) -> u64 {
        self.speaking.given()
    }

    /// Whether a turn of ours is on its way.
    pub const fn is_speaking(&self) -> bool {
        self.speaking.is_speaking()
    }

    /// What was said so far, as it was heard.
    pub fn history(&self) -> Vec<(Role, String)> {
        self.conversation.messages()
    }

    fn net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if let (Part::AllInOne, Some(all)) = (conn.part, &mut self.all_in_one) {
            return all.handle_net(now, conn, message);
        }
        match (conn.part, &mut self.ears, &mut self.mind) {
            (Part::Voice | Part::VoiceHttp, ..) => self.speaking.handle_net(now, conn, message),
            (Part::Ears, Some(ears), _) => ears.handle_net(now, conn, message),
            (Part::Mind, _, Some(mind)) => mind.handle_net(now, conn, message),
            _ => {}
        }
    }

    /// The voice stops; what of its turn was heard is remembered.
    fn stop(&mut self, now: Moment, heard: u64) {
        let spoken = self.speaking.stop(now, heard);
        self.conversation.cut(spoken.as_ref());
        if let Some(spoken) = spoken {
            self.event(SessionEvent::TurnEnds(Pii::new(spoken)));
        }
    }

    /// The same, and the play-out does not know of it yet.
    fn flush(&mut self, now: Moment) {
        if self.speaking.is_speaking() {
            self.event(SessionEvent::Flush { up_to: self.speaking.given() });
        }
        self.stop(now, self.heard);
    }

    fn hang_up(&mut self, now: Moment) {
        let spoken = self.speaking.shut(now);
        self.conversation.cut(spoken.as_ref());
        if let Some(ears) = &mut self.ears {
            ears.shut();
        }
        if let Some(mind) = &mut self.mind {
            mind.cancel();
        }
        if let Some(all) = &mut self.all_in_one {
            all.service.shut();
        }
    }

    /// Lets every part hear what the others said, until all are silent.
    fn run(&mut self, now: Moment) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.ears.as_mut().and_then(|ears| ears.poll_output()) {
                quiet = false;
                self.listened(now, output);
            }
            while let Some(output) = self.mind.as_mut().and_then(Chat::poll_output) {
                quiet = false;
                self.thought(output);
            }
            while let Some(output) = self.all_in_one.as_mut().and_then(|all| all.service.poll_output()) {
                quiet = false;
                self.served(now, output);
            }
            while let Some(output) = self.speaking.poll_output() {
                quiet = false;
                self.spoke(now, output);
            }
            while let Some(act) = self.conversation.poll_act() {
                quiet = false;
                self.act(now, act);
            }
            if quiet {
                return;
            }
        }
    }

    fn listened(&mut self, now: Moment, output: SttOutput) {
        match output {
            SttOutput::Net(net) => self.out.push_back(Output::Net(net)),
            SttOutput::Event(SttEvent::Interim(text)) => self.event(SessionEvent::Interim(Pii::new(text))),
            SttOutput::Event(SttEvent::Utterance(text)) => {
                let is_heard = self.speaking.heard_of_turn(self.heard) > Span::ZERO;
                if self.conversation.interrupts(&text, is_heard) {
                    self.flush(now);
                }
                self.conversation.utterance(&text);
                self.event(SessionEvent::Utterance(Pii::new(text)));
            }
            SttOutput::Event(SttEvent::Unheard) => {
                if !self.speaking.is_speaking() {
                    self.conversation.not_understood();
                }
            }
            SttOutput::Event(SttEvent::Fault(fault)) => self.event(SessionEvent::Fault(Part::Ears, fault)),
        }
    }

    fn thought(&mut self, output: ChatOutput) {
        match output {
            ChatOutput::Net(net) => self.out.push_back(Output::Net(net)),
            ChatOutput::Event(ChatEvent::Text(text)) => {
                if std::mem::replace(&mut self.waits_for_token, false) {
                    self.event(SessionEvent::FirstToken);
                }
                self.conversation.token(&text);
            }
            ChatOutput::Event(ChatEvent::Finished) => self.conversation.model_finished(),
            ChatOutput::Event(ChatEvent::Failed(fault)) => {
                self.event(SessionEvent::Fault(Part::Mind, fault));
                self.conversation.model_failed();
            }
        }
    }

    fn spoke(&mut self, now: Moment, output: SpeakingOutput) {
        let event = match output {
            SpeakingOutput::Net(net) => return self.out.push_back(Output::Net(net)),
            SpeakingOutput::Device(device) => return self.out.push_back(Output::Device(device)),
            SpeakingOutput::Event(event) => event,
        };
        let event = match event {
            SpeakingEvent::Mark(mark) => SessionEvent::Mark(mark),
            SpeakingEvent::TextSent => SessionEvent::TextSent,
            SpeakingEvent::FirstAudio => SessionEvent::FirstAudio,
            SpeakingEvent::Chunk(chunk) => SessionEvent::Chunk(chunk),
            SpeakingEvent::HeardOut(is_all) => {
                if let Some(all) = &mut self.all_in_one {
                    all.service.heard_out(now, is_all);
                }
                return;
            }
            SpeakingEvent::LeftAlone => {
                if let Some(all) = &mut self.all_in_one {
                    all.service.leaves_alone(now);
                }
                return;
            }
            SpeakingEvent::Heard(spoken) => {
                self.conversation.heard(&spoken);
                SessionEvent::TurnEnds(Pii::new(spoken))
            }
            SpeakingEvent::Moved { from, to } => SessionEvent::Moved { from, to },
            SpeakingEvent::Unspoken(text) => SessionEvent::Unspoken(Pii::new(text)),
            SpeakingEvent::Surplus(length) => SessionEvent::Surplus(length),
            SpeakingEvent::Fault(fault) => SessionEvent::Fault(Part::Voice, fault),
        };
        self.event(event);
    }

    fn act(&mut self, now: Moment, act: Act) {
        match act {
            Act::Ask(messages) => match &mut self.mind {
                Some(mind) => {
                    mind.ask(now, &messages);
                    self.waits_for_token = true;
                    self.event(SessionEvent::Asked);
                }
                None => self.conversation.model_failed(),
            },
            Act::StopAsking => {
                if let Some(mind) = &mut self.mind {
                    mind.cancel();
                }
            }
            Act::Begin => {
                self.speaking.begin(now);
                self.event(SessionEvent::TurnBegins);
            }
            Act::Say(sentence) => self.speaking.say(now, &sentence),
            Act::Complete => self.speaking.complete(now),
        }
    }

    fn event(&mut self, event: SessionEvent) {
        self.out.push_back(Output::Event(event));
    }
}

#[cfg(test)]
mod tests;
