//! Who calls when: all at once and measured, or coming and going. Places the calls, serves each every 20 ms, and adds up.

use crate::call::{Call, End, Vanish};
use crate::options::Options;
use crate::pick::Pick;
use crate::rubbish;
use crate::sip::{Message, Names, read};
use crate::stream::{Stream, voice};
use crate::wires::{Clock, Ports, Wire};
use serde::Serialize;
use std::io;
use std::time::Duration;

/// Between two looks at the sockets of SIP.
const STEP: Duration = Duration::from_millis(1);
/// Steps between two packets of a call; calls are spread over them.
const PHASES: u64 = 20;
/// A step that came later than this counts as late, and so does each packet that was sent in it: a buffer that knows its
/// line for punctual may not have waited for it.
const LATE: Duration = Duration::from_millis(2);
/// Silence after the counted time, in which its last sound comes back.
const TAIL: Duration = Duration::from_secs(1);
/// The longest wait for answers at the end.
const PATIENCE: Duration = Duration::from_secs(10);
/// A call that stood for longer and heard fewer packets than this was mute.
const MUTE: (Duration, u64) = (Duration::from_secs(1), 25);

/// What became of everything.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Figures {
    placed: u64,
    answered: u64,
    refused: u64,
    unanswered: u64,
    ended_here: u64,
    ended_there: u64,
    vanished: u64,
    /// Calls in which nothing was heard.
    mute: u64,
    sent: u64,
    received: u64,
    /// Numbers of the far end's packets that never came.
    lost: u64,
    repeated: u64,
    /// Packets of voice from somewhere else than the call's far end, and the port of the last: they are for somebody else.
    strange: u64,
    stranger: u16,
    /// Pieces of 10 ms of numbered sound.
    pieces_heard: u64,
    pieces_missing: u64,
    pieces_repeated: u64,
    rubbish: u64,
    /// How well we kept time ourselves.
    late_packets: u64,
    latest_ms: f64,
}

/// A call and its sockets.
#[derive(Debug)]
struct Line {
    call: Call,
    rtp: Wire,
    rtcp: Wire,
}

/// All calls.
#[derive(Debug)]
struct Crowd<'a> {
    options: &'a Options,
    clock: Clock,
    sip: Wire,
    ports: Ports,
    /// Sends rubbish from an address that nobody knows.
    stranger: Wire,
    /// A call's place is the low part of its number; places are spread over the phases.
    lines: Vec<Option<Line>>,
    step: u64,
    is_late: bool,
    /// Whether sound is numbered now.
    counted: bool,
    pick: Pick,
    figures: Figures,
}

/// What came of the call's sound.
fn hear(line: &mut Line, figures: &mut Figures) {
    let Line { call, rtp, .. } = line;
    rtp.drain(|bytes, from| match call.media {
        Some(media) if media != from => {
            if voice(bytes).is_some() {
                (figures.strange, figures.stranger) = (figures.strange + 1, from.port());
            }
        }
        _ => call.stream.hear(bytes),
    });
}

/// Places the calls that are asked for.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let here =
        if options.target.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
    let mut crowd = Crowd {
        options,
        clock: Clock::start(),
        sip: Wire::open(here)?,
        ports: Ports::new(),
        stranger: Wire::open(here)?,
        lines: (0..options.calls).map(|_| None).collect(),
        step: 0,
        is_late: false,
        counted: false,
        pick: Pick::new(options.seed),
        figures: Figures::default(),
    };
    match options.minutes {
        None => crowd.all_at_once()?,
        Some(minutes) => crowd.come_and_go(Duration::from_secs_f64(60.0 * minutes))?,
    }
    crowd.hang_up()?;
    tell("figures", &crowd.figures)
}

