//! The voice in a world of its own: a service, a play-out and a network in virtual time, millisecond by millisecond.
//! Each word is a tone of its own pitch, so that what the caller heard can be read from the samples.

mod by_ear;
mod splices;

use super::*;
use crate::failure::Breaker;
use crate::text::{Splitter, SplitterSettings};
use crate::transport::{Closed, Lost, Request, RequestKind};
use crate::tts::{ElevenMulti, ElevenSettings, VoiceTuning};
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
            tuning: VoiceTuning::default(),
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
                SpeakingOutput::Net(ToNet::Binary(..)) => panic!("nothing binary goes to this service"),
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
        let mut ms = self.now_ms + 60;
        // It is silent before its first word, and does not tell of white space.
        let silence = (' ', vec![0; 800]);
        let parts = [vec![silence], voice(text, CHAR_MS)].concat();
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
        self.later(ms, Happens::Device(job, FromDevice::Finished));
    }

    /// Says which words it heard, if it has an ear: in this voice each ends half a space behind its last character.
    fn device_hears(&mut self, job: JobId, broken: &Broken) {
        let Some(ear_ms) = self.ear_ms else {
            return self.later(self.now_ms, Happens::Device(job, FromDevice::Places(None)));
        };
        let came_ms = broken.samples.len() as u64 * 1000 / u64::from(broken.rate_hz);
        let (mut chars, mut spaces, mut words) = (0, 0, Vec::new());
        for word in broken.text.split_whitespace() {
            chars += word.chars().count() as u64;
            let at_ms = (chars + spaces) * self.char_ms + self.char_ms / 2;
            spaces += 1;
            if at_ms <= came_ms {
                words.push(WordEnd { chars: chars as u32, at_ms: at_ms as u32 });
            }
        }
        self.later(self.now_ms + ear_ms, Happens::Device(job, FromDevice::Places(Some(words))));
    }

    /// The socket is gone: what was on its way never comes.
    fn kill_socket(&mut self, way: Way) {
        self.socket = way;
        self.kill(Part::Voice, way);
    }

    /// The same for the answer over HTTP.
    fn kill_http(&mut self, way: Way) {
        self.http = way;
        self.kill(Part::VoiceHttp, way);
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

    fn add(&mut self, text: &str) {
        let settings = SplitterSettings { first_clause_chars: 0, ..SplitterSettings::default() };
        let mut splitter = Splitter::new(settings);
        let mut sentences = splitter.push(text);
        sentences.extend(splitter.finish());
        for sentence in &sentences {
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

#[test]
fn v1_a_turn_is_heard_word_by_word_and_remembered_when_it_was_heard() {
    let mut world = World::new(true);
    world.say(TEXT);
    world.run(4_000);
    assert!(world.spoken().is_empty(), "it is still being played");
    world.run(9_000);
    assert_eq!(world.words(), all_words());
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
    assert_eq!(world.opened, 1);
}

#[test]
fn c3_the_pause_between_sentences_is_the_planned_one_whatever_the_service_leaves() {
    let mut world = World::new(true);
    world.say(TEXT);
    world.run(9_000);
    let silence = longest_silence_ms(&world.heard);
    assert!((395..=610).contains(&silence), "{silence} ms between two sentences");
    let marks: Vec<MarkKind> = world
        .events
        .iter()
        .filter_map(|event| if let SpeakingEvent::Mark(mark) = event { Some(mark.kind) } else { None })
        .collect();
    let expected = [
        MarkKind::SentenceBegins(0),
        MarkKind::SentenceEnds(0),
        MarkKind::Pause(Some(PauseKind::FullStop)),
        MarkKind::SentenceBegins(1),
        MarkKind::SentenceEnds(1),
    ];
    assert_eq!(marks, expected);
}

#[test]
fn c5_a_long_word_of_which_only_a_part_has_come_makes_no_gap_while_the_service_sends() {
    for (piece, pace) in [(2, 300), (3, 150), (1, 120), (3, 109), (1, 104)] {
        let mut world = World::new(true);
        (world.piece, world.pace) = (piece, pace);
        world.say("1 unfortunately02 three03 incomprehensibly04 five05.");
        world.run(7_000);
        assert_eq!(world.words(), [1, 2, 3, 4, 5], "{piece} a message, {pace} %");
        // Between words the voice itself is silent for a character.
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= CHAR_MS + 5, "{piece} a message, {pace} %: {silence} ms");
    }
}

#[test]
fn v2_no_part_of_a_word_is_said_twice_when_a_service_is_left_for_its_slowness() {
    let mut world = World::new(true);
    // Its second message ends within the second word, and its third would come a moment too late.
    (world.piece, world.pace) = (3, 70);
    world.say("a01 bcd02 efg03 hij04.");
    world.run(400);
    world.pace = 300;
    world.run(8_000);
    assert_eq!(world.moves(), [(Source::Socket, Source::Http)]);
    assert_eq!(world.words(), [1, 2, 3, 4]);
}

#[test]
fn v2_the_socket_dies_anywhere_and_every_word_is_heard_once_over_http() {
    for died_at in (160..2_400).step_by(70) {
        let mut world = World::new(true);
        world.say(TEXT);
        world.run(died_at);
        world.kill_socket(Way::Refuses);
        world.run(12_000);
        assert_eq!(world.words(), all_words(), "died at {died_at}");
        assert!(
            longest_silence_ms(&world.heard) <= 700,
            "died at {died_at}: {}",
            longest_silence_ms(&world.heard)
        );
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }], "died at {died_at}");
    }
}

