//! J4: registration in virtual time: two trunks, a network that loses, repeats and reorders, registrars that go away
//! and come back without their memory. Registered at most 30 s after the registrar is back; calls go by the first
//! trunk that is up, and by the first one again when it is back.

use super::desk::{media, peer, settings, trunk};
use offhook_sip_rtp::sip::agent::{Agent, Event, Input, Output, Place, TrunkId};
use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::message::{Message, Request, Response};
use offhook_sip_rtp::sip::method::Method;
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::registration::{self, Mode};
use offhook_sip_rtp::sip::status::Status;
use offhook_units::{Moment, Pii, Span};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const EXPIRES_S: i64 = 600;
const NONCE: &str = r#"Digest realm="t", nonce="n", qop="auth""#;

/// Two registrars, one to a trunk, and what they know.
struct World {
    now: Moment,
    agent: Agent,
    /// By trunk: whether it answers, and until when it knows us.
    alive: [bool; 2],
    knows: [Moment; 2],
    /// Whether its machine says "port unreachable" while it is gone.
    says_so: bool,
    flying: BTreeMap<(Moment, u64), (bool, usize, Vec<u8>)>,
    /// Of each message: whether it is lost, how often it comes, how late.
    fates: Vec<(bool, u8, i64)>,
    used: usize,
    invited: Vec<usize>,
    seen: BTreeSet<(usize, u32)>,
}

fn address(trunk: usize) -> String {
    format!("192.0.2.{}:5060", trunk + 2)
}

fn seconds(s: i64) -> Span {
    Span::from_millis(s * 1000)
}

impl World {
    fn new(says_so: bool) -> Self {
        let by_register = |domain| registration::Settings {
            mode: Mode::Register { expires_s: u32::try_from(EXPIRES_S).unwrap() },
            ..trunk(domain)
        };
        let trunks = vec![by_register("first.example"), by_register("second.example")];
        let mut world = Self {
            now: Moment::from_millis(1000),
            agent: Agent::new(settings("192.0.2.1:5060"), trunks, [4; 32]),
            alive: [true; 2],
            knows: [Moment::ZERO; 2],
            says_so,
            flying: BTreeMap::new(),
            fates: vec![(false, 1, 1)],
            used: 0,
            invited: Vec::new(),
            seen: BTreeSet::new(),
        };
        for id in 0..2 {
            world.agent.set_servers(world.now, TrunkId(id), vec![peer(&address(id))]);
        }
        world.run(seconds(2));
        assert!(world.registered(0) && world.registered(1));
        world
    }

    fn registered(&self, trunk: usize) -> bool {
        self.alive[trunk] && self.knows[trunk] > self.now && self.agent.is_up(TrunkId(trunk))
    }

    fn launch(&mut self, in_bound: bool, trunk: usize, bytes: &[u8]) {
        let (lost, copies, late_ms) = self.fates[self.used % self.fates.len()];
        self.used += 1;
        for copy in 0..if lost { 0 } else { i64::from(copies) } {
            let at = self.now + Span::from_millis(late_ms * (copy + 1));
            let key = (at, self.used as u64 * 8 + copy as u64);
            self.flying.insert(key, (in_bound, trunk, bytes.to_vec()));
        }
    }

