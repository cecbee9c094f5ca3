//! The voice in a world of its own: a service, a play-out and a network in virtual time, millisecond by millisecond.
//! Each word is a tone of its own pitch, so that what the caller heard can be read from the samples.

mod by_ear;
mod commas;
mod endings;
mod failing;
mod follows;
mod left_alone;
mod sound;
mod splices;
mod turns;

use super::*;
use crate::ear::Reached;
use crate::failure::Breaker;
use crate::text::Splitter;
use crate::transport::{Closed, Lost, Request, RequestKind};
use crate::tts::{ElevenMulti, ElevenSettings};
use crate::wire::audio::{AudioFormat, to_bytes};
use crate::wire::url::Url;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_units::Pii;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const RATE: u32 = 8_000;
/// A character takes so long to say unless a test has another voice; a space is silent.
const CHAR_MS: u64 = 60;

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

/// The pitch of a word, which ends with its number: "w07," is number 7.
fn pitch_hz(word: &str) -> f32 {
    let number: f32 = word.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0.0);
    400.0 + 60.0 * number
}

/// What a voice makes of a text: each character with its samples.
fn voice(text: &str, char_ms: u64) -> Vec<(char, Vec<i16>)> {
    let per_char = (char_ms * u64::from(RATE) / 1000) as usize;
    let mut all = Vec::new();
    for (n, word) in text.split_whitespace().enumerate() {
        if n > 0 {
            all.push((' ', vec![0; per_char]));
        }
        let step = std::f32::consts::TAU * pitch_hz(word) / RATE as f32;
        for (i, c) in word.chars().enumerate() {
            let tone = |k: usize| (8_000.0 * (step * (i * per_char + k) as f32).sin()) as i16;
            all.push((c, (0..per_char).map(tone).collect()));
        }
    }
    all.push((' ', vec![0; per_char]));
    all
}

/// A line of the service's answer over HTTP: characters from number `said` on, with times from the start of it all.
fn timed_line(part: &[(char, Vec<i16>)], said: usize, samples: &[i16]) -> Vec<u8> {
    let second = |number: usize| (said + number) as f64 * CHAR_MS as f64 / 1e3;
    let times = |from: usize| (from..from + part.len()).map(second).collect::<Vec<_>>();
    let chars: Vec<String> = part.iter().map(|(c, _)| c.to_string()).collect();
    let alignment = json!({
        "characters": chars, "character_start_times_seconds": times(0), "character_end_times_seconds": times(1),
    });
    let line = json!({"audio_base64": STANDARD.encode(to_bytes(samples)), "alignment": alignment});
    format!("{line}\n").into_bytes()
}

/// The numbers of the words in what was heard, in order.
fn words_in(audio: &[i16]) -> Vec<u32> {
    let window = 80;
    let loud: Vec<bool> =
        audio.chunks(window).map(|part| part.iter().any(|x| x.unsigned_abs() > 2_000)).collect();
    let mut words = Vec::new();
    let mut start = None;
    for (i, &is_loud) in loud.iter().chain([&false]).enumerate() {
        match (is_loud, start) {
            (true, None) => start = Some(i),
            (false, Some(from)) => {
                start = None;
                let part = &audio[from * window..(i * window).min(audio.len())];
                // A click or a fade is no word.
                if part.len() < 4 * window {
                    continue;
                }
                let middle = &part[window..part.len() - window];
                let crossings = middle.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
                let hz = crossings as f32 / 2.0 * RATE as f32 / middle.len() as f32;
                words.push(((hz - 400.0) / 60.0).round() as u32);
            }
            _ => {}
        }
    }
    words
}

/// The longest stretch without a sound between the first sound and the last, in milliseconds.
fn longest_silence_ms(audio: &[i16]) -> u64 {
    let loud: Vec<usize> = (0..audio.len()).filter(|&i| audio[i].unsigned_abs() > 500).collect();
    let longest = loud.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    longest as u64 * 1000 / u64::from(RATE)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Works,
    Refuses,
    /// Takes everything and answers nothing.
    Silent,
}

enum Happens {
    Net(ConnId, FromNet),
    Device(JobId, FromDevice),
}

struct World {
    speaking: Speaking,
    now_ms: u64,
    queue: BTreeMap<(u64, u64), Happens>,
    order: u64,
    socket: Way,
    http: Way,
    /// How much faster than real time services deliver, in percent.
    pace: u64,
    busy_until: u64,
    /// How long the socket's service takes to begin.
    delay_ms: u64,
    /// How long its voice takes for a character.
    char_ms: u64,
    /// Characters in one message of the socket.
    piece: usize,
    aligned: bool,
    /// How long the device takes to hear where words are, if it can.
    ear_ms: Option<u64>,
    /// So many texts have times, if any have.
    timed: usize,
    /// The voice on the device tells where its characters are.
    device_tells: bool,
    /// It takes so long to begin.
    device_ms: u64,
    /// It fails behind this word.
    device_fails: Option<&'static str>,
    ring: VecDeque<i16>,
    taken: u64,
    heard: Vec<i16>,
    events: Vec<SpeakingEvent>,
    http_texts: Vec<String>,
    opened: usize,
}