impl Crowd<'_> {
    fn all_at_once(&mut self) -> io::Result<()> {
        let begin = self.clock.now();
        let (calls, rate) = (self.options.calls as u64, self.options.rate);
        let patience = Duration::from_secs_f64(calls as f64 / rate) + PATIENCE;
        self.run(begin + patience, |crowd, now| {
            let due = ((now - begin).as_secs_f64() * rate) as u64 + 1;
            while crowd.figures.placed < due.min(calls) {
                crowd.place(now, None, None)?;
            }
            Ok(crowd.figures.answered + crowd.figures.refused == calls)
        })?;
        self.run_for(self.options.settle)?;
        self.counted = true;
        tell("begin", &self.figures)?;
        self.run_for(self.options.seconds)?;
        self.counted = false;
        tell("end", &self.figures)?;
        self.run_for(TAIL.as_secs_f64())
    }

    fn come_and_go(&mut self, length: Duration) -> io::Result<()> {
        let begin = self.clock.now();
        let mut next = begin;
        tell("begin", &self.figures)?;
        self.run(begin + length, |crowd, now| {
            if now >= next && crowd.lines.iter().any(Option::is_none) {
                // Evenly on the whole, and by chance call by call.
                next = now + Duration::from_secs_f64(crowd.pick.between(0.0, 2.0) / crowd.options.rate);
                let length = crowd.pick.between(crowd.options.shortest, crowd.options.longest);
                let vanish = match crowd.pick.below(100) < u64::from(crowd.options.dead) {
                    true if crowd.pick.below(2) == 0 => Some(Vanish::WithoutAck),
                    true => Some(Vanish::InMidCall),
                    false => None,
                };
                crowd.place(now, Some(Duration::from_secs_f64(length)), vanish)?;
            }
            crowd.throw(now - begin);
            Ok(false)
        })?;
        tell("end", &self.figures)
    }

    fn hang_up(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        for line in self.lines.iter_mut().flatten() {
            if let Some(bye) = line.call.leave(now) {
                self.sip.send(bye.as_bytes(), self.options.target);
            }
        }
        self.run(now + PATIENCE, |crowd, _| Ok(crowd.lines.iter().all(Option::is_none)))?;
        for place in 0..self.lines.len() {
            self.close(place, End::Unanswered);
        }
        Ok(())
    }

    fn run_for(&mut self, seconds: f64) -> io::Result<()> {
        self.run(self.clock.now() + Duration::from_secs_f64(seconds), |_, _| Ok(false))
    }

    /// Steps until then, or until `each` says that it is enough.
    fn run(
        &mut self,
        then: Duration,
        mut each: impl FnMut(&mut Self, Duration) -> io::Result<bool>,
    ) -> io::Result<()> {
        loop {
            let due = STEP * u32::try_from(self.step).unwrap_or(u32::MAX);
            let late = self.clock.wait_until(due);
            self.is_late = late > LATE;
            self.figures.latest_ms = self.figures.latest_ms.max(1e3 * late.as_secs_f64());
            let now = due + late;
            self.serve(now);
            self.step += 1;
            if each(self, now)? || now >= then {
                return Ok(());
            }
        }
    }

    fn place(&mut self, now: Duration, length: Option<Duration>, vanish: Option<Vanish>) -> io::Result<()> {
        let Some(place) = self.lines.iter().position(Option::is_none) else { return Ok(()) };
        let (rtp, rtcp) = self.ports.pair(self.sip.local()?.ip())?;
        // Not met before: by this process's other calls, by those before it.
        let id = u64::from(std::process::id()) << 40 | self.figures.placed << 16 | place as u64;
        let names = Names {
            here: self.sip.local()?,
            there: self.options.target,
            number: self.options.number.clone(),
            id,
        };
        let stream = Stream::new(self.pick.bits());
        let (call, invite) = Call::begin(now, names, rtp.local()?.port(), stream, length, vanish);
        self.sip.send(invite.as_bytes(), self.options.target);
        self.figures.placed += 1;
        if let Some(line) = self.lines.get_mut(place) {
            *line = Some(Line { call, rtp, rtcp });
        }
        Ok(())
    }

    /// One step: SIP for all, sound for a twentieth of the calls.
    fn serve(&mut self, now: Duration) {
        let Self { sip, lines, figures, options, .. } = self;
        sip.drain(|bytes, _| {
            let Some((message, text)) =
                std::str::from_utf8(bytes).ok().and_then(|text| Some((read(text)?, text)))
            else {
                return;
            };
            let id = match &message {
                Message::Request { call, .. } => *call,
                Message::Answer(answer) => answer.call,
            };
            let line = lines.get_mut(id as usize & 0xFFFF).and_then(Option::as_mut);
            let Some(line) = line.filter(|line| line.call.id() == id) else { return };
            let was_up = line.call.answered_at.is_some();
            let reply = line.call.take(now, &message, text);
            figures.answered += u64::from(!was_up && line.call.answered_at.is_some());
            figures.refused += u64::from(line.call.end() == Some(End::Refused));
            if let Some(reply) = reply {
                sip.send(reply.as_bytes(), options.target);
            }
        });
        let phase = (self.step % PHASES) as usize;
        for place in (phase..self.lines.len()).step_by(PHASES as usize) {
            self.serve_line(now, place);
        }
    }

    fn serve_line(&mut self, now: Duration, place: usize) {
        let Self { lines, figures, .. } = self;
        let Some(Some(line)) = lines.get_mut(place) else { return };
        if let Some(text) = line.call.due(now) {
            self.sip.send(text.as_bytes(), self.options.target);
        }
        if let Some(end) = line.call.end() {
            return self.close(place, end);
        }
        hear(line, figures);
        let Line { call, rtp, rtcp } = line;
        rtcp.drain(|_report, _| {});
        if let Some(media) = call.media.filter(|_| call.is_up()) {
            rtp.send(&call.stream.packet(self.counted), media);
            self.figures.late_packets += u64::from(self.is_late);
        }
    }

    /// Adds up what a call came to and frees its place.
    fn close(&mut self, place: usize, end: End) {
        let Some(mut line) = self.lines.get_mut(place).and_then(Option::take) else { return };
        let figures = &mut self.figures;
        hear(&mut line, figures);
        let stream = line.call.stream;
        match end {
            End::Here => figures.ended_here += 1,
            End::There => figures.ended_there += 1,
            // Counted when it came.
            End::Refused => {}
            End::Unanswered => figures.unanswered += 1,
            End::Vanished => figures.vanished += 1,
        }
        let stood = Duration::from_millis(20) * u32::try_from(stream.sent).unwrap_or(u32::MAX);
        figures.mute += u64::from(stood > MUTE.0 && stream.received < MUTE.1);
        figures.sent += stream.sent;
        figures.received += stream.received;
        figures.lost += stream.lost;
        figures.repeated += stream.repeated;
        let sound = stream.account();
        figures.pieces_heard += sound.heard;
        figures.pieces_missing += sound.missing;
        figures.pieces_repeated += sound.repeated;
    }

    /// Throws the rubbish that is due.
    fn throw(&mut self, since: Duration) {
        while (self.figures.rubbish as f64) < since.as_secs_f64() * self.options.rubbish {
            self.figures.rubbish += 1;
            let place = self.pick.below(self.lines.len() as u64) as usize;
            let line = self.lines.get(place).and_then(Option::as_ref);
            match line.and_then(|line| Some((line, line.call.media?))) {
                Some((line, media)) if self.pick.below(2) == 0 => {
                    let mut to = media;
                    to.set_port(media.port() + self.pick.below(2) as u16);
                    let from = if self.pick.below(4) == 0 { &line.rtp } else { &self.stranger };
                    from.send(&rubbish::for_media(&mut self.pick), to);
                }
                _ => drop(self.stranger.send(&rubbish::for_sip(&mut self.pick), self.options.target)),
            }
        }
    }
}

