//! Writes one WAV file for each kind of breath, and one with all of them in a row, for ears and for
//! `scripts/plot-breath`:
//!
//! ```text
//! cargo run -p offhook-speech --example breaths -- FOLDER [RATE_HZ] [SEED]
//! ```

use offhook_speech::Random;
use offhook_speech::breath::{Breath, BreathKind, BreathLevel};
use offhook_speech::voice::wav;
use offhook_units::Span;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("usage: breaths FOLDER [RATE_HZ] [SEED]")?;
    let rate_hz: u32 = args.next().map_or(Ok(16_000), |hz| hz.parse())?;
    let seed: u64 = args.next().map_or(Ok(1), |seed| seed.parse())?;
    let mut random = Random::new(seed);
    let silence = vec![0; rate_hz as usize / 2];
    let mut all = silence.clone();
    for kind in BreathKind::ALL {
        let breath =
            Breath::drawn(kind, BreathLevel::default(), Span::from_millis(300), &mut random).render(rate_hz);
        write(&Path::new(&folder).join(format!("{kind}.wav")), rate_hz, &breath)?;
        all.extend(breath);
        all.extend(&silence);
    }
    write(&Path::new(&folder).join("all.wav"), rate_hz, &all)
}

fn write(path: &Path, rate_hz: u32, samples: &[i16]) -> Result<(), Box<dyn std::error::Error>> {
    let mut bytes = wav::header(rate_hz, u32::try_from(samples.len())?).to_vec();
    bytes.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
    Ok(std::fs::write(path, bytes)?)
}
