//! What others ask of the thread, carried out.

use super::command::{Outgoing, Refused, Reply, Request};
use super::figures::{CallFigures, CallState, Counters, Snapshot, TrunkFigures};
use super::thread::Trunk;
use offhook_sip_rtp::media::dtmf::Digit;
use offhook_sip_rtp::media::sender::KeyRefused;
use offhook_sip_rtp::sip::agent::{CallId, CommandError, Place, TrunkId};
use offhook_units::{Moment, Span};

/// How long the last goodbyes may take: BYE and REGISTER are answered by then, or never.
const LAST_WORDS: Span = Span::from_millis(2_000);
/// How long a key is pressed by INFO, ms: as long as by RFC 4733.
const KEY_MS: u32 = 100;

impl Trunk {
    /// Carries out everything that waits.
    pub(super) fn take_requests(&mut self) {
        while let Some(request) = self.office.next() {
            self.carry_out(request);
            self.flush();
        }
    }

    fn carry_out(&mut self, request: Request) {
        let now = self.clock.now();
        match request {
            Request::Drain => {
                self.draining = true;
                self.agent.drain();
            }
            Request::Stop => self.stop(now),
            Request::HangUp(call, reply) => {
                let done = self.agent.hang_up(now, call);
                answer(&reply, call, done);
            }
            Request::Place(outgoing, reply) => {
                let placed = self.place(now, *outgoing);
                // Whoever asked may have gone: the call then stands for itself.
                let _ = reply.try_send(placed);
            }
            Request::Hold(call, hold, reply) => {
                let done = if hold { self.agent.hold(now, call) } else { self.agent.resume(now, call) };
                answer(&reply, call, done);
            }
            Request::Transfer(call, to, reply) => {
                answer(&reply, call, self.agent.transfer(now, call, to.reveal()));
            }
            Request::TransferToCall(call, other, reply) => {
                answer(&reply, call, self.agent.refer_to_call(now, call, other));
            }
            Request::Press(call, digit, reply) => {
                let pressed = self.press(now, call, digit);
                let _ = reply.try_send(pressed.map(|()| call));
            }
            Request::Reload(live) => {
                self.settings.routes = live.routes;
                self.playout = live.playout;
                let media = self.legs.values_mut().filter_map(|leg| leg.media.as_mut());
                media.for_each(|media| media.set_longest_delay(live.playout.max_delay));
            }
            Request::Snapshot(reply) => {
                let _ = reply.try_send(Box::new(self.snapshot(now)));
            }
        }
    }

    fn stop(&mut self, now: Moment) {
        self.draining = true;
        self.agent.drain();
        let calls: Vec<CallId> = self.agent.calls().collect();
        for call in calls {
            // An error says that it is over already.
            let _ = self.agent.hang_up(now, call);
        }
        self.agent.stop_trunks(now);
        self.stop_by = Some(now + LAST_WORDS);
    }

    fn place(&mut self, now: Moment, outgoing: Outgoing) -> Result<CallId, Refused> {
        self.switchboard.serves(&outgoing.target)?;
        let sockets = self.open_sockets()?;
        let media = self.media_at(sockets.port());
        let place = Place { to: outgoing.to, display: None, trunk: outgoing.trunk, media };
        match self.agent.place(now, place) {
            Ok(call) => {
                self.counters.calls_out += 1;
                let added = self.add_leg(now, call, sockets, outgoing.target, true);
                if let Err(refused) = added.and_then(|()| self.engage(call)) {
                    let _ = self.agent.hang_up(now, call);
                    return Err(refused);
                }
                Ok(call)
            }
            Err(error) => {
                sockets.close(self.media_poll.registry(), &mut self.ports);
                Err(Refused::Agent(error))
            }
        }
    }

    /// By RFC 4733 where the peer takes it, else by INFO.
    fn press(&mut self, now: Moment, call: CallId, digit: Digit) -> Result<(), Refused> {
        let leg = self.legs.get_mut(&call).ok_or(Refused::Agent(CommandError::NoSuchCall))?;
        let media = leg.media.as_mut().ok_or(Refused::Agent(CommandError::WrongState))?;
        match media.push_key(digit) {
            Ok(()) => Ok(()),
            Err(KeyRefused::QueueFull(_)) => Err(Refused::Keys),
            Err(KeyRefused::NotNegotiated) => {
                self.agent.send_key(now, call, digit, KEY_MS).map_err(Refused::Agent)
            }
        }
    }

    fn snapshot(&self, now: Moment) -> Snapshot {
        let trunks = self.settings.trunks.iter().enumerate();
        let (agent, transactions) = self.agent.counters();
        let calls = self.legs.iter().map(|(call, leg)| CallState {
            call: *call,
            route: leg.target.name(),
            ours: leg.ours,
            age: now.since(leg.began),
            answered: leg.is_answered,
            figures: leg.media.as_ref().map(|media| Box::new(CallFigures::of(now, media))),
        });
        Snapshot {
            trunks: trunks
                .map(|(place, line)| TrunkFigures::new(line, self.agent.is_up(TrunkId(place))))
                .collect(),
            calls: calls.collect(),
            counters: Counters {
                agent,
                transactions,
                turned_away: self.agent.guard().turned_away(),
                connections: self.links.len() as u64,
                connections_refused: self.links.refused(),
                reports_lost: self.office.lost(),
                ..self.counters
            },
            strangers: self.agent.guard().strangers(),
            draining: self.draining,
        }
    }
}

fn answer(reply: &Reply, call: CallId, done: Result<(), CommandError>) {
    // Whoever asked may have gone.
    let _ = reply.try_send(done.map(|()| call).map_err(Refused::Agent));
}
