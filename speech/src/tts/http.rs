//! A voice over HTTP: one request a job, the audio as it is made. What speaks on when the socket is gone.

use super::timed::{Failed, Piece, TimedReader};
use super::{JobId, TtsEvent, TtsOutput};
use crate::failure::{Fault, Passing};
use crate::transport::{Closed, ConnId, FromNet, Part, Request, ToNet};
use crate::wire::audio::{AudioDecoder, AudioFormat};
use std::collections::VecDeque;
use std::fmt::Debug;

/// What a service wants to be asked, and how it answers.
pub trait SpeaksOverHttp: Debug + Send {
    /// The request for one piece of text; `before` is what was said just before it, for its melody.
    fn request(&self, text: &str, before: &str) -> Request;

    /// The same where the answer tells which character lies where, if the service can do that.
    fn timed_request(&self, text: &str, before: &str) -> Option<Request> {
        let _ = (text, before);
        None
    }

    /// What comes back, without a header.
    fn format(&self) -> AudioFormat;
}

/// The machine. Calling order: [`HttpVoice::say`], [`HttpVoice::handle_net`] with all that comes for its
/// connections; [`HttpVoice::cancel`] at any time.
#[derive(Debug)]
pub struct HttpVoice {
    service: Box<dyn SpeaksOverHttp>,
    last: ConnId,
    running: Vec<Running>,
    /// The server does not know requests that tell where the characters are.
    plain: bool,
    out: VecDeque<TtsOutput>,
}

#[derive(Debug)]
struct Running {
    conn: ConnId,
    job: JobId,
    body: Body,
    any: bool,
}

/// What comes back.
#[derive(Debug)]
enum Body {
    /// Nothing but audio.
    Raw(AudioDecoder),
    /// Audio with its characters; and what was asked, for the case that nobody knows of such requests.
    Timed { reader: TimedReader, asked: (String, String) },
}

impl Body {
    fn put(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Failed> {
        match self {
            Self::Timed { reader, .. } => reader.put(bytes, pieces),
            Self::Raw(decoder) => {
                let mut samples = Vec::new();
                decoder.put(bytes, &mut samples);
                pieces.push(Piece { samples, chars: Vec::new() });
                Ok(())
            }
        }
    }

    fn finish(&mut self, pieces: &mut Vec<Piece>) -> Result<(), Failed> {
        match self {
            Self::Timed { reader, .. } => reader.finish(pieces),
            Self::Raw(_) => Ok(()),
        }
    }
}

impl HttpVoice {
    /// With nothing to say yet.
    pub fn new(service: Box<dyn SpeaksOverHttp>) -> Self {
        let out = VecDeque::new();
        Self { service, last: ConnId::none(Part::VoiceHttp), running: Vec::new(), plain: false, out }
    }

    /// Samples a second of what comes out.
    pub fn rate_hz(&self) -> u32 {
        self.service.format().rate_hz()
    }

    /// Whether it is asked to tell where its characters are, and has not refused.
    pub fn tells_places(&self) -> bool {
        !self.plain && self.service.timed_request("", "").is_some()
    }

    /// Asks for `text`; `before` is what was said just before it.
    pub fn say(&mut self, job: JobId, text: &str, before: &str) {
        self.last = self.last.next();
        let format = self.service.format();
        let timed = self.service.timed_request(text, before).filter(|_| !self.plain);
        let (request, body) = match timed {
            Some(request) => {
                let asked = (text.to_owned(), before.to_owned());
                (request, Body::Timed { reader: TimedReader::new(format), asked })
            }
            None => (self.service.request(text, before), Body::Raw(AudioDecoder::new(format))),
        };
        self.running.push(Running { conn: self.last, job, body, any: false });
        self.out.push_back(TtsOutput::Net(ToNet::Open(self.last, request)));
    }

