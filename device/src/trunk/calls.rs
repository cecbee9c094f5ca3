//! What happens to calls, from the user agent's events to sockets, media and the audio thread.

use super::command::{Doubt, Refused, Report};
use super::figures::CallFigures;
use super::leg::{Leg, Side, Sockets};
use super::media::{Media, MediaEvent, Parts};
use super::routes::Target;
use super::thread::Trunk;
use super::tokens;
use crate::audio::gauges::LineGauges;
use crate::audio::line::{self, Line};
use crate::audio::{self, LineId, Retired};
use crate::clock::Clock;
use crate::rings;
use offhook_sip_rtp::media::rtcp::NtpTime;
use offhook_sip_rtp::media::stream::Silence;
use offhook_sip_rtp::sdp::negotiate::{LocalMedia, Stream};
use offhook_sip_rtp::sip::agent::{CallId, EndReason, Event, Parties, Transfer};
use offhook_sip_rtp::sip::registration;
use offhook_sip_rtp::sip::status::Status;
use offhook_units::{Moment, Pii, Span};
use std::sync::Arc;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
/// A call that is handed on is let stand for a moment first: some peers refuse a REFER that overtakes their ACK.
const BEFORE_TRANSFER: Span = Span::from_millis(300);
/// Milliseconds in a packet when the peer does not ask for another length.
const PACKET_MS: u32 = 20;

