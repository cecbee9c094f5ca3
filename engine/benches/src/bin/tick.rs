//! What a pull of 10 ms costs, packets included: ours alone over ten minutes of each line, then ours and the crate
//! `neteq` side by side over the same packets in real time, because that one reads the clock itself.
//!
//! `tick [SECONDS]`: so long in real time for each line (10).

use neteq::{AudioPacket, NetEq, NetEqConfig, RtpHeader, codec::AudioDecoder};
use offhook_engine::{Playout, Settings, codec::g711::Law};
use offhook_engine_benches::{
    clock::{Beat, timed},
    figures::Figures,
    line::Weather,
    support::Wire,
};
use offhook_units::{Codec, Moment};
use std::hint::black_box;

/// The limits of a server core, in microseconds: the mean on a clean line, and the dearest pull under loss.
const MEAN_CLEAN_US: f64 = 1.5;
const DEAREST_LOSS_US: f64 = 25.0;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(10);
    println!("a pull of 10 ms with its packets, in µs        mean   median      p99  dearest");
    for codec in Codec::ALL {
        for weather in Weather::ALL {
            let figures = alone(codec, weather);
            println!("{codec:<5} {:<14} 600 s, best of 5 {figures}", weather.name());
            if codec == Codec::Pcmu {
                judge(weather, &figures);
                println!("neteq {:<14} 600 s, best of 5 {}", weather.name(), theirs_alone(weather));
            }
        }
    }
    println!("\nPCMU beside neteq 0.9.1, {seconds} s each in real time, as cold as a tick is");
    for weather in Weather::ALL {
        let (ours, theirs) = beside(weather, seconds);
        println!("ours  {:<14}                  {ours}", weather.name());
        println!("neteq {:<14}                  {theirs}", weather.name());
        println!("      ratio of means {:.2}", theirs.mean_ns() / ours.mean_ns());
    }
}

fn judge(weather: Weather, figures: &Figures) {
    let (mean_us, dearest_us) = (figures.mean_ns() / 1000.0, figures.dearest_ns() as f64 / 1000.0);
    match weather {
        Weather::Clean => verdict("mean on a clean line", mean_us, MEAN_CLEAN_US),
        Weather::Loss | Weather::Bursts | Weather::Gaps => {
            verdict("dearest pull under loss", dearest_us, DEAREST_LOSS_US);
        }
        Weather::Jitter => {}
    }
}

fn verdict(what: &str, us: f64, limit_us: f64) {
    let word = if us <= limit_us { "within" } else { "ABOVE" };
    println!("      {what}: {us:.2} µs, {word} the limit of {limit_us} µs");
}

/// Ours as fast as it goes, five times over the same packets: what one run was disturbed by, another was not.
fn alone(codec: Codec, weather: Weather) -> Figures {
    let wires = weather.packets(codec, 600);
    let runs: Vec<Figures> = (0..5)
        .map(|_| {
            let mut ours = Ours::new(codec);
            let mut figures = Figures::default();
            let mut next = 0;
            for tick in 0..60_000 {
                let come = come(&wires, &mut next, tick * 10_000);
                figures.note(ours.pull(come, tick * 10_000));
            }
            figures
        })
        .collect();
    Figures::least_of(&runs)
}

/// Theirs likewise. Its clock stands still meanwhile, so that it takes every line for a clean one.
fn theirs_alone(weather: Weather) -> Figures {
    let wires = weather.packets(Codec::Pcmu, 600);
    let runs: Vec<Figures> = (0..5)
        .map(|_| {
            let (mut theirs, mut figures, mut next) = (theirs(), Figures::default(), 0);
            for tick in 0..60_000 {
                figures.note(pull_theirs(&mut theirs, come(&wires, &mut next, tick * 10_000)));
            }
            figures
        })
        .collect();
    Figures::least_of(&runs)
}

fn beside(weather: Weather, seconds: u64) -> (Figures, Figures) {
    let wires = weather.packets(Codec::Pcmu, seconds);
    let (mut ours, mut theirs) = (Ours::new(Codec::Pcmu), theirs());
    let (mut our_figures, mut their_figures) = (Figures::default(), Figures::default());
    let (mut next, mut beat) = (0, Beat::every_ms(10));
    for tick in 0..seconds * 100 {
        beat.wait();
        let come = come(&wires, &mut next, tick * 10_000);
        // Each goes first as often as the other.
        if tick % 2 == 0 {
            our_figures.note(ours.pull(come, tick * 10_000));
            their_figures.note(pull_theirs(&mut theirs, come));
        } else {
            their_figures.note(pull_theirs(&mut theirs, come));
            our_figures.note(ours.pull(come, tick * 10_000));
        }
    }
    (our_figures, their_figures)
}

fn come<'a>(wires: &'a [Wire], next: &mut usize, now_us: u64) -> &'a [Wire] {
    let from = *next;
    while wires.get(*next).is_some_and(|wire| wire.arrival_us <= now_us) {
        *next += 1;
    }
    &wires[from..*next]
}

struct Ours {
    playout: Playout,
    sound: Vec<i16>,
}

impl Ours {
    fn new(codec: Codec) -> Self {
        let playout = Playout::new(codec, Settings::default()).expect("starts");
        let sound = vec![0; playout.tick_frames()];
        Self { playout, sound }
    }

    fn pull(&mut self, come: &[Wire], now_us: u64) -> u64 {
        let (ns, ()) = timed(|| {
            for wire in come {
                self.playout.put(&wire.packet());
            }
            self.playout.render(Moment::from_micros(now_us), &mut self.sound);
        });
        black_box(&self.sound);
        ns
    }
}

/// With our own tables, so that the codec makes no difference.
struct MuLaw;

impl AudioDecoder for MuLaw {
    fn sample_rate(&self) -> u32 {
        8_000
    }

    fn channels(&self) -> u8 {
        1
    }

    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        Ok(encoded.iter().map(|&code| f32::from(Law::Mu.decode(code)) / 32_768.0).collect())
    }
}

fn theirs() -> NetEq {
    let config = NetEqConfig { sample_rate: 8_000, channels: 1, ..NetEqConfig::default() };
    let mut neteq = NetEq::new(config).expect("starts");
    neteq.register_decoder(0, Box::new(MuLaw));
    neteq
}

fn pull_theirs(neteq: &mut NetEq, come: &[Wire]) -> u64 {
    // The packet's own memory is made before the clock starts: a socket would have it in hand.
    let packets: Vec<AudioPacket> = come
        .iter()
        .map(|wire| {
            let header = RtpHeader::new(wire.seq, wire.time, wire.ssrc, 0, false);
            AudioPacket::new(header, wire.payload.clone(), 8_000, 1, 20)
        })
        .collect();
    let (ns, frame) = timed(|| {
        for packet in packets {
            let _ = black_box(neteq.insert_packet(packet));
        }
        neteq.get_audio()
    });
    let _ = black_box(frame);
    ns
}
