//! flite, a small speech synthesiser in C (CMU, BSD-like licence), loaded when it is first asked for; Debian's
//! package `libflite1` has it with its voices. The only file of this crate with `unsafe` in it.
//!
//! The library keeps one copy of each voice for the whole process and is not made for threads, so all calls go
//! through one lock: two calls that speak at the same moment take turns, sentence by sentence. A sentence is
//! made in 2 % of the time that it lasts. A sink must not wait for anything.
//!
//! Layouts and signatures: flite 2.2, `cst_audio.h`, `cst_voice.h`, `cst_wave.h`, `flite.h`.
#![allow(unsafe_code)]

use super::ascii::spoken_ascii;
use super::places::{Token, places};
use super::{PlacedSink, Sink, Spoke, Voice, VoiceError, check_length};
use crate::tts::CharTime;
use libloading::Library;
use std::any::Any;
use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_float, c_int, c_short, c_uint, c_void};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// The voices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FliteVoice {
    /// A woman; the clearest of the three.
    #[default]
    Slt,
    /// A man.
    Rms,
    /// A man, made of few recordings: rough, and ten times as fast.
    Kal16,
}

impl FliteVoice {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Slt, Self::Rms, Self::Kal16];

    /// The name in the configuration, and in the library's files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slt => "slt",
            Self::Rms => "rms",
            Self::Kal16 => "kal16",
        }
    }

    /// Measured over the hundred sentences of the pause table: characters a second, silences left out.
    const fn normal_chars_per_s(self) -> f32 {
        match self {
            Self::Slt => 18.2,
            Self::Rms => 16.4,
            Self::Kal16 => 21.0,
        }
    }
}

/// How flite speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FliteSettings {
    /// Which voice.
    pub voice: FliteVoice,
    /// How fast: 1 is its own pace; taken into 0.5 to 2.
    pub speed: f32,
}

impl Default for FliteSettings {
    fn default() -> Self {
        Self { voice: FliteVoice::Slt, speed: 1.0 }
    }
}

/// A voice of flite.
#[derive(Debug)]
pub struct Flite {
    settings: FliteSettings,
    /// The voice that speaks now: the chosen one, or the quickest while others wait.
    speaks: FliteVoice,
    name: String,
}

impl Flite {
    /// Loads the library and the voice, unless they are there already.
    ///
    /// # Errors
    /// [`VoiceError::FliteMissing`].
    pub fn open(settings: FliteSettings) -> Result<Self, VoiceError> {
        load(settings.voice)?;
        Ok(Self { settings, speaks: settings.voice, name: format!("flite {}", settings.voice.name()) })
    }
}

fn load(voice: FliteVoice) -> Result<(), VoiceError> {
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    if engine.is_none() {
        *engine = Some(Engine::load()?);
    }
    engine.as_mut().map_or(Ok(()), |engine| engine.load_voice(voice))
}

impl Voice for Flite {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn normal_chars_per_s(&self) -> f32 {
        self.settings.voice.normal_chars_per_s()
    }

    fn hurry(&mut self, hurried: bool) {
        let is_there = |voice: &FliteVoice| load(*voice).is_ok();
        let quick = hurried.then_some(FliteVoice::Kal16).filter(is_there);
        self.speaks = quick.unwrap_or(self.settings.voice);
    }

    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        self.speak_placed(text, &mut |samples, _| sink(samples))
    }

    fn speak_placed(&mut self, text: &str, sink: PlacedSink<'_>) -> Result<Spoke, VoiceError> {
        check_length(text)?;
        let engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = engine.as_ref().ok_or(VoiceError::FliteFailed)?;
        let settings = FliteSettings { voice: self.speaks, ..self.settings };
        let outcome = engine.speak(settings, text, sink)?;
        match outcome {
            Outcome { panic: Some(panic), .. } => resume_unwind(panic),
            Outcome { stopped: true, .. } => Ok(Spoke::Stopped),
            Outcome { wrong_audio: true, .. } | Outcome { any: false, .. } => Err(VoiceError::FliteFailed),
            _ => Ok(Spoke::All),
        }
    }

    fn tells_places(&self) -> bool {
        true
    }
}

/// The rate of all three voices.
const RATE_HZ: u32 = 16_000;
const STREAM_GO_ON: c_int = 0;
const STREAM_STOP: c_int = -1;

/// The library, once it is loaded. It stays for the life of the process: its voices hold pointers into it.
static ENGINE: Mutex<Option<Engine>> = Mutex::new(None);

