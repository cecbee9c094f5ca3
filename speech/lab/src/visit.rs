//! One HTTP connection: requests one after the other, until one of them becomes a WebSocket.

use crate::answer::{Answer, Source};
use crate::faults::{Faults, Stall, Way};
use crate::gate::{Gate, Incident, Passage};
use crate::http::{self, Request};
use crate::route::{Route, route};
use crate::seen::Page;
use crate::server::Shared;
use crate::websocket::{Socket, hold};
use crate::wire::{Stream, nothing_came};
use offhook_units::Moment;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;

/// How long a client may take for a request, and stay without one.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client.
pub(crate) struct Visitor {
    stream: Stream,
    shared: Arc<Shared>,
    /// What came and was not used yet.
    early: Vec<u8>,
}

/// Whether a wait ended by itself.
enum Waited {
    Enough,
    Gone,
}

impl Visitor {
    pub(crate) fn new(stream: Stream, shared: &Arc<Shared>) -> Self {
        Self { stream, shared: Arc::clone(shared), early: Vec::new() }
    }

    /// Serves until the client has gone.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        while let Some(request) = self.request()? {
            let now = self.shared.clock.now();
            let is_control = request.path == "/lab" || request.path.starts_with("/lab/");
            let Some(faults) = self.faults(&request)? else { return Ok(()) };
            let page = if is_control {
                // Looking at the book is not written into it.
                crate::seen::Book::default().open(now, "", "", false)
            } else {
                self.shared.book.open(now, &request.path, &request.query, self.stream.is_tls())
            };
            if faults.stall == Some(Stall::Http) {
                hold(&self.stream, self.shared.clock);
                page.close(self.shared.clock.now(), "stalled");
                return Ok(());
            }
            if let Some(status) = faults.refuse {
                self.refuse(status, &faults, &page)?;
                continue;
            }
            let answer = match route(now, &request, &self.shared, &faults, &page) {
                Route::Socket(session) => {
                    let key = request.websocket_key().unwrap_or_default();
                    self.upgrade(&request, key)?;
                    let Self { stream, shared, early } = self;
                    let socket =
                        Socket::new(stream, early, session, Gate::new(&faults), page.clone(), shared.clock);
                    let how = socket.serve();
                    page.close(shared.clock.now(), &how);
                    return Ok(());
                }
                Route::Answer(answer) => answer,
            };
            let goes_on = self.answer(answer, Gate::new(&faults), &page)?;
            if !goes_on
                || request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
            {
                break;
            }
        }
        self.stream.finish();
        Ok(())
    }

    /// The next request; `None` when the client has gone or asks for nothing.
    fn request(&mut self) -> io::Result<Option<Request>> {
        let until = self.shared.clock.now() + span(PATIENCE);
        loop {
            match Request::parse(&self.early) {
                Ok(Some((request, length))) => {
                    self.early.drain(..length);
                    return Ok(Some(request));
                }
                Ok(None) => {}
                Err(bad) => {
                    self.stream.write_all(&http::head(bad.status(), &[], Some(0)))?;
                    return Ok(None);
                }
            }
            if let Waited::Gone = self.wait(Some(until))? {
                return Ok(None);
            }
            if self.shared.clock.now() >= until {
                return Ok(None);
            }
        }
    }

    /// Reads what comes until `until`, or until something came.
    fn wait(&mut self, until: Option<Moment>) -> io::Result<Waited> {
        self.stream.wait_at_most(self.shared.clock.wait_for(until, PATIENCE))?;
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => Ok(Waited::Gone),
            Ok(count) => {
                self.early.extend_from_slice(bytes.get(..count).unwrap_or_default());
                Ok(Waited::Enough)
            }
            Err(error) if nothing_came(&error) => Ok(Waited::Enough),
            Err(_) => Ok(Waited::Gone),
        }
    }

    /// The switches of this request: its query's, or its header's, or those that are set for all. `None` when
    /// they are not understood, which was answered.
    fn faults(&mut self, request: &Request) -> io::Result<Option<Faults>> {
        let mut own = Faults::default();
        let mut wrong = None;
        for (name, value) in request.fields() {
            if let Some(name) = name.strip_prefix("lab.") {
                let set = if value.is_empty() { own.set_bare(name) } else { own.set(name, &value) };
                wrong = set.err().or(wrong);
            }
        }
        if let Some(header) = request.header("x-lab") {
            match header.parse() {
                Ok(faults) => own = faults,
                Err(error) => wrong = Some(error),
            }
        }
        let way = if request.websocket_key().is_some() { Way::Socket } else { Way::Http };
        wrong = wrong.or_else(|| own.fit(&request.path, way).err());
        if let Some(error) = wrong {
            let body = error.to_string();
            self.stream.write_all(&http::head(
                400,
                &[("content-type", "text/plain".to_owned())],
                Some(body.len()),
            ))?;
            self.stream.write_all(body.as_bytes())?;
            return Ok(None);
        }
        let is_control = request.path.starts_with("/lab");
        Ok(Some(if own.is_none() && !is_control {
            self.shared.faults_at(&request.path, Some(way))
        } else {
            own
        }))
    }

    fn refuse(&mut self, status: u16, faults: &Faults, page: &Page) -> io::Result<()> {
        let code = if status == 429 { "system_busy" } else { "lab_refused" };
        let body = format!(
            r#"{{"detail":{{"status":"{code}","message":"the lab was told to refuse"}},"error":{{"message":"the lab was told to refuse","type":"{code}","code":"{code}","param":null}}}}"#
        );
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(faults.retry_after_s.map(|seconds| ("retry-after", seconds.to_string())));
        self.stream.write_all(&http::head(status, &headers, Some(body.len())))?;
        self.stream.write_all(body.as_bytes())?;
        page.close(self.shared.clock.now(), &format!("refused {status}"));
        Ok(())
    }

    fn upgrade(&mut self, request: &Request, key: &str) -> io::Result<()> {
        let mut headers = vec![
            ("upgrade", "websocket".to_owned()),
            ("connection", "Upgrade".to_owned()),
            ("sec-websocket-accept", derive_accept_key(key.as_bytes())),
        ];
        // Of the protocols that a client offers, the first is taken: "token" of Deepgram's browser clients.
        let offered = request.header("sec-websocket-protocol").and_then(|offer| offer.split(',').next());
        headers.extend(offered.map(|name| ("sec-websocket-protocol", name.trim().to_owned())));
        self.stream.write_all(&http::head(101, &headers, None))
    }

    /// Says whether the connection can be used again.
    fn answer(&mut self, answer: Answer, gate: Gate, page: &Page) -> io::Result<bool> {
        let (goes_on, how) = match answer {
            Answer::Whole { status, headers, body } => {
                let sent = self.stream.write_all(&http::head(status, &headers, Some(body.len())));
                (sent.and_then(|()| self.stream.write_all(&body)).is_ok(), format!("answered {status}"))
            }
            Answer::Stream(kind, source) => {
                self.stream.write_all(&http::head(200, &[("content-type", kind.to_owned())], None))?;
                let how = self.body(source, gate, page);
                (how.is_ok(), how.map_or_else(str::to_owned, |()| "answered 200".to_owned()))
            }
        };
        page.close(self.shared.clock.now(), &how);
        Ok(goes_on)
    }

    /// Streams a body; an error says how it ended instead.
    fn body(&mut self, mut source: Box<dyn Source>, mut gate: Gate, page: &Page) -> Result<(), &'static str> {
        if let Some(incident) = gate.opened() {
            return self.happen(&incident, source.as_ref());
        }
        let split = gate.faults().split;
        while let Some(due) = source.due() {
            let now = self.shared.clock.now();
            if now < due {
                // What comes meanwhile is the next request, or the end: that is how a client cancels.
                if let Ok(Waited::Gone) | Err(_) = self.wait(Some(due)) {
                    page.unheard(1);
                    return Err("client cancelled");
                }
                continue;
            }
            let Some(piece) = source.next(now) else { continue };
            match gate.pass_units(now, piece.units > 0, piece.units) {
                Passage::Go => {}
                Passage::Lost => continue,
                Passage::NotBefore(until) => {
                    while self.shared.clock.now() < until {
                        if let Ok(Waited::Gone) | Err(_) = self.wait(Some(until)) {
                            return Err("client cancelled");
                        }
                    }
                }
                Passage::Instead(incident) => return self.happen(&incident, source.as_ref()),
            }
            self.chunks(&piece.bytes, split).map_err(|_| "client gone")?;
            if piece.audio_bytes > 0 {
                page.audio_out(piece.audio_bytes);
            }
        }
        let ending = source.ending();
        self.chunks(&ending, split)
            .and_then(|()| self.stream.write_all(b"0\r\n\r\n"))
            .map_err(|_| "client gone")
    }

    fn happen(&mut self, incident: &Incident, source: &dyn Source) -> Result<(), &'static str> {
        match incident {
            Incident::HalfOpen => hold(&self.stream, self.shared.clock),
            Incident::Error(code) => {
                if let Some(bytes) = source.error(code) {
                    let _ = self.chunks(&bytes, None).and_then(|()| self.stream.write_all(b"0\r\n\r\n"));
                    self.stream.finish();
                    return Err("the lab failed");
                }
            }
            Incident::Close { .. } | Incident::Kill => {}
        }
        self.stream.cut();
        Err("the lab cut the connection")
    }

    /// One chunk of the transfer, or several small ones, each with a write of its own.
    fn chunks(&mut self, bytes: &[u8], split: Option<usize>) -> io::Result<()> {
        for part in bytes.chunks(split.unwrap_or(bytes.len()).max(1)) {
            let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
            chunk.extend_from_slice(part);
            chunk.extend_from_slice(b"\r\n");
            self.stream.write_all(&chunk)?;
            self.stream.flush()?;
        }
        Ok(())
    }
}

fn span(duration: Duration) -> offhook_units::Span {
    offhook_units::Span::from_micros(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}
