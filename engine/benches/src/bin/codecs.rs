//! What decoding a packet and changing its rate costs.

use offhook_engine::{
    codec::Decoder,
    rate::{Converter, RATES},
};
use offhook_engine_benches::{clock::timed, figures::Figures, line::Weather};
use offhook_units::Codec;
use std::hint::black_box;

fn main() {
    println!("µs                                            mean   median      p99  dearest");
    for codec in Codec::ALL {
        let wires = Weather::Clean.packets(codec, 60);
        let runs: Vec<Figures> = (0..3)
            .map(|_| {
                let mut decoder = Decoder::new(codec).expect("starts");
                let (mut out, mut figures) = ([0; 5_760], Figures::default());
                for wire in &wires {
                    let (ns, frames) = timed(|| decoder.decode(&wire.payload, &mut out));
                    frames.expect("its own payload");
                    figures.note(ns);
                    black_box(&out);
                }
                figures
            })
            .collect();
        println!("decode {:<6} 20 ms                     {}", codec.name(), Figures::least_of(&runs));
    }
    for from in RATES {
        for to in RATES {
            if from == to {
                continue;
            }
            let mut converter = Converter::new(from, to).expect("one of ours");
            let pcm: Vec<i16> = (0..from.frames_in_ms(10)).map(|i| (i * 37 % 800) as i16).collect();
            let (mut out, mut figures) = ([0; 2_000], Figures::default());
            for _ in 0..6_000 {
                let (ns, done) = timed(|| converter.process(&pcm, &mut out));
                black_box((&out, done.produced));
                figures.note(ns);
            }
            println!("rate {:>6} to {:>6} Hz, 10 ms           {figures}", from.hz(), to.hz());
        }
    }
}