/// `cst_voice`; we read nothing behind `features`.
#[repr(C)]
struct CstVoice {
    name: *const c_char,
    features: *mut c_void,
}

/// `cst_wave`.
#[repr(C)]
struct CstWave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *const c_short,
}

type StreamCallback = unsafe extern "C" fn(*const CstWave, c_int, c_int, c_int, *mut StreamingInfo) -> c_int;

/// `cst_audio_streaming_info`.
#[repr(C)]
struct StreamingInfo {
    min_buffsize: c_int,
    callback: Option<StreamCallback>,
    utterance: *const c_void,
    item: *const c_void,
    userdata: *mut c_void,
}

unsafe extern "C" {
    /// Of the C library, whose random numbers are the noise in flite's voices.
    safe fn srand(seed: c_uint);
}

type FnRegister = unsafe extern "C" fn(*const c_char) -> *mut CstVoice;
type FnTextToWave = unsafe extern "C" fn(*const c_char, *mut CstVoice) -> *mut CstWave;
type FnDeleteWave = unsafe extern "C" fn(*mut CstWave);
type FnSetFloat = unsafe extern "C" fn(*mut c_void, *const c_char, c_float);
type FnSet = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void);
type FnNewStreaming = unsafe extern "C" fn() -> *mut StreamingInfo;
type FnStreamingValue = unsafe extern "C" fn(*mut StreamingInfo) -> *mut c_void;
type FnRelationPresent = unsafe extern "C" fn(*const c_void, *const c_char) -> c_int;
type FnRelation = unsafe extern "C" fn(*const c_void, *const c_char) -> *const c_void;
type FnItem = unsafe extern "C" fn(*const c_void) -> *const c_void;
type FnString = unsafe extern "C" fn(*const c_void, *const c_char) -> *const c_char;
type FnFloat = unsafe extern "C" fn(*const c_void, *const c_char) -> c_float;

/// The functions of the library that we call, and the voices that are loaded.
struct Engine {
    library: Library,
    text_to_wave: FnTextToWave,
    delete_wave: FnDeleteWave,
    set_float: FnSetFloat,
    set: FnSet,
    new_streaming: FnNewStreaming,
    streaming_value: FnStreamingValue,
    items: Items,
    voices: Vec<Loaded>,
}

/// What reads the library's utterances: lists of items, each with features (`cst_utterance.h`, `cst_relation.h`,
/// `cst_item.h`, `cst_ffeature.h`).
#[derive(Clone, Copy)]
struct Items {
    relation_present: FnRelationPresent,
    relation: FnRelation,
    head: FnItem,
    next: FnItem,
    string: FnString,
    float: FnFloat,
}

struct Loaded {
    which: FliteVoice,
    voice: *mut CstVoice,
    streaming: *mut StreamingInfo,
    /// Holds the voice's code and data in memory.
    _library: Library,
}

// SAFETY: the pointers lead to memory of the C library that no thread owns; the library keeps nothing per
// thread, and `ENGINE`'s lock lets one thread at a time come near them.
unsafe impl Send for Engine {}

/// What happened while one text was spoken; the callback writes it.
struct Call<'a> {
    sink: PlacedSink<'a>,
    outcome: Outcome,
    text: &'a str,
    items: Items,
    /// Samples that came.
    came: u64,
    /// Characters whose sound has not come, by their times from the start; known from the first samples on.
    ahead: VecDeque<CharTime>,
}

#[derive(Default)]
struct Outcome {
    any: bool,
    stopped: bool,
    wrong_audio: bool,
    panic: Option<Box<dyn Any + Send>>,
}

fn missing(library: &str) -> impl Fn(libloading::Error) -> VoiceError {
    let library = library.to_owned();
    move |error| VoiceError::FliteMissing { library: library.clone(), detail: error.to_string() }
}

/// Loads one of flite's libraries from where the system keeps them.
fn open_library(file: &str) -> Result<Library, VoiceError> {
    // SAFETY: flite's libraries run no code of their own when they are loaded. Their names carry the version of
    // the interface that is declared above.
    unsafe { Library::new(file) }.map_err(missing(file))
}

