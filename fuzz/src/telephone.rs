//! A user agent and whoever talks to it, as the fuzzer makes them: messages of every kind, bent in any place, answers
//! to what the agent asks, commands, and time that passes. Afterwards everybody hangs up and all timers run out; then
//! nothing may be left.

use arbitrary::Arbitrary;
use offhook_sip_rtp::media::dtmf::Digit;
use offhook_sip_rtp::sdp::negotiate::{Encryption, LocalMedia};
use offhook_sip_rtp::sip::agent::{Agent, CallId, Event, Input, Output, Place, Settings, TrunkId};
use offhook_sip_rtp::sip::digest::client::Credentials;
use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_sip_rtp::sip::message::{Message, Request};
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::registration::{self, Mode};
use offhook_sip_rtp::sip::status::Status;
use offhook_sip_rtp::sip::transport::{Peer, Transport};
use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Codec, Moment, Pii, Span};
use std::collections::BTreeMap;

const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "UPDATE",
    "PRACK",
    "INFO",
    "REFER",
    "NOTIFY",
    "REGISTER",
    "MESSAGE",
    "SUBSCRIBE",
    "FOO",
];

/// Lines that change what a message means.
const EXTRAS: [&str; 22] = [
    "",
    "Supported: 100rel, timer, replaces\r\n",
    "Require: 100rel\r\n",
    "Require: nothing\r\n",
    "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n",
    "Session-Expires: 1800;refresher=uas\r\nMin-SE: 90\r\nSupported: timer\r\nAllow: INVITE, UPDATE\r\n",
    "Session-Expires: 4294967295\r\nSupported: timer\r\n",
    "Min-SE: 3600\r\n",
    "Record-Route: <sip:192.0.2.9;lr>, <sip:p.example>\r\n",
    "RSeq: 1\r\nRequire: 100rel\r\n",
    "RSeq: 4294967295\r\nRequire: 100rel\r\n",
    "RAck: 1 1 INVITE\r\n",
    "Retry-After: 5\r\n",
    "Contact: <sip:x@192.0.2.7:5070;transport=tcp>;expires=60\r\n",
    "Proxy-Authenticate: Digest realm=\"t\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256\r\n",
    "WWW-Authenticate: Digest realm=\"t\", nonce=\"m\", stale=true\r\n",
    "Event: refer\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n",
    "Content-Type: application/dtmf-relay\r\n",
    "Refer-To: <sip:a@192.0.2.3>\r\n",
    "Service-Route: <sip:192.0.2.4;lr>\r\nExpires: 1\r\nMin-Expires: 60\r\n",
    "Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx\r\n",
    "Reason: Q.850;cause=16\r\nDiversion: <sip:9@x>\r\n",
];

const BODIES: [&str; 9] = [
    "",
    "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 39000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    "v=0\r\no=- 1 2 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 39000 RTP/AVP 0\r\na=sendonly\r\n",
    "v=0\r\no=- 1 3 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 39000 RTP/AVP 9\r\n",
    "v=0\r\nm=audio 0 RTP/AVP 8\r\nm=image 4000 udptl t38\r\n",
    "v=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 4000 RTP/AVP 18\r\n",
    "not SDP",
    "Signal=5\r\nDuration=200\r\n",
    "SIP/2.0 200 OK\r\n",
];

const CODES: [u16; 24] = [
    100, 180, 181, 183, 199, 200, 202, 302, 400, 401, 404, 407, 408, 422, 423, 481, 486, 487, 488, 491, 500,
    503, 504, 603,
];

/// One change of a message's bytes.
#[derive(Arbitrary, Clone, Debug)]
pub struct Edit {
    at: u16,
    cut: u8,
    put: Vec<u8>,
}

/// What happens next.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    /// A request of the peer.
    Request {
        method: u8,
        call: u8,
        cseq: u8,
        within: bool,
        again: bool,
        extra: [u8; 2],
        body: u8,
        edits: Vec<Edit>,
    },
    /// An answer to one of the agent's latest requests.
    Answer { which: u8, code: u8, tag: u8, extra: [u8; 2], body: u8, edits: Vec<Edit> },
    /// Any bytes.
    Raw(Vec<u8>),
    /// What was heard last, again.
    Again,
    /// Time passes: tenths of a second, timers and all.
    Wait(u16),
    /// A server is gone.
    Unreachable(u8),
    /// What the appliance wants with its last call.
    Command(u8),
}

