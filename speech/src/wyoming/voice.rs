//! A voice over Wyoming: one phrase at a time on a connection that stays.

use super::event::{Event, Reader, encode};
use crate::failure::{Breaker, Fault, Passing};
use crate::lifeline::{Due, Lifeline};
use crate::text::is_speakable;
use crate::transport::{ConnId, FromNet, Part, Request, ToNet};
use crate::tts::{JobId, TtsEvent, TtsOutput, VoiceSocket};
use crate::wire::audio::{AudioDecoder, AudioFormat};
use crate::wire::url::Url;
use offhook_units::{Moment, Span};
use serde_json::json;
use std::collections::VecDeque;

/// Where a voice is.
#[derive(Clone, Debug, PartialEq)]
pub struct WyomingVoiceSettings {
    /// The server, `tcp://host:10200`.
    pub url: Url,
    /// Which of its voices; its own choice without one.
    pub voice: Option<String>,
    /// A language code, where no voice is named.
    pub language: Option<String>,
}

/// Something must come within this after a phrase was asked for, and after each piece of it. A voice on a small
/// machine makes a sentence before it says it.
const SILENT: Span = Span::from_millis(5_000);
/// Jobs that wait; above it they are lost at once.
const WAITING_MAX: usize = 16;
/// Channels beyond this are nonsense.
const CHANNELS_MAX: u32 = 8;

#[derive(Debug)]
struct Job {
    id: JobId,
    texts: VecDeque<String>,
    ended: bool,
}

/// What comes for the phrase that was asked for.
#[derive(Debug)]
struct Phrase {
    text: String,
    decoder: AudioDecoder,
    /// The first of so many channels is taken.
    channels: u32,
    last: Moment,
    any: bool,
}

/// The machine.
#[derive(Debug)]
pub struct WyomingVoice {
    settings: WyomingVoiceSettings,
    line: Lifeline,
    reader: Reader,
    jobs: VecDeque<Job>,
    /// The first job's phrase that is being said.
    phrase: Option<Phrase>,
    rate_hz: u32,
    out: VecDeque<TtsOutput>,
}

impl WyomingVoice {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: WyomingVoiceSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            line: Lifeline::new(Part::Voice, breaker, seed),
            reader: Reader::default(),
            jobs: VecDeque::new(),
            phrase: None,
            // What most voices of piper have; the server says it before the first sample.
            rate_hz: 22_050,
            out: VecDeque::new(),
        }
    }

    fn connect(&mut self, now: Moment) {
        let Some(conn) = self.line.connect(now) else { return };
        self.reader = Reader::default();
        self.out.push_back(TtsOutput::Net(ToNet::Open(conn, Request::raw(self.settings.url.clone()))));
    }

    /// Asks for the next phrase, if none is being said.
    fn pump(&mut self, now: Moment) {
        while self.phrase.is_none() {
            let Some(job) = self.jobs.front_mut() else { return };
            if job.texts.is_empty() {
                if !job.ended {
                    return;
                }
                let id = job.id;
                self.jobs.pop_front();
                self.event(TtsEvent::Finished(id));
                continue;
            }
            let Some(conn) = self.line.open() else { return };
            let Some(text) = job.texts.pop_front() else { return };
            let WyomingVoiceSettings { voice, language, .. } = &self.settings;
            let data = match (voice, language) {
                (Some(name), _) => json!({"text": text, "voice": {"name": name}}),
                (None, Some(language)) => json!({"text": text, "voice": {"language": language}}),
                (None, None) => json!({"text": text}),
            };
            let bytes = encode("synthesize", &data, &[]);
            self.out.push_back(TtsOutput::Net(ToNet::Binary(conn, bytes)));
            let decoder = AudioDecoder::new(AudioFormat::Pcm16 { rate_hz: self.rate_hz });
            self.phrase = Some(Phrase { text, decoder, channels: 1, last: now, any: false });
        }
    }

    fn take(&mut self, now: Moment, event: &Event) {
        let Some(phrase) = &mut self.phrase else { return };
        phrase.last = now;
        match event.kind.as_str() {
            "audio-start" | "audio-chunk" => {
                let rate_hz = event.number("rate").unwrap_or(self.rate_hz);
                let channels = event.number("channels").unwrap_or(1);
                let fits = event.number("width").unwrap_or(2) == 2
                    && (1..=CHANNELS_MAX).contains(&channels)
                    && (4_000..=192_000).contains(&rate_hz);
                if !fits {
                    return self.failed(now, Fault::Fatal(crate::failure::Fatal::Refused));
                }
                if rate_hz != self.rate_hz {
                    self.rate_hz = rate_hz;
                    phrase.decoder = AudioDecoder::new(AudioFormat::Pcm16 { rate_hz });
                }
                phrase.channels = channels;
                self.audio(&event.payload);
            }
            "audio-stop" => {
                let any = self.phrase.take().is_some_and(|phrase| phrase.any);
                if !any {
                    // It has nothing to say to this; another voice may.
                    self.lose_first(Fault::Passing(Passing::Inside));
                }
                self.pump(now);
            }
            "error" => {
                let text = format!("{} {}", event.text("code"), event.text("text"));
                self.failed(now, Fault::of_name(&text).unwrap_or(Fault::Passing(Passing::Inside)));
            }
            _ => {}
        }
    }

    fn audio(&mut self, payload: &[u8]) {
        let (Some(phrase), Some(job)) = (&mut self.phrase, self.jobs.front()) else { return };
        let mut samples = Vec::new();
        phrase.decoder.put(payload, &mut samples);
        if phrase.channels > 1 {
            samples = samples.into_iter().step_by(phrase.channels as usize).collect();
        }
        if samples.is_empty() {
            return;
        }
        phrase.any = true;
        let job = job.id;
        self.line.worked();
        self.event(TtsEvent::Audio { job, samples, chars: Vec::new() });
    }

    fn lose_first(&mut self, fault: Fault) {
        if let Some(job) = self.jobs.pop_front() {
            self.event(TtsEvent::Lost(job.id, fault));
        }
    }

    fn close(&mut self, conn: Option<ConnId>) {
        self.out.extend(conn.map(|conn| TtsOutput::Net(ToNet::Close(conn))));
    }

    /// The connection is of no use any more.
    fn failed(&mut self, now: Moment, fault: Fault) {
        let held = self.line.failed(now, fault);
        self.close(held);
        self.phrase = None;
        while !self.jobs.is_empty() {
            self.lose_first(fault);
        }
        self.event(TtsEvent::Fault(fault));
    }

    fn event(&mut self, event: TtsEvent) {
        self.out.push_back(TtsOutput::Event(event));
    }
}