    fn settle(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    let trunk = (0..2).find(|t| peer(&address(*t)) == to).unwrap();
                    self.launch(false, trunk, &bytes);
                }
                Output::Event(Event::Trunk { event: registration::Event::Down { retry_in, .. }, .. }) => {
                    assert!(retry_in <= seconds(20), "an outage is no reason to wait longer");
                }
                Output::Event(_) => {}
            }
        }
    }

    fn run(&mut self, time: Span) {
        let end = self.now + time;
        loop {
            self.settle();
            let due = [self.agent.poll_timeout(), self.flying.keys().next().map(|k| k.0)];
            let Some(next) = due.into_iter().flatten().min().filter(|next| *next <= end) else { break };
            self.now = next;
            while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= next) {
                let (in_bound, trunk, bytes) = entry.remove();
                if in_bound {
                    let from = peer(&address(trunk));
                    self.agent.handle_input(next, Input::Bytes { from, bytes: &bytes });
                } else {
                    self.arrive(trunk, &bytes);
                }
                self.settle();
            }
            self.agent.handle_timeout(next);
        }
        self.now = end;
    }

    /// What reaches a registrar.
    fn arrive(&mut self, trunk: usize, bytes: &[u8]) {
        if !self.alive[trunk] {
            if self.says_so {
                self.agent.handle_input(self.now, Input::Unreachable(peer(&address(trunk))));
            }
            return;
        }
        let Ok(Message::Request(request)) = parse(bytes, Framing::Datagram, &Limits::default()) else {
            return;
        };
        let response = match request.method {
            Method::Register => self.register(trunk, &request),
            Method::Invite => {
                self.invited.push(trunk);
                request.response(Status::BUSY_HERE).with_to_tag("t")
            }
            Method::Ack => return,
            _ => request.response(Status::OK),
        };
        self.launch(true, trunk, &response.to_bytes());
    }

    fn register(&mut self, trunk: usize, request: &Request) -> Response {
        // Challenged once: a nonce of a registrar that forgot everything is still its nonce.
        if request.headers.get(&Name::Authorization).is_none() {
            return request.response(Status::UNAUTHORIZED).with(Name::WwwAuthenticate, NONCE);
        }
        if self.seen.insert((trunk, request.ident.cseq.number)) {
            self.knows[trunk] = self.now + seconds(EXPIRES_S);
        }
        request.response(Status::OK).with(Name::Expires, EXPIRES_S.to_string())
    }

    fn call(&mut self) -> Option<usize> {
        let order = Place { to: Pii::new("100".into()), display: None, trunk: None, media: media() };
        self.invited.clear();
        let placed = self.agent.place(self.now, order);
        self.run(seconds(1));
        placed.ok().and(self.invited.first().copied())
    }
}

fn fates() -> impl Strategy<Value = Vec<(bool, u8, i64)>> {
    prop::collection::vec((prop::bool::weighted(0.2), 1..3u8, 1..800i64), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn registered_at_most_thirty_seconds_after_the_registrar_returns(
        fates in fates(),
        outages in prop::collection::vec((20..2000i64, 1..300i64), 1..5),
        says_so: bool,
    ) {
        let mut world = World::new(says_so);
        for (gone_s, before_s) in outages {
            world.fates = fates.clone();
            world.run(seconds(before_s));
            world.alive[0] = false;
            // "Port unreachable" is heard, if it is said: nothing else tells of a short outage.
            if says_so {
                world.fates = vec![(false, 1, 5)];
            }
            world.run(seconds(gone_s));
            // Gone with its memory, where its machine was there to say so; else the way to it was gone, not it.
            if says_so {
                world.knows[0] = Moment::ZERO;
            }
            world.alive[0] = true;
            // What is promised is promised where messages arrive.
            world.fates = vec![(false, 1, 5)];
            world.run(seconds(30));
            prop_assert!(world.registered(0), "gone for {gone_s} s: {:?}", world.agent);
            prop_assert!(world.registered(1), "the other one was never gone");
        }
        world.agent.stop_trunks(world.now);
        world.run(seconds(100));
        prop_assert!(world.agent.is_idle());
    }
}

#[test]
fn calls_fall_back_to_the_second_trunk_and_return_to_the_first() {
    for says_so in [true, false] {
        let mut world = World::new(says_so);
        assert_eq!(world.call(), Some(0));
        world.alive[0] = false;
        world.run(seconds(1000));
        assert!(!world.agent.is_up(TrunkId(0)) && world.agent.is_up(TrunkId(1)));
        assert_eq!(world.call(), Some(1));
        world.alive[0] = true;
        world.run(seconds(30));
        assert_eq!(world.call(), Some(0));
    }
}