impl World {
    fn new(has_device: bool) -> Self {
        let settings = ElevenSettings {
            base: Url::parse("http://127.0.0.1:1").unwrap(),
            key: Pii::new("k".to_owned()),
            voice_id: "v".to_owned(),
            model_id: "m".to_owned(),
            language: None,
            format: AudioFormat::Pcm16 { rate_hz: RATE },
        };
        let cloud = Cloud {
            http: Some(HttpVoice::new(Box::new(settings.clone()))),
            socket: Box::new(ElevenMulti::new(settings, Breaker::new(), 1)),
        };
        let mut plan = PlanSettings::default();
        plan.breath_level.level_db = -90.0;
        let mut world = Self {
            speaking: Speaking::new(Some(cloud), has_device, plan, ChunkSettings::default(), RATE, 1),
            now_ms: 0,
            queue: BTreeMap::new(),
            order: 0,
            socket: Way::Works,
            http: Way::Works,
            pace: 300,
            busy_until: 0,
            delay_ms: 150,
            char_ms: CHAR_MS,
            piece: 7,
            aligned: true,
            ear_ms: None,
            timed: usize::MAX,
            device_tells: true,
            device_ms: 60,
            device_fails: None,
            ring: VecDeque::new(),
            taken: 0,
            heard: Vec::new(),
            events: Vec::new(),
            http_texts: Vec::new(),
            opened: 0,
        };
        world.speaking.open(at(0));
        world.poll();
        world.run(100);
        world
    }

    fn later(&mut self, ms: u64, what: Happens) {
        self.order += 1;
        self.queue.insert((ms.max(self.now_ms), self.order), what);
    }

    fn poll(&mut self) {
        while let Some(output) = self.speaking.poll_output() {
            match output {
                SpeakingOutput::Net(ToNet::Open(conn, request)) => self.opens(conn, &request),
                SpeakingOutput::Net(ToNet::Text(conn, text)) => {
                    self.hears(conn, &serde_json::from_str(&text).unwrap())
                }
                SpeakingOutput::Net(ToNet::Close(conn)) => {
                    self.queue.retain(|_, what| !matches!(what, Happens::Net(c, _) if *c == conn));
                }
                SpeakingOutput::Net(ToNet::Binary(..) | ToNet::Probe(_)) => {
                    panic!("nothing binary goes to this service")
                }
                SpeakingOutput::Device(ToDevice::Say(job, text)) => self.device_says(job, &text),
                SpeakingOutput::Device(ToDevice::Place(job, broken)) => self.device_hears(job, &broken),
                SpeakingOutput::Device(ToDevice::Stop(job)) => {
                    self.queue.retain(|_, what| !matches!(what, Happens::Device(j, _) if *j == job));
                }
                SpeakingOutput::Event(event) => self.events.push(event),
            }
        }
    }

    fn opens(&mut self, conn: ConnId, request: &Request) {
        let way = if conn.part == Part::Voice { self.socket } else { self.http };
        let broken = FromNet::Closed(Closed::Lost(Lost::Broken));
        match way {
            Way::Refuses => return self.later(self.now_ms + 5, Happens::Net(conn, broken)),
            Way::Silent => return,
            Way::Works => self.later(self.now_ms + 30, Happens::Net(conn, FromNet::Opened)),
        }
        self.opened += 1;
        let RequestKind::Post(body) = &request.kind else { return };
        let is_timed = request.url.target().contains("with-timestamps");
        if is_timed && !self.aligned {
            let refused = Closed::Refused { status: 404, retry_after_s: None, body: String::new() };
            return self.later(self.now_ms + 40, Happens::Net(conn, FromNet::Closed(refused)));
        }
        let body: Value = serde_json::from_str(body).unwrap();
        let text = body["text"].as_str().unwrap().to_owned();
        let (mut ms, mut said) = (self.now_ms + 120, 0);
        for part in voice(&text, CHAR_MS).chunks(3) {
            let samples: Vec<i16> = part.iter().flat_map(|(_, samples)| samples.clone()).collect();
            let bytes = if is_timed { timed_line(part, said, &samples) } else { to_bytes(&samples) };
            self.later(ms, Happens::Net(conn, FromNet::Binary(bytes)));
            ms += CHAR_MS * 3 * 100 / self.pace;
            said += part.len();
        }
        let done = Closed::Done { code: 200, reason: String::new() };
        self.later(ms, Happens::Net(conn, FromNet::Closed(done)));
        self.http_texts.push(text);
    }

