//! S2, B4: the audio thread's tick, in virtual time: what goes in by the rings comes out by the rings.

use offhook::audio::agent::Agent;
use offhook::audio::gauges::{LineGauges, TickGauges, Unfetched};
use offhook::audio::line::{Line, Media};
use offhook::audio::prompter::{Mark, MarkKind, Prompter, Turn};
use offhook::audio::route::Route;
use offhook::audio::stage::Stage;
use offhook::audio::tone::Tone;
use offhook::audio::{Command, LineId, Retired};
use offhook::rings::{self, AudioDesk, CallEnds, ControlDesk, Payload, TrunkDesk};
use offhook_engine::codec::{Decoder, Encoder};
use offhook_engine::{Packet, PacketKind, Settings};
use offhook_units::{Codec, Moment, RtpTime, SeqNo, Span, Ssrc};
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _};
use std::sync::Arc;

/// A stage and the desks around it.
struct House {
    stage: Stage,
    trunk: TrunkDesk,
    control: ControlDesk,
    ticks: Arc<TickGauges>,
    tick: u64,
}

impl House {
    fn new(most_calls: usize) -> Self {
        let (trunk, control, desk): (TrunkDesk, ControlDesk, AudioDesk) = rings::shared(most_calls);
        let ticks = Arc::new(TickGauges::default());
        Self { stage: Stage::new(most_calls, desk, ticks.clone()), trunk, control, ticks, tick: 0 }
    }

    fn open(&mut self, id: u64, codec: Codec, packet_ms: u32, route: Route) -> Call {
        let (ends, line_ends) = rings::call();
        let gauges = Arc::new(LineGauges::default());
        let media = Box::new(Media::new(codec, packet_ms, Settings::default()).expect("codec starts"));
        let line = Line::new(LineId(id), media, route, line_ends, gauges.clone());
        self.trunk.commands.push(Command::Open(Box::new(line))).expect("room");
        Call { ends, gauges, codec, encoder: Encoder::new(codec).expect("codec starts"), number: 0 }
    }

    fn tick(&mut self) {
        self.stage.tick(Moment::from_millis(self.tick * 10));
        self.tick += 1;
    }

    fn ticks_on(&mut self, count: u32) {
        (0..count).for_each(|_| self.tick());
    }
}

/// The trunk's side of one call.
struct Call {
    ends: CallEnds,
    gauges: Arc<LineGauges>,
    codec: Codec,
    encoder: Encoder,
    number: u16,
}

impl Call {
    /// The next 20 ms arrive.
    fn hear(&mut self, at: Moment, pcm: &[i16]) {
        let mut payload = [0; 1_280];
        let bytes = self.encoder.encode(pcm, &mut payload).expect("a packet's samples");
        let packet = Packet {
            arrival: at,
            ssrc: Ssrc(7),
            seq: SeqNo(self.number),
            time: RtpTime(u32::from(self.number) * self.codec.rtp_clock().frames_in_ms(20) as u32),
            kind: PacketKind::Voice(self.codec),
            payload: &payload[..bytes],
        };
        self.number += 1;
        self.ends.packets.send(&packet).expect("room");
    }

    /// What was said since the last time, decoded, and how many intervals that were.
    fn said(&mut self, decoder: &mut Decoder) -> (Vec<i16>, usize) {
        let (mut pcm, mut intervals) = (Vec::new(), 0);
        while let Some(payload) = self.ends.payloads.receive() {
            intervals += 1;
            if let Payload::Voice(bytes) = payload {
                let mut out = [0; 5_760];
                let frames = decoder.decode(bytes, &mut out).expect("own payload");
                pcm.extend_from_slice(&out[..frames]);
            }
        }
        (pcm, intervals)
    }
}

/// 20 ms of a sweep that never repeats, at 8 kHz.
fn sweep(number: usize) -> Vec<i16> {
    (number * 160..(number + 1) * 160)
        .map(|n| {
            let t = n as f32 / 8_000.0;
            (8_000.0 * (t * (300.0 + 40.0 * t) * std::f32::consts::TAU).sin()) as i16
        })
        .collect()
}

