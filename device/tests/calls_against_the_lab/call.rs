//! A call for tests: the rings that the appliance would have, and a play-out that takes a frame each 20 ms of real
//! time and keeps what the caller heard.

use crate::letters::Letters;
use crate::timer::Timer;
use offhook_lab::{Lab, LabVoice, Options, Tones};
use offhook_speech::conversation::ConversationSettings;
use offhook_speech::ear::Ear;
use offhook_speech::llm::ChatSettings;
use offhook_speech::service::{Call, Port, PortNews, ServiceSettings, Speech};
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::speaking::{ChunkSettings, Source, Spoken};
use offhook_speech::stt::{DeepgramSettings, Dialect, EarsSettings};
use offhook_speech::text::PlanSettings;
use offhook_speech::truevoice::{PoolSettings, TrueVoiceSettings};
use offhook_speech::tts::{AuraSettings, ElevenSettings, VoiceSettings};
use offhook_speech::voice::{PlacedSink, Sink, Spoke, Voice, VoiceError};
use offhook_speech::wire::audio::AudioFormat;
use offhook_speech::wire::url::Url;
use offhook_speech::wyoming::WyomingVoiceSettings;
use offhook_units::Pii;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Samples a frame at 8 kHz.
const FRAME: usize = 160;
/// What the play-out holds at most: a second, as the appliance's.
const RING: usize = 8_000;
/// Nothing for so long parts a letter, in samples; for longer, words or turns.
const PARTED: usize = 1_600;
/// Within a turn it may be as long as one voice needs to go on for another.
const TAKEN_OVER: usize = 5_600;

#[derive(Default)]
struct Shared {
    ring: VecDeque<i16>,
    taken: u64,
    /// Handed out so far, thrown away or not.
    given: u64,
    /// Nothing where nothing was there to be heard.
    heard: Vec<Option<i16>>,
    caller: VecDeque<i16>,
    events: Vec<SessionEvent>,
    barge_in: Option<u64>,
    discards: bool,
    /// The worst that this machine was late with a frame.
    late_ms: u64,
}

/// One end of a call: the port that the speech thread gets, and what the test sees and does.
#[derive(Clone, Default)]
pub(crate) struct TestCall(Arc<Mutex<Shared>>);

impl TestCall {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets real time pass, a frame at a time, until `done` or for `most_ms`. True when it is done.
    pub(crate) fn run(&self, timer: &Timer, most_ms: u64, done: impl Fn(&[SessionEvent]) -> bool) -> bool {
        Self::run_all(std::slice::from_ref(self), timer, most_ms, done)
    }

    /// The same for several calls at once, until all of them are done.
    pub(crate) fn run_all(
        calls: &[Self],
        timer: &Timer,
        most_ms: u64,
        done: impl Fn(&[SessionEvent]) -> bool,
    ) -> bool {
        (0..most_ms / 20).any(|frame| {
            let late_ms = timer.beat(frame);
            calls.iter().filter(|call| !call.hears_a_frame(late_ms, &done)).count() == 0
        })
    }

    fn hears_a_frame(&self, late_ms: u64, done: impl Fn(&[SessionEvent]) -> bool) -> bool {
        let mut shared = self.shared();
        shared.late_ms = shared.late_ms.max(late_ms);
        for _ in 0..FRAME {
            let sample = shared.ring.pop_front();
            shared.taken += u64::from(sample.is_some());
            shared.heard.push(sample);
        }
        done(&shared.events)
    }

    /// The caller says something: a tone for so long, then a second of silence.
    pub(crate) fn caller_speaks(&self, ms: usize) {
        let tone = (0..ms * 8).map(|i| if i % 20 < 10 { 8_000 } else { -8_000 });
        self.shared().caller.extend(tone.chain(std::iter::repeat_n(0, 8_000)));
    }

    /// And is silent for so much longer.
    pub(crate) fn caller_waits(&self, ms: usize) {
        self.shared().caller.extend(std::iter::repeat_n(0, ms * 8));
    }

    /// The caller breaks in: the play-out throws away what it holds.
    pub(crate) fn break_in(&self) {
        let mut shared = self.shared();
        shared.ring.clear();
        shared.barge_in = Some(shared.taken);
        shared.discards = true;
    }

    pub(crate) fn events(&self) -> Vec<SessionEvent> {
        self.shared().events.clone()
    }

    pub(crate) fn heard(&self) -> Vec<i16> {
        self.shared().heard.iter().map(|sample| sample.unwrap_or(0)).collect()
    }

    /// What was heard, read letter by letter. A letter that a slow service parted is put together again: how long there
    /// was nothing is for [`TestCall::longest_silence_ms`].
    pub(crate) fn words(&self) -> String {
        self.read(PARTED)
    }

    /// The same for a single turn.
    pub(crate) fn words_of_turn(&self) -> String {
        self.read(TAKEN_OVER)
    }

