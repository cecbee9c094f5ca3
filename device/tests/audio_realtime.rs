//! S2: 10,000 ticks with calls that come, change and go, bad networks, reloads and a deaf trunk: the audio thread
//! neither allocates nor frees.

#[path = "../../engine/tests/support"]
#[allow(unreachable_pub, dead_code, missing_debug_implementations, reason = "shared with the engine's tests")]
mod support {
    pub mod heap;
}

use offhook::audio::agent::Agent;
use offhook::audio::gauges::{LineGauges, TickGauges};
use offhook::audio::line::{Line, Media};
use offhook::audio::prompter::{Mark, MarkKind, Prompter, Turn};
use offhook::audio::route::Route;
use offhook::audio::stage::Stage;
use offhook::audio::tone::Tone;
use offhook::audio::{Command, LineId};
use offhook::rings::{self, CallEnds, SpeechEnds};
use offhook_engine::{Packet, PacketKind, Settings};
use offhook_units::{Codec, Moment, RtpTime, SeqNo, Span, Ssrc};
use ringbuf::traits::{Consumer as _, Producer as _};
use std::sync::Arc;
use support::heap;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const CALLS: usize = 12;

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

struct Call {
    id: LineId,
    ends: CallEnds,
    codec: Codec,
    number: u16,
    speech: Option<Speech>,
}

/// What the speech thread would do, in any order and never too late or too early to be survived.
struct Speech {
    ends: SpeechEnds,
    laid: u64,
    turn: u32,
}

impl Speech {
    fn speak(&mut self, luck: u64) {
        let kind = if luck.is_multiple_of(9) { MarkKind::Begin(Turn(self.turn)) } else { MarkKind::End };
        self.turn += u32::from(luck.is_multiple_of(9));
        if luck.is_multiple_of(5) {
            let _full = self.ends.marks.push(Mark { at: self.laid, kind });
        }
        self.laid += self.ends.samples.push_slice(&[luck as i16; 300][..(luck % 300) as usize]) as u64;
        if luck.is_multiple_of(3) {
            self.ends.caller.clear();
            while self.ends.said.pop().is_ok() {}
        }
    }
}

impl Call {
    /// One packet, sometimes lost, doubled, out of order or nonsense.
    fn hear(&mut self, now: Moment, luck: u64) {
        let payload = [luck as u8; 160];
        let seq = match luck % 11 {
            0 => self.number.wrapping_sub(3),
            1 => luck as u16,
            _ => self.number,
        };
        let kind = match luck % 37 {
            0 => PacketKind::ComfortNoise,
            1 => PacketKind::TelephoneEvent,
            _ => PacketKind::Voice(self.codec),
        };
        let packet = Packet {
            arrival: now,
            ssrc: Ssrc(7 + u32::from(luck.is_multiple_of(101))),
            seq: SeqNo(seq),
            time: RtpTime(u32::from(seq) * 160),
            kind,
            payload: &payload[..(luck % 161) as usize],
        };
        self.number = self.number.wrapping_add(1);
        if !luck.is_multiple_of(17) {
            // A ring that is full is part of the test.
            let _full = self.ends.packets.send(&packet);
        }
    }
}

#[test]
fn ten_thousand_ticks_of_churn_touch_no_heap() {
    let (mut trunk, mut control, desk) = rings::shared(CALLS);
    let mut stage = Stage::new(CALLS, desk, Arc::new(TickGauges::default()));
    let (mut calls, mut luck, mut next, mut opened) = (Vec::<Call>::new(), 0x9E37_79B9_u64, 0_u64, 0);
    for tick in 0..10_000_u64 {
        let now = Moment::from_millis(tick * 10);
        let dice = random(&mut luck);
        if dice.is_multiple_of(40) {
            let codec = Codec::ALL[(dice >> 8) as usize % Codec::ALL.len()];
            let (ends, line_ends) = rings::call();
            let media = Box::new(Media::new(codec, 20, Settings::default()).unwrap());
            let mut speech = None;
            let route = match dice >> 12 & 3 {
                0 => Route::Tone(Tone::default()),
                1 => Route::Echo,
                _ => {
                    let (ends, agent, prompter) = rings::conversation(codec.sample_rate());
                    speech = Some(Speech { ends, laid: 0, turn: 0 });
                    let rate = codec.sample_rate();
                    let prompter = Prompter::new(prompter, rate);
                    let agent = Agent::new(rate, agent, prompter).unwrap();
                    Route::Agent(Box::new(agent))
                }
            };
            let line = Line::new(LineId(next), media, route, line_ends, Arc::new(LineGauges::default()));
            trunk.commands.push(Command::Open(Box::new(line))).unwrap();
            calls.push(Call { id: LineId(next), ends, codec, number: 65_000, speech });
            (next, opened) = (next + 1, opened + 1);
        }
        if dice % 90 == 1
            && let Some(call) = calls.first_mut()
        {
            call.codec = Codec::ALL[(dice >> 9) as usize % Codec::ALL.len()];
            let media = Box::new(Media::new(call.codec, 30, Settings::default()).unwrap());
            trunk.commands.push(Command::Recode(call.id, media)).unwrap();
        }
        if calls.len() > CALLS || dice % 97 == 2 && !calls.is_empty() {
            let call = calls.swap_remove((dice >> 20) as usize % calls.len());
            trunk.commands.push(Command::Close(call.id)).unwrap();
        }
        if dice % 200 == 3 {
            let max_delay = Span::from_millis((dice >> 30) as i64 % 500);
            control.commands.push(Command::Tune(Settings { max_delay, ..Settings::default() })).unwrap();
        }
        for call in &mut calls {
            let luck = random(&mut luck);
            // Stalls and bursts: a call in ten sends nothing for a while, then much.
            let packets =
                if (tick / 50 + call.id.0).is_multiple_of(10) { 0 } else { luck % 2 + luck % 61 / 60 * 40 };
            (0..packets).for_each(|_| call.hear(now, random(&mut { luck })));
            if let Some(speech) = &mut call.speech {
                speech.speak(luck >> 7);
            }
            if luck.is_multiple_of(300) {
                trunk.commands.push(Command::Hush(call.id)).unwrap();
            }
            if !call.id.0.is_multiple_of(5) {
                while call.ends.payloads.receive().is_some() {}
            }
        }
        let (touches, ()) = heap::touches(|| stage.tick(now));
        assert_eq!(touches, heap::Touches::default(), "tick {tick}");
        // The trunk looks into the retire ring now and then only.
        if tick.is_multiple_of(16) {
            while trunk.retired.pop().is_ok() {}
        }
    }
    assert!(opened > 200, "{opened} calls");
}
