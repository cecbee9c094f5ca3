//! The loop of the speech thread.

use super::device::{DeviceVoice, Wanted};
use super::{Call, Clock, Command, Port, PortNews};
use crate::net::{NetEvent, Network, Owner};
use crate::session::{Input, Output, Session, Shared};
use crate::speaking::{FromDevice, ToDevice};
use crate::transport::{Closed, FromNet, Lost};
use crate::truevoice::{Pool, PoolSettings, TrueVoiceSettings, Warm};
use offhook_units::{Moment, Span};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError};

/// How often ports are looked at while there are calls: the audio thread cannot wake anybody.
const TICK: Span = Span::from_millis(5);
/// The pool's connections; no call has this number.
const POOL: Owner = Owner(u64::MAX);
/// Samples moved to a port in one go.
const PART: usize = 960;

struct Line {
    session: Session,
    port: Box<dyn Port>,
    news: PortNews,
}

pub(super) struct Loop {
    network: Network,
    device: Option<DeviceVoice>,
    clock: Clock,
    commands: Receiver<Command>,
    shared: Shared,
    pool: Option<Pool>,
    lines: BTreeMap<Call, Line>,
    caller: Vec<i16>,
}

impl Loop {
    pub(super) fn new(
        network: Network,
        device: Option<DeviceVoice>,
        clock: Clock,
        commands: Receiver<Command>,
        pool: Option<(TrueVoiceSettings, PoolSettings)>,
    ) -> Self {
        let shared = Shared::default();
        let pool = pool.map(|(service, settings)| Pool::new(service, settings, shared.all_in_one.clone(), 0));
        let (lines, caller) = (BTreeMap::new(), Vec::new());
        Self { network, device, clock, commands, shared, pool, lines, caller }
    }

    /// Until the handle is dropped, or the system gives no poll any more.
    pub(super) fn run(mut self) {
        let mut events = Vec::new();
        if let Some(pool) = self.pool.as_mut() {
            pool.fill((self.clock)());
        }
        loop {
            let now = (self.clock)();
            self.settle_pool(now);
            let wait = (!self.lines.is_empty()).then_some(TICK);
            let pool = self.pool.as_ref().and_then(Pool::poll_timeout).map(|due| due.since(now));
            let wait = [wait, pool].into_iter().flatten().min();
            if self.network.poll(now, wait).is_err() {
                return;
            }
            let now = (self.clock)();
            while self.network.next(now, &mut events) || !events.is_empty() {
                for event in events.drain(..) {
                    self.net(now, event);
                }
            }
            while let Some((call, job, answer)) = self.device.as_mut().and_then(DeviceVoice::poll) {
                self.input(now, call, Input::Device(job, answer));
            }
            if !self.commands(now) {
                return;
            }
            if let Some(pool) = self.pool.as_mut() {
                pool.handle_timeout(now);
            }
            let calls: Vec<Call> = self.lines.keys().copied().collect();
            for call in calls {
                self.tick(now, call);
            }
        }
    }

    fn net(&mut self, now: Moment, event: NetEvent) {
        let NetEvent { owner: Owner(call), conn, what } = event;
        if let (POOL, Some(pool)) = (Owner(call), self.pool.as_mut()) {
            return pool.handle_net(now, conn, what);
        }
        self.input(now, Call(call), Input::Net(conn, what));
    }

    /// False when the thread shall end.
    fn commands(&mut self, now: Moment) -> bool {
        loop {
            match self.commands.try_recv() {
                Err(TryRecvError::Empty) => return true,
                Ok(Command::End) | Err(TryRecvError::Disconnected) => {
                    for call in self.lines.keys().copied().collect::<Vec<_>>() {
                        self.hang_up(now, call);
                    }
                    return false;
                }
                Ok(Command::Open(call, settings, port)) => {
                    // A number that is used again ends the call that had it.
                    self.hang_up(now, call);
                    let session = Session::open(now, *settings, &self.shared);
                    self.lines.insert(call, Line { session, port, news: PortNews::default() });
                    self.warm(now, call, true);
                    self.settle(now, call);
                }
                Ok(Command::Answered(call)) => {
                    if let Some(line) = self.lines.get_mut(&call) {
                        line.session.answered(now);
                    }
                    self.settle(now, call);
                }
                Ok(Command::Say(call, text)) => self.input(now, call, Input::Say(&text)),
                Ok(Command::HangUp(call)) => self.hang_up(now, call),
            }
        }
    }