    /// The service's socket.
    fn hears(&mut self, conn: ConnId, message: &Value) {
        if self.socket != Way::Works {
            return;
        }
        let id = message["context_id"].clone();
        self.busy_until = self.busy_until.max(self.now_ms + self.delay_ms);
        let char_ms = self.char_ms;
        if message["flush"] == true {
            let timed = self.aligned && self.timed > 0;
            self.timed = self.timed.saturating_sub(1);
            for part in voice(message["text"].as_str().unwrap(), char_ms).chunks(self.piece) {
                let samples: Vec<i16> = part.iter().flat_map(|(_, samples)| samples.clone()).collect();
                let mut frame =
                    json!({"audio": STANDARD.encode(to_bytes(&samples)), "contextId": id, "isFinal": null});
                if timed {
                    let starts: Vec<u64> = (0..part.len() as u64).map(|i| i * char_ms).collect();
                    let chars: Vec<String> = part.iter().map(|(c, _)| c.to_string()).collect();
                    let lengths = vec![char_ms; part.len()];
                    frame["alignment"] =
                        json!({"chars": chars, "charStartTimesMs": starts, "charDurationsMs": lengths});
                }
                self.later(self.busy_until, Happens::Net(conn, FromNet::Text(frame.to_string())));
                self.busy_until += char_ms * self.piece as u64 * 100 / self.pace;
            }
        }
        if message["close_context"] == true {
            let last = json!({"isFinal": true, "contextId": id});
            self.later(self.busy_until, Happens::Net(conn, FromNet::Text(last.to_string())));
        }
    }

    fn device_says(&mut self, job: JobId, text: &str) {
        let mut ms = self.now_ms + self.device_ms;
        // It is silent before its first word, and does not tell of white space.
        let silence = (' ', vec![0; 800]);
        let mut parts = [vec![silence], voice(text, CHAR_MS)].concat();
        let fails = self.device_fails.and_then(|word| Some(text.find(word)? + word.len()));
        // A letter of the text is a byte.
        parts.truncate(fails.map_or(parts.len(), |letters| 1 + letters));
        for part in parts.chunks(2) {
            let (mut samples, mut chars) = (Vec::new(), Vec::new());
            for (c, sound) in part {
                let place = |samples: &[i16]| (samples.len() * 1000 / RATE as usize) as u32;
                let at_ms = place(&samples);
                samples.extend_from_slice(sound);
                if self.device_tells && !c.is_whitespace() {
                    chars.push(CharTime { c: *c, at_ms, end_ms: place(&samples) });
                }
            }
            self.later(ms, Happens::Device(job, FromDevice::Audio { samples, rate_hz: RATE, chars }));
            ms += 10;
        }
        let last = if fails.is_some() { FromDevice::Failed } else { FromDevice::Finished };
        self.later(ms, Happens::Device(job, last));
    }

    /// Says how far it heard the text come, if it has an ear: in this voice a word ends half a space behind its last
    /// character.
    fn device_hears(&mut self, job: JobId, broken: &Broken) {
        let Some(ear_ms) = self.ear_ms else {
            return self.later(self.now_ms, Happens::Device(job, FromDevice::Places(None)));
        };
        let came_ms = broken.samples.len() as u64 * 1000 / u64::from(broken.rate_hz);
        let reached =
            |chars: usize, at_ms: u64| Reached { chars: chars as u32, mille: 0, at_ms: at_ms as u32 };
        let silent = broken.samples.iter().take_while(|x| **x == 0).count() as u64;
        let (mut came, mut chars) = (Came { is_sure: true, ..Came::default() }, 0);
        let mut ms = silent * 1000 / u64::from(broken.rate_hz);
        came.letters.push(reached(0, ms));
        for word in broken.text.split_whitespace() {
            let (first, from) = (chars, ms);
            chars += word.chars().count();
            ms = from + self.char_ms * word.chars().count() as u64;
            let ends =
                (first + 1..).zip((from + self.char_ms..=ms.min(came_ms)).step_by(self.char_ms as usize));
            came.letters.extend(ends.map(|(chars, ms)| reached(chars, ms)));
            if ms + self.char_ms / 2 > came_ms {
                let part_ms = came_ms.saturating_sub(from);
                let whole = (part_ms / self.char_ms).min((chars - first) as u64);
                let at = |n: u64| reached(first + n as usize, from + n * self.char_ms);
                came.part.extend((1..=whole).map(at));
                let mille = part_ms % self.char_ms * 1000 / self.char_ms;
                came.part.push(Reached { mille: mille as u32, ..reached(first + whole as usize, came_ms) });
                break;
            }
            came.words.push(reached(chars, ms + self.char_ms / 2));
            ms += self.char_ms;
            if ms >= came_ms {
                break;
            }
        }
        self.later(self.now_ms + ear_ms, Happens::Device(job, FromDevice::Places(Some(came))));
    }

