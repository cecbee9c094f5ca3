//! S2, D1: calls to the handset, calls that are overheard, cards that come, stumble and go, levels that change: neither
//! the audio thread nor a card's callback allocates or frees.

#[path = "../../engine/tests/support"]
#[allow(unreachable_pub, dead_code, missing_debug_implementations, reason = "shared with the engine's tests")]
mod support {
    pub mod heap;
}

use offhook::audio::gauges::{LineGauges, TickGauges};
use offhook::audio::line::{Line, Media};
use offhook::audio::route::Route;
use offhook::audio::sound::callback::{Plays, Records};
use offhook::audio::sound::card::{Microphone, Speaker};
use offhook::audio::sound::gauges::SoundGauges;
use offhook::audio::sound::{Change, Monitor, Sound, SoundSettings};
use offhook::audio::stage::Stage;
use offhook::audio::tone::Tone;
use offhook::audio::{Command, LineId};
use offhook::rings::{self, SoundDesk};
use offhook_engine::Settings;
use offhook_units::{Codec, Moment, SampleRate};
use std::sync::Arc;
use support::heap;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const RATES_HZ: [u32; 4] = [48_000, 44_100, 16_000, 96_000];

/// Both ways of a card, as its driver holds them.
struct Driver {
    plays: Plays,
    records: Records,
    buffer: Vec<f32>,
}

impl Driver {
    fn call(&mut self) {
        self.plays.fill(&mut self.buffer, 2, |sample| f32::from(sample) / 32_768.0);
        self.records.take(&self.buffer, 2, |sample| (sample * 32_768.0) as i16);
    }
}

/// A new card at `rate_hz`, on its way to the audio thread.
fn plug(desk: &mut SoundDesk, gauges: &SoundGauges, rate_hz: u32) -> Driver {
    let rate = SampleRate::new(rate_hz).expect("a card's rate");
    let (writer, plays) = rings::card(rate);
    let speaker = Speaker::new(rate, writer, gauges.speaker.clone()).expect("a filter");
    let (records, reader) = rings::card(rate);
    let microphone = Microphone::new(rate, reader, gauges.microphone.clone()).expect("a filter");
    desk.changes.push(Change::Speaker(Some(Box::new(speaker)))).expect("room");
    desk.changes.push(Change::Microphone(Some(Box::new(microphone)))).expect("room");
    Driver {
        plays: Plays::new(plays, gauges.speaker.clone()),
        records: Records::new(records, gauges.microphone.clone()),
        buffer: vec![0.0; 2 * rate.frames_in_ms(10)],
    }
}

#[test]
fn cards_and_calls_to_the_handset_touch_no_heap() {
    let (mut trunk, mut control, desk) = rings::shared(4);
    let (mut cards, ends) = rings::sound();
    let sound = Sound::new(ends, SoundSettings::default()).expect("all rates are known");
    let mut stage = Stage::new(4, desk, Arc::new(TickGauges::default())).with_sound(Box::new(sound));
    let gauges = SoundGauges::default();
    let mut calls = Vec::new();
    for (id, codec) in Codec::ALL.into_iter().enumerate() {
        let route = if id.is_multiple_of(2) { Route::Handset } else { Route::Tone(Tone::default()) };
        let (ends, line_ends) = rings::call();
        let media = Box::new(Media::new(codec, 20, Settings::default()).expect("codec starts"));
        let line = Line::new(LineId(id as u64), media, route, line_ends, Arc::new(LineGauges::default()));
        trunk.commands.push(Command::Open(Box::new(line))).expect("room");
        calls.push(ends);
    }
    let mut driver = None;
    for tick in 0..4_000_u64 {
        if tick % 500 == 100 {
            driver = Some(plug(&mut cards, &gauges, RATES_HZ[(tick / 500) as usize % RATES_HZ.len()]));
        }
        if tick % 500 == 450 {
            driver = None;
            cards.changes.push(Change::Speaker(None)).expect("room");
            cards.changes.push(Change::Microphone(None)).expect("room");
        }
        if tick.is_multiple_of(130) {
            let monitor = [Monitor::Off, Monitor::Caller, Monitor::Both][(tick / 130) as usize % 3];
            let speaker_db = if tick.is_multiple_of(260) { f32::NEG_INFINITY } else { -3.0 };
            let settings = SoundSettings { speaker_db, microphone_db: 2.0, monitor, duck_db: 20.0 };
            control.commands.push(Command::Sound(settings)).expect("room");
        }
        let (touches, ()) = heap::touches(|| stage.tick(Moment::from_millis(tick * 10)));
        assert_eq!(touches, heap::Touches::default(), "tick {tick}");
        // Now and then the card stumbles: not at all, or three times at once.
        let times = if tick.is_multiple_of(97) { 0 } else { 1 + 2 * usize::from(tick.is_multiple_of(101)) };
        if let Some(driver) = &mut driver {
            let (touches, ()) = heap::touches(|| (0..times).for_each(|_| driver.call()));
            assert_eq!(touches, heap::Touches::default(), "a callback at tick {tick}");
        }
        for ends in &mut calls {
            while ends.payloads.receive().is_some() {}
        }
        if tick.is_multiple_of(16) {
            while cards.retired.pop().is_ok() {}
            while trunk.retired.pop().is_ok() {}
        }
    }
    assert!(gauges.speaker.xruns() > 0 && gauges.speaker.calls() > 2_000);
}