    fn read(&self, parted: usize) -> String {
        let mut sound = Vec::new();
        for stretch in self.shared().heard.chunk_by(|a, b| a.is_some() == b.is_some()) {
            if stretch.len() > parted || stretch.iter().all(Option::is_some) {
                sound.extend(stretch.iter().map(|sample| sample.unwrap_or(0)));
            }
        }
        // The last letter may be followed by nothing.
        sound.extend([0; PARTED]);
        Letters::new().read(&sound)
    }

    /// Whether this machine kept the beat, so that what was heard is not its doing.
    pub(crate) fn kept_the_beat(&self) -> bool {
        self.shared().late_ms < 60
    }

    /// Whether the speech thread has let go of its end.
    #[allow(dead_code, reason = "a test program of its own asks")]
    pub(crate) fn is_left(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Our turns, as the caller heard them.
    pub(crate) fn turns(&self) -> Vec<Spoken> {
        turns(&self.shared().events)
    }

    pub(crate) fn moves(&self) -> Vec<(Source, Source)> {
        let events = self.events();
        let moved = |event: &SessionEvent| match event {
            SessionEvent::Moved { from, to } => Some((*from, *to)),
            _ => None,
        };
        events.iter().filter_map(moved).collect()
    }

    /// The longest stretch of near silence between the first sound and the last, in milliseconds.
    pub(crate) fn longest_silence_ms(&self) -> usize {
        let heard = self.heard();
        let loud: Vec<usize> = (0..heard.len()).filter(|&i| heard[i].unsigned_abs() > 300).collect();
        loud.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0) / 8
    }
}

/// The turns among these events.
pub(crate) fn turns(events: &[SessionEvent]) -> Vec<Spoken> {
    let ended = |event: &SessionEvent| match event {
        SessionEvent::TurnEnds(spoken) => Some(spoken.reveal().clone()),
        _ => None,
    };
    events.iter().filter_map(ended).collect()
}

impl Port for TestCall {
    fn news(&mut self) -> PortNews {
        let mut shared = self.shared();
        let caller_speaks = shared.caller.front().is_some_and(|&sample| sample != 0);
        PortNews { caller_speaks, heard: shared.taken, barge_in: shared.barge_in.take() }
    }

    fn caller(&mut self, into: &mut Vec<i16>) {
        let mut shared = self.shared();
        // A real caller is silent when not speaking, and the line goes on. The port is asked each 5 ms.
        let count = shared.caller.len().min(40);
        into.extend(shared.caller.drain(..count));
    }

    fn room(&mut self) -> usize {
        RING.saturating_sub(self.shared().ring.len())
    }

    fn speak(&mut self, samples: &[i16]) {
        let mut shared = self.shared();
        shared.given += samples.len() as u64;
        if shared.discards {
            shared.taken = shared.given;
        } else {
            shared.ring.extend(samples);
        }
    }

    fn event(&mut self, event: SessionEvent) {
        let mut shared = self.shared();
        if let SessionEvent::Flush { up_to } = event {
            shared.ring.clear();
            shared.taken = shared.taken.max(up_to);
            shared.discards = false;
        }
        shared.events.push(event);
    }
}

/// TrueVoice, as the lab speaks it.
pub(crate) fn truevoice(lab: &Lab) -> TrueVoiceSettings {
    let url = Url::parse(&format!("http://{}", lab.addresses().http)).expect("an address");
    TrueVoiceSettings { url, key: Some(Pii::new("test".to_owned())) }
}

/// A lab that hums its letters.
pub(crate) fn options() -> Options {
    Options { voice: LabVoice::Tones, https_port: None, ..Options::default() }
}

/// What a test has beside its calls.
pub(crate) struct Bed {
    pub(crate) lab: Lab,
    pub(crate) speech: Speech,
    device_said: Arc<Mutex<Vec<String>>>,
}

/// The voice on the device, with what it was given to say.
struct Noted(Arc<Mutex<Vec<String>>>);

impl Voice for Noted {
    fn name(&self) -> &str {
        Tones.name()
    }

    fn rate_hz(&self) -> u32 {
        Tones.rate_hz()
    }

    fn normal_chars_per_s(&self) -> f32 {
        Tones.normal_chars_per_s()
    }

    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        self.speak_placed(text, &mut |samples, _| sink(samples))
    }

    fn speak_placed(&mut self, text: &str, sink: PlacedSink<'_>) -> Result<Spoke, VoiceError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        Tones.speak_placed(text, sink)
    }
}

/// Which parts a bed has beside the lab and the speech thread.
#[derive(Default)]
pub(crate) struct With {
    /// A voice on the device, which hums as the lab does.
    pub(crate) device: bool,
    /// Warm connections to TrueVoice.
    pub(crate) pool: Option<PoolSettings>,
}

