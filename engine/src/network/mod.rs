//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! What the network does to the stream, learnt from exact arrival times (J2), and the delay that suits it.
//!
//! A packet's *transit* is its arrival minus the media time of its end (it could not be sent before): the
//! network's delay plus an unknown constant, the same for packets of any length.
//! The least transit of late is the *floor*; all else is measured from there. The floor follows a step of
//! the network and the drift of the sender's clock by itself.

mod drift;
mod floor;
mod price;
mod trend;

pub use price::Tariff;

use drift::Drift;
use floor::Floor;
use offhook_units::{Moment, Ppm, Span};
use price::{PriceList, REACH_MS};
use trend::Trend;

/// A floor that falls by this much at once is a step of the network: it was slow for seconds, and is no more.
const FALL_MS: f32 = 15.0;

/// After a silence of this length the floor is learnt anew.
const LONG_SILENCE: Span = Span::from_millis(10_000);
/// How far ahead a filling queue is foreseen.
const FORESIGHT_MS: f32 = 400.0;

/// One arrival, as the model needs it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it came.
    pub at: Moment,
    /// Its end on the media axis, as a length from the axis' origin.
    pub media_end: Span,
    /// How long it lasts.
    pub duration: Span,
    /// Packets sent before it that have not come.
    pub skipped: u64,
    /// It was overtaken by one sent later.
    pub late: bool,
    /// The axis was mended at this packet: what was learnt about the floor may not hold.
    pub restarted: bool,
}

/// The model of one call's network. `heard` for each packet with audio, `wanted` whenever a decision is due.
#[derive(Debug)]
pub struct Network {
    floor: Floor,
    prices: PriceList,
    drift: Drift,
    trend: Trend,
    /// Transits are kept as differences from the first one, which makes them small.
    origin: Option<i64>,
    heard_at: Option<Moment>,
    fell_at: Option<Moment>,
}

impl Network {
    /// Knows nothing but what a call starts from: a wait of `start` beyond the floor.
    pub fn new(start: Span, tariff: Tariff) -> Self {
        Self {
            floor: Floor::default(),
            prices: PriceList::new(start.as_millis_f32(), tariff),
            drift: Drift::default(),
            trend: Trend::default(),
            origin: None,
            heard_at: None,
            fell_at: None,
        }
    }

    /// A packet came.
    pub fn heard(&mut self, arrival: &Arrival) {
        let transit = arrival.at.as_micros() as i64 - arrival.media_end.as_micros();
        let origin = *self.origin.get_or_insert(transit);
        let transit_ms = (transit - origin) as f32 / 1000.0;
        // Over a long silence the clocks part by themselves, and the network may be another.
        let long_since = self.heard_at.is_some_and(|at| arrival.at.since(at) > LONG_SILENCE);
        self.heard_at = Some(arrival.at);
        if arrival.restarted || long_since {
            self.floor.forget();
            self.trend.forget();
            self.prices.forget_place();
        }
        if !arrival.late {
            if self.floor.undercut_by(transit_ms, FALL_MS) {
                self.fell_at = Some(arrival.at);
            }
            self.floor.note(arrival.at, transit_ms);
            self.drift.note(arrival.at, transit_ms);
            self.trend.note(arrival.at, transit_ms);
        }
        let floor_ms = self.floor.ms().unwrap_or(transit_ms);
        self.prices.charge(transit_ms, floor_ms, arrival);
    }

    /// The transit that suits the line, between the given waits beyond the floor: a packet that took
    /// no longer is in time. `None` before the first packet.
    pub fn wanted(&self, least: Span, most: Span) -> Option<Span> {
        let origin = self.origin?;
        let floor_ms = self.floor.ms()?;
        let wait_ms = self.prices.best_ms().max(least.as_millis_f32()).min(most.as_millis_f32()).max(0.0);
        let ms = floor_ms + wait_ms;
        let ms =
            self.foreseen_ms().map_or(ms, |foreseen| ms.max(foreseen.min(floor_ms + most.as_millis_f32())));
        Some(Span::from_micros(origin + (ms * 1000.0) as i64))
    }

    /// What this wait beyond the floor would have cost lately, as milliseconds of delay; while a queue fills, what
    /// lies below its foreseen end costs more than any delay.
    pub fn price(&self, wait: Span) -> f32 {
        let wait_ms = wait.as_millis_f32();
        let drowned = self
            .foreseen_ms()
            .zip(self.floor.ms())
            .is_some_and(|(foreseen_ms, floor_ms)| floor_ms + wait_ms < foreseen_ms);
        self.prices.at_ms(wait_ms) + if drowned { REACH_MS } else { 0.0 }
    }

    /// Whether a queue is filling.
    pub const fn rises(&self) -> bool {
        self.trend.slope().is_some()
    }

    /// Where the least transit will be soon.
    fn foreseen_ms(&self) -> Option<f32> {
        self.trend.slope().map(|slope| self.trend.newest_ms() + slope * FORESIGHT_MS)
    }

    /// When the network became faster for good, last.
    pub const fn fell_at(&self) -> Option<Moment> {
        self.fell_at
    }

    /// The least transit of late.
    pub fn floor(&self) -> Option<Span> {
        Some(Span::from_micros(self.origin? + (self.floor.ms()? * 1000.0) as i64))
    }

    /// The floor that a cap of `most` is measured from: where all of the last packets lie beyond the cap, the
    /// network has become slower, and the old floor would keep everything out.
    pub fn floor_under_cap(&self, most: Span) -> Option<Span> {
        let floor_ms = self.floor.ms()?;
        let recent_ms = self.trend.recent_least_ms().unwrap_or(floor_ms);
        let drowned = recent_ms - floor_ms > most.as_millis_f32();
        let ms = if drowned { recent_ms } else { floor_ms };
        Some(Span::from_micros(self.origin? + (ms * 1000.0) as i64))
    }

    /// How far the sender's clock runs off ours, once that is known: positive when it is fast.
    pub fn drift(&self) -> Option<Ppm> {
        self.drift.ppm()
    }
}