/// One line of JSON for whoever runs us.
fn tell(at: &str, figures: &Figures) -> io::Result<()> {
    use io::Write as _;
    let mut value = serde_json::to_value(figures)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("at".into(), at.into());
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_send_to_a_calls_port_is_not_the_calls() {
        let here = [127, 0, 0, 1].into();
        let (rtp, rtcp) = Ports::new().pair(here).unwrap();
        let (far, stranger, place) =
            (Wire::open(here).unwrap(), Wire::open(here).unwrap(), rtp.local().unwrap());
        let names = Names { here: place, there: far.local().unwrap(), number: "600".to_owned(), id: 7 };
        let (mut call, _) = Call::begin(Duration::ZERO, names, place.port(), Stream::new(7), None, None);
        call.media = Some(far.local().unwrap());
        let (mut line, mut figures) = (Line { call, rtp, rtcp }, Figures::default());
        let (mut own, mut other) = (Stream::new(1 << 16), Stream::new(30_000 << 16));
        for _ in 0..10 {
            assert!(far.send(&own.packet(true), place) && stranger.send(&other.packet(true), place));
        }
        assert!(stranger.send(&[0x80, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], place), "no voice");
        hear(&mut line, &mut figures);
        let stream = &line.call.stream;
        assert_eq!((stream.received, stream.lost, stream.repeated), (10, 0, 0));
        assert_eq!((figures.strange, figures.stranger), (10, stranger.local().unwrap().port()));
    }
}