#[test]
fn v2_the_whole_cloud_dies_anywhere_and_the_device_goes_on_from_the_unspoken_word() {
    for died_at in (160..2_400).step_by(70) {
        let mut world = World::new(true);
        world.say(TEXT);
        world.run(died_at);
        world.http = Way::Refuses;
        world.kill_socket(Way::Refuses);
        world.run(12_000);
        assert_eq!(world.words(), all_words(), "died at {died_at}");
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "died at {died_at}: {silence} ms of dead air");
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }], "died at {died_at}");
    }
}

#[test]
fn v2_the_socket_dies_and_then_its_replacement_dies_anywhere_and_every_word_is_heard_once() {
    for pace in [200, 130] {
        for (died_at, way) in (820..2_600).step_by(70).zip([Way::Refuses, Way::Silent].into_iter().cycle()) {
            let mut world = World::new(true);
            world.pace = pace;
            world.say(TEXT);
            world.run(700);
            world.kill_socket(Way::Refuses);
            world.run(died_at);
            world.kill_http(way);
            world.run(14_000);
            let case = format!("{pace} %, {way:?} at {died_at}, {:?}", world.moves());
            splices::judge(&world, TEXT, &case);
            let silence = longest_silence_ms(&world.heard);
            assert!(silence <= 700, "{case}: {silence} ms of dead air");
            let all = [(Source::Socket, Source::Http), (Source::Http, Source::Device)];
            assert!(world.moves().starts_with(&all), "{case}");
        }
    }
}

#[test]
fn v2_an_answer_over_http_that_tells_no_places_loses_no_word_when_it_dies_and_says_few_again() {
    for died_at in (3_900..6_000).step_by(150) {
        let mut world = World::new(true);
        world.aligned = false;
        world.pace = 110;
        world.kill_socket(Way::Refuses);
        // What is heard whole first tells how fast this voice speaks.
        world.say(TEXT);
        world.run(died_at);
        world.kill_http(Way::Refuses);
        world.run(16_000);
        let words = world.words();
        let again = words.len() - all_words().len();
        let mut each = words.clone();
        each.dedup();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each, all_words(), "died at {died_at}: {words:?}");
        assert!(again <= 2, "died at {died_at}: {words:?}");
    }
}

#[test]
fn v2_an_answer_over_http_that_never_ends_is_ended_where_nothing_is_below_it_too() {
    let mut world = World::new(false);
    world.kill_socket(Way::Refuses);
    world.say("one01 two02 three03.");
    world.run(400);
    world.kill_http(Way::Silent);
    world.run(20_000);
    assert!(!world.speaking.is_speaking());
    let [Spoken { text, whole: false }] = world.spoken()[..] else { panic!("{:?}", world.events) };
    let heard: Vec<&str> = "one01 two02 three03.".split(' ').take(world.words().len()).collect();
    assert_eq!(*text, heard.join(" "));
}

#[test]
fn v2_a_service_that_goes_silent_with_its_socket_open_is_noticed_in_the_middle_of_a_sentence() {
    for (http, died_at) in [(Way::Works, 700), (Way::Works, 1_100), (Way::Silent, 700), (Way::Silent, 1_100)]
    {
        let mut world = World::new(true);
        world.pace = 130;
        world.say(TEXT);
        world.run(died_at);
        world.http = http;
        world.kill_socket(Way::Silent);
        world.run(14_000);
        assert_eq!(world.words(), all_words(), "{http:?} at {died_at}");
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "{http:?} at {died_at}: {silence} ms of dead air");
    }
}