    /// Gives a call a connection that is open already, if it wants one and there is one. Asked for a call that `is_new` the
    /// pool knows of a burst, even when it has none.
    fn warm(&mut self, now: Moment, call: Call, is_new: bool) {
        let Self { network, pool, lines, .. } = self;
        let (Some(pool), Some(line)) = (pool, lines.get_mut(&call)) else { return };
        if !line.session.wants_connection() || !is_new && pool.idle() == 0 {
            return;
        }
        let Some(Warm { conn, came }) = pool.take(now) else { return };
        let Some(taken) = line.session.take_connection(now) else { return };
        for what in came {
            line.session.handle_input(now, Input::Net(taken, what));
        }
        if !network.hand_over((POOL, conn), (Owner(call.0), taken)) {
            // It closed just now: the session hears of it as of any other.
            let closed = FromNet::Closed(Closed::Lost(Lost::Broken));
            line.session.handle_input(now, Input::Net(taken, closed));
        }
    }

    fn settle_pool(&mut self, now: Moment) {
        while let Some(output) = self.pool.as_mut().and_then(Pool::poll_output) {
            self.network.apply(now, POOL, output);
        }
    }

    fn hang_up(&mut self, now: Moment, call: Call) {
        self.input(now, call, Input::HangUp);
        self.lines.remove(&call);
        if let Some(device) = &mut self.device {
            device.forget(call);
        }
    }

    fn input(&mut self, now: Moment, call: Call, input: Input<'_>) {
        if let Some(line) = self.lines.get_mut(&call) {
            line.session.handle_input(now, input);
            self.settle(now, call);
        }
    }

    /// Looks at a call's port and clock.
    fn tick(&mut self, now: Moment, call: Call) {
        let Some(line) = self.lines.get_mut(&call) else { return };
        let news = line.port.news();
        self.caller.clear();
        line.port.caller(&mut self.caller);
        let before = std::mem::replace(&mut line.news, PortNews { barge_in: None, ..news });
        if news.caller_speaks != before.caller_speaks {
            line.session.handle_input(now, Input::CallerSpeaks(news.caller_speaks));
        }
        if let Some(heard) = news.barge_in {
            line.session.handle_input(now, Input::BargeIn(heard));
        }
        if news.heard != before.heard {
            line.session.handle_input(now, Input::Played(news.heard));
        }
        if !self.caller.is_empty() {
            line.session.handle_input(now, Input::CallerAudio(&self.caller));
        }
        if line.session.poll_timeout().is_some_and(|due| now >= due) {
            line.session.handle_timeout(now);
        }
        self.warm(now, call, false);
        self.settle(now, call);
    }

    /// Does what the session asks and moves its samples on.
    fn settle(&mut self, now: Moment, call: Call) {
        let Self { network, device, lines, .. } = self;
        let Some(Line { session, port, .. }) = lines.get_mut(&call) else { return };
        while let Some(output) = session.poll_output() {
            match output {
                Output::Net(net) => network.apply(now, Owner(call.0), net),
                Output::Device(ToDevice::Stop(job)) => {
                    if let Some(device) = device {
                        device.stop(call, job);
                    }
                }
                Output::Device(ToDevice::Say(job, text)) => {
                    if !device.as_mut().is_some_and(|device| device.want(call, job, Wanted::Say(text))) {
                        session.handle_input(now, Input::Device(job, FromDevice::Failed));
                    }
                }
                Output::Device(ToDevice::Place(job, broken)) => {
                    if !device.as_mut().is_some_and(|device| device.want(call, job, Wanted::Place(broken))) {
                        session.handle_input(now, Input::Device(job, FromDevice::Places(None)));
                    }
                }
                Output::Event(event) => port.event(event),
            }
        }
        let mut part = [0; PART];
        loop {
            let room = port.room().min(PART);
            let count = session.read_audio(part.get_mut(..room).unwrap_or_default());
            if count == 0 {
                return;
            }
            port.speak(part.get(..count).unwrap_or_default());
        }
    }
}