impl Trunk {
    pub(super) fn on_call_event(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::IncomingCall { call, parties, .. } => self.on_incoming(now, call, &parties),
            Event::Ringing { call, early: Some(stream) } => self.open_media(now, call, stream),
            Event::Ringing { early: None, .. } => {}
            Event::Answered { call, stream } => {
                self.counters.answered += 1;
                let (codec, encrypted) = (stream.codec, stream.keys.is_some());
                self.office.tell(Report::Answered { call, codec, encrypted });
                self.open_media(now, call, stream);
                if let Some(leg) = self.legs.get_mut(&call) {
                    leg.is_answered = true;
                    if let Some(media) = &mut leg.media {
                        media.answered(now);
                    }
                    leg.act_at = leg.is_transfer().then(|| now + BEFORE_TRANSFER);
                }
            }
            Event::MediaChanged { call, stream } => self.open_media(now, call, stream),
            Event::Held(call) => self.office.tell(Report::Held(call, true)),
            Event::Resumed(call) => self.office.tell(Report::Held(call, false)),
            Event::ChangeRefused { call, status } => self.office.tell(Report::ChangeRefused(call, status)),
            Event::Key { call, key } => {
                if let Some(media) = self.legs.get_mut(&call).and_then(|leg| leg.media.as_mut()) {
                    media.count_key();
                }
                self.office.tell(Report::Key(call, Pii::new(key.reveal().as_char())));
            }
            Event::Transfer { call, progress } => {
                self.office.tell(Report::Transfer(call, progress));
                if matches!(progress, Transfer::Failed(_))
                    && self.legs.get(&call).is_some_and(Leg::is_transfer)
                {
                    // Nobody here could talk to the caller. An error says that the call is over already.
                    let _ = self.agent.hang_up(now, call);
                }
            }
            Event::Ended { call, reason } => self.on_ended(now, call, reason),
            Event::Trunk { trunk, event } => {
                self.office.tell(Report::Trunk(trunk, event));
                match event {
                    // It may be another server than before, reached by another way.
                    registration::Event::Up { .. } => self.own.hurry(now),
                    registration::Event::Down { .. } => self.look_again(),
                }
            }
        }
    }

    fn on_incoming(&mut self, now: Moment, call: CallId, parties: &Parties) {
        self.counters.calls_in += 1;
        let route = self.settings.routes.find(parties.called.reveal()).cloned();
        let Some(route) = route.filter(|route| route.target != Target::Reject) else {
            self.counters.no_route += 1;
            return self.refuse(now, call, Status::NOT_FOUND);
        };
        self.office.tell(Report::Incoming(call, route.target.name()));
        if let Err(why) = self.open_leg(now, call, route.target, false) {
            return self.turn_away(now, call, why);
        }
        if route.ring <= Span::ZERO {
            return self.answer(now, call);
        }
        if route.early_media && !self.take_up(now, call) {
            return;
        }
        let said = match self.local_media(call).filter(|_| route.early_media) {
            Some(media) => self.agent.progress(now, call, media),
            None => self.agent.ring(now, call),
        };
        // An error says that the caller gave up meanwhile: its end is told apart.
        if let (Ok(()), Some(leg)) = (said, self.legs.get_mut(&call)) {
            leg.act_at = Some(now + route.ring);
        }
    }

    /// Refuses a call that has a route.
    fn turn_away(&mut self, now: Moment, call: CallId, why: Refused) {
        let counters = &mut self.counters;
        let (counter, status) = match why {
            Refused::NoTarget => (&mut counters.absent, Status::TEMPORARILY_UNAVAILABLE),
            Refused::Busy => (&mut counters.busy, Status::BUSY_HERE),
            Refused::Agent(_) | Refused::NoPort | Refused::Keys => {
                (&mut counters.no_media, Status::SERVICE_UNAVAILABLE)
            }
        };
        *counter += 1;
        self.refuse(now, call, status);
    }

    fn refuse(&mut self, now: Moment, call: CallId, status: Status) {
        self.office.tell(Report::Refused(status));
        // An error says that the caller gave up meanwhile.
        let _ = self.agent.reject(now, call, status);
    }

    /// Makes the sockets of a call.
    pub(super) fn open_leg(
        &mut self,
        now: Moment,
        call: CallId,
        target: Target,
        ours: bool,
    ) -> Result<(), Refused> {
        self.switchboard.serves(&target)?;
        let sockets = self.open_sockets()?;
        self.add_leg(now, call, sockets, target, ours)
    }

    /// Sockets for a call whose number is not known yet.
    pub(super) fn open_sockets(&mut self) -> Result<Sockets, Refused> {
        let addr = self.settings.media.addr.unwrap_or_else(|| self.udp.local().ip());
        Sockets::open(&mut self.ports, addr, &self.settings.media).map_err(|_taken| Refused::NoPort)
    }

    pub(super) fn add_leg(
        &mut self,
        now: Moment,
        call: CallId,
        mut sockets: Sockets,
        target: Target,
        ours: bool,
    ) -> Result<(), Refused> {
        let (rtp, rtcp) = (tokens::media(call, Side::Rtp), tokens::media(call, Side::Rtcp));
        let registry = self.media_poll.registry();
        if sockets.register(registry, rtp, rtcp).is_err() {
            sockets.close(registry, &mut self.ports);
            return Err(Refused::NoPort);
        }
        if self.legs.is_empty() {
            self.beat = super::beat::Beat::new(now);
        }
        self.legs.insert(call, Leg::new(now, sockets, target, ours));
        Ok(())
    }

    /// What we bring to a call that has sockets.
    pub(super) fn local_media(&self, call: CallId) -> Option<LocalMedia> {
        self.legs.get(&call).map(|leg| self.media_at(leg.sockets.port()))
    }

    pub(super) fn media_at(&self, port: u16) -> LocalMedia {
        let media = &self.settings.media;
        let bound = media.addr.filter(|addr| !addr.is_unspecified() && self.settings.sip.public.is_none());
        LocalMedia {
            addr: bound.unwrap_or_else(|| self.own.said().udp.ip()),
            port,
            codecs: media.codecs.clone(),
            comfort_noise: media.comfort_noise,
            ptime_ms: PACKET_MS,
            encryption: media.encryption,
        }
    }

    /// Puts whoever answers a call into it.
    pub(super) fn engage(&mut self, call: CallId) -> Result<(), Refused> {
        let Some(leg) = self.legs.get_mut(&call) else { return Ok(()) };
        self.switchboard.engage(LineId(call.0), &leg.target)?;
        leg.is_engaged = true;
        Ok(())
    }

    /// The same, or refuses the call: whoever was free when it began to ring may have taken another one meanwhile.
    fn take_up(&mut self, now: Moment, call: CallId) -> bool {
        let engaged = self.engage(call);
        if let Err(why) = engaged {
            self.turn_away(now, call, why);
        }
        engaged.is_ok()
    }

    fn answer(&mut self, now: Moment, call: CallId) {
        if self.take_up(now, call)
            && let Some(media) = self.local_media(call)
        {
            // An error says that the caller gave up meanwhile: its end is told apart.
            let _ = self.agent.answer(now, call, media);
        }
    }

    /// A call's media stand, or changed.
    fn open_media(&mut self, now: Moment, call: CallId, stream: Stream) {
        for finding in &stream.findings {
            self.office.tell(Report::Doubt(call, Doubt::Sdp(finding.clone())));
        }
        let Some(leg) = self.legs.get_mut(&call) else { return };
        let sends = stream.direction.sends();
        match &mut leg.media {
            Some(media) => {
                let before = media.agreed();
                let recode = (before.codec, before.ptime_ms) != (stream.codec, stream.ptime_ms);
                let (codec, ptime_ms) = (stream.codec, stream.ptime_ms);
                media.renegotiate(now, stream);
                if recode && let Ok(made) = line::Media::new(codec, ptime_ms, self.playout) {
                    self.recodes.push_back((call, made.packet_ms()));
                    self.command(audio::Command::Recode(LineId(call.0), Box::new(made)));
                }
            }
            None => self.first_media(now, call, stream),
        }
        self.command(audio::Command::Send(LineId(call.0), sends));
    }

    fn first_media(&mut self, now: Moment, call: CallId, stream: Stream) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        let made = line::Media::new(stream.codec, stream.ptime_ms, self.playout);
        let route = self.switchboard.connect(LineId(call.0), &leg.target, stream.codec);
        let (Ok(made), Some(route)) = (made, route) else {
            // Without codec or route there is nothing to hear.
            let _ = self.agent.hang_up(now, call);
            return;
        };
        let (ends, line_ends) = rings::call();
        let gauges = Arc::new(LineGauges::default());
        let parts = Parts {
            stream,
            packet_ms: made.packet_ms(),
            ends,
            gauges: gauges.clone(),
            ntp_origin: ntp_origin(&self.clock),
            longest_delay: self.playout.max_delay,
        };
        leg.media = Some(Media::new(now, parts, &self.settings.media, &mut self.ids));
        let line = Line::new(LineId(call.0), Box::new(made), route, line_ends, gauges);
        self.command(audio::Command::Open(Box::new(line)));
    }

    fn on_ended(&mut self, now: Moment, call: CallId, reason: EndReason) {
        self.counters.ended += 1;
        let silent = self.silent.remove(&call);
        let Some(mut leg) = self.legs.remove(&call) else { return };
        leg.goodbye(now);
        if leg.media.is_some() {
            self.command(audio::Command::Close(LineId(call.0)));
        }
        if leg.is_engaged {
            self.switchboard.disconnect(LineId(call.0), &leg.target);
        }
        let figures = leg.media.as_ref().map(|media| Box::new(CallFigures::of(now, media)));
        leg.sockets.close(self.media_poll.registry(), &mut self.ports);
        self.office.tell(Report::Ended { call, reason, silent, figures });
    }

    /// Tells the audio thread, now or when its ring has room.
    fn command(&mut self, command: audio::Command) {
        self.waiting.push_back(command);
        self.push_commands();
    }

    fn push_commands(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(command)) = self.desk.commands.push(command) {
                self.waiting.push_front(command);
                return;
            }
        }
    }

    /// Drops what the audio thread has done with. A replaced half of a line says that its call has the new codec now.
    pub(super) fn take_retired(&mut self) {
        self.push_commands();
        while let Ok(retired) = self.desk.retired.pop() {
            if let Retired::Media(_) = retired
                && let Some((call, packet_ms)) = self.recodes.pop_front()
                && let Some(media) = self.legs.get_mut(&call).and_then(|leg| leg.media.as_mut())
            {
                media.recoded(packet_ms);
            }
        }
    }

    /// Sends what the tick made, for every call; whether a packet is missing yet.
    pub(super) fn send_media(&mut self, now: Moment, tick: Moment) -> bool {
        self.take_retired();
        let mut missing = false;
        let mut due = Vec::new();
        for (call, leg) in &mut self.legs {
            missing |= leg.send(now, tick);
            leg.handle_timeout(now);
            if leg.act_at.is_some_and(|at| at <= now) {
                leg.act_at = None;
                due.push(*call);
            }
        }
        for call in due {
            self.act(now, call);
            // Whom the one took is not there for the next.
            self.flush();
        }
        let calls: Vec<CallId> = self.legs.keys().copied().collect();
        for call in calls {
            self.follow_media(call);
        }
        missing
    }

    /// A call rang long enough, or stood long enough to be handed on.
    fn act(&mut self, now: Moment, call: CallId) {
        let Some(leg) = self.legs.get(&call) else { return };
        match (&leg.target, leg.is_answered) {
            (Target::Transfer(to), true) => {
                if self.agent.refer(now, call, to.reveal()).is_err() {
                    let _ = self.agent.hang_up(now, call);
                }
            }
            _ => self.answer(now, call),
        }
    }

    /// Acts on what happened on a call's wire.
    pub(super) fn follow_media(&mut self, call: CallId) {
        while let Some(media) = self.legs.get_mut(&call).and_then(|leg| leg.media.as_mut())
            && let Some(event) = media.poll_event()
        {
            match event {
                MediaEvent::Key(digit) => {
                    self.office.tell(Report::Key(call, Pii::new(digit.as_char())));
                }
                MediaEvent::Remote(addr) => self.office.tell(Report::Doubt(call, Doubt::Remote(addr))),
                MediaEvent::Silence(Silence::NothingYet) => {
                    self.office.tell(Report::Doubt(call, Doubt::OneWay));
                }
                MediaEvent::Silence(Silence::Stopped) => {
                    self.counters.silent += 1;
                    self.silent.insert(call);
                    // An error says that it is over already.
                    let _ = self.agent.hang_up(self.clock.now(), call);
                }
            }
        }
    }
}

/// The wall clock at the origin of all moments, as NTP has it.
fn ntp_origin(clock: &Clock) -> NtpTime {
    let now = clock.now();
    let origin = Clock::wall().saturating_sub(std::time::Duration::from_micros(now.as_micros()));
    let seconds = origin.as_secs().wrapping_add(NTP_TO_UNIX_S);
    let fraction = (u64::from(origin.subsec_nanos()) << 32) / 1_000_000_000;
    NtpTime(seconds << 32 | fraction)
}