#[test]
fn pitfall_10_the_voice_returns_to_the_socket_at_the_start_of_a_sentence() {
    let mut world = World::new(true);
    world.say("one01 two02 three03 four04. five05 six06 seven07. eight08 nine09. ten10 eleven11. twelve12.");
    world.run(400);
    world.http = Way::Refuses;
    world.kill_socket(Way::Refuses);
    world.run(500);
    world.socket = Way::Works;
    world.run(15_000);
    assert_eq!(world.words(), all_words());
    let moves = world.moves();
    assert_eq!(moves.first(), Some(&(Source::Socket, Source::Http)));
    assert_eq!(moves.last(), Some(&(Source::Device, Source::Socket)), "{moves:?}");
}

#[test]
fn pitfall_12_a_sentence_of_which_nothing_came_is_said_whole_and_once() {
    let mut world = World::new(true);
    world.say("one01 two02 three03.");
    world.run(120);
    world.kill_socket(Way::Refuses);
    world.run(6_000);
    assert_eq!(world.words(), [1, 2, 3]);
    assert_eq!(world.http_texts, ["one01 two02 three03."]);
}

#[test]
fn v6_without_a_cloud_the_device_speaks() {
    let mut world = World::new(true);
    world.speaking.cloud = None;
    world.say(TEXT);
    world.run(12_000);
    assert_eq!(world.words(), all_words());
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
}

#[test]
fn with_no_voice_at_all_the_turn_ends_and_says_what_was_not_spoken() {
    let mut world = World::new(false);
    world.speaking.cloud = None;
    world.say("one01 two02.");
    world.run(500);
    assert_eq!(world.events.first(), Some(&SpeakingEvent::Unspoken("one01 two02.".to_owned())));
    assert_eq!(world.spoken(), [&Spoken { text: String::new(), whole: false }]);
    assert!(!world.speaking.is_speaking());
}

#[test]
fn v5_a_turn_that_is_stopped_claims_the_words_that_were_heard_and_no_other() {
    for stopped_at in (300..6_000).step_by(130) {
        let mut world = World::new(true);
        world.say(TEXT);
        world.run(stopped_at);
        let heard = words_in(&world.heard);
        // What the play-out holds is thrown away.
        world.ring.clear();
        let Some(spoken) = world.speaking.stop(at(world.now_ms), world.taken) else { continue };
        world.poll();
        world.run(world.now_ms + 2_000);
        assert_eq!(words_in(&world.heard).len(), heard.len(), "nothing is played after the stop");
        let claimed = spoken.text.split_whitespace().count();
        // A word that was cut off in its middle may be heard and is not claimed.
        assert!(
            claimed == heard.len() || claimed + 1 == heard.len(),
            "at {stopped_at}: {claimed} of {heard:?}"
        );
        assert!(!spoken.whole);
    }
}

#[test]
fn pitfall_07_the_turn_after_a_stop_has_nothing_of_the_one_before() {
    let mut world = World::new(true);
    world.say(TEXT);
    world.run(900);
    world.ring.clear();
    world.speaking.stop(at(900), world.taken);
    world.heard.clear();
    world.say("nine09 eleven11.");
    world.run(5_000);
    assert_eq!(world.words(), [9, 11]);
}

#[test]
fn pitfall_06_a_stop_after_all_audio_came_still_stops_the_play_out() {
    let mut world = World::new(true);
    world.pace = 10_000;
    world.say(TEXT);
    world.run(1_000);
    let mut part = [0; 1_000];
    assert_eq!(world.speaking.read(&mut part), 1_000, "seconds of it wait");
    world.speaking.stop(at(1_000), world.taken);
    assert_eq!(world.speaking.read(&mut part), 0);
}

#[test]
fn a_service_without_alignment_is_heard_whole_and_claims_nothing_early() {
    let mut world = World::new(true);
    world.aligned = false;
    world.say(TEXT);
    world.run(9_000);
    assert_eq!(world.words(), all_words());
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
}

#[test]
fn v5_letters_without_times_at_the_end_are_remembered_once_all_of_it_was_heard() {
    let mut world = World::new(true);
    (world.pace, world.timed) = (2_000, 1);
    world.say(TEXT);
    world.run(9_000);
    assert_eq!((world.words(), world.moves()), (all_words(), Vec::new()));
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
}