impl Bed {
    pub(crate) fn new(options: Options, with: With) -> Self {
        let lab = Lab::start(options).expect("the lab opens its doors");
        let timer = Timer::start();
        let settings = ServiceSettings {
            extra_roots_pem: lab.certificate_pem().map(str::to_owned),
            pool: with.pool.map(|pool| (truevoice(&lab), pool)),
            clock: Box::new(move || timer.now()),
        };
        let device_said = Arc::new(Mutex::new(Vec::new()));
        let voice: Result<Box<dyn Voice>, VoiceError> =
            if with.device { Ok(Box::new(Noted(device_said.clone()))) } else { Err(VoiceError::Unspeakable) };
        let ear = with.device.then(|| Ear::with(Box::new(Tones)));
        let speech = Speech::start(settings, voice, ear).expect("the speech thread starts");
        Self { lab, speech, device_said }
    }

    /// A call that is answered.
    pub(crate) fn call(&self, number: u64, settings: SessionSettings) -> TestCall {
        let call = TestCall::default();
        self.speech.open(Call(number), settings, Box::new(call.clone())).expect("there is room");
        self.speech.answered(Call(number)).expect("there is room");
        call
    }

    /// Sets switches, several sets of which are parted by semicolons.
    pub(crate) fn fail(&self, faults: &str) {
        faults.split(';').for_each(|set| self.lab.set_fault(set.parse().unwrap()));
    }

    /// What the voice on the device was given to say, one after the other.
    pub(crate) fn device_said(&self) -> Vec<String> {
        self.device_said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The address of the lab's plain door.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.lab.addresses().http)
    }

    /// Lets time pass until `done`, for ten seconds at most. True when it is done.
    pub(crate) fn wait(&self, done: impl Fn(&Lab) -> bool) -> bool {
        TestCall::default().run(&Timer::start(), 10_000, |_| done(&self.lab))
    }
}

/// Whose voice a call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// ElevenLabs, one socket for the call.
    Multi,
    /// The same with samples of two bytes.
    MultiWide,
    /// ElevenLabs, a socket for each turn.
    Single,
    /// Deepgram.
    Aura,
    /// A server of the local network.
    Wyoming,
}

/// The settings of a voice in the lab.
pub(crate) fn voice(bed: &Bed, whose: Whose) -> VoiceSettings {
    let eleven = |format| ElevenSettings { format, ..eleven(&bed.base()) };
    match whose {
        Whose::Multi => VoiceSettings::ElevenMulti(eleven(AudioFormat::Mulaw8k)),
        Whose::MultiWide => VoiceSettings::ElevenMulti(eleven(AudioFormat::Pcm16 { rate_hz: 16_000 })),
        Whose::Single => VoiceSettings::ElevenSingle(eleven(AudioFormat::Mulaw8k)),
        Whose::Aura => VoiceSettings::Aura(AuraSettings {
            base: Url::parse(&bed.base()).expect("an address"),
            key: Pii::new("test".to_owned()),
            model: "aura-2-thalia-en".to_owned(),
            format: AudioFormat::Mulaw8k,
        }),
        Whose::Wyoming => {
            let door = bed.lab.addresses().wyoming.expect("the door is open");
            let url = Url::parse(&format!("tcp://{door}")).expect("an address");
            VoiceSettings::Wyoming(WyomingVoiceSettings { url, voice: None, language: None })
        }
    }
}

fn eleven(base: &str) -> ElevenSettings {
    ElevenSettings {
        base: Url::parse(base).expect("an address"),
        key: Pii::new("test".to_owned()),
        voice_id: "lab".to_owned(),
        model_id: "eleven_flash_v2_5".to_owned(),
        language: None,
        format: AudioFormat::Mulaw8k,
    }
}

/// A call's settings for services that are all at `base`.
pub(crate) fn settings(base: &str, greeting: &str) -> SessionSettings {
    let voice = Some(VoiceSettings::ElevenMulti(eleven(base)));
    let base = Url::parse(base).expect("an address");
    let key = || Pii::new("test".to_owned());
    SessionSettings {
        rate_hz: 8_000,
        conversation: ConversationSettings {
            system: "Be brief.".to_owned(),
            greeting: greeting.to_owned(),
            sorry: "Sorry, please say that again.".to_owned(),
        },
        voice,
        has_device_voice: false,
        device_says_parts: false,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: Some(EarsSettings::Deepgram(DeepgramSettings {
            base: base.clone(),
            key: key(),
            dialect: Dialect::V1,
            model: "nova-3".to_owned(),
            language: None,
            endpointing_ms: 300,
            rate_hz: 8_000,
        })),
        mind: Some(ChatSettings {
            base: base.join("v1"),
            key: Some(key()),
            model: "lab".to_owned(),
            first_word_ms: 5_000,
        }),
        all_in_one: None,
        seed: 7,
    }
}
