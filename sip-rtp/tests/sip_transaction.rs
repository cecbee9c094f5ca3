//! Transactions in virtual time, over a network that loses, repeats and reorders.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use offhook_sip_rtp::sip::message::{CSeq, Ident, Message, Request};
use offhook_sip_rtp::sip::method::Method;
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::status::Status;
use offhook_sip_rtp::sip::transaction::{
    Capacity, ClientId, Counters, Failure, Input, Output, ServerId, Timings, Transactions,
};
use offhook_sip_rtp::sip::transport::{FlowId, Peer, Transport};
use offhook_units::{Moment, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn a_peer(transport: Transport) -> Peer {
    Peer { transport, addr: "192.0.2.1:5060".parse().unwrap(), flow: flow(transport) }
}

fn b_peer(transport: Transport) -> Peer {
    Peer { transport, addr: "192.0.2.2:5060".parse().unwrap(), flow: flow(transport) }
}

fn flow(transport: Transport) -> Option<FlowId> {
    transport.is_reliable().then_some(FlowId(1))
}

fn transactions() -> Transactions {
    Transactions::new(Timings::default(), Capacity::default())
}

fn request(method: &Method, number: u32, transport: Transport) -> Request {
    let text = format!(
        "{method} sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/{transport} 192.0.2.1:5060;branch=z9hG4bK{number}{method};rport\r\n\
         From: <sip:a@192.0.2.1>;tag=a{number}\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: c{number}\r\nCSeq: 1 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    match read(text.as_bytes()) {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

fn read(bytes: &[u8]) -> Message {
    parse(bytes, Framing::Datagram, &Limits::default()).unwrap()
}

/// Everything that wants out, messages read.
fn drain(side: &mut Transactions) -> (Vec<Message>, Vec<Output>) {
    let (mut sent, mut up) = (Vec::new(), Vec::new());
    while let Some(output) = side.poll_output() {
        match output {
            Output::Send { bytes, .. } => sent.push(read(&bytes)),
            other => up.push(other),
        }
    }
    (sent, up)
}

fn codes(sent: &[Message]) -> Vec<String> {
    let name = |m: &Message| match m {
        Message::Request(r) => r.method.to_string(),
        Message::Response(r) => r.status.to_string(),
    };
    sent.iter().map(name).collect()
}

fn arrive(side: &mut Transactions, now: Moment, message: Message, from: Peer) {
    side.handle_input(now, Input::Message { message, from });
}

/// An INVITE taken in by a fresh server side.
fn invited(transport: Transport) -> (Transactions, ServerId, Request) {
    let mut b = transactions();
    let invite = request(&Method::Invite, 1, transport);
    arrive(&mut b, Moment::ZERO, Message::Request(invite.clone()), a_peer(transport));
    let (sent, up) = drain(&mut b);
    assert_eq!(sent, []);
    let [Output::Request { id, request, .. }] = up.as_slice() else { panic!("{up:?}") };
    (b, *id, request.clone())
}

fn beside(invite: &Request, method: Method) -> Request {
    let cseq = CSeq { number: invite.ident.cseq.number, method: method.clone() };
    Request { method, ident: Ident { cseq, ..invite.ident.clone() }, ..invite.clone() }
}

#[test]
fn a_refused_invite_is_repeated_until_its_ack() {
    let (mut b, id, invite) = invited(Transport::Udp);
    b.respond(Moment::ZERO, id, &invite.response(Status::BUSY_HERE).with_to_tag("b"));
    drain(&mut b);
    let mut times = Vec::new();
    while times.len() < 5 {
        let now = b.poll_timeout().unwrap();
        b.handle_timeout(now);
        assert_eq!(codes(&drain(&mut b).0), ["486"]);
        times.push(now.as_micros() / 1000);
    }
    assert_eq!(times, [500, 1500, 3500, 7500, 11_500]);
    let now = Moment::from_millis(12_000);
    arrive(&mut b, now, Message::Request(beside(&invite, Method::Ack)), a_peer(Transport::Udp));
    assert_eq!(drain(&mut b).0.len(), 0);
    assert_eq!(b.poll_timeout(), Some(now + Span::from_millis(5000)), "timer I");
    b.handle_timeout(now + Span::from_millis(5000));
    assert!(b.is_empty());
}

#[test]
fn a_refusal_that_nobody_acknowledges_is_reported_after_32_seconds() {
    let (mut b, id, invite) = invited(Transport::Tcp);
    b.respond(Moment::ZERO, id, &invite.response(Status::BUSY_HERE).with_to_tag("b"));
    drain(&mut b);
    b.handle_timeout(Moment::from_millis(31_999));
    assert_eq!(drain(&mut b).1, []);
    b.handle_timeout(Moment::from_millis(32_000));
    assert_eq!(drain(&mut b).1, [Output::Unacknowledged(id)]);
    assert!(b.is_empty());
}

/// RFC 6026: the transaction of an accepted INVITE lives on and swallows repetitions.
#[test]
fn after_a_2xx_a_repeated_invite_is_swallowed_and_the_ack_goes_up() {
    let (mut b, id, invite) = invited(Transport::Udp);
    b.respond(Moment::ZERO, id, &invite.response(Status::OK).with_to_tag("b"));
    assert_eq!(codes(&drain(&mut b).0), ["200"]);
    arrive(&mut b, Moment::ZERO, Message::Request(invite.clone()), a_peer(Transport::Udp));
    assert_eq!(drain(&mut b), (vec![], vec![]));
    arrive(&mut b, Moment::ZERO, Message::Request(beside(&invite, Method::Ack)), a_peer(Transport::Udp));
    assert!(matches!(drain(&mut b).1.as_slice(), [Output::Ack { .. }]));
    assert!(!b.respond(Moment::ZERO, id, &invite.response(Status::BUSY_HERE)), "too late");
    b.handle_timeout(Moment::from_millis(32_000));
    assert!(b.is_empty());
}

#[test]
fn a_cancel_in_time_is_passed_up_and_one_too_late_or_for_nothing_is_not() {
    let (mut b, id, invite) = invited(Transport::Udp);
    let cancel = beside(&invite, Method::Cancel);
    arrive(&mut b, Moment::ZERO, Message::Request(cancel.clone()), a_peer(Transport::Udp));
    let (sent, up) = drain(&mut b);
    assert_eq!((codes(&sent), up), (vec!["200".into()], vec![Output::Cancelled(id)]));
    b.respond(Moment::ZERO, id, &invite.response(Status::REQUEST_TERMINATED).with_to_tag("b"));
    drain(&mut b);
    let mut late = cancel.clone();
    late.ident.cseq.number = 1;
    arrive(&mut b, Moment::ZERO, Message::Request(late), a_peer(Transport::Udp));
    assert_eq!(drain(&mut b).1, [], "a repeated CANCEL is answered, not passed up again");

    let mut c = transactions();
    arrive(&mut c, Moment::ZERO, Message::Request(cancel), a_peer(Transport::Udp));
    assert_eq!(codes(&drain(&mut c).0), ["481"]);
}

#[test]
fn the_same_request_by_another_way_is_a_loop() {
    let (mut b, ..) = invited(Transport::Udp);
    let mut other = request(&Method::Invite, 1, Transport::Udp);
    other.ident.via.params.set("branch", Some("z9hG4bKother".into()));
    arrive(&mut b, Moment::ZERO, Message::Request(other), a_peer(Transport::Udp));
    let (sent, up) = drain(&mut b);
    assert_eq!((codes(&sent), up.len()), (vec!["482".into()], 0));
    assert_eq!(b.counters().merged, 1);
}

#[test]
fn a_branch_used_twice_by_a_careless_sender_is_still_two_requests() {
    let mut b = transactions();
    for call in ["one", "two"] {
        let mut options = request(&Method::Options, 1, Transport::Udp);
        options.ident.call_id = call.into();
        arrive(&mut b, Moment::ZERO, Message::Request(options), a_peer(Transport::Udp));
    }
    assert_eq!(drain(&mut b).1.len(), 2);
}

/// RFC 2543: no cookie, the ACK found by what it shares with its INVITE.
#[test]
fn old_peers_without_branches_are_matched_too() {
    let mut b = transactions();
    let mut invite = request(&Method::Invite, 1, Transport::Udp);
    invite.ident.via.params.remove("branch");
    for _ in 0..2 {
        arrive(&mut b, Moment::ZERO, Message::Request(invite.clone()), a_peer(Transport::Udp));
    }
    let (sent, up) = drain(&mut b);
    assert_eq!((sent.len(), up.len()), (0, 1), "the second is a repetition");
    let [Output::Request { id, request, .. }] = up.as_slice() else { panic!("{up:?}") };
    b.respond(Moment::ZERO, *id, &request.response(Status::BUSY_HERE).with_to_tag("b"));
    let mut ack = beside(&invite, Method::Ack);
    ack.ident.to = ack.ident.to.with_tag("b");
    arrive(&mut b, Moment::ZERO, Message::Request(ack), a_peer(Transport::Udp));
    assert_eq!(drain(&mut b).1, [], "not a stray ACK");
    b.handle_timeout(Moment::from_millis(5000));
    assert!(b.is_empty(), "confirmed, and timer I ran");
}

#[test]
fn beyond_the_limit_requests_are_told_when_to_come_again() {
    let mut b = Transactions::new(Timings::default(), Capacity { servers: 10, ..Capacity::default() });
    for number in 0..1000 {
        let options = request(&Method::Options, number, Transport::Udp);
        arrive(&mut b, Moment::ZERO, Message::Request(options), a_peer(Transport::Udp));
    }
    let (sent, up) = drain(&mut b);
    assert_eq!((sent.len(), up.len(), b.len()), (990, 10, 10));
    assert!(String::from_utf8(sent[0].to_bytes()).unwrap().contains("503 Service Unavailable\r\n"));
    assert!(String::from_utf8(sent[0].to_bytes()).unwrap().contains("Retry-After: 5\r\n"));
    assert_eq!(b.counters(), Counters { refused_full: 990, ..Counters::default() });
}

#[test]
fn a_cancel_of_ours_waits_for_a_sign_of_life() {
    let mut a = transactions();
    let invite = request(&Method::Invite, 1, Transport::Udp);
    let id = a.request(Moment::ZERO, invite.clone(), b_peer(Transport::Udp)).unwrap();
    a.cancel(Moment::ZERO, id);
    assert_eq!(codes(&drain(&mut a).0), ["INVITE"]);
    let ringing = Message::Response(invite.response(Status::RINGING).with_to_tag("b"));
    arrive(&mut a, Moment::ZERO, ringing, b_peer(Transport::Udp));
    assert_eq!(codes(&drain(&mut a).0), ["CANCEL"]);
    let end = Message::Response(invite.response(Status::REQUEST_TERMINATED).with_to_tag("b"));
    arrive(&mut a, Moment::ZERO, end.clone(), b_peer(Transport::Udp));
    assert_eq!(codes(&drain(&mut a).0), ["ACK"]);
    arrive(&mut a, Moment::ZERO, end, b_peer(Transport::Udp));
    assert_eq!(codes(&drain(&mut a).0), ["ACK"], "each copy of the failure is acknowledged");
}

#[test]
fn a_cancelled_call_ends_even_if_nobody_says_so() {
    let mut a = transactions();
    let invite = request(&Method::Invite, 1, Transport::Tcp);
    let id = a.request(Moment::ZERO, invite.clone(), b_peer(Transport::Tcp)).unwrap();
    let ringing = Message::Response(invite.response(Status::RINGING).with_to_tag("b"));
    arrive(&mut a, Moment::ZERO, ringing, b_peer(Transport::Tcp));
    a.cancel(Moment::from_millis(100_000), id);
    drain(&mut a);
    a.handle_timeout(Moment::from_millis(132_000));
    assert!(drain(&mut a).1.contains(&Output::Failed { id, why: Failure::TimedOut }));
    assert!(a.is_empty());
}

#[test]
fn what_cannot_be_sent_fails_at_once() {
    let mut a = transactions();
    let id = a
        .request(Moment::ZERO, request(&Method::Options, 1, Transport::Udp), b_peer(Transport::Udp))
        .unwrap();
    drain(&mut a);
    a.handle_input(Moment::ZERO, Input::Unreachable(b_peer(Transport::Tcp)));
    assert_eq!(drain(&mut a).1, [], "another transport is another way");
    a.handle_input(Moment::ZERO, Input::Unreachable(b_peer(Transport::Udp)));
    assert_eq!(drain(&mut a).1, [Output::Failed { id, why: Failure::Unreachable }]);
    assert!(a.is_empty());
}

#[test]
fn responses_to_nothing_are_counted() {
    let mut a = transactions();
    let stray = request(&Method::Invite, 9, Transport::Udp).response(Status::OK).with_to_tag("b");
    arrive(&mut a, Moment::ZERO, Message::Response(stray), b_peer(Transport::Udp));
    assert_eq!((drain(&mut a), a.counters().stray_responses), ((vec![], vec![]), 1));
}

/// A network between two sides: per message, what becomes of it.
#[derive(Debug, Clone, Copy)]
struct Fate {
    lost: bool,
    copies: u8,
    delay_ms: u64,
}

fn fate() -> impl Strategy<Value = Fate> {
    (prop::bool::weighted(0.3), 1..3u8, 0..1500u64).prop_map(|(lost, copies, delay_ms)| Fate {
        lost,
        copies,
        delay_ms,
    })
}

/// What one exchange is to do.
#[derive(Debug, Clone, Copy)]
struct Plan {
    invite: bool,
    status: u16,
    answer_after_ms: u64,
    cancel_after_ms: Option<u64>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let cancel = prop::option::of(0..8000u64);
    (any::<bool>(), prop::sample::select(vec![200u16, 302, 404, 486, 603]), 0..10_000u64, cancel).prop_map(
        |(invite, status, answer_after_ms, cancel_after_ms)| Plan {
            invite,
            status,
            answer_after_ms,
            cancel_after_ms,
        },
    )
}

/// Two sides and what is on its way between them.
struct World {
    now: Moment,
    a: Transactions,
    b: Transactions,
    fates: Vec<Fate>,
    used: usize,
    flying: BTreeMap<(Moment, u64), (bool, Vec<u8>)>,
    answers: BTreeMap<(Moment, u64), (ServerId, Request, u16)>,
    sequence: u64,
    plans: Vec<Plan>,
    /// Final answers and failures by exchange.
    outcomes: BTreeMap<ClientId, Vec<u16>>,
    requests_up: BTreeMap<String, u32>,
}

const UDP: Transport = Transport::Udp;

impl World {
    fn launch(&mut self, to_b: bool, bytes: &[u8]) {
        let fate = self.fates[self.used % self.fates.len()];
        self.used += 1;
        for copy in 0..if fate.lost { 0 } else { fate.copies } {
            self.sequence += 1;
            let at = self.now + Span::from_millis((fate.delay_ms * (u64::from(copy) + 1)) as i64);
            self.flying.insert((at, self.sequence), (to_b, bytes.to_vec()));
        }
    }

    fn settle(&mut self) {
        while let Some(output) = self.a.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.launch(true, &bytes),
                Output::Response { id, response, .. } if !response.status.is_provisional() => {
                    self.outcomes.entry(id).or_default().push(response.status.code());
                }
                Output::Failed { id, .. } => self.outcomes.entry(id).or_default().push(0),
                _ => {}
            }
        }
        while let Some(output) = self.b.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.launch(false, &bytes),
                Output::Request { id, request, .. } => {
                    *self.requests_up.entry(request.ident.call_id.clone()).or_default() += 1;
                    let number: usize = request.ident.call_id[1..].parse().unwrap();
                    let plan = self.plans[number];
                    self.sequence += 1;
                    let at = self.now + Span::from_millis(plan.answer_after_ms as i64);
                    self.answers.insert((at, self.sequence), (id, request, plan.status));
                }
                Output::Cancelled(id) => {
                    let asked = self.answers.iter().find(|(_, (i, ..))| *i == id).map(|(key, _)| *key);
                    // Its answer may have gone out in the same moment: then there is nothing to cancel.
                    let Some((_, request, _)) = asked.and_then(|key| self.answers.remove(&key)) else {
                        continue;
                    };
                    let end = request.response(Status::REQUEST_TERMINATED).with_to_tag("b");
                    self.b.respond(self.now, id, &end);
                }
                _ => {}
            }
        }
    }

    /// Jumps to the next event; `false` when there is none left.
    fn step(&mut self) -> bool {
        let due = [
            self.a.poll_timeout(),
            self.b.poll_timeout(),
            self.flying.keys().next().map(|k| k.0),
            self.answers.keys().next().map(|k| k.0),
        ];
        let Some(next) = due.into_iter().flatten().min() else { return false };
        self.now = next;
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= next) {
            let (to_b, bytes) = entry.remove();
            let (side, from) = if to_b { (&mut self.b, a_peer(UDP)) } else { (&mut self.a, b_peer(UDP)) };
            arrive(side, next, read(&bytes), from);
        }
        while let Some(entry) = self.answers.first_entry().filter(|e| e.key().0 <= next) {
            let (id, request, status) = entry.remove();
            let response = request.response(Status::new(status).unwrap()).with_to_tag("b");
            self.b.respond(next, id, &response);
        }
        self.a.handle_timeout(next);
        self.b.handle_timeout(next);
        self.settle();
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// T5: whatever the network does, every request of ours ends once, no request goes up twice, and when all
    /// timers ran nothing is left on either side.
    #[test]
    fn nothing_leaks_and_everything_ends_once(
        fates in prop::collection::vec(fate(), 1..80),
        plans in prop::collection::vec(plan(), 1..12),
    ) {
        let mut world = World {
            now: Moment::ZERO, a: transactions(), b: transactions(), fates, used: 0, flying: BTreeMap::new(),
            answers: BTreeMap::new(), sequence: 0, plans: plans.clone(), outcomes: BTreeMap::new(),
            requests_up: BTreeMap::new(),
        };
        let mut asked = Vec::new();
        let mut cancels = BTreeMap::new();
        for (number, plan) in plans.iter().enumerate() {
            let method = if plan.invite { Method::Invite } else { Method::Info };
            let id = world.a.request(Moment::ZERO, request(&method, number as u32, UDP), b_peer(UDP)).unwrap();
            if plan.invite {
                // The user's part: no INVITE rings for ever. It is what ends one whose final answer was lost.
                let after = plan.cancel_after_ms.unwrap_or(60_000);
                cancels.insert((Moment::from_millis(after), number), id);
            }
            asked.push((id, *plan));
        }
        world.settle();
        let mut steps = 0;
        loop {
            let now = world.now;
            while let Some(entry) = cancels.first_entry().filter(|e| e.key().0 <= now) {
                let id = entry.remove();
                world.a.cancel(now, id);
            }
            world.settle();
            steps += 1;
            prop_assert!(steps < 20_000, "does not come to rest");
            if !world.step() {
                // Nothing moves before the next CANCEL: jump to it.
                let Some((at, _)) = cancels.keys().next().copied() else { break };
                world.now = world.now.max(at);
            }
        }
        prop_assert!(world.a.is_empty() && world.b.is_empty());
        for (id, plan) in asked {
            let got = world.outcomes.remove(&id).unwrap_or_default();
            let first = got.first().copied();
            prop_assert!(first.is_some(), "no outcome: {:?}", plan);
            // Only a 2xx to INVITE may come again: its user acknowledges each copy.
            prop_assert!(got.len() == 1 || (plan.invite && got.iter().all(|c| *c == 200)), "{got:?}");
            prop_assert!(got.iter().all(|c| *c == 0 || *c == 487 || *c == plan.status), "{got:?} for {plan:?}");
        }
        // A request may come up a second time only after its transaction lived its full 32 s.
        prop_assert!(world.requests_up.values().all(|n| *n <= 2));
    }
}