#[test]
fn v2_a_mark_that_stands_alone_is_not_said_by_another_voice() {
    let text = "one01 two02 three03 ?!";
    let mut world = World::new(true);
    world.say(text);
    // The last word is here, and what follows it is not.
    world.run(600);
    assert_eq!(world.speaking.turn.as_ref().and_then(|turn| turn.stream.as_ref()).unwrap().chars, 18);
    world.kill_socket(Way::Refuses);
    world.run(5_000);
    // This voice has a tone for the mark that came.
    assert_eq!((world.words(), world.http_texts.len()), (vec![1, 2, 3, 0], 0));
    assert_eq!(world.spoken(), [&Spoken { text: text.to_owned(), whole: true }]);
}

#[test]
fn v5_an_answer_of_minutes_from_a_quick_service_is_heard_whole_and_made_as_it_is_heard() {
    let answer = [TEXT; 30].join(" ");
    for has_cloud in [true, false] {
        let mut world = World::new(true);
        world.pace = 10_000;
        if !has_cloud {
            world.speaking.cloud = None;
        }
        world.say(&answer);
        let mut most = 0;
        while world.spoken().is_empty() && world.now_ms < 300_000 {
            world.run(world.now_ms + 1_000);
            most = most.max(world.speaking.mix.made() - world.taken);
        }
        assert_eq!(world.words(), all_words().repeat(30), "cloud: {has_cloud}");
        assert_eq!(world.spoken(), [&Spoken { text: answer.clone(), whole: true }]);
        assert!(most < 110 * u64::from(RATE), "{} s were made ahead", most / u64::from(RATE));
    }
}

#[test]
fn what_a_flood_brings_beyond_two_minutes_is_dropped_and_told() {
    let mut world = World::new(false);
    world.speaking.begin_foreign(at(100));
    world.speaking.foreign_words("one01");
    let told = |world: &World| {
        let length =
            |e: &SpeakingEvent| if let SpeakingEvent::Surplus(length) = e { Some(*length) } else { None };
        let all: Vec<Span> = world.events.iter().filter_map(length).collect();
        (all.len(), all.into_iter().fold(Span::ZERO, |all, one| all + one))
    };
    (0..1_300).for_each(|_| world.speaking.foreign_audio(at(100), &[1_000; 800], RATE));
    world.poll();
    assert_eq!(told(&world), (1, Span::from_millis(100)), "a flood of it is told in one piece");
    assert_eq!(world.speaking.mix.made(), 120 * u64::from(RATE));
    world.speaking.played(at(900), 0);
    world.poll();
    assert_eq!(told(&world).0, 1);
    world.speaking.played(at(1_100), 0);
    world.poll();
    assert_eq!(told(&world), (2, Span::from_millis(10_000)), "and all of it");
    world.speaking.foreign_audio(at(1_200), &[1_000; 800], RATE);
    world.speaking.shut(at(1_200));
    world.poll();
    assert_eq!(told(&world), (3, Span::from_millis(10_100)), "at the end of the call at the latest");
}

#[test]
fn with_one_voice_left_that_hangs_the_turn_ends_all_the_same() {
    let mut world = World::new(false);
    world.http = Way::Silent;
    world.kill_socket(Way::Silent);
    world.say("one01 two02.");
    world.run(30_000);
    assert_eq!(world.events.iter().filter(|e| matches!(e, SpeakingEvent::Unspoken(_))).count(), 1);
    assert_eq!(world.spoken(), [&Spoken { text: String::new(), whole: false }]);
}

#[test]
fn c1_a_model_that_thinks_in_mid_turn_does_not_make_the_service_slow() {
    let mut world = World::new(true);
    world.speaking.begin(at(world.now_ms));
    world.add("one01 two02 three03.");
    world.run(9_000);
    world.add("four04 five05.");
    world.speaking.complete(at(world.now_ms));
    world.run(14_000);
    let latency = world.chunks().last().unwrap().latency;
    let told = Span::from_millis(100)..Span::from_millis(400);
    assert!(told.contains(&latency), "{latency:?}: six seconds of thinking are not the voice's");
}

