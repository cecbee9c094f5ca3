//! The thread's loop: what is asked of it, what it tells.

use super::Way;
use super::card::{Cards, Open};
use super::watch::{Order, Seen, Watch, Why};
use crate::audio::sound::Change;
use crate::audio::sound::gauges::{SideGauges, SoundGauges};
use crate::clock::Clock;
use crate::rings::SoundDesk;
use offhook_config::Card;
use offhook_units::Span;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Between two looks at an open card.
const LOOK: Duration = Duration::from_millis(100);

/// Which cards are wanted; `None`: not that way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Where calls are heard.
    pub speaker: Option<Card>,
    /// Where they are spoken.
    pub microphone: Option<Card>,
}

impl Wants {
    fn of(&self, way: Way) -> Option<&Card> {
        match way {
            Way::Speaker => self.speaker.as_ref(),
            Way::Microphone => self.microphone.as_ref(),
        }
    }
}

/// How one way stands, told when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which way.
    pub way: Way,
    /// How it is, in words; `None`: nobody wants it.
    pub how: Option<String>,
}

enum Ask {
    Want(Wants),
    Stop,
}

/// The others' end of the thread.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: Sender<Ask>,
}

impl Handle {
    /// Other cards are wanted from now on.
    pub fn want(&self, wants: Wants) {
        // A thread that is over was told to the supervisor.
        let _ = self.asks.send(Ask::Want(wants));
    }

    /// Closes the cards and ends.
    pub fn stop(&self) {
        // As above.
        let _ = self.asks.send(Ask::Stop);
    }
}

/// What the thread is made of.
pub struct SoundThread<T> {
    asks: Receiver<Ask>,
    wants: Wants,
    sides: [Side; 2],
    cards: Cards,
    desk: SoundDesk,
    /// Changes that the ring has no room for, in order.
    outbox: VecDeque<Change>,
    gauges: Arc<SoundGauges>,
    refused: u64,
    clock: Clock,
    tell: T,
}

/// A thread that is ready to run. Its callbacks ask for the real-time priority `fifo`; what changes goes to `tell`.
pub fn begin<T: FnMut(Told)>(
    desk: SoundDesk,
    gauges: Arc<SoundGauges>,
    clock: Clock,
    fifo: Option<u8>,
    tell: T,
) -> (Handle, SoundThread<T>) {
    let (sender, asks) = channel();
    let side = |way| {
        let gauges = gauges.clone();
        Side { way, watch: Watch::new(), open: None, told: None, gauges }
    };
    let thread = SoundThread {
        asks,
        wants: Wants::default(),
        sides: Way::BOTH.map(side),
        cards: Cards::new(fifo),
        desk,
        outbox: VecDeque::new(),
        refused: 0,
        clock,
        tell,
        gauges,
    };
    (Handle { asks: sender }, thread)
}

impl<T> fmt::Debug for SoundThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoundThread").field("wants", &self.wants).finish_non_exhaustive()
    }
}

impl<T: FnMut(Told)> SoundThread<T> {
    /// Runs until it is told to stop.
    pub fn run(mut self) {
        loop {
            match self.next_ask() {
                Some(Ask::Want(wants)) => self.want(wants),
                Some(Ask::Stop) => break,
                None => {}
            }
            self.look();
        }
        for side in &mut self.sides {
            side.close(&mut self.outbox);
        }
    }

    /// Waits for the next ask, and for the next look where there is something to look at.
    fn next_ask(&self) -> Option<Ask> {
        let is_idle = self.wants == Wants::default()
            && self.outbox.is_empty()
            && self.sides.iter().all(|side| side.open.is_none());
        if is_idle {
            return Some(self.asks.recv().unwrap_or(Ask::Stop));
        }
        match self.asks.recv_timeout(LOOK) {
            Ok(ask) => Some(ask),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Ask::Stop),
        }
    }

    fn want(&mut self, wants: Wants) {
        for side in &mut self.sides {
            let (before, now) = (self.wants.of(side.way), wants.of(side.way));
            side.gauges().set_wanted(now.is_some());
            if before != now {
                side.close(&mut self.outbox);
                side.watch = Watch::new();
            }
            if now.is_none()
                && let Some(told) = side.turn(None)
            {
                (self.tell)(told);
            }
        }
        self.wants = wants;
    }

    fn look(&mut self) {
        for side in &mut self.sides {
            let wanted = self.wants.of(side.way);
            if let Some(told) = side.look(&self.clock, wanted, &mut self.cards, &mut self.outbox) {
                (self.tell)(told);
            }
        }
        while let Some(change) = self.outbox.pop_front() {
            if let Err(rtrb::PushError::Full(change)) = self.desk.changes.push(change) {
                self.outbox.push_front(change);
                break;
            }
        }
        while self.desk.retired.pop().is_ok() {}
        self.tell_refusals();
    }

    /// The trunk's thread counts a call that the handset could not take; why is known here.
    fn tell_refusals(&mut self) {
        let refused = self.gauges.refused.load(Relaxed);
        if refused == self.refused {
            return;
        }
        self.refused = refused;
        let how: Vec<&str> = self.sides.iter().filter_map(|side| side.told.as_deref()).collect();
        let why = if self.gauges.is_ready() { "it is in a call".to_owned() } else { how.join("; ") };
        tracing::warn!("a call to the handset was refused: {why}");
    }
}

