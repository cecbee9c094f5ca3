//! Conversations: where the trunk's calls, the audio thread and the speech thread meet.
//!
//! ```text
//! trunk: a call to `agent` stands ─► Conversations ─┬─► speech thread: a session, with the call's CallPort
//!                                                   └─► audio thread: Route::Agent, with the rings' other ends
//! ```

mod port;

pub use port::{CallPort, News, Told};

use crate::audio::LineId;
use crate::audio::agent::Agent;
use crate::audio::prompter::Prompter;
use crate::audio::route::Route;
use crate::clock::Clock;
use crate::rings;
use crate::trunk::routes::Target;
use crate::trunk::switchboard::{Plain, Switchboard, Unserved};
use offhook_speech::all_in_one::AllInOneSettings;
use offhook_speech::conversation::ConversationSettings;
use offhook_speech::llm::ChatSettings;
use offhook_speech::service::{Call, Speech};
use offhook_speech::session::SessionSettings;
use offhook_speech::speaking::ChunkSettings;
use offhook_speech::stt::EarsSettings;
use offhook_speech::text::PlanSettings;
use offhook_speech::tts::VoiceSettings;
use offhook_units::{Codec, SampleRate};
use std::sync::mpsc::SyncSender;

/// What every conversation is made of; the call's rate is filled in when it stands.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What is said.
    pub conversation: ConversationSettings,
    /// Pauses and breaths.
    pub plan: PlanSettings,
    /// In which portions speech comes.
    pub chunks: ChunkSettings,
    /// The voice in the cloud.
    pub voice: Option<VoiceSettings>,
    /// Recognition.
    pub ears: Option<EarsSettings>,
    /// The language model.
    pub mind: Option<ChatSettings>,
    /// What does all of it, instead of the three.
    pub all_in_one: Option<AllInOneSettings>,
    /// Where randomness begins; each call goes on from it by its number.
    pub seed: u64,
}

impl Parts {
    /// For a call at `rate`.
    fn session(&self, call: u64, rate: SampleRate) -> SessionSettings {
        let mut voice = self.voice.clone();
        if let Some(voice) = &mut voice {
            voice.set_rate(rate.hz());
        }
        let mut ears = self.ears.clone();
        if let Some(ears) = &mut ears {
            ears.set_rate(rate.hz());
        }
        SessionSettings {
            rate_hz: rate.hz(),
            conversation: self.conversation.clone(),
            voice,
            // The speech thread knows better.
            has_device_voice: false,
            device_says_parts: false,
            plan: self.plan,
            chunks: self.chunks,
            ears,
            mind: self.mind.clone(),
            all_in_one: self.all_in_one.clone(),
            seed: self.seed ^ call.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        }
    }
}

/// A switchboard with somebody to talk to.
#[derive(Debug)]
pub struct Conversations {
    speech: Speech,
    parts: Parts,
    clock: Clock,
    told: SyncSender<Told>,
}

impl Conversations {
    /// Calls to `agent` are held by `speech` and made of `parts`; what happens in them goes to `told`, with its time.
    pub const fn new(speech: Speech, parts: Parts, clock: Clock, told: SyncSender<Told>) -> Self {
        Self { speech, parts, clock, told }
    }

    fn converse(&mut self, line: LineId, rate: SampleRate) -> Option<Route> {
        let (speech_ends, agent_ends, prompter_ends) = rings::conversation(rate);
        let prompter = Prompter::new(prompter_ends, rate);
        let agent = Agent::new(rate, agent_ends, prompter).ok()?;
        let port = CallPort::new(line.0, self.clock, speech_ends, self.told.clone());
        let call = Call(line.0);
        self.speech.open(call, self.parts.session(line.0, rate), Box::new(port)).ok()?;
        self.speech.answered(call).ok()?;
        Some(Route::Agent(Box::new(agent)))
    }
}

impl Switchboard for Conversations {
    fn serves(&self, target: &Target) -> Result<(), Unserved> {
        if *target == Target::Agent { Ok(()) } else { Plain.serves(target) }
    }

    fn connect(&mut self, line: LineId, target: &Target, codec: Codec) -> Option<Route> {
        match target {
            Target::Agent => self.converse(line, codec.sample_rate()),
            _ => Plain.connect(line, target, codec),
        }
    }

    fn disconnect(&mut self, line: LineId, target: &Target) {
        if *target == Target::Agent {
            // A speech thread that is gone has hung up already.
            let _ = self.speech.hang_up(Call(line.0));
        }
    }
}
