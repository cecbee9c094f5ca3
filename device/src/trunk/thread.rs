//! The loop of the trunk thread.
//!
//! Each turn reads a bounded amount from each socket that has something, does what is due, and sends what that made.
//! It waits for sockets, for requests, and for one timer, which is set to whatever is due first.

use super::beat::{Beat, Step};
use super::command::{Office, Report};
use super::figures::Counters;
use super::full::Full;
use super::leg::{Leg, Side};
use super::links::Links;
use super::lookups::Lookups;
use super::own_address::OwnAddress;
use super::ports::Ports;
use super::ready::Ready;
use super::settings::Settings;
use super::sockets::{Alarm, Buffer, Datagrams, Listener};
use super::switchboard::Switchboard;
use super::tokens::{self, Numbered};
use crate::audio;
use crate::clock::Clock;
use crate::rings::TrunkDesk;
use mio::event::Event;
use mio::{Events, Poll};
use offhook_sip_rtp::names::resolver::{Resolver, WatchId};
use offhook_sip_rtp::sip::agent::{Agent, CallId, TrunkId};
use offhook_sip_rtp::sip::ids::Ids;
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_units::{Moment, Span};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

/// Sockets that are told ready at a time; more are told next time.
const EVENTS: usize = 256;
/// Sockets read in one turn: timers are looked at in between.
const SOCKETS_A_TURN: usize = 16;
/// Between two looks for connections to close.
const LINKS_EVERY: Span = Span::from_millis(1_000);

/// Everything that the thread has. It is made by [`super::start::start`].
#[derive(Debug)]
pub struct Trunk {
    pub(super) poll: Poll,
    pub(super) alarm: Alarm,
    pub(super) alarm_at: Option<Moment>,
    /// Media sockets are watched apart: they are read on the beat, and wake nobody.
    pub(super) media_poll: Poll,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) agent: Agent,
    pub(super) ids: Ids,
    pub(super) own: OwnAddress,
    pub(super) udp: Datagrams,
    pub(super) tcp: Option<Listener>,
    pub(super) tls: Option<Listener>,
    pub(super) links: Links,
    pub(super) links_at: Option<Moment>,
    pub(super) resolver: Resolver,
    pub(super) watches: BTreeMap<WatchId, TrunkId>,
    pub(super) lookups: Lookups,
    pub(super) legs: BTreeMap<CallId, Leg>,
    pub(super) beat: Beat,
    pub(super) ports: Ports,
    pub(super) desk: TrunkDesk,
    /// Commands that the ring to the audio thread had no room for, in order.
    pub(super) waiting: VecDeque<audio::Command>,
    /// Calls whose codec is being changed on the audio thread, in order, and the new length of their packets.
    pub(super) recodes: VecDeque<(CallId, u32)>,
    /// Calls that we hang up as the wire is silent.
    pub(super) silent: BTreeSet<CallId>,
    pub(super) switchboard: Box<dyn Switchboard>,
    pub(super) buffer: Buffer,
    pub(super) ready: Ready,
    pub(super) media_ready: Ready,
    pub(super) office: Office,
    pub(super) counters: Counters,
    pub(super) full: Full,
    pub(super) playout: offhook_engine::Settings,
    pub(super) draining: bool,
    /// The thread ends when nothing is left to say, at this time at the latest.
    pub(super) stop_by: Option<Moment>,
}