    /// The socket is gone: what was on its way never comes.
    fn kill_socket(&mut self, way: Way) {
        self.socket = way;
        self.busy_until = self.now_ms;
        self.kill(Part::Voice, way);
    }

    /// The same for the answer over HTTP.
    fn kill_http(&mut self, way: Way) {
        self.http = way;
        self.kill(Part::VoiceHttp, way);
    }

    /// Nobody but the device speaks.
    fn lose_cloud(&mut self) {
        self.kill_http(Way::Refuses);
        self.kill_socket(Way::Refuses);
    }

    fn kill(&mut self, part: Part, way: Way) {
        let is_of_it = |what: &Happens| matches!(what, Happens::Net(conn, _) if conn.part == part);
        let conn = self.queue.values().find_map(|what| match what {
            Happens::Net(conn, _) if is_of_it(what) => Some(*conn),
            _ => None,
        });
        self.queue.retain(|_, what| !is_of_it(what));
        // Of a socket at rest nothing is on its way.
        let conn = conn.or((part == Part::Voice).then_some(ConnId { part, number: 1 }));
        if let Some(conn) = conn.filter(|_| way == Way::Refuses) {
            let broken = FromNet::Closed(Closed::Lost(Lost::Broken));
            self.later(self.now_ms, Happens::Net(conn, broken));
        }
    }

    fn run(&mut self, until_ms: u64) {
        while self.now_ms < until_ms {
            self.now_ms += 1;
            let now = at(self.now_ms);
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now_ms) {
                match entry.remove() {
                    Happens::Net(conn, message) => self.speaking.handle_net(now, conn, message),
                    Happens::Device(job, answer) => self.speaking.handle_device(now, job, answer),
                }
                self.poll();
            }
            if self.speaking.poll_timeout().is_some_and(|due| due <= now) {
                self.speaking.handle_timeout(now);
                self.poll();
            }
            // The play-out holds 100 ms and takes a frame each 20 ms.
            let mut part = vec![0; 800 - self.ring.len()];
            let count = self.speaking.read(&mut part);
            self.ring.extend(&part[..count]);
            if self.now_ms.is_multiple_of(20) {
                for _ in 0..160 {
                    let sample = self.ring.pop_front();
                    self.taken += u64::from(sample.is_some());
                    self.heard.push(sample.unwrap_or(0));
                }
                self.speaking.played(now, self.taken);
                self.poll();
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.speaking.begin(at(self.now_ms));
        self.add(text);
        self.speaking.complete(at(self.now_ms));
        self.poll();
    }

    /// The model thinks before the rest of its answer, until then.
    fn say_with_a_thought(&mut self, text: &str, until_ms: u64, rest: &str) {
        self.speaking.begin(at(self.now_ms));
        self.add(text);
        self.run(until_ms);
        self.add(rest);
        self.speaking.complete(at(self.now_ms));
    }

    /// Says it until the pace of the voice is known.
    fn learn_pace(&mut self, text: &str) {
        for _ in 0..16 {
            self.say(text);
            self.run(self.now_ms + 4_000);
        }
        self.heard.clear();
    }

    fn add(&mut self, text: &str) {
        for sentence in &Splitter::of_whole().all(text) {
            self.speaking.say(at(self.now_ms), sentence);
        }
        self.poll();
    }

    fn words(&self) -> Vec<u32> {
        words_in(&self.heard)
    }

    fn spoken(&self) -> Vec<&Spoken> {
        let heard = self.events.iter();
        heard
            .filter_map(|event| if let SpeakingEvent::Heard(spoken) = event { Some(spoken) } else { None })
            .collect()
    }

    fn chunks(&self) -> Vec<&Chunk> {
        let chunks = self.events.iter();
        chunks.filter_map(|e| if let SpeakingEvent::Chunk(chunk) = e { Some(chunk) } else { None }).collect()
    }

    fn moves(&self) -> Vec<(Source, Source)> {
        let moved = self.events.iter();
        moved
            .filter_map(|e| if let SpeakingEvent::Moved { from, to } = e { Some((*from, *to)) } else { None })
            .collect()
    }
}

/// Two sentences, twelve words, each with its number.
const TEXT: &str = "one01 two02 three03 four04 five05 six06. seven07 eight08 nine09 ten10 eleven11 twelve12.";

fn all_words() -> Vec<u32> {
    (1..=12).collect()
}
