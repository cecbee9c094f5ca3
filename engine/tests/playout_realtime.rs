//! S2, proven: once a call is built, nothing that the audio thread does with it touches the heap.
//!
//! Calls are built and dropped by a control thread; the audio thread gets them in boxes through a ring, plays
//! them through everything that can happen to a call, and gives them back through another ring.

mod support;

use offhook_engine::{PacketKind, Playout, Settings};
use offhook_units::{Codec, Moment, Span};
use rtrb::{Consumer, Producer, RingBuffer};
use support::{
    Dice, Sender, Wire,
    call::TICK_US,
    heap::{Counting, Touches, touches},
};

#[global_allocator]
static HEAP: Counting = Counting;

/// One call and all that will come for it, in order of arrival.
struct Line {
    playout: Playout,
    wires: Vec<Wire>,
    next: usize,
    ends_us: u64,
}

/// Half a minute of trouble of every kind, then four minutes of hold, then a little more.
fn troubled(codec: Codec, seed: u64) -> Vec<Wire> {
    let mut dice = Dice::new(seed);
    let mut sender = Sender::new(codec);
    let mut wires: Vec<Wire> = Vec::new();
    for round in 0..60 {
        match round % 15 {
            1 => sender.ssrc += 1,
            2 => sender.seq = dice.bits() as u16,
            3 => sender.time = dice.bits() as u32,
            4 => sender.packet_ms = [10, 20, 40, 60][dice.below(4) as usize],
            5 => wires.push(sender.comfort_noise()),
            6 => wires.extend((0..5).map(|_| sender.key())),
            7 => sender.pause(700),
            8 => drop(sender.packets(1 + dice.below(12) as usize)),
            9 => {
                // Everything of 300 ms at once.
                let mut burst = sender.packets(15);
                let last = burst.last().map_or(0, |wire| wire.arrival_us);
                burst.iter_mut().for_each(|wire| wire.arrival_us = last);
                wires.extend(burst);
            }
            10 => {
                let mut junk = sender.packet();
                junk.payload = (0..dice.below(1_500)).map(|_| dice.bits() as u8).collect();
                wires.push(junk);
            }
            11 => {
                let mut foreign = sender.packet();
                foreign.kind =
                    PacketKind::Voice(if codec == Codec::G722 { Codec::Opus } else { Codec::G722 });
                wires.push(foreign);
            }
            _ => {}
        }
        for wire in sender.packets(20) {
            if dice.percent(5) {
                continue;
            }
            if dice.percent(3) {
                wires.push(wire.clone().after(3.0));
            }
            wires.push(wire.after(if dice.percent(10) { dice.share() * 150.0 } else { 0.0 }));
        }
        if round == 50 {
            sender.at_us += 40e6;
        }
    }
    wires.sort_by_key(|wire| wire.arrival_us);
    wires
}

/// What one thread of the product would do at each tick, for every call it has.
fn tick(
    now_us: u64,
    lines: &mut [Option<Box<Line>>],
    coming: &mut Consumer<Box<Line>>,
    leaving: &mut Producer<Box<Line>>,
    sound: &mut [i16],
) -> u64 {
    let mut rendered = 0;
    for slot in lines {
        if slot.is_none() {
            *slot = coming.pop().ok();
        }
        let Some(line) = slot else { continue };
        while let Some(wire) = line.wires.get(line.next).filter(|wire| wire.arrival_us <= now_us) {
            line.playout.put(&wire.packet());
            line.next += 1;
        }
        let frames = line.playout.tick_frames();
        line.playout.render(Moment::from_micros(now_us), &mut sound[..frames]);
        rendered += 1;
        if now_us.is_multiple_of(5_000_000) {
            line.playout.apply(reloaded(now_us));
        }
        if now_us >= line.ends_us
            && let Some(line) = slot.take()
            && let Err(rtrb::PushError::Full(line)) = leaving.push(line)
        {
            *slot = Some(line);
        }
    }
    rendered
}

/// Settings as a field tech might turn them in mid-call.
fn reloaded(now_us: u64) -> Settings {
    match now_us / 5_000_000 % 3 {
        0 => Settings::default(),
        1 => Settings { max_delay: Span::from_millis(60), ..Settings::default() },
        _ => Settings { min_delay: Span::from_millis(120), max_speed_change: 0.0, ..Settings::default() },
    }
}

/// Plays `count` calls one after the other, up to three at once.
fn churn(codec: Codec, count: u64) -> (Touches, u64) {
    let (mut to_audio, mut coming) = RingBuffer::new(4);
    let (mut leaving, mut retired) = RingBuffer::new(4);
    let mut lines: Vec<Option<Box<Line>>> = (0..3).map(|_| None).collect();
    let mut sound = [0; 480];
    let (mut total, mut rendered, mut gone, mut built, mut now_us) = (Touches::default(), 0, 0, 0, 0);
    while gone < count {
        // The control thread's turn: it alone builds and drops.
        while built < count && to_audio.slots() > 0 {
            let mut wires = troubled(codec, built + 1);
            wires.iter_mut().for_each(|wire| wire.arrival_us += now_us);
            let ends_us = wires.last().map_or(0, |wire| wire.arrival_us) + 1_500_000;
            let playout = Playout::new(codec, Settings::default()).expect("starts");
            to_audio.push(Box::new(Line { playout, wires, next: 0, ends_us })).expect("there is a slot");
            built += 1;
        }
        let (touches, ticks) = touches(|| {
            (0..100)
                .map(|_| {
                    now_us += TICK_US;
                    tick(now_us, &mut lines, &mut coming, &mut leaving, &mut sound)
                })
                .sum::<u64>()
        });
        total.allocated += touches.allocated;
        total.grown += touches.grown;
        total.freed += touches.freed;
        rendered += ticks;
        while let Ok(line) = retired.pop() {
            let stats = line.playout.stats();
            assert!(stats.voice_frames > 0 && stats.underruns > 0 && stats.restarts > 0, "{stats:?}");
            gone += 1;
        }
    }
    (total, rendered)
}

#[test]
fn no_tick_touches_the_heap() {
    let (counted, _) = touches(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(100))));
    assert_eq!((counted.allocated, counted.freed), (1, 1), "the heap counts");
    for codec in Codec::ALL {
        let (touches, ticks) = churn(codec, 5);
        assert_eq!((touches.allocated, touches.grown, touches.freed), (0, 0, 0), "{codec}, {ticks} ticks");
        assert!(ticks >= 10_000, "{codec}: only {ticks} ticks");
    }
}

#[test]
fn a_call_takes_no_more_than_is_said() {
    for codec in Codec::ALL {
        let (touches, playout) = touches(|| Playout::new(codec, Settings::default()));
        let playout = playout.expect("starts");
        let taken = touches.bytes.unsigned_abs() as usize + size_of_val(&playout);
        let most = Playout::most_bytes(codec);
        assert!(taken <= most && taken > most / 2, "{codec}: {taken} of {most} bytes");
    }
}
