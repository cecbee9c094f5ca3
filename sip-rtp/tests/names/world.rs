//! A resolver and its name servers, in virtual time.

use super::name_server::NameServer;
use offhook_sip_rtp::names::hosts::Hosts;
use offhook_sip_rtp::names::resolver::{
    Event, Failure, Families, Input, Output, Resolver, Settings, WatchId, Wire,
};
use offhook_sip_rtp::names::target::Target;
use offhook_sip_rtp::sip::transport::Transport;
use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Moment, Span};
use std::net::SocketAddr;

pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) resolver: Resolver,
    pub(crate) servers: Vec<NameServer>,
    pub(crate) events: Vec<Event>,
    pub(crate) streams: usize,
}

pub(crate) fn addr(server: usize) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 53 + u8::try_from(server).unwrap()].into(), 53)
}

pub(crate) fn target(uri: &str) -> Target {
    Target::of(Uri::parse(uri).unwrap().sip().unwrap())
}

impl World {
    pub(crate) fn new(zones: &[&[&str]]) -> Self {
        Self::with(zones, Families::V4)
    }

    pub(crate) fn with(zones: &[&[&str]], families: Families) -> Self {
        Self::knowing("", zones, families)
    }

    /// One whose machine has this text in its file of hosts.
    pub(crate) fn knowing(hosts: &str, zones: &[&[&str]], families: Families) -> Self {
        let settings = Settings {
            name_servers: (0..zones.len()).map(addr).collect(),
            hosts: Hosts::parse(hosts),
            families,
            transports: vec![Transport::Udp, Transport::Tcp, Transport::Tls],
        };
        Self {
            now: Moment::from_millis(1000),
            resolver: Resolver::new(settings, [3; 32]),
            servers: zones.iter().map(|z| NameServer::new(z)).collect(),
            events: Vec::new(),
            streams: 0,
        }
    }

    pub(crate) fn watch(&mut self, uri: &str) -> WatchId {
        let id = self.resolver.watch(self.now, target(uri));
        self.settle();
        id
    }

    /// Carries questions and answers, each of which takes no time.
    pub(crate) fn settle(&mut self) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Ask { to, wire, bytes } => {
                    let index = (0..self.servers.len()).find(|i| addr(*i) == to).unwrap();
                    let stream = wire == Wire::Tcp;
                    self.streams += usize::from(stream);
                    let query = if stream { &bytes[2..] } else { &bytes[..] };
                    if let Some(reply) = self.servers[index].answer(query, stream) {
                        let input = Input::Message { from: to, bytes: &reply };
                        self.resolver.handle_input(self.now, input);
                    }
                }
            }
        }
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        let end = self.now + Span::from_millis(seconds * 1000);
        while let Some(due) = self.resolver.poll_timeout().filter(|due| *due <= end) {
            assert!(due >= self.now, "time does not go back");
            self.now = due;
            self.resolver.handle_timeout(due);
            assert!(self.resolver.poll_timeout().is_none_or(|next| next > due), "it spins");
            self.settle();
        }
        self.now = end;
    }

    /// The servers that were told last, as text.
    pub(crate) fn found(&mut self) -> Vec<String> {
        let found = self.events.iter().rev().find_map(|e| match e {
            Event::Found { servers, .. } => Some(servers.clone()),
            Event::Failed { .. } => None,
        });
        let text = |p: &offhook_sip_rtp::sip::transport::Peer| format!("{} {}", p.transport, p.addr);
        found.map(|list| list.iter().map(text).collect()).unwrap_or_default()
    }

    pub(crate) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn asked(&mut self, server: usize) -> Vec<String> {
        std::mem::take(&mut self.servers[server].asked)
    }

    pub(crate) fn failures(&self) -> Vec<Failure> {
        let why = |e: &Event| match e {
            Event::Failed { why, .. } => Some(*why),
            Event::Found { .. } => None,
        };
        self.events.iter().filter_map(why).collect()
    }
}