    /// Stops a job.
    pub fn cancel(&mut self, job: JobId) {
        let out = &mut self.out;
        self.running.retain(|running| {
            if running.job == job {
                out.push_back(TtsOutput::Net(ToNet::Close(running.conn)));
            }
            running.job != job
        });
    }

    /// Takes what came for a connection.
    pub fn handle_net(&mut self, conn: ConnId, message: FromNet) {
        let Some(at) = self.running.iter().position(|running| running.conn == conn) else { return };
        let Some(running) = self.running.get_mut(at) else { return };
        let mut pieces = Vec::new();
        let (outcome, closed) = match message {
            FromNet::Opened | FromNet::Text(_) => return,
            FromNet::Binary(bytes) => (running.body.put(&bytes, &mut pieces), None),
            FromNet::Closed(closed) => (running.body.finish(&mut pieces), Some(closed)),
        };
        let job = running.job;
        for Piece { samples, chars } in pieces {
            running.any |= !samples.is_empty();
            self.out.push_back(TtsOutput::Event(TtsEvent::Audio { job, samples, chars }));
        }
        if outcome.is_err() || closed.is_some() {
            let running = self.running.remove(at);
            if closed.is_none() {
                self.out.push_back(TtsOutput::Net(ToNet::Close(conn)));
            }
            self.ends(running, closed.filter(|_| outcome.is_ok()));
        }
    }