/// One way of the card.
struct Side {
    way: Way,
    watch: Watch,
    open: Option<Open>,
    told: Option<String>,
    gauges: Arc<SoundGauges>,
}

impl Side {
    fn gauges(&self) -> &SideGauges {
        match self.way {
            Way::Speaker => &self.gauges.speaker,
            Way::Microphone => &self.gauges.microphone,
        }
    }

    /// A look at it; what there is to tell.
    fn look(
        &mut self,
        clock: &Clock,
        wanted: Option<&Card>,
        cards: &mut Cards,
        outbox: &mut VecDeque<Change>,
    ) -> Option<Told> {
        let gauges = self.gauges();
        let rate_hz = self.open.as_ref().map_or(1, |open| open.rate.hz());
        let period_us = u64::from(gauges.period_frames()).saturating_mul(1_000_000) / u64::from(rate_hz);
        let seen = Seen {
            is_wanted: wanted.is_some(),
            calls: gauges.calls(),
            period: Span::from_micros(i64::try_from(period_us).unwrap_or(i64::MAX)),
            has_failed: self.open.as_ref().is_some_and(Open::has_failed),
        };
        match (self.watch.look(clock.now(), seen)?, wanted) {
            (Order::Open, Some(wanted)) => self.open(clock, wanted, cards, outbox),
            (Order::Open, None) => None,
            (Order::Close(why), _) => {
                let fault = self.open.as_ref().and_then(Open::fault);
                self.close(outbox);
                let way = self.way.name();
                match (why, fault) {
                    (Why::Unwanted, _) => return self.turn(None),
                    (Why::Failed, Some(fault)) => tracing::warn!("the {way} is gone: {fault}"),
                    (Why::Failed, None) => tracing::warn!("the {way} is gone"),
                    (Why::Silent, _) => tracing::warn!("the {way} does not run any more"),
                }
                self.turn(Some(format!("the {way} is gone, and is looked for")))
            }
        }
    }

    fn open(
        &mut self,
        clock: &Clock,
        wanted: &Card,
        cards: &mut Cards,
        outbox: &mut VecDeque<Change>,
    ) -> Option<Told> {
        let calls = self.gauges().calls();
        match cards.open(self.way, wanted, &self.gauges) {
            Ok((open, change)) => {
                self.watch.opened(clock.now(), calls);
                self.gauges().opened();
                let how = format!("the {} is {open}", self.way.name());
                tracing::info!("{how}");
                self.open = Some(open);
                outbox.push_back(change);
                self.turn(Some(how))
            }
            Err(error) => {
                self.watch.failed(clock.now());
                let told = self.turn(Some(format!("no {}: {error}", self.way.name())))?;
                tracing::warn!("{}; it is looked for", told.how.as_deref().unwrap_or_default());
                Some(told)
            }
        }
    }

    /// Closes the card: its callbacks end first.
    fn close(&mut self, outbox: &mut VecDeque<Change>) {
        if self.open.take().is_some() {
            self.gauges().closed();
            outbox.push_back(match self.way {
                Way::Speaker => Change::Speaker(None),
                Way::Microphone => Change::Microphone(None),
            });
        }
    }

    /// How it stands, if that is news.
    fn turn(&mut self, how: Option<String>) -> Option<Told> {
        if self.told == how {
            return None;
        }
        self.told.clone_from(&how);
        Some(Told { way: self.way, how })
    }
}
