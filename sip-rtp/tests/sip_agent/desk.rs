//! A desk to test an agent on: one agent, and a peer whose messages are written out.

use offhook_sip_rtp::media::dtmf::Digit;
use offhook_sip_rtp::sdp::negotiate::{Encryption, LocalMedia};
use offhook_sip_rtp::sip::agent::{Agent, CallId, Event, Input, Output, Settings, TrunkId};
use offhook_sip_rtp::sip::digest::client::Credentials;
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_sip_rtp::sip::message::{Message, Request, Response};
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::registration::{self, Mode};
use offhook_sip_rtp::sip::status::Status;
use offhook_sip_rtp::sip::transport::Peer;
use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Codec, Moment, Pii};

pub(crate) const PEER: &str = "192.0.2.2:5060";
pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 39000 RTP/AVP 8 101\r\n\
    a=rtpmap:101 telephone-event/8000\r\n";

pub(crate) fn peer(addr: &str) -> Peer {
    Peer::udp(addr.parse().unwrap())
}

pub(crate) fn key(key: char) -> Digit {
    Digit::from_char(key).expect("one of the sixteen")
}

pub(crate) fn media() -> LocalMedia {
    LocalMedia {
        addr: "192.0.2.1".parse().unwrap(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        comfort_noise: false,
        ptime_ms: 20,
        encryption: Encryption::Off,
    }
}

pub(crate) fn settings(local: &str) -> Settings {
    let mut settings = Settings::new(LocalAddrs { udp: local.parse().unwrap(), tcp: None, tls: None });
    settings.allowed = vec!["192.0.2.0/24".parse().unwrap()];
    settings
}

pub(crate) fn trunk(domain: &str) -> registration::Settings {
    registration::Settings {
        aor: Uri::parse(&format!("sip:box@{domain}")).unwrap(),
        registrar: Uri::parse(&format!("sip:{domain}")).unwrap(),
        contact_user: "box".into(),
        credentials: Some(Credentials { user: Pii::new("box".into()), password: Pii::new("secret".into()) }),
        mode: Mode::Watch,
    }
}

pub(crate) fn read(bytes: &[u8]) -> Message {
    parse(bytes, Framing::Datagram, &Limits::default())
        .unwrap_or_else(|e| panic!("{e:?}: {}", String::from_utf8_lossy(bytes)))
}

/// An agent, what it sent and what it told.
pub(crate) struct Desk {
    pub(crate) agent: Agent,
    pub(crate) now: Moment,
    pub(crate) sent: Vec<(Peer, Message)>,
    pub(crate) events: Vec<Event>,
    branches: u32,
}

impl Desk {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::with_trunks(settings, Vec::new())
    }

    pub(crate) fn with_trunks(settings: Settings, trunks: Vec<registration::Settings>) -> Self {
        let agent = Agent::new(settings, trunks, [7; 32]);
        Self { agent, now: Moment::from_millis(1000), sent: Vec::new(), events: Vec::new(), branches: 0 }
    }

    /// A desk whose one trunk, at [`PEER`], is up.
    pub(crate) fn on_line() -> Self {
        let mut desk = Self::with_trunks(settings("192.0.2.1:5060"), vec![trunk("trunk.example")]);
        desk.bring_up(0, PEER);
        desk
    }

    pub(crate) fn bring_up(&mut self, trunk: usize, server: &str) {
        self.agent.set_servers(self.now, TrunkId(trunk), vec![peer(server)]);
        self.drain();
        let options = self.request("OPTIONS");
        self.hear_from(server, &options.response(Status::OK).to_bytes());
        assert!(self.agent.is_up(TrunkId(trunk)));
        self.clear();
    }

    pub(crate) fn hear_from(&mut self, from: &str, bytes: &[u8]) {
        self.agent.handle_input(self.now, Input::Bytes { from: peer(from), bytes });
        self.drain();
    }

    pub(crate) fn hear(&mut self, text: &str) {
        self.hear_from(PEER, text.as_bytes());
    }

    pub(crate) fn hear_response(&mut self, response: &Response) {
        self.hear_from(PEER, &response.to_bytes());
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Send { bytes, .. } if bytes == b"\r\n\r\n" => {}
                Output::Send { to, bytes } => self.sent.push((to, read(&bytes))),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// Lets `ms` milliseconds pass, timer by timer.
    pub(crate) fn wait(&mut self, ms: u64) {
        let end = Moment::from_micros(self.now.as_micros() + ms * 1000);
        while let Some(due) = self.agent.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.agent.handle_timeout(due);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn clear(&mut self) {
        self.sent.clear();
        self.events.clear();
    }

    /// The codes and methods that were sent since the last look.
    pub(crate) fn take_sent(&mut self) -> Vec<String> {
        let name = |m: &Message| match m {
            Message::Request(r) => r.method.to_string(),
            Message::Response(r) => r.status.to_string(),
        };
        let names = self.sent.iter().map(|(_, m)| name(m)).collect();
        self.sent.clear();
        names
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The last request of that method that was sent.
    pub(crate) fn request(&self, method: &str) -> Request {
        let found = self.sent.iter().rev().find_map(|(_, m)| match m {
            Message::Request(r) if r.method.as_str() == method => Some(r.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {method} among {:?}", self.sent.len()))
    }

    /// The last response of that code that was sent.
    pub(crate) fn response(&self, code: u16) -> Response {
        let found = self.sent.iter().rev().find_map(|(_, m)| match m {
            Message::Response(r) if r.status.code() == code => Some(r.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {code} among {:?}", self.sent))
    }

    /// A request of the peer, outside (`to_tag` empty) or inside a dialog.
    pub(crate) fn message(
        &mut self,
        method: &str,
        cseq: u32,
        to_tag: &str,
        extra: &str,
        body: &str,
    ) -> String {
        self.branches += 1;
        let branch = self.branches;
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let kind = if body.is_empty() || extra.contains("Content-Type") {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        format!(
            "{method} sip:box@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bKp{branch};rport\r\nMax-Forwards: 70\r\n\
             From: \"Peer\" <sip:+15550100@192.0.2.2>;tag=peer\r\nTo: <sip:box@192.0.2.1>{tag}\r\nCall-ID: peercall\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:peer@{PEER}>\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// The call that was announced last.
    pub(crate) fn announced(&self) -> CallId {
        let found = self.events.iter().rev().find_map(|e| match e {
            Event::IncomingCall { call, .. } => Some(*call),
            _ => None,
        });
        found.expect("a call was announced")
    }

    /// A call of the peer's that was answered and acknowledged: our tag, and the call.
    pub(crate) fn answered(&mut self, extra: &str) -> (String, CallId) {
        let invite = self.message("INVITE", 1, "", extra, OFFER);
        self.hear(&invite);
        let call = self.announced();
        self.agent.answer(self.now, call, media()).unwrap();
        self.drain();
        let tag = self.response(200).ident.to.tag().unwrap().to_owned();
        let ack = self.message("ACK", 1, &tag, "", "");
        self.hear(&ack);
        self.clear();
        (tag, call)
    }
}
