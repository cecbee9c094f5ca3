//! A voice over HTTP: one request a job, the audio as it is made. What speaks on when the socket is gone.

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
    out: VecDeque<TtsOutput>,
}

#[derive(Debug)]
struct Running {
    conn: ConnId,
    job: JobId,
    decoder: AudioDecoder,
    any: bool,
}

impl HttpVoice {
    /// With nothing to say yet.
    pub fn new(service: Box<dyn SpeaksOverHttp>) -> Self {
        let out = VecDeque::new();
        Self { service, last: ConnId::none(Part::VoiceHttp), running: Vec::new(), out }
    }

    /// Samples a second of what comes out.
    pub fn rate_hz(&self) -> u32 {
        self.service.format().rate_hz()
    }

    /// Asks for `text`; `before` is what was said just before it.
    pub fn say(&mut self, job: JobId, text: &str, before: &str) {
        self.last = self.last.next();
        let decoder = AudioDecoder::new(self.service.format());
        self.running.push(Running { conn: self.last, job, decoder, any: false });
        let open = ToNet::Open(self.last, self.service.request(text, before));
        self.out.push_back(TtsOutput::Net(open));
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
        match message {
            FromNet::Opened | FromNet::Text(_) => {}
            FromNet::Binary(bytes) => {
                let mut samples = Vec::new();
                running.decoder.put(&bytes, &mut samples);
                running.any |= !samples.is_empty();
                let event = TtsEvent::Audio { job: running.job, samples, chars: Vec::new() };
                self.out.push_back(TtsOutput::Event(event));
            }
            FromNet::Closed(closed) => {
                let Running { job, any, .. } = self.running.remove(at);
                let event = match closed {
                    Closed::Done { .. } if any => TtsEvent::Finished(job),
                    Closed::Done { .. } => TtsEvent::Lost(job, Fault::Passing(Passing::Inside)),
                    failed => TtsEvent::Lost(job, Fault::of_close(&failed)),
                };
                self.out.push_back(TtsOutput::Event(event));
            }
        }
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<TtsOutput> {
        self.out.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::super::eleven::test_settings;
    use super::*;
    use crate::transport::{Lost, RequestKind};

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
        http.handle_net(*conn, FromNet::Opened);
        http.handle_net(*conn, FromNet::Binary(vec![0xFF, 0x80]));
        http.handle_net(*conn, FromNet::Closed(Closed::Done { code: 200, reason: String::new() }));
        let audio = TtsEvent::Audio { job: JobId(1), samples: vec![0, 32_124], chars: Vec::new() };
        assert_eq!(
            events(&mut http),
            [TtsOutput::Event(audio), TtsOutput::Event(TtsEvent::Finished(JobId(1)))]
        );
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
}