impl Trunk {
    /// Where SIP listens, as it stands in Via and Contact.
    pub const fn locals(&self) -> &LocalAddrs {
        self.own.said()
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// The system's, when it cannot wait any more: the thread is then of no use.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut media_events = Events::with_capacity(EVENTS);
        self.watch_names();
        loop {
            self.flush();
            if self.is_over() {
                return Ok(());
            }
            self.set_alarm()?;
            let at_once = (self.ready.len() > 0).then_some(Duration::ZERO);
            match self.poll.poll(&mut events, at_once) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                self.on_event(event);
            }
            for _ in 0..SOCKETS_A_TURN.min(self.ready.len()) {
                self.take_turn();
            }
            self.keep_time(&mut media_events)?;
        }
    }

    fn on_event(&mut self, event: &Event) {
        match event.token() {
            tokens::ALARM => self.alarm_at = None,
            tokens::WAKER => self.take_requests(),
            token => self.ready.add(token),
        }
    }

    /// Reads from the socket whose turn it is.
    fn take_turn(&mut self) {
        let Some(token) = self.ready.take() else { return };
        let more = match token {
            tokens::UDP => self.read_datagrams(),
            tokens::TCP | tokens::TLS => self.accept(token == tokens::TLS),
            _ => match tokens::numbered(token) {
                Some(Numbered::Link(id)) => self.read_link(id),
                Some(Numbered::Lookup(id)) => self.read_lookup(id),
                None => false,
            },
        };
        if more {
            self.ready.add(token);
        }
        self.flush();
    }

    /// Says another address from now on, if it is time to look and there is one.
    pub(super) fn look_at_own_address(&mut self, now: Moment) {
        let in_use = self.agent.server_in_use(TrunkId(0)).map(|server| server.addr.ip());
        if let Some(locals) = self.own.look(now, in_use) {
            self.office.tell(Report::Address(locals.udp.ip()));
            self.agent.set_locals(now, locals);
        }
    }

    /// Tells of calls for which there was no room, if it is time to.
    fn tell_of_full(&mut self, now: Moment) {
        let (agent, transactions) = self.agent.counters();
        if let Some(refused) = self.full.note(now, agent.refused_full + transactions.refused_full) {
            let places = (!self.draining).then_some(self.settings.max_calls);
            self.office.tell(Report::Full { refused, places });
        }
    }

    /// Does what is due.
    fn keep_time(&mut self, media_events: &mut Events) -> io::Result<()> {
        let now = self.clock.now();
        if self.agent.poll_timeout().is_some_and(|due| due <= now) {
            self.agent.handle_timeout(now);
        }
        self.look_at_own_address(now);
        self.tell_of_full(now);
        self.keep_names();
        if self.has_media() {
            match self.beat.due(now) {
                Some(Step::Read) => {
                    self.read_media(media_events)?;
                    self.beat.done(self.clock.now(), false);
                }
                Some(Step::Send(tick)) => {
                    let missing = self.send_media(now, tick);
                    self.beat.done(self.clock.now(), missing);
                }
                None => {}
            }
        }
        if self.links_at.is_some_and(|at| at <= now) {
            self.close_idle(now);
        }
        Ok(())
    }

    /// Whether any call has sockets: those that ring are served on the beat too.
    fn has_media(&self) -> bool {
        !self.legs.is_empty() || !self.recodes.is_empty() || !self.waiting.is_empty()
    }

    /// Sets the timer to what is due first.
    fn set_alarm(&mut self) -> io::Result<()> {
        if self.links_at.is_none() && self.links.len() > 0 {
            self.links_at = Some(self.clock.now() + LINKS_EVERY);
        }
        let beat = self.has_media().then(|| self.beat.at());
        let names = self.resolver.poll_timeout();
        let own = self.own.poll_timeout();
        let full = self.full.poll_timeout();
        let due = [self.agent.poll_timeout(), beat, names, own, full, self.links_at, self.stop_by];
        let Some(first) = due.into_iter().flatten().min() else { return Ok(()) };
        if self.alarm_at != Some(first) {
            self.alarm.set(self.clock.system(first))?;
            self.alarm_at = Some(first);
        }
        Ok(())
    }

    fn close_idle(&mut self, now: Moment) {
        self.links_at = None;
        for id in self.links.expired(now) {
            self.close_link(id);
        }
    }

    fn is_over(&self) -> bool {
        let Some(by) = self.stop_by else { return false };
        (self.agent.has_said_goodbye() && self.legs.is_empty()) || by <= self.clock.now()
    }

    /// Reads every media socket that has something.
    fn read_media(&mut self, events: &mut Events) -> io::Result<()> {
        match self.media_poll.poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            polled => polled?,
        }
        for event in &*events {
            self.media_ready.add(event.token());
        }
        for _ in 0..self.media_ready.len() {
            let Some(token) = self.media_ready.take() else { break };
            let (call, side) = tokens::media_of(token);
            if self.read_leg(call, side) {
                self.media_ready.add(token);
            }
        }
        Ok(())
    }

    fn read_leg(&mut self, call: CallId, side: Side) -> bool {
        let Some(leg) = self.legs.get_mut(&call) else { return false };
        let more = leg.read(&self.clock, side, &mut self.buffer);
        self.follow_media(call);
        more
    }
}
