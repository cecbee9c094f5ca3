//! The half of [`Transactions`] that answers.

use super::server::{self, Changes, Server};
use super::timer::Timer;
use super::{Output, Owner, ServerId, Transactions, build, key};
use crate::sip::header::Name;
use crate::sip::message::{Request, Response};
use crate::sip::method::Method;
use crate::sip::status::Status;
use crate::sip::transport::Peer;
use offhook_units::Moment;

impl Transactions {
    /// Answers a request. Too late an answer (the transaction is over or has its final one) is dropped: `false`.
    pub fn respond(&mut self, now: Moment, id: ServerId, response: &Response) -> bool {
        let Some(server) = self.servers.get_mut(&id) else { return false };
        let mut changes = Changes::new();
        let Some(step) = server.on_answer(response.status, &self.times, &mut changes) else { return false };
        let bytes = response.to_bytes();
        self.out.push_back(Output::Send { to: server.peer, bytes: bytes.clone() });
        server.last = Some(bytes);
        self.apply(now, Owner::Server(id), changes);
        if step == server::Step::End {
            self.end_server(id);
        }
        true
    }

    /// Where answers to `id` go, while it lives.
    pub fn peer_of(&self, id: ServerId) -> Option<Peer> {
        self.servers.get(&id).map(|s| s.peer)
    }

    pub(super) fn on_request(&mut self, now: Moment, mut request: Request, from: Peer) {
        request.ident.via.mark_received(from.addr);
        let key = key::of_request(&request, from.transport);
        if let Some(id) = self.server_keys.get(&key).copied() {
            if request.method == Method::Ack {
                return self.on_ack(now, id, request, from);
            }
            self.counters.repeated_requests += 1;
            return self.on_repeat(id);
        }
        if request.method == Method::Ack {
            return self.out.push_back(Output::Ack { request, from });
        }
        let to = build::reply_peer(&request, from);
        let cancels = request.method == Method::Cancel;
        if self.servers.len() >= self.capacity.servers && !cancels {
            self.counters.refused_full += 1;
            let wait = self.capacity.retry_after_s.to_string();
            let refusal = request.response(Status::SERVICE_UNAVAILABLE).with(Name::RetryAfter, wait);
            return self.out.push_back(Output::Send { to, bytes: refusal.to_bytes() });
        }
        let merge_key = key::of_merged(&request).filter(|_| !cancels);
        let merged = merge_key.as_ref().is_some_and(|key| self.merge_keys.contains_key(key));
        let id = self.add_server(&request, to, key, merge_key.filter(|_| !merged));
        if merged {
            self.counters.merged += 1;
            self.respond(now, id, &request.response(Status::LOOP_DETECTED).with_to_tag("merged"));
        } else if cancels {
            self.on_cancel(now, id, &request, from);
        } else {
            self.out.push_back(Output::Request { id, request, from });
        }
    }

    pub(super) fn add_server(
        &mut self,
        request: &Request,
        to: Peer,
        key: String,
        merge_key: Option<String>,
    ) -> ServerId {
        let id = ServerId(self.next_number());
        self.server_keys.insert(key.clone(), id);
        if let Some(key) = &merge_key {
            self.merge_keys.insert(key.clone(), id);
        }
        self.servers.insert(id, Server::new(request.method == Method::Invite, to, key, merge_key));
        id
    }

    pub(super) fn on_cancel(&mut self, now: Moment, id: ServerId, cancel: &Request, from: Peer) {
        let invite = self.server_keys.get(&key::of_cancelled(cancel, from.transport)).copied();
        let Some(invite) = invite else {
            self.respond(now, id, &cancel.response(Status::NO_SUCH_CALL).with_to_tag("none"));
            return;
        };
        self.respond(now, id, &cancel.response(Status::OK));
        if self.servers.get(&invite).is_some_and(|s| s.state == server::State::Proceeding) {
            self.out.push_back(Output::Cancelled(invite));
        }
    }

    pub(super) fn on_repeat(&mut self, id: ServerId) {
        let Some(server) = self.servers.get(&id) else { return };
        if let (server::Step::Repeat, Some(bytes)) = (server.on_repeat(), &server.last) {
            self.out.push_back(Output::Send { to: server.peer, bytes: bytes.clone() });
        }
    }

    pub(super) fn on_ack(&mut self, now: Moment, id: ServerId, request: Request, from: Peer) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        // Peers that reuse the INVITE's branch for the ACK to a 2xx: it belongs to the dialog.
        if server.state == server::State::Accepted {
            return self.out.push_back(Output::Ack { request, from });
        }
        let mut changes = Changes::new();
        let step = server.on_ack(&self.times, &mut changes);
        self.apply(now, Owner::Server(id), changes);
        if step == server::Step::End {
            self.end_server(id);
        }
    }

    pub(super) fn on_server_timer(&mut self, now: Moment, id: ServerId, timer: Timer) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let mut changes = Changes::new();
        match server.on_timer(timer, &self.times, &mut changes) {
            server::Step::Repeat => {
                if let Some(bytes) = &server.last {
                    self.out.push_back(Output::Send { to: server.peer, bytes: bytes.clone() });
                }
            }
            server::Step::Unacknowledged => {
                self.end_server(id);
                self.out.push_back(Output::Unacknowledged(id));
            }
            server::Step::End => self.end_server(id),
            server::Step::Stay => {}
        }
        self.apply(now, Owner::Server(id), changes);
    }

    pub(super) fn end_server(&mut self, id: ServerId) {
        let Some(server) = self.servers.remove(&id) else { return };
        self.server_keys.remove(&server.key);
        if let Some(key) = server.merge_key {
            self.merge_keys.remove(&key);
        }
        for timer in [Timer::G, Timer::H, Timer::I, Timer::J, Timer::L] {
            self.timers.stop((Owner::Server(id), timer));
        }
    }
}