#[test]
fn an_echo_gives_back_the_very_samples_within_30_ms_once_the_line_is_known() {
    let mut house = House::new(1);
    let mut call = house.open(1, Codec::Pcmu, 20, Route::Echo);
    let mut decoder = Decoder::new(Codec::Pcmu).unwrap();
    let mut law = Decoder::new(Codec::Pcmu).unwrap();
    let mut coder = Encoder::new(Codec::Pcmu).unwrap();
    let (mut sent, mut echoed) = (Vec::new(), Vec::new());
    for tick in 0..3_000 {
        let now = Moment::from_millis(tick * 10);
        if tick % 2 == 0 {
            // Just after the tick before: the least lucky phase but for jitter.
            let pcm = sweep(tick as usize / 2);
            call.hear(now - Span::from_micros(9_000), &pcm);
            let (mut coded, mut plain) = ([0; 160], [0; 160]);
            coder.encode(&pcm, &mut coded).unwrap();
            law.decode(&coded, &mut plain).unwrap();
            sent.extend_from_slice(&plain);
        }
        house.tick();
        echoed.extend(call.said(&mut decoder).0);
    }
    let tail = &echoed[echoed.len() - 8_000..];
    let place = (0..sent.len() - 8_000).rev().find(|at| &sent[*at..at + 8_000] == tail);
    let place = place.expect("the last second, sample by sample");
    // The last sample left at the end of the last tick's packet; the sample it came from arrived whole 9 ms before
    // a tick, at the end of a packet.
    let behind = sent.len() - (place + 8_000);
    assert!(behind <= 160 + 80, "{behind} samples behind");
    assert_eq!(call.gauges.stats().missing, 0);
}

#[test]
fn every_codec_sends_one_payload_a_packet_time_whatever_it_hears() {
    for codec in Codec::ALL {
        for (packet_ms, ticks) in [(10, 1), (20, 2), (40, 4), (60, 6)] {
            let mut house = House::new(1);
            let mut call = house.open(1, codec, packet_ms, Route::Tone(Tone::default()));
            let mut decoder = Decoder::new(codec).unwrap();
            let (mut all, mut intervals) = (0, 0);
            for _ in 0..60 {
                house.tick();
                let (pcm, more) = call.said(&mut decoder);
                (all, intervals) = (all + pcm.len(), intervals + more);
            }
            assert_eq!(intervals, 60 / ticks, "{codec} in {packet_ms} ms");
            assert_eq!(all, codec.sample_rate().frames_in_ms(600), "{codec} in {packet_ms} ms");
        }
    }
}

#[test]
fn on_hold_the_media_clock_runs_on_and_nothing_is_said() {
    let mut house = House::new(1);
    let mut call = house.open(4, Codec::Pcma, 20, Route::Tone(Tone::default()));
    let mut decoder = Decoder::new(Codec::Pcma).unwrap();
    house.trunk.commands.push(Command::Send(LineId(4), false)).unwrap();
    house.ticks_on(10);
    assert_eq!(call.said(&mut decoder), (vec![], 5));
    house.trunk.commands.push(Command::Send(LineId(4), true)).unwrap();
    house.ticks_on(10);
    assert_eq!(call.said(&mut decoder).0.len(), 800);
}

/// Whoever reads the counters learns of the new codec before the audio thread changes to it, and need not know.
#[test]
fn the_time_that_is_told_never_jumps_when_the_codec_changes() {
    let mut house = House::new(1);
    let call = house.open(1, Codec::Pcmu, 20, Route::Tone(Tone::default()));
    let mut told = Vec::new();
    for codec in [Codec::G722, Codec::Opus, Codec::Pcmu] {
        house.ticks_on(10);
        let media = Box::new(Media::new(codec, 20, Settings::default()).unwrap());
        house.trunk.commands.push(Command::Recode(LineId(1), media)).unwrap();
        told.push(call.gauges.stats().silent_frames);
        house.ticks_on(10);
        told.push(call.gauges.stats().silent_frames);
    }
    let steps: Vec<u64> = (1..=6).map(|step| step * 10 * 480).collect();
    assert_eq!(told, steps, "100 ms each");
}