impl VoiceSocket for WyomingVoice {
    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn is_ready(&self) -> bool {
        self.line.open().is_some()
    }

    fn is_starting(&self) -> bool {
        // After a barge-in, too: a machine of the local network answers within a few milliseconds.
        self.line.is_starting()
    }

    fn takes_turns(&self) -> bool {
        false
    }

    fn open(&mut self, now: Moment) {
        if self.line.is_shut() {
            self.connect(now);
        }
    }

    fn say(&mut self, now: Moment, job: JobId, text: &str) {
        let text = text.trim();
        if !is_speakable(text) {
            // A job that has nothing to say ends like any other.
            if !self.jobs.iter().any(|known| known.id == job) && self.jobs.len() < WAITING_MAX {
                self.jobs.push_back(Job { id: job, texts: VecDeque::new(), ended: false });
            }
            return;
        }
        if self.line.held().is_none() || self.jobs.len() >= WAITING_MAX {
            return self.event(TtsEvent::Lost(job, Fault::Passing(Passing::Lost)));
        }
        match self.jobs.iter_mut().find(|known| known.id == job) {
            Some(known) => known.texts.push_back(text.to_owned()),
            None => {
                let texts = VecDeque::from([text.to_owned()]);
                self.jobs.push_back(Job { id: job, texts, ended: false });
            }
        }
        self.pump(now);
    }

    fn end(&mut self, now: Moment, job: JobId) {
        if let Some(job) = self.jobs.iter_mut().find(|known| known.id == job) {
            job.ended = true;
        }
        self.pump(now);
    }

    fn cancel(&mut self, now: Moment, job: JobId) {
        let Some(at) = self.jobs.iter().position(|known| known.id == job) else { return };
        self.jobs.remove(at);
        if at == 0 && self.phrase.take().is_some() {
            // Nothing else stops it.
            self.close(self.line.held());
            self.connect(now);
        }
        self.pump(now);
    }

