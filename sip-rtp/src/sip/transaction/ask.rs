//! The half of [`Transactions`] that asks.

use super::client::{self, Cancel, Client};
use super::server::Changes;
use super::timer::Timer;
use super::{ClientId, Failure, Output, Owner, Transactions, build, key};
use crate::sip::header::Name;
use crate::sip::message::{Request, Response};
use crate::sip::transport::Peer;
use offhook_units::Moment;

impl Transactions {
    /// Sends a request whose top Via has a branch of its own. `None` when there are too many already.
    pub fn request(&mut self, now: Moment, request: Request, to: Peer) -> Option<ClientId> {
        if self.clients.len() >= self.capacity.clients {
            return None;
        }
        let id = ClientId(self.next_number());
        let mut changes = Changes::new();
        self.client_keys.insert(key::of_sent(&request), id);
        let client = Client::new(request, to, &self.times, &mut changes);
        self.out.push_back(Output::Send { to, bytes: client.bytes.clone() });
        self.clients.insert(id, client);
        self.apply(now, Owner::Client(id), changes);
        Some(id)
    }

    /// Cancels our INVITE as soon as that is allowed. Its end is reported as ever: 487, another final answer
    /// that crossed the CANCEL, or a time-out.
    pub fn cancel(&mut self, now: Moment, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id).filter(|c| c.is_invite()) else { return };
        match client.state {
            client::State::Calling => client.cancel = Cancel::Wanted,
            client::State::Proceeding if client.cancel != Cancel::Sent => self.send_cancel(now, id),
            _ => {}
        }
    }

    pub(super) fn on_response(&mut self, now: Moment, response: Response, from: Peer) {
        // More than one Via: it was not sent to us (RFC 3261 8.1.3.3, RFC 4475 3.3.10).
        let ours = response.headers.get(&Name::Via).is_none();
        let id = self.client_keys.get(&key::of_response(&response)).copied().filter(|_| ours);
        let Some((id, client)) = id.and_then(|id| Some((id, self.clients.get_mut(&id)?))) else {
            self.counters.stray_responses += 1;
            return;
        };
        let mut changes = Changes::new();
        let step = client.on_response(response.status, &self.times, &mut changes);
        let cancel_now = client.cancel == Cancel::Wanted && response.status.is_provisional();
        if matches!(step, client::Step::AckAndReport | client::Step::Ack | client::Step::AckReportAndEnd) {
            let ack = build::ack_to_failure(&client.request, &response);
            self.out.push_back(Output::Send { to: client.peer, bytes: ack.to_bytes() });
        }
        self.apply(now, Owner::Client(id), changes);
        if !matches!(step, client::Step::Ack | client::Step::Stay) {
            self.out.push_back(Output::Response { id, response, from });
        }
        if matches!(step, client::Step::ReportAndEnd | client::Step::AckReportAndEnd) {
            self.close_client(id);
        } else if cancel_now {
            self.send_cancel(now, id);
        }
    }

    /// Beyond capacity on purpose: a CANCEL is what frees a call.
    pub(super) fn send_cancel(&mut self, now: Moment, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.cancel = Cancel::Sent;
        let (cancel, peer) = (build::cancel(&client.request), client.peer);
        // If even the 487 is lost, the INVITE ends by itself (RFC 3261 9.1).
        self.timers.start((Owner::Client(id), Timer::B), now + self.times.patience());
        let id = ClientId(self.next_number());
        let mut changes = Changes::new();
        self.client_keys.insert(key::of_sent(&cancel), id);
        let client = Client::new(cancel, peer, &self.times, &mut changes);
        self.out.push_back(Output::Send { to: peer, bytes: client.bytes.clone() });
        self.clients.insert(id, client);
        self.apply(now, Owner::Client(id), changes);
    }

    pub(super) fn on_unreachable(&mut self, _now: Moment, peer: Peer) {
        let same = |p: &Peer| p.transport == peer.transport && p.addr == peer.addr;
        let waits = |c: &Client| matches!(c.state, client::State::Calling | client::State::Proceeding);
        let hit: Vec<_> =
            self.clients.iter().filter(|(_, c)| same(&c.peer) && waits(c)).map(|(id, _)| *id).collect();
        for id in hit {
            self.end_client(id);
            self.out.push_back(Output::Failed { id, why: Failure::Unreachable });
        }
    }

    pub(super) fn on_client_timer(&mut self, now: Moment, id: ClientId, timer: Timer) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let mut changes = Changes::new();
        match client.on_timer(timer, &self.times, &mut changes) {
            client::Step::Repeat => {
                self.out.push_back(Output::Send { to: client.peer, bytes: client.bytes.clone() });
            }
            client::Step::TimeOut => {
                self.end_client(id);
                self.out.push_back(Output::Failed { id, why: Failure::TimedOut });
            }
            _ => self.close_client(id),
        }
        self.apply(now, Owner::Client(id), changes);
    }

    /// Ends a transaction that was answered.
    fn close_client(&mut self, id: ClientId) {
        self.end_client(id);
        self.out.push_back(Output::Over(id));
    }

    pub(super) fn end_client(&mut self, id: ClientId) {
        let Some(client) = self.clients.remove(&id) else { return };
        self.client_keys.remove(&key::of_sent(&client.request));
        for timer in [Timer::A, Timer::B, Timer::D, Timer::E, Timer::F, Timer::K, Timer::M] {
            self.timers.stop((Owner::Client(id), timer));
        }
    }
}