#[test]
fn another_codec_keeps_the_call_and_its_route() {
    let mut house = House::new(1);
    let mut call = house.open(1, Codec::Pcmu, 20, Route::Tone(Tone::default()));
    house.ticks_on(11);
    let media = Box::new(Media::new(Codec::G722, 20, Settings::default()).unwrap());
    house.trunk.commands.push(Command::Recode(LineId(1), media)).unwrap();
    call.said(&mut Decoder::new(Codec::Pcmu).unwrap());
    house.ticks_on(10);
    let stats = call.gauges.stats();
    assert_eq!((stats.ticks, stats.silent_frames), (20, 20 * 480), "what was counted before counts on");
    assert_eq!(call.said(&mut Decoder::new(Codec::G722).unwrap()).0.len(), 1_600, "100 ms at 16 kHz");
    assert!(matches!(house.trunk.retired.pop(), Ok(Retired::Media(_))));
}

#[test]
fn a_conversation_keeps_its_pitch_and_pace_when_its_call_changes_the_rate() {
    const HZ: f32 = 500.0;
    let mut house = House::new(1);
    let (mut speech, ends, prompter) = rings::conversation(Codec::Pcmu.sample_rate());
    let rate = Codec::Pcmu.sample_rate();
    let agent = Agent::new(rate, ends, Prompter::new(prompter, rate)).unwrap();
    let mut call = house.open(1, Codec::Pcmu, 20, Route::Agent(Box::new(agent)));
    speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
    let tone = |n: u16| (8_000.0 * (f32::from(n) / 8_000.0 * HZ * std::f32::consts::TAU).sin()) as i16;
    speech.samples.push_slice(&(0..8_000).map(tone).collect::<Vec<_>>());
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus, Codec::Pcma] {
        let media = Box::new(Media::new(codec, 20, Settings::default()).unwrap());
        house.trunk.commands.push(Command::Recode(LineId(1), media)).unwrap();
        speech.caller.clear();
        house.ticks_on(20);
        assert_eq!(speech.caller.occupied_len(), 1_600, "200 ms of the caller at 8 kHz, in {codec}");
        let said = call.said(&mut Decoder::new(codec).unwrap()).0;
        assert_eq!(said.len(), codec.sample_rate().frames_in_ms(200), "{codec}");
        // Behind the codec's own beginning.
        let middle = &said[said.len() / 2..];
        let rises = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count() as f32;
        assert!((rises / 0.1 - HZ).abs() <= 20.0, "{} Hz in {codec}", rises / 0.1);
        let peak = middle.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((6_000..10_000).contains(&peak), "{peak} in {codec}");
    }
}

/// Whatever a service does, the line gets its packet each 20 ms: silence while there is nothing to say, and no faster
/// what came all at once.
#[test]
fn pitfall_16_a_voice_that_comes_not_yet_or_all_at_once_leaves_at_the_pace_of_the_line() {
    let mut house = House::new(1);
    let rate = Codec::Pcmu.sample_rate();
    let (mut speech, ends, prompter) = rings::conversation(rate);
    let agent = Agent::new(rate, ends, Prompter::new(prompter, rate)).unwrap();
    let mut call = house.open(1, Codec::Pcmu, 20, Route::Agent(Box::new(agent)));
    let mut decoder = Decoder::new(Codec::Pcmu).unwrap();
    let mut loud_ms = |house: &mut House, packets: usize| {
        let loud = (0..packets).filter(|number| {
            house.ticks_on(2);
            let (pcm, came) = call.said(&mut decoder);
            assert_eq!((pcm.len(), came), (160, 1), "packet {number} of {packets}");
            pcm.iter().filter(|sample| sample.unsigned_abs() > 1_000).count() > 40
        });
        20 * loud.count()
    };
    assert_eq!(loud_ms(&mut house, 150), 0, "three seconds until the service begins");
    speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
    let tone = |n: u16| (8_000.0 * (f32::from(n) / 8_000.0 * 500.0 * std::f32::consts::TAU).sin()) as i16;
    let all: Vec<i16> = (0..8_000).map(tone).collect();
    assert_eq!(speech.samples.push_slice(&all), all.len(), "a second at once");
    speech.marks.push(Mark { at: 8_000, kind: MarkKind::End }).unwrap();
    let heard_ms = loud_ms(&mut house, 100);
    assert!((940..=1_060).contains(&heard_ms), "{heard_ms} ms of a second");
    assert_eq!(loud_ms(&mut house, 100), 0, "and goes on behind it");
}