#[test]
fn c1_chunks_become_small_with_a_slow_service_and_large_with_a_quick_one_and_follow_each_other() {
    let sizes = |delay_ms| {
        let mut world = World::new(true);
        (world.delay_ms, world.pace) = (delay_ms, 1_000);
        world.say(&[TEXT; 3].join(" "));
        world.run(30_000);
        let chunks = world.chunks();
        let mut next = 0;
        for (n, chunk) in (0..).zip(&chunks) {
            assert_eq!((chunk.sequence, chunk.at), (n, next), "no sample is left out");
            next += chunk.duration.as_micros() as u64 * u64::from(RATE) / 1_000_000;
        }
        assert_eq!(next, world.speaking.given());
        assert!(chunks[0].flags.first && chunks.last().unwrap().flags.last);
        chunks.iter().skip(4).map(|chunk| chunk.duration.as_micros() / 1000).collect::<Vec<_>>()
    };
    let (quick, slow) = (sizes(100), sizes(1_000));
    assert_eq!(quick.iter().max(), Some(&1_000), "{quick:?}");
    assert!(
        slow.iter().all(|size| *size <= 250) && slow.iter().filter(|size| **size == 100).count() > 20,
        "{slow:?}"
    );
}

#[test]
fn c5_the_first_sound_leaves_in_the_frame_after_it_came() {
    for delay_ms in 150..170 {
        let mut world = World::new(true);
        world.delay_ms = delay_ms;
        world.say(TEXT);
        while !world.events.contains(&SpeakingEvent::FirstAudio) {
            world.run(world.now_ms + 1);
        }
        let came = world.now_ms;
        world.run(came + 40);
        // What is heard at 20 ms lies at the start of it.
        let first = world.heard.iter().position(|sample| sample.unsigned_abs() > 500).unwrap() as u64 / 8;
        let frame = came.next_multiple_of(20) - 20;
        assert!((frame..frame + 20).contains(&first), "came at {came}, heard in the frame at {first}");
    }
}

#[test]
fn c3_the_pauses_of_a_voice_that_was_measured_to_be_slow_are_longer() {
    let mut world = World::new(true);
    world.char_ms = 2 * CHAR_MS;
    for _ in 0..16 {
        world.say("one01 two02 three03.");
        world.run(world.now_ms + 4_000);
    }
    world.heard.clear();
    world.say("one01 two02 three03. four04 five05.");
    world.run(world.now_ms + 6_000);
    assert_eq!(world.words(), [1, 2, 3, 4, 5]);
    let silence = longest_silence_ms(&world.heard);
    assert!((640..1_100).contains(&silence), "{silence} ms, of 400 to 600 at the normal pace");
}

#[test]
fn c4_a_breath_by_tag_is_marked_and_heard_where_the_words_have_room_for_it() {
    let breath_ms = |level_db| {
        let mut world = World::new(true);
        world.speaking.plan.breath_level.level_db = level_db;
        world.say("one01 two02. [sigh] three03.");
        world.run(6_000);
        let place = MarkKind::Breath(BreathKind::Sigh);
        let marks =
            world.events.iter().filter(|e| matches!(e, SpeakingEvent::Mark(mark) if mark.kind == place));
        assert_eq!(marks.count(), 1);
        let rms = |part: &[i16]| part.iter().map(|x| f32::from(*x).powi(2)).sum::<f32>() / part.len() as f32;
        world.heard.chunks(80).filter(|part| (150.0..2_500.0).contains(&rms(part).sqrt())).count() * 10
    };
    let (without, with) = (breath_ms(-90.0), breath_ms(-30.0));
    assert!((100..=320).contains(&(with - without)), "{with} ms, of which {without} are fades");
}

#[test]
fn sentences_that_the_model_writes_late_go_into_the_same_stream() {
    let mut world = World::new(true);
    world.speaking.begin(at(world.now_ms));
    world.add("one01 two02 three03.");
    world.run(4_000);
    assert!(world.moves().is_empty(), "a model that thinks is no fault of the service");
    world.add("four04 five05.");
    world.run(6_000);
    world.speaking.complete(at(world.now_ms));
    world.run(8_000);
    assert_eq!(world.words(), [1, 2, 3, 4, 5]);
    assert_eq!(world.spoken().len(), 1);
}

#[test]
fn ten_minutes_of_silence_leave_the_socket_the_same_and_hang_up_leaves_nothing() {
    let mut world = World::new(true);
    for minute in 0..10 {
        world.say("one01 two02.");
        world.run((minute + 1) * 60_000);
    }
    assert_eq!((world.opened, world.spoken().len()), (1, 10));
    world.speaking.shut(at(world.now_ms));
    world.poll();
    assert_eq!(world.speaking.poll_timeout(), None);
    assert_eq!(world.speaking.mix.made(), world.speaking.given());
}