    fn shut(&mut self, _now: Moment) {
        let held = self.line.shut();
        self.close(held);
        self.phrase = None;
        self.jobs.clear();
    }

    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if self.line.held() != Some(conn) {
            return;
        }
        match message {
            FromNet::Opened => {
                self.line.opened(now);
                self.pump(now);
            }
            FromNet::Text(_) => {}
            FromNet::Binary(bytes) => {
                self.reader.put(&bytes);
                loop {
                    match self.reader.next() {
                        Ok(Some(event)) => self.take(now, &event),
                        Ok(None) => return,
                        Err(_) => return self.failed(now, Fault::Passing(Passing::Inside)),
                    }
                    // What still lies in the reader of a connection that was given up is for nobody.
                    if self.line.open() != Some(conn) {
                        return;
                    }
                }
            }
            // A server that closes behind each request has done its work; it may not have seen the next one.
            FromNet::Closed(_)
                if self.line.has_worked() && self.phrase.as_ref().is_none_or(|phrase| !phrase.any) =>
            {
                if let (Some(phrase), Some(job)) = (self.phrase.take(), self.jobs.front_mut()) {
                    job.texts.push_front(phrase.text);
                }
                self.connect(now);
            }
            FromNet::Closed(closed) => self.failed(now, Fault::of_close(&closed)),
        }
    }

    fn handle_timeout(&mut self, now: Moment) {
        match self.line.due(now) {
            Some(Due::Connect) => self.connect(now),
            _ if self.poll_timeout().is_some_and(|due| now >= due) => {
                self.failed(now, Fault::Passing(Passing::Silent));
            }
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Moment> {
        if !self.is_ready() {
            return self.line.poll_timeout();
        }
        self.phrase.as_ref().map(|phrase| phrase.last + SILENT)
    }

    fn poll_output(&mut self) -> Option<TtsOutput> {
        self.out.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Closed, Lost};

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    struct Bed {
        voice: WyomingVoice,
        conn: ConnId,
        opened: u32,
        closed: u32,
        asked: Vec<String>,
        events: Vec<TtsEvent>,
    }

    impl Bed {
        fn open() -> Self {
            let url = Url::parse("tcp://127.0.0.1").unwrap();
            let settings = WyomingVoiceSettings { url, voice: Some("amy".to_owned()), language: None };
            let mut bed = Self {
                voice: WyomingVoice::new(settings, Breaker::new(), 1),
                conn: ConnId::none(Part::Voice),
                opened: 0,
                closed: 0,
                asked: Vec::new(),
                events: Vec::new(),
            };
            bed.voice.open(at(0));
            bed.poll();
            bed.net(0, FromNet::Opened);
            bed
        }

        fn poll(&mut self) {
            while let Some(output) = self.voice.poll_output() {
                match output {
                    TtsOutput::Net(ToNet::Open(conn, _)) => {
                        self.conn = conn;
                        self.opened += 1;
                    }
                    TtsOutput::Net(ToNet::Binary(_, bytes)) => {
                        let mut reader = Reader::default();
                        reader.put(&bytes);
                        let event = reader.next().unwrap().unwrap();
                        assert_eq!(event.data["voice"], json!({"name": "amy"}));
                        self.asked.push(event.text("text").to_owned());
                    }
                    TtsOutput::Net(ToNet::Close(_)) => self.closed += 1,
                    TtsOutput::Net(ToNet::Text(..) | ToNet::Probe(_)) => panic!("text"),
                    TtsOutput::Event(event) => self.events.push(event),
                }
            }
        }

        fn net(&mut self, ms: u64, message: FromNet) {
            self.voice.handle_net(at(ms), self.conn, message);
            self.poll();
        }

        fn say(&mut self, ms: u64, job: u32, text: &str) {
            self.voice.say(at(ms), JobId(job), text);
            self.voice.end(at(ms), JobId(job));
            self.poll();
        }

        fn answer(&mut self, ms: u64, rate: u32, channels: u32, payload: &[u8]) {
            let format = json!({"rate": rate, "width": 2, "channels": channels});
            for (kind, payload) in [("audio-start", &[][..]), ("audio-chunk", payload), ("audio-stop", &[])] {
                self.net(ms, FromNet::Binary(encode(kind, &format, payload)));
            }
        }
    }

    fn audio(job: u32, samples: &[i16]) -> TtsEvent {
        TtsEvent::Audio { job: JobId(job), samples: samples.to_vec(), chars: Vec::new() }
    }

    #[test]
    fn phrases_are_said_one_at_a_time_at_whatever_rate_the_voice_has() {
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        bed.say(1, 2, "Two.");
        assert_eq!(bed.asked, ["One."]);
        bed.answer(50, 16_000, 1, &[1, 0, 2, 0]);
        assert_eq!((bed.voice.rate_hz(), bed.asked.len()), (16_000, 2));
        bed.answer(90, 16_000, 2, &[3, 0, 9, 0, 4, 0, 9, 0]);
        let events = [
            audio(1, &[1, 2]),
            TtsEvent::Finished(JobId(1)),
            audio(2, &[3, 4]),
            TtsEvent::Finished(JobId(2)),
        ];
        assert_eq!(bed.events, events);
        assert_eq!((bed.opened, bed.closed), (1, 0));
    }

    #[test]
    fn pitfall_08_a_byte_without_its_other_half_is_carried_over_within_its_phrase() {
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        let format = json!({"rate": 22050, "width": 2, "channels": 1});
        for payload in [&[1, 0, 2][..], &[0, 3, 0]] {
            bed.net(5, FromNet::Binary(encode("audio-chunk", &format, payload)));
        }
        assert_eq!(bed.events, [audio(1, &[1]), audio(1, &[2, 3])]);
    }

    #[test]
    fn a_barge_in_closes_and_the_next_phrase_has_a_new_connection() {
        let mut bed = Bed::open();
        bed.say(1, 1, "A long one.");
        bed.voice.cancel(at(20), JobId(1));
        let old = bed.conn;
        bed.poll();
        assert_eq!((bed.opened, bed.closed), (2, 1));
        bed.voice.handle_net(at(21), old, FromNet::Binary(vec![b'{']));
        assert!(bed.voice.is_starting());
        bed.say(22, 2, "Yes?");
        bed.net(23, FromNet::Opened);
        assert_eq!(bed.asked, ["A long one.", "Yes?"]);
        bed.answer(30, 22_050, 1, &[1, 0]);
        assert_eq!(bed.events, [audio(2, &[1]), TtsEvent::Finished(JobId(2))]);
    }

    #[test]
    fn a_server_that_closes_behind_each_request_is_served_again() {
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        bed.answer(20, 22_050, 1, &[1, 0]);
        bed.net(21, FromNet::Closed(Closed::Lost(Lost::Broken)));
        assert_eq!(bed.opened, 2);
        bed.net(22, FromNet::Closed(Closed::Lost(Lost::Broken)));
        assert_eq!(bed.events.last(), Some(&TtsEvent::Fault(Fault::Passing(Passing::Lost))));
        assert_eq!(bed.opened, 2, "one that does nothing but that is not flooded");
        // The next phrase was written before the close was seen.
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        bed.say(2, 2, "Two.");
        bed.answer(20, 22_050, 1, &[1, 0]);
        bed.net(21, FromNet::Closed(Closed::Lost(Lost::Broken)));
        bed.net(22, FromNet::Opened);
        assert_eq!(bed.asked, ["One.", "Two.", "Two."]);
        bed.answer(40, 22_050, 1, &[2, 0]);
        assert_eq!(bed.events.last(), Some(&TtsEvent::Finished(JobId(2))));
    }

    #[test]
    fn silence_errors_and_nonsense_lose_the_job() {
        let nonsense = FromNet::Binary(b"nonsense\n".to_vec());
        let error = FromNet::Binary(encode("error", &json!({"text": "no model"}), &[]));
        let wide = FromNet::Binary(encode("audio-start", &json!({"rate": 22050, "width": 4}), &[]));
        for bad in [nonsense, error, wide] {
            let mut bed = Bed::open();
            bed.say(1, 1, "One.");
            bed.net(10, bad);
            assert!(
                matches!(bed.events[..], [TtsEvent::Lost(JobId(1), _), TtsEvent::Fault(_)]),
                "{:?}",
                bed.events
            );
            assert_eq!(bed.closed, 1);
        }
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        assert_eq!(bed.voice.poll_timeout(), Some(at(5_001)));
        bed.voice.handle_timeout(at(5_001));
        bed.poll();
        assert_eq!(bed.events[0], TtsEvent::Lost(JobId(1), Fault::Passing(Passing::Silent)));
    }

    #[test]
    fn a_phrase_without_sound_is_lost_and_one_without_words_is_over() {
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        bed.net(5, FromNet::Binary(encode("audio-stop", &json!({}), &[])));
        bed.say(6, 2, "...");
        assert_eq!(
            bed.events,
            [TtsEvent::Lost(JobId(1), Fault::Passing(Passing::Inside)), TtsEvent::Finished(JobId(2))]
        );
    }
}