    /// A request is over; not by its own end when `closed` is none.
    fn ends(&mut self, running: Running, closed: Option<Closed>) {
        let Running { job, body, any, .. } = running;
        let event = match closed {
            Some(Closed::Done { .. }) if any => TtsEvent::Finished(job),
            Some(Closed::Done { .. }) | None => TtsEvent::Lost(job, Fault::Passing(Passing::Inside)),
            Some(Closed::Refused { status: 404 | 405 | 501, .. })
                if let Body::Timed { asked: (text, before), .. } = &body =>
            {
                // Servers that speak as this service does, and are not it, often know its plain requests only.
                self.plain = true;
                return self.say(job, text, before);
            }
            Some(failed) => TtsEvent::Lost(job, Fault::of_close(&failed)),
        };
        self.out.push_back(TtsOutput::Event(event));
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<TtsOutput> {
        self.out.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::super::eleven::{ElevenSettings, test_settings};
    use super::*;
    use crate::transport::{Lost, RequestKind};
    use crate::tts::CharTime;

    /// A millisecond of silence, in which a letter begins.
    const LINE: &[u8] = br#"{"audio_base64":"//////////8=","alignment":{"characters":["I"],"character_start_times_seconds":[0],"character_end_times_seconds":[0.06]}}
"#;

    fn events(http: &mut HttpVoice) -> Vec<TtsOutput> {
        std::iter::from_fn(|| http.poll_output()).collect()
    }

    #[test]
    fn a_sentence_is_asked_for_with_what_was_said_before_it() {
        let mut http = HttpVoice::new(Box::new(test_settings()));
        http.say(JobId(1), "It is \"late\".", "Hello.");
        let out = events(&mut http);
        let [TtsOutput::Net(ToNet::Open(conn, request))] = &out[..] else { panic!("{out:?}") };
        let RequestKind::Post(body) = &request.kind else { panic!("{request:?}") };
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (body["text"].as_str(), body["previous_text"].as_str()),
            (Some("It is \"late\"."), Some("Hello."))
        );
        assert!(request.url.target().contains("/stream/with-timestamps?"), "{request:?}");
        http.handle_net(*conn, FromNet::Opened);
        http.handle_net(*conn, FromNet::Binary(LINE.to_vec()));
        http.handle_net(*conn, FromNet::Closed(Closed::Done { code: 200, reason: String::new() }));
        let chars = vec![CharTime { c: 'I', at_ms: 0, end_ms: 60 }];
        let audio = TtsEvent::Audio { job: JobId(1), samples: vec![0; 8], chars };
        assert_eq!(
            events(&mut http),
            [TtsOutput::Event(audio), TtsOutput::Event(TtsEvent::Finished(JobId(1)))]
        );
    }

    #[test]
    fn pitfall_08_a_byte_without_its_other_half_is_carried_over() {
        let format = AudioFormat::Pcm16 { rate_hz: 16_000 };
        let mut http = HttpVoice::new(Box::new(ElevenSettings { format, ..test_settings() }));
        let conn = ConnId { part: Part::VoiceHttp, number: 1 };
        http.plain = true;
        http.say(JobId(1), "One.", "");
        events(&mut http);
        for bytes in [&[1, 0, 2][..], &[0, 3], &[0]] {
            http.handle_net(conn, FromNet::Binary(bytes.to_vec()));
        }
        let audio = |sample| {
            TtsOutput::Event(TtsEvent::Audio { job: JobId(1), samples: vec![sample], chars: Vec::new() })
        };
        assert_eq!(events(&mut http), [1, 2, 3].map(audio));
    }

    #[test]
    fn failures_are_told_and_a_cancelled_job_is_silent() {
        let mut http = HttpVoice::new(Box::new(test_settings()));
        let first = ConnId { part: Part::VoiceHttp, number: 1 };
        http.say(JobId(1), "One.", "");
        http.say(JobId(2), "Two.", "");
        events(&mut http);
        http.cancel(JobId(1));
        http.handle_net(first, FromNet::Binary(vec![0]));
        assert_eq!(events(&mut http), [TtsOutput::Net(ToNet::Close(first))]);
        http.handle_net(first.next(), FromNet::Closed(Closed::Lost(Lost::Broken)));
        let lost = TtsEvent::Lost(JobId(2), Fault::Passing(Passing::Lost));
        assert_eq!(events(&mut http), [TtsOutput::Event(lost)]);
    }

    #[test]
    fn a_failure_within_an_answer_is_no_end_of_it() {
        let mut http = HttpVoice::new(Box::new(test_settings()));
        let conn = ConnId { part: Part::VoiceHttp, number: 1 };
        http.say(JobId(1), "One. Two.", "");
        http.handle_net(conn, FromNet::Binary(LINE.to_vec()));
        events(&mut http);
        http.handle_net(conn, FromNet::Binary(b"{\"error\":\"system_busy\"}\n".to_vec()));
        let lost = TtsEvent::Lost(JobId(1), Fault::Passing(Passing::Inside));
        assert_eq!(events(&mut http), [TtsOutput::Net(ToNet::Close(conn)), TtsOutput::Event(lost)]);
    }

    #[test]
    fn a_server_that_cannot_tell_where_characters_are_is_asked_plainly_from_then_on() {
        let mut http = HttpVoice::new(Box::new(test_settings()));
        let first = ConnId { part: Part::VoiceHttp, number: 1 };
        http.say(JobId(1), "One.", "Zero.");
        events(&mut http);
        let refused = Closed::Refused { status: 404, retry_after_s: None, body: String::new() };
        http.handle_net(first, FromNet::Closed(refused.clone()));
        http.say(JobId(2), "Two.", "");
        let plain = test_settings();
        let asked = [plain.request("One.", "Zero."), plain.request("Two.", "")];
        let conns = [first.next(), first.next().next()];
        let open = |(conn, request)| TtsOutput::Net(ToNet::Open(conn, request));
        assert_eq!(events(&mut http), conns.into_iter().zip(asked).map(open).collect::<Vec<_>>());
        http.handle_net(conns[0], FromNet::Binary(vec![0xFF, 0x80]));
        let audio = TtsEvent::Audio { job: JobId(1), samples: vec![0, 32_124], chars: Vec::new() };
        assert_eq!(events(&mut http), [TtsOutput::Event(audio)]);
        http.handle_net(conns[1], FromNet::Closed(refused));
        let [TtsOutput::Event(TtsEvent::Lost(JobId(2), _))] = &events(&mut http)[..] else {
            panic!("asked again")
        };
    }
}
