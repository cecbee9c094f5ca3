//! What a call takes from the heap, all of it when it is built. Fails above the limit for a narrow-band call.

use offhook_engine::{Playout, Settings};
use offhook_engine_benches::support::heap::{Counting, touches};
use offhook_units::Codec;

#[global_allocator]
static HEAP: Counting = Counting;

const MOST_NARROW_BAND: u64 = 128 * 1024;

fn main() {
    println!("memory of a call       heap, bytes   pieces   itself, bytes      sum, KiB");
    let mut too_much = false;
    for codec in Codec::ALL {
        let (touches, playout) = touches(|| Playout::new(codec, Settings::default()));
        playout.expect("starts");
        let heap = touches.bytes.unsigned_abs();
        let sum = heap + size_of::<Playout>() as u64;
        println!(
            "{:<20} {heap:>13} {:>8} {:>15} {:>13.1}",
            codec.name(),
            touches.allocated,
            size_of::<Playout>(),
            sum as f64 / 1024.0
        );
        too_much |= codec.sample_rate().hz() == 8_000 && sum > MOST_NARROW_BAND;
    }
    if too_much {
        println!("a narrow-band call takes more than {} KiB", MOST_NARROW_BAND / 1024);
        std::process::exit(1);
    }
}