impl Engine {
    fn load() -> Result<Self, VoiceError> {
        const FILE: &str = "libflite.so.1";
        let library = open_library(FILE)?;
        // SAFETY: the types are those of flite 2.2's headers, and the pointers are used only while `library`
        // lives, which is in the same struct and never dropped.
        unsafe {
            let init: unsafe extern "C" fn() -> c_int =
                *library.get(b"flite_init\0").map_err(missing(FILE))?;
            let engine = Self {
                text_to_wave: *library.get(b"flite_text_to_wave\0").map_err(missing(FILE))?,
                delete_wave: *library.get(b"delete_wave\0").map_err(missing(FILE))?,
                set_float: *library.get(b"feat_set_float\0").map_err(missing(FILE))?,
                set: *library.get(b"feat_set\0").map_err(missing(FILE))?,
                new_streaming: *library.get(b"new_audio_streaming_info\0").map_err(missing(FILE))?,
                streaming_value: *library.get(b"audio_streaming_info_val\0").map_err(missing(FILE))?,
                items: Items {
                    relation_present: *library.get(b"utt_relation_present\0").map_err(missing(FILE))?,
                    relation: *library.get(b"utt_relation\0").map_err(missing(FILE))?,
                    head: *library.get(b"relation_head\0").map_err(missing(FILE))?,
                    next: *library.get(b"item_next\0").map_err(missing(FILE))?,
                    string: *library.get(b"item_feat_string\0").map_err(missing(FILE))?,
                    float: *library.get(b"ffeature_float\0").map_err(missing(FILE))?,
                },
                voices: Vec::new(),
                library,
            };
            init();
            Ok(engine)
        }
    }

    fn load_voice(&mut self, which: FliteVoice) -> Result<(), VoiceError> {
        if self.voices.iter().any(|loaded| loaded.which == which) {
            return Ok(());
        }
        let file = format!("libflite_cmu_us_{}.so.1", which.name());
        let symbol = format!("register_cmu_us_{}\0", which.name());
        let library = open_library(&file)?;
        // SAFETY: every voice of flite exports this function, which takes a folder or null.
        let register: FnRegister = *unsafe { library.get(symbol.as_bytes()) }.map_err(missing(&file))?;
        // SAFETY: null asks for the data inside of the voice's own library.
        let voice = unsafe { register(std::ptr::null()) };
        // SAFETY: takes nothing, gives a struct from the C heap or null.
        let streaming = unsafe { (self.new_streaming)() };
        if voice.is_null() || streaming.is_null() {
            return Err(VoiceError::FliteFailed);
        }
        // SAFETY: both are valid and ours alone, under the lock. The voice takes the value over and frees it with
        // itself, which is never; `feat_set` keeps the name's pointer or copies it, and the name is static.
        unsafe {
            (*streaming).callback = Some(on_audio);
            (*streaming).userdata = std::ptr::null_mut();
            let value = (self.streaming_value)(streaming);
            (self.set)((*voice).features, c"streaming_info".as_ptr(), value);
        }
        self.voices.push(Loaded { which, voice, streaming, _library: library });
        Ok(())
    }

    fn speak(
        &self,
        settings: FliteSettings,
        text: &str,
        sink: PlacedSink<'_>,
    ) -> Result<Outcome, VoiceError> {
        let ascii = spoken_ascii(text).ok_or(VoiceError::Unspeakable)?;
        let ascii = CString::new(ascii).map_err(|_| VoiceError::Unspeakable)?;
        let loaded = self.voices.iter().find(|v| v.which == settings.voice).ok_or(VoiceError::FliteFailed)?;
        let stretch = 1.0 / settings.speed.clamp(0.5, 2.0);
        let (outcome, items, ahead) = (Outcome::default(), self.items, VecDeque::new());
        let mut call = Call { sink, outcome, text, items, came: 0, ahead };
        // The same words are the same samples each time: a preview is what callers hear.
        srand(1);
        // SAFETY: the voice and its streaming info are valid for the life of the process and ours alone, under the
        // lock. `call` outlives the only function that can call back with it, and `userdata` is cleared before
        // `call` goes. The callback does not unwind. The wave is ours to free.
        unsafe {
            (*loaded.streaming).userdata = (&raw mut call).cast();
            // That of the text before is gone; a voice that sets none has none.
            (*loaded.streaming).utterance = std::ptr::null();
            (self.set_float)((*loaded.voice).features, c"duration_stretch".as_ptr(), stretch);
            let wave = (self.text_to_wave)(ascii.as_ptr(), loaded.voice);
            (*loaded.streaming).userdata = std::ptr::null_mut();
            if !wave.is_null() {
                (self.delete_wave)(wave);
            }
        }
        Ok(call.outcome)
    }
}

