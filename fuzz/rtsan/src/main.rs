//! Calls of every codec through loss, bursts, restarts and hold, with the tick declared as real time: the sanitizer
//! ends the program at the first malloc, free, lock that waits, or system call that may block.
//!
//! `--plant` allocates in a tick, to show that the sanitizer sees it.
#![feature(sanitize)]

use offhook_engine::{Packet, PacketKind, Playout, Settings, codec::Encoder};
use offhook_units::{Codec, Moment, RtpTime, SeqNo, Span, Ssrc};
use std::hint::black_box;

const TICKS: u64 = 12_000;

/// All that the audio thread does with a call in one tick.
#[sanitize(realtime = "nonblocking")]
fn tick(playout: &mut Playout, packets: &[Packet<'_>], now: Moment, sound: &mut [i16], plant: bool) {
    if plant {
        black_box(Vec::<u8>::with_capacity(64));
    }
    for packet in packets {
        playout.put(packet);
    }
    playout.render(now, sound);
    if now.as_micros() % 7_000_000 == 0 {
        playout.apply(Settings { max_delay: Span::from_millis(80), ..Settings::default() });
    }
}

fn main() {
    let is_planted = std::env::args().any(|arg| arg == "--plant");
    for codec in Codec::ALL {
        let mut playout = Playout::new(codec, Settings::default()).expect("starts");
        let payloads = payloads(codec);
        let mut sound = vec![0; playout.tick_frames()];
        let mut sent = 0;
        for n in 0..TICKS {
            let packets = packets(codec, n, &mut sent, &payloads);
            tick(&mut playout, &packets, Moment::from_millis(n * 10), &mut sound, is_planted && n == 500);
        }
        let stats = playout.stats();
        assert!(stats.voice_frames > 0 && stats.underruns > 0 && stats.restarts > 0, "{stats:?}");
        println!(
            "rtsan: {codec}: {} ticks, {} packets, {} underruns, {} bridged, {} noise frames",
            stats.ticks, stats.packets, stats.underruns, stats.bridged_frames, stats.noise_frames
        );
    }
}

/// A vowel in packets of 20 ms.
fn payloads(codec: Codec) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec).expect("starts");
    let frames = codec.sample_rate().frames_in_ms(20);
    (0..100)
        .map(|n| {
            let pcm: Vec<i16> = (n * frames..(n + 1) * frames)
                .map(|i| ((i * i % 977) as i16 - 488) * 8 + (i % 146) as i16 * 40)
                .collect();
            let mut payload = vec![0; 1_500];
            let bytes = encoder.encode(&pcm, &mut payload).expect("a payload");
            payload.truncate(bytes);
            payload
        })
        .collect()
}

/// What came since the tick before: one packet each other tick, and every kind of trouble in its turn.
fn packets<'a>(codec: Codec, n: u64, sent: &mut u64, payloads: &'a [Vec<u8>]) -> Vec<Packet<'a>> {
    let at = Moment::from_micros((n * 10_000).saturating_sub(n * 7_919 % 9_000));
    let mut packets = Vec::new();
    // Five seconds of hold in each forty, bursts of a queue, and 5 % of loss.
    if n % 4_000 > 3_500 {
        return packets;
    }
    let due = if n % 300 < 30 { 0 } else { n / 2 };
    while *sent < due {
        *sent += 1;
        if *sent * 2_654_435_761 % 100 < 5 {
            continue;
        }
        let restart = (*sent / 1_000) as u32;
        let kind = match *sent % 400 {
            50 => PacketKind::ComfortNoise,
            51..54 => PacketKind::TelephoneEvent,
            _ => PacketKind::Voice(codec),
        };
        packets.push(Packet {
            arrival: at,
            ssrc: Ssrc(restart),
            seq: SeqNo((*sent as u16).wrapping_add(restart as u16 * 9_000)),
            time: RtpTime(*sent as u32 * codec.rtp_clock().frames_in_ms(20) as u32),
            kind,
            payload: &payloads[(*sent % 100) as usize],
        });
        if *sent % 37 == 0 {
            packets.extend(packets.last().copied());
        }
    }
    packets
}
