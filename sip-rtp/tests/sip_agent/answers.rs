//! J4: a far end that answers anything to anything (forks, redirections, challenges, refusals, reliable and not),
//! late, twice or not at all, and asks things of its own meanwhile. Each call of ours ends exactly once, and nothing
//! is left of any.

use super::desk::{Desk, OFFER, PEER, key, media, peer, settings, trunk};
use offhook_sip_rtp::sip::agent::{CallId, Event, Input, Place, TrunkId};
use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::message::{Message, Request};
use offhook_sip_rtp::sip::method::Method;
use offhook_sip_rtp::sip::status::Status;
use offhook_sip_rtp::sip::transport::{Peer, Transport};
use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Moment, Pii, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One answer, and what goes with it.
const ANSWERS: [(u16, &str, &str); 24] = [
    (100, "", ""),
    (180, "", ""),
    (181, "", ""),
    (183, "", ""),
    (183, "Require", "100rel"),
    (183, "RSeq", "1"),
    (200, "Contact", "<sip:far@192.0.2.2>"),
    (200, "Session-Expires", "90;refresher=uac"),
    (200, "Session-Expires", "90;refresher=uas"),
    (200, "Record-Route", "<sip:p.example;lr>, <sip:192.0.2.8>"),
    (202, "", ""),
    (302, "Contact", "<sip:other@192.0.2.3>"),
    (302, "Contact", "<sip:self@trunk.example>"),
    (401, "WWW-Authenticate", "Digest realm=\"a\", nonce=\"1\", stale=true"),
    (407, "Proxy-Authenticate", "Digest realm=\"b\", nonce=\"2\", qop=\"auth\", algorithm=SHA-256"),
    (422, "Min-SE", "600"),
    (423, "Min-Expires", "60"),
    (481, "", ""),
    (486, "", ""),
    (488, "", ""),
    (491, "", ""),
    (500, "Retry-After", "1"),
    (503, "Retry-After", "1"),
    (603, "", ""),
];

#[derive(Clone, Debug)]
struct Answer {
    which: usize,
    tag: u8,
    body: bool,
    late_ms: i64,
    copies: i64,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Place,
    HangUp,
    Hold,
    Resume,
    Refer,
    ReferToOther,
    Key,
    /// The far end asks: this method, in the last call's dialog with this tag.
    Asked(&'static str, u8),
    /// Nothing can be sent to it.
    Gone,
}

fn answer() -> impl Strategy<Value = Answer> {
    (0..ANSWERS.len(), 0..3u8, any::<bool>(), 0..3000i64, 1..3i64)
        .prop_map(|(which, tag, body, late_ms, copies)| Answer { which, tag, body, late_ms, copies })
}

fn act() -> impl Strategy<Value = Act> {
    let asked = prop::sample::select(vec!["BYE", "UPDATE", "INVITE", "NOTIFY", "INFO", "CANCEL", "ACK"]);
    prop_oneof![
        3 => Just(Act::Place),
        1 => Just(Act::HangUp),
        1 => Just(Act::Hold),
        1 => Just(Act::Resume),
        1 => Just(Act::Refer),
        1 => Just(Act::ReferToOther),
        1 => Just(Act::Key),
        3 => (asked, 0..3u8).prop_map(|(method, tag)| Act::Asked(method, tag)),
        1 => Just(Act::Gone),
    ]
}

struct World {
    desk: Desk,
    answers: Vec<Answer>,
    used: usize,
    flying: BTreeMap<(Moment, u64), Vec<u8>>,
    /// Our last INVITE: what requests of the far end belong to.
    invite: Option<Request>,
    calls: BTreeMap<CallId, u32>,
    branches: u64,
}

impl World {
    fn new(answers: Vec<Answer>) -> Self {
        let trunks = vec![trunk("trunk.example"), trunk("second.example")];
        let mut desk = Desk::with_trunks(settings("192.0.2.1:5060"), trunks);
        desk.bring_up(0, PEER);
        desk.bring_up(1, "192.0.2.3:5060");
        Self {
            desk,
            answers,
            used: 0,
            flying: BTreeMap::new(),
            invite: None,
            calls: BTreeMap::new(),
            branches: 0,
        }
    }

    /// What was sent is answered, by plan.
    fn settle(&mut self) {
        self.desk.drain();
        for event in self.desk.take_events() {
            match event {
                Event::Ended { call, .. } => *self.calls.get_mut(&call).expect("one of ours") += 1,
                Event::IncomingCall { .. } => panic!("nobody calls"),
                _ => {}
            }
        }
        for (_, message) in std::mem::take(&mut self.desk.sent) {
            let Message::Request(request) = message else { continue };
            match request.method {
                Method::Ack => continue,
                // The trunks stay up: this is about calls.
                Method::Options => {
                    self.fly(0, request.response(Status::OK).to_bytes());
                    continue;
                }
                _ => {}
            }
            for _ in 0..2 {
                self.answer(&request);
            }
            if request.method == Method::Invite {
                self.invite = Some(request);
            }
        }
    }