#[test]
fn the_limit_of_speed_acts_on_a_voice_that_speaks() {
    let rate = Codec::Pcmu.sample_rate();
    let taken = |max_speed_change| {
        let mut house = House::new(1);
        let (mut speech, ends, prompter) = rings::conversation(rate);
        let agent = Agent::new(rate, ends, Prompter::new(prompter, rate)).unwrap();
        let _call = house.open(1, Codec::Pcmu, 20, Route::Agent(Box::new(agent)));
        let settings = Settings { max_speed_change, ..Settings::default() };
        house.control.commands.push(Command::Tune(settings)).unwrap();
        speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
        let mut laid = 0_u32;
        for _ in 0..200 {
            // A ring that is nearly empty all the time: the voice is to be slowed.
            while speech.samples.occupied_len() < 1_000 {
                let wave = (f64::from(laid) / 8_000.0 * 125.0 * std::f64::consts::TAU).sin();
                speech.samples.push_slice(&[(8_000.0 * wave) as i16]);
                laid += 1;
            }
            house.tick();
        }
        speech.taken.load(std::sync::atomic::Ordering::Relaxed)
    };
    let (natural, slowed) = (taken(0.0), taken(0.05));
    assert!((15_900..=16_000).contains(&natural), "{natural} samples in 2 s");
    assert!((15_100..15_700).contains(&slowed), "{slowed} samples in 2 s");
}

#[test]
fn what_is_closed_or_finds_no_place_comes_back() {
    let mut house = House::new(2);
    let _calls: Vec<Call> = (1..=3).map(|id| house.open(id, Codec::Pcmu, 20, Route::Echo)).collect();
    house.tick();
    assert_eq!((house.ticks.read().lines, house.ticks.read().no_room), (2, 1));
    assert!(matches!(house.trunk.retired.pop(), Ok(Retired::Line(line)) if line.id() == LineId(3)));
    house.control.commands.push(Command::Tune(Settings::default())).unwrap();
    house.trunk.commands.push(Command::Close(LineId(1))).unwrap();
    house.trunk.commands.push(Command::Close(LineId(99))).unwrap();
    house.tick();
    assert_eq!(house.ticks.read().lines, 1);
    assert!(matches!(house.trunk.retired.pop(), Ok(Retired::Line(line)) if line.id() == LineId(1)));
    assert!(house.trunk.retired.pop().is_err());
}

#[test]
fn nothing_is_lost_when_nobody_fetches_what_is_retired() {
    let mut house = House::new(2);
    let room = 4 * 2 + 16;
    for id in 0..room + 3 {
        house.open(id, Codec::Pcmu, 20, Route::Silent);
        house.tick();
        house.trunk.commands.push(Command::Close(LineId(id))).unwrap();
        house.tick();
        if id >= room {
            break;
        }
    }
    let mut back = 0;
    for _ in 0..4 {
        while house.trunk.retired.pop().is_ok() {
            back += 1;
        }
        house.tick();
    }
    assert_eq!(back, room + 1, "each line came back");
}

#[test]
fn what_a_speech_thread_does_not_fetch_is_counted() {
    let rate = Codec::Pcmu.sample_rate();
    let mut house = House::new(1);
    let (speech, ends, prompter) = rings::conversation(rate);
    let agent = Agent::new(rate, ends, Prompter::new(prompter, rate)).unwrap();
    let call = house.open(1, Codec::Pcmu, 20, Route::Agent(Box::new(agent)));
    house.ticks_on(100);
    assert_eq!(call.gauges.sent().unfetched, Unfetched::default(), "a second of the caller waits");
    house.ticks_on(50);
    let gone = Unfetched { sound: Span::from_millis(500), events: 0 };
    assert_eq!(call.gauges.sent().unfetched, gone, "and half a second more is gone");
    drop(speech);
}

#[test]
fn a_trunk_that_fetches_nothing_loses_payloads_of_its_own_call_only() {
    let mut house = House::new(2);
    let stuck = house.open(1, Codec::Pcmu, 20, Route::Silent);
    let mut well = house.open(2, Codec::Pcmu, 20, Route::Silent);
    let mut decoder = Decoder::new(Codec::Pcmu).unwrap();
    for _ in 0..200 {
        house.tick();
        well.said(&mut decoder);
    }
    assert!(stuck.gauges.sent().lost > 50, "{:?}", stuck.gauges.sent());
    assert_eq!(well.gauges.sent().lost, 0);
    assert_eq!(well.gauges.sent().payloads, 100);
}