impl Items {
    /// The tokens of an utterance, each with the time from its first sound to its last.
    ///
    /// # Safety
    /// `utterance` is null or one of the library's, of which all but the wave is made.
    unsafe fn tokens(self, utterance: *const c_void) -> Vec<Token> {
        const START_S: &CStr = c"R:Token.daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end";
        const END_S: &CStr = c"R:Token.daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end";
        let mut tokens = Vec::new();
        // SAFETY: the items of a relation are a list that ends with null, and live as long as their utterance. A feature
        // that is not there is an empty string or 0; a string lives as long as its item.
        unsafe {
            if utterance.is_null() || (self.relation_present)(utterance, c"Token".as_ptr()) == 0 {
                return tokens;
            }
            let mut item = (self.head)((self.relation)(utterance, c"Token".as_ptr()));
            while !item.is_null() {
                let name = (self.string)(item, c"name".as_ptr());
                let name = if name.is_null() { c"" } else { CStr::from_ptr(name) };
                let ms = |path: &CStr| (1e3 * (self.float)(item, path.as_ptr())) as u32;
                let (from_ms, to_ms) = (ms(START_S), ms(END_S));
                tokens.push(Token { name: name.to_string_lossy().into_owned(), from_ms, to_ms });
                item = (self.next)(item);
            }
        }
        tokens
    }
}

impl Call<'_> {
    /// The next `count` samples came: the characters that begin in them.
    fn begin_in(&mut self, count: usize, is_last: bool) -> Vec<CharTime> {
        let ms = |samples: u64| (samples * 1000 / u64::from(RATE_HZ)) as u32;
        let from_ms = ms(self.came);
        self.came += count as u64;
        let to_ms = if is_last { u32::MAX } else { ms(self.came) };
        let mut chars = Vec::new();
        while let Some(time) = self.ahead.pop_front_if(|time| time.at_ms < to_ms) {
            let (at_ms, end_ms) = (time.at_ms.saturating_sub(from_ms), time.end_ms.saturating_sub(from_ms));
            chars.push(CharTime { at_ms, end_ms, ..time });
        }
        chars
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("library", &self.library)
            .field("voices", &self.voices.len())
            .finish_non_exhaustive()
    }
}

/// flite calls this with each new part of the audio.
///
/// # Safety
/// `wave` and `info` are null or valid, and `info.userdata` is null or the [`Call`] that is going on.
unsafe extern "C" fn on_audio(
    wave: *const CstWave,
    start: c_int,
    size: c_int,
    last: c_int,
    info: *mut StreamingInfo,
) -> c_int {
    // SAFETY: by this function's contract; flite hands us the pointers that it works with itself, and nobody
    // else looks at the `Call` while `flite_text_to_wave` runs.
    let (wave, utterance, call) = unsafe {
        let Some(info) = info.as_ref() else { return STREAM_STOP };
        let Some(call) = info.userdata.cast::<Call<'_>>().as_mut() else { return STREAM_STOP };
        let Some(wave) = wave.as_ref() else { return STREAM_STOP };
        (wave, info.utterance, call)
    };
    if call.outcome.stopped || call.outcome.panic.is_some() {
        return STREAM_STOP;
    }
    let (Ok(from), Ok(count), Ok(all)) =
        (usize::try_from(start), usize::try_from(size), usize::try_from(wave.num_samples))
    else {
        return STREAM_GO_ON;
    };
    let fits = from.checked_add(count).is_some_and(|end| end <= all);
    if wave.sample_rate != RATE_HZ as c_int || wave.num_channels != 1 || wave.samples.is_null() || !fits {
        call.outcome.wrong_audio = true;
        return STREAM_STOP;
    }
    // SAFETY: `samples` has `num_samples` values (`cst_wave.h`), and the range was checked against that.
    let samples = unsafe { std::slice::from_raw_parts(wave.samples.add(from), count) };
    // A panic must not cross C: it is carried over and goes on behind it.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if !std::mem::replace(&mut call.outcome.any, true) {
            // SAFETY: the library sets it to the utterance that it makes the wave of, and that lives until the wave is
            // made.
            let tokens = unsafe { call.items.tokens(utterance) };
            call.ahead = places(call.text, &tokens).unwrap_or_default().into();
        }
        let chars = call.begin_in(samples.len(), last != 0);
        (call.sink)(samples, &chars)
    }));
    match outcome {
        Ok(ControlFlow::Continue(())) => STREAM_GO_ON,
        Ok(ControlFlow::Break(())) => {
            call.outcome.stopped = true;
            STREAM_STOP
        }
        Err(panic) => {
            call.outcome.panic = Some(panic);
            STREAM_STOP
        }
    }
}

#[cfg(test)]
mod tests;