    fn answer(&mut self, request: &Request) {
        let plan = self.answers[self.used % self.answers.len()].clone();
        self.used += 1;
        let (code, name, value) = ANSWERS[plan.which];
        let mut response = request.response(Status::new(code).unwrap());
        if code > 100 {
            response = response.with_to_tag(&format!("far{}", plan.tag));
        }
        if name == "Require" {
            response = response.with(Name::RSeq, "1");
        }
        if !name.is_empty() {
            response = response.with(Name::from_wire(name), value);
        }
        if plan.body {
            response = response.with_body("application/sdp", OFFER.into());
        }
        for copy in 0..plan.copies {
            self.fly(plan.late_ms * (copy + 1), response.to_bytes());
        }
    }

    fn fly(&mut self, late_ms: i64, bytes: Vec<u8>) {
        self.branches += 1;
        let at = self.desk.now + Span::from_millis(late_ms);
        self.flying.insert((at, self.branches), bytes);
    }

    fn run(&mut self, ms: i64) {
        let end = self.desk.now + Span::from_millis(ms);
        loop {
            self.settle();
            let due = [self.desk.agent.poll_timeout(), self.flying.keys().next().map(|k| k.0)];
            let Some(next) = due.into_iter().flatten().min().filter(|next| *next <= end) else { break };
            self.desk.now = next;
            while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= next) {
                let bytes = entry.remove();
                self.desk.agent.handle_input(next, Input::Bytes { from: peer(PEER), bytes: &bytes });
                self.settle();
            }
            self.desk.agent.handle_timeout(next);
        }
        self.desk.now = end;
    }

    fn act(&mut self, act: Act) {
        let now = self.desk.now;
        let calls: Vec<_> = self.desk.agent.calls().collect();
        let (first, last) = (calls.first().copied(), calls.last().copied());
        let agent = &mut self.desk.agent;
        // Commands that do not fit are refused, which is fine.
        let _ = match (act, last) {
            (Act::Place, _) => {
                let order = Place { to: Pii::new("100".into()), display: None, trunk: None, media: media() };
                let placed = agent.place(now, order);
                self.calls.extend(placed.ok().map(|call| (call, 0)));
                Ok(())
            }
            (Act::HangUp, Some(call)) => agent.hang_up(now, call),
            (Act::Hold, Some(call)) => agent.hold(now, call),
            (Act::Resume, Some(call)) => agent.resume(now, call),
            (Act::Refer, Some(call)) => agent.refer(now, call, &Uri::parse("sip:human@192.0.2.9").unwrap()),
            (Act::ReferToOther, Some(call)) => agent.refer_to_call(now, first.unwrap_or(call), call),
            (Act::Key, Some(call)) => agent.send_key(now, call, key('5'), 100),
            (Act::Asked(method, tag), _) => {
                self.asked(method, tag);
                Ok(())
            }
            (Act::Gone, _) => {
                let gone = Peer { transport: Transport::Udp, ..peer("192.0.2.3:5060") };
                agent.handle_input(now, Input::Unreachable(gone));
                Ok(())
            }
            (_, None) => Ok(()),
        };
        self.settle();
    }

    fn asked(&mut self, method: &str, tag: u8) {
        let Some(invite) = &self.invite else { return };
        let (call_id, ours) = (&invite.ident.call_id, invite.ident.from.tag().unwrap());
        let (cseq, extra) = (self.used, "Event: refer\r\nSubscription-State: terminated\r\n");
        let text = self.desk.message(method, u32::try_from(cseq).unwrap() + 1, ours, extra, OFFER);
        let text = text.replace("peercall", call_id).replace(";tag=peer", &format!(";tag=far{tag}"));
        self.desk.hear(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_answered_each_call_ends_once_and_nothing_is_left(
        answers in prop::collection::vec(answer(), 1..30),
        acts in prop::collection::vec((act(), 0..6000i64), 1..25),
    ) {
        let mut world = World::new(answers);
        world.act(Act::Place);
        for (act, wait_ms) in acts {
            world.run(wait_ms);
            world.act(act);
        }
        for call in world.desk.agent.calls().collect::<Vec<_>>() {
            let _ = world.desk.agent.hang_up(world.desk.now, call);
        }
        world.desk.agent.stop_trunks(world.desk.now);
        world.run(400_000);
        for (call, ended) in &world.calls {
            prop_assert_eq!(*ended, 1, "{:?}", call);
        }
        prop_assert!(world.desk.agent.is_idle(), "{:?}", world.desk.agent);
        prop_assert!(!world.desk.agent.is_up(TrunkId(0)));
    }
}