struct Telephone {
    agent: Agent,
    now: Moment,
    /// The agent's requests that can be answered, the last ones.
    asked: Vec<Request>,
    /// Our tags, by Call-ID: what the agent calls itself there.
    tags: BTreeMap<String, String>,
    heard: Vec<u8>,
    branches: u32,
    calls: BTreeMap<CallId, (u32, u32)>,
}

/// Plays the steps, then the end of it all.
pub fn play(steps: &[Step]) {
    let mut telephone = Telephone::new();
    for step in steps.iter().take(64) {
        telephone.step(step);
    }
    telephone.end();
}

fn peer() -> Peer {
    Peer::udp("192.0.2.2:5060".parse().expect("an address"))
}

fn of<T: Copy>(list: &[T], index: u8) -> T {
    list[usize::from(index) % list.len()]
}

impl Telephone {
    fn new() -> Self {
        let locals = LocalAddrs { udp: "192.0.2.1:5060".parse().expect("an address"), tcp: None, tls: None };
        let mut settings = Settings::new(locals);
        settings.allowed = vec!["192.0.2.0/24".parse().expect("a network")];
        settings.max_calls = 6;
        let uri = |text: &str| Uri::parse(text).expect("a URI");
        let trunk = |mode| registration::Settings {
            aor: uri("sip:box@trunk.example"),
            registrar: uri("sip:trunk.example"),
            contact_user: "box".into(),
            credentials: Some(Credentials { user: Pii::new("box".into()), password: Pii::new("pw".into()) }),
            mode,
        };
        let trunks = vec![trunk(Mode::Watch), trunk(Mode::Register { expires_s: 300 })];
        let mut telephone = Self {
            agent: Agent::new(settings, trunks, [9; 32]),
            now: Moment::from_millis(1000),
            asked: Vec::new(),
            tags: BTreeMap::new(),
            heard: Vec::new(),
            branches: 0,
            calls: BTreeMap::new(),
        };
        for trunk in 0..2 {
            telephone.agent.set_servers(telephone.now, TrunkId(trunk), vec![peer()]);
        }
        telephone.settle();
        // The first trunk is up, so that calls out can be placed.
        let answer = telephone.asked[0].response(Status::OK).to_bytes();
        telephone.hear(answer);
        telephone
    }

