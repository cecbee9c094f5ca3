//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! One call on the audio thread.

use super::gauges::{LineGauges, Sent};
use super::route::Route;
use super::sound::Sound;
use super::{LineId, TICK_MS};
use crate::rings::{LineEnds, MOST_PAYLOAD, Payload};
use offhook_engine::codec::{Encoder, Unavailable};
use offhook_engine::{Playout, Settings};
use offhook_units::{Codec, Moment};
use std::sync::Arc;

/// Packets taken from the ring in one tick at most. A call brings two or fewer; a burst behind a stall of a second
/// is taken in two ticks; a flood waits in the ring until that is full, and costs no other call its tick.
const MOST_PACKETS_A_TICK: usize = 32;

/// Between two publications of the counters, in ticks.
const PUBLISH_TICKS: u64 = 10;

/// What hangs on the call's codec.
#[derive(Debug)]
pub struct Media {
    playout: Playout,
    encoder: Encoder,
    heard: Box<[i16]>,
    /// One outgoing packet's samples.
    said: Box<[i16]>,
    /// How much of it is there.
    filled: usize,
    coded: Box<[u8]>,
}

impl Media {
    /// For a call in `codec` that sends packets of `packet_ms`, rounded to whole ticks, 10 to 60.
    ///
    /// # Errors
    /// [`Unavailable`] when the codec's library refuses to start.
    // start-up: of the call, on the trunk's thread.
    pub fn new(codec: Codec, packet_ms: u32, settings: Settings) -> Result<Self, Unavailable> {
        let playout = Playout::new(codec, settings)?;
        let tick = playout.tick_frames();
        // Opus has no 30 ms and no 50 ms packets (RFC 6716 2.1.4), and 40 is as good.
        let ticks = match (packet_ms / TICK_MS).clamp(1, 6) {
            3 | 5 if codec == Codec::Opus => 4,
            ticks => ticks,
        };
        Ok(Self {
            encoder: Encoder::new(codec)?,
            heard: vec![0; tick].into(),
            said: vec![0; tick * ticks as usize].into(),
            filled: 0,
            coded: vec![0; MOST_PAYLOAD].into(),
            playout,
        })
    }

    /// How long the packets are that it makes, ms.
    pub fn packet_ms(&self) -> u32 {
        (self.said.len() / self.heard.len().max(1)) as u32 * TICK_MS
    }
}

/// One call.
#[derive(Debug)]
pub struct Line {
    id: LineId,
    media: Box<Media>,
    route: Route,
    ends: LineEnds,
    /// Whether voice may be sent: not while the far end holds the call.
    sends: bool,
    sent: Sent,
    ticks: u64,
    gauges: Arc<LineGauges>,
}

impl Line {
    /// A call that begins; its counters go to `gauges`.
    pub fn new(
        id: LineId,
        media: Box<Media>,
        mut route: Route,
        ends: LineEnds,
        gauges: Arc<LineGauges>,
    ) -> Self {
        route.tune(media.playout.settings().max_speed_change);
        Self { id, media, route, ends, sends: true, sent: Sent::default(), ticks: 0, gauges }
    }

    /// Whose line it is.
    pub const fn id(&self) -> LineId {
        self.id
    }

    /// Other buffers' settings.
    pub fn tune(&mut self, settings: Settings) {
        self.media.playout.apply(settings);
        self.route.tune(self.media.playout.settings().max_speed_change);
    }

    /// Whether voice may be sent.
    pub const fn set_sends(&mut self, sends: bool) {
        self.sends = sends;
    }

    /// Stops the device's voice.
    pub fn hush(&mut self) {
        self.route.hush();
    }

    /// Another codec from here on; gives back what served until now.
    pub fn recode(&mut self, mut media: Box<Media>) -> Box<Media> {
        media.playout.go_on_from(&self.media.playout);
        std::mem::replace(&mut self.media, media)
    }

    /// 10 ms of the call; `now` is the tick's own time.
    pub fn tick(&mut self, now: Moment, sound: Option<&mut Sound>) {
        let media = &mut *self.media;
        for _ in 0..MOST_PACKETS_A_TICK {
            let Some(packet) = self.ends.packets.receive() else { break };
            media.playout.put(&packet);
        }
        media.playout.render(now, &mut media.heard);
        let end = media.filled + media.heard.len();
        if let Some(said) = media.said.get_mut(media.filled..end) {
            let rate = media.playout.rate();
            match (&mut self.route, sound) {
                (Route::Handset, Some(sound)) => sound.talk(rate, &media.heard, said),
                (route, sound) => {
                    route.answer(rate, &media.heard, said);
                    if let Some(sound) = sound {
                        sound.overhear(rate, &media.heard, said);
                    }
                }
            }
        }
        media.filled = end;
        if media.filled >= media.said.len() {
            media.filled = 0;
            self.send();
            self.route.packed(now);
        }
        self.ticks += 1;
        if self.ticks.is_multiple_of(PUBLISH_TICKS) {
            self.publish();
        }
    }

    /// Tells the counters as they are.
    pub fn publish(&self) {
        let sent = Sent { unfetched: self.route.unfetched(), ..self.sent };
        let playout = &self.media.playout;
        self.gauges.publish(playout.stats(), playout.rate(), sent);
    }

    fn send(&mut self) {
        let media = &mut *self.media;
        let payload = match media.encoder.encode(&media.said, &mut media.coded) {
            Ok(bytes) if self.sends => Payload::Voice(media.coded.get(..bytes).unwrap_or(&[])),
            // A codec that made nothing of the samples leaves a gap, as a lost packet would.
            _ => Payload::Nothing,
        };
        let voice = u64::from(matches!(payload, Payload::Voice(_)));
        match self.ends.payloads.send(payload) {
            Ok(()) => self.sent.payloads += voice,
            Err(crate::rings::Full) => self.sent.lost += voice,
        }
    }
}
