//! What gets in: from the trunks and the listed networks everything, from where a call of ours leads only what belongs
//! to it, from all others nothing.

use super::call::Call;
use super::{Agent, Output};
use crate::sip::framing::{self, Kind};
use crate::sip::malformed::{BadRequest, Malformed};
use crate::sip::message::Message;
use crate::sip::parse::{Framing, parse};
use crate::sip::transaction;
use crate::sip::transport::Peer;
use offhook_units::Moment;
use std::net::IpAddr;

impl Agent {
    pub(super) fn on_bytes(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        let ip = from.addr.ip().to_canonical();
        // Short of the door: a proxy may have left a call's way, and then its far end speaks for itself (RFC 3261 12.2).
        let party = !self.guard.knows(ip) && self.is_party(ip);
        if (!party && !self.guard.admits(ip)) || framing::kind(bytes) != Kind::Sip {
            return;
        }
        let framing = if from.transport.is_reliable() { Framing::Stream } else { Framing::Datagram };
        match parse(bytes, framing, &self.settings.limits) {
            Ok(message) if party && !self.is_expected(&message) => self.counters.unexpected += 1,
            Ok(message) => self.transactions.handle_input(now, transaction::Input::Message { message, from }),
            Err(Malformed::Answer(bad)) if !party => {
                self.counters.malformed_answered += 1;
                self.answer_malformed(&bad, from);
            }
            Err(_) => self.counters.malformed_dropped += 1,
        }
    }

    fn answer_malformed(&mut self, bad: &BadRequest, from: Peer) {
        let what: String = bad.lines.iter().map(|(_, value)| value.as_str()).collect();
        let bytes = bad.to_bytes(from.addr, &self.ids.stateless_tag(&what));
        self.out.push_back(Output::Send { to: from, bytes });
    }

    /// Whether somebody at `ip` takes part in a call, or was asked something. Walks what stands, which is little: the
    /// number of calls is limited.
    pub(super) fn is_party(&self, ip: IpAddr) -> bool {
        self.asked.values().any(|asked| asked.to.addr.ip().to_canonical() == ip)
            || self.calls.values().flat_map(Call::dialogs).any(|dialog| dialog.leads_to(ip))
    }

    /// Whether a message belongs to something of ours. Answers to nothing are dropped by the transactions.
    fn is_expected(&self, message: &Message) -> bool {
        match message {
            Message::Response(_) => true,
            Message::Request(request) => {
                self.calls.values().flat_map(Call::dialogs).any(|dialog| dialog.matches(&request.ident))
            }
        }
    }
}