    fn settle(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Send { bytes, .. } => match parse(&bytes, Framing::Datagram, &Limits::default()) {
                    Ok(Message::Request(request)) => self.asked.push(request),
                    Ok(Message::Response(response)) => {
                        let tag = response.ident.to.tag().unwrap_or_default().to_owned();
                        self.tags.insert(response.ident.call_id, tag);
                    }
                    // An answer to a malformed request gives its faults back, as RFC 3261 8.2.6.2 has it.
                    Err(_) => assert!(
                        bytes == b"\r\n\r\n"
                            || bytes.starts_with(b"SIP/2.0 400 ")
                            || bytes.starts_with(b"SIP/2.0 505 "),
                        "what we send can be read: {}",
                        String::from_utf8_lossy(&bytes)
                    ),
                },
                Output::Event(Event::IncomingCall { call, .. }) => self.calls.entry(call).or_default().0 += 1,
                Output::Event(Event::Ended { call, .. }) => self.calls.entry(call).or_default().1 += 1,
                Output::Event(_) => {}
            }
        }
        let old = self.asked.len().saturating_sub(12);
        self.asked.drain(..old);
    }

    fn hear(&mut self, bytes: Vec<u8>) {
        self.agent.handle_input(self.now, Input::Bytes { from: peer(), bytes: &bytes });
        self.heard = bytes;
        self.settle();
    }

    fn wait(&mut self, ms: i64) {
        let end = self.now + Span::from_millis(ms);
        let mut turns = 0u32;
        while let Some(due) = self.agent.poll_timeout().filter(|due| *due <= end) {
            turns += 1;
            assert!(turns < 100_000, "it spins");
            self.now = self.now.max(due);
            self.agent.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Request { method, call, cseq, within, again, extra, body, edits } => {
                self.branches += u32::from(!again);
                let text = self.request(of(&METHODS, *method), *call % 4, *cseq, *within, *extra, *body);
                self.hear(edited(text.into_bytes(), edits));
            }
            Step::Answer { which, code, tag, extra, body, edits } => {
                let Some(request) = self.asked.get(usize::from(*which) % self.asked.len().max(1)) else {
                    return;
                };
                let status = Status::new(of(&CODES, *code)).expect("a status");
                let mut response = request.response(status).with_to_tag(&format!("far{}", tag % 3));
                for line in extra.iter().flat_map(|e| of(&EXTRAS, *e).lines()) {
                    if let Some((name, value)) = line.split_once(": ") {
                        response = response.with(Name::from_wire(name), value);
                    }
                }
                let bytes = response.with_body("application/sdp", of(&BODIES, *body).into()).to_bytes();
                self.hear(edited(bytes, edits));
            }
            Step::Raw(bytes) => self.hear(bytes.clone()),
            Step::Again => self.hear(self.heard.clone()),
            // Two minutes at most: many of them make hours, which only cost the fuzzer its pace.
            Step::Wait(tenths) => self.wait(i64::from(*tenths % 1200) * 100),
            Step::Unreachable(how) => {
                let transport = of(&[Transport::Udp, Transport::Tcp, Transport::Tls], *how);
                self.agent.handle_input(self.now, Input::Unreachable(Peer { transport, ..peer() }));
                self.settle();
            }
            Step::Command(which) => self.command(*which),
        }
    }

    fn request(&self, method: &str, call: u8, cseq: u8, within: bool, extra: [u8; 2], body: u8) -> String {
        // Calls 0 to 2 are the peer's; 3 is the agent's own, as its last INVITE tells it.
        let own =
            self.asked.iter().rev().find(|r| r.ident.cseq.method.as_str() == "INVITE").filter(|_| call == 3);
        let call_id = own.map_or_else(|| format!("call{call}"), |r| r.ident.call_id.clone());
        let tag = match own {
            Some(own) => own.ident.from.tag().unwrap_or_default().to_owned(),
            None => self.tags.get(&call_id).cloned().unwrap_or_default(),
        };
        let from_tag = if own.is_some() { "far0".to_owned() } else { format!("t{call}") };
        let tag = if within && !tag.is_empty() { format!(";tag={tag}") } else { String::new() };
        let [first, second] = extra;
        let (first, second, body) = (of(&EXTRAS, first), of(&EXTRAS, second), of(&BODIES, body));
        let kind = if body.is_empty() || first.contains("Content-Type") || second.contains("Content-Type") {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        format!(
            "{method} sip:box@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:a@192.0.2.2>;tag={from_tag}\r\nTo: <sip:box@192.0.2.1>{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:a@192.0.2.2>\r\n{first}{second}{kind}Content-Length: {}\r\n\r\n{body}",
            self.branches,
            body.len()
        )
    }

    fn command(&mut self, which: u8) {
        let now = self.now;
        let last = self.agent.calls().last();
        let target = Uri::parse("sip:human@192.0.2.9").expect("a URI");
        if which % 12 == 11 {
            let order = Place { to: Pii::new("100".into()), display: None, trunk: None, media: media() };
            if let Ok(call) = self.agent.place(now, order) {
                self.calls.entry(call).or_default().0 += 1;
            }
            return self.settle();
        }
        let Some(call) = last else { return };
        // What does not fit the call's state is refused, which is fine.
        let _ = match which % 12 {
            0 => self.agent.ring(now, call),
            1 => self.agent.progress(now, call, media()),
            2 | 3 => self.agent.answer(now, call, media()),
            4 => self.agent.reject(now, call, Status::BUSY_HERE),
            5 => self.agent.hold(now, call),
            6 => self.agent.resume(now, call),
            7 => self.agent.refer(now, call, &target),
            8 => {
                let other = self.agent.calls().next().unwrap_or(call);
                self.agent.refer_to_call(now, call, other)
            }
            9 => Digit::from_event(5).map_or(Ok(()), |key| self.agent.send_key(now, call, key, 100)),
            _ => self.agent.hang_up(now, call),
        };
        self.settle();
    }

    /// Everybody hangs up, the trunks stop, and all timers run out.
    fn end(mut self) {
        for call in self.agent.calls().collect::<Vec<_>>() {
            let _ = self.agent.hang_up(self.now, call);
        }
        self.agent.stop_trunks(self.now);
        self.settle();
        self.wait(200_000);
        assert!(self.agent.is_idle(), "something is left: {:?}", self.agent);
        for (call, (began, ended)) in &self.calls {
            assert_eq!((*began, *ended), (1, 1), "{call:?} began and ended");
        }
    }
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits.iter().take(4) {
        let at = usize::from(edit.at).min(bytes.len());
        let end = (at + usize::from(edit.cut)).min(bytes.len());
        bytes.splice(at..end, edit.put.iter().copied());
    }
    bytes
}

fn media() -> LocalMedia {
    LocalMedia {
        addr: [192, 0, 2, 1].into(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        comfort_noise: true,
        ptime_ms: 20,
        encryption: Encryption::Accept,
    }
}
