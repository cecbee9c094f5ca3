//! How late a voice comes back: by comparing what was said with what was heard, stretch by stretch.

use offhook_units::SampleRate;

/// Samples that are taken together: 2 kHz hold enough of a voice to find it again.
const TOGETHER: usize = 4;
/// Length of a stretch, ms: several syllables.
const STRETCH_MS: u32 = 300;
/// The longest delay that is looked for, ms.
const MOST_MS: u32 = 1_200;
/// Alike enough to be the same, as a correlation.
const ALIKE: f32 = 0.7;
/// A stretch with less than this part of the voice's mean power is a pause.
const PAUSE: f32 = 0.3;

/// The delay of each stretch of `said` that is found again in `heard`, ms. Both begin at the same instant.
pub fn delays_ms(said: &[i16], heard: &[i16], rate: SampleRate) -> Vec<f64> {
    let frames = |ms: u32| rate.frames_in_ms(ms) / TOGETHER;
    let (said, heard) = (thinned(said), thinned(heard));
    let energy = |samples: &[f32]| samples.iter().map(|s| s * s).sum::<f32>();
    let quiet = PAUSE * energy(&said) * frames(STRETCH_MS) as f32 / said.len().max(1) as f32;
    let mut found = Vec::new();
    for (number, stretch) in said.chunks_exact(frames(STRETCH_MS).max(1)).enumerate() {
        let own = energy(stretch);
        if own <= quiet {
            continue;
        }
        let from = number * stretch.len();
        let likeness = |lag: usize| {
            let there = heard.get(from + lag..from + lag + stretch.len())?;
            let product: f32 = stretch.iter().zip(there).map(|(a, b)| a * b).sum();
            Some(product / (own * energy(there)).sqrt().max(f32::MIN_POSITIVE))
        };
        let lags = (0..=frames(MOST_MS)).map_while(|lag| Some((lag, likeness(lag)?)));
        if let Some((lag, likeness)) = lags.max_by(|a, b| a.1.total_cmp(&b.1))
            && likeness >= ALIKE
        {
            found.push((lag * TOGETHER) as f64 * 1e3 / f64::from(rate.hz()));
        }
    }
    found
}

/// At a lower rate: the mean of each few samples.
fn thinned(samples: &[i16]) -> Vec<f32> {
    let mean = |few: &[i16]| few.iter().map(|s| f32::from(*s)).sum::<f32>() / TOGETHER as f32;
    samples.chunks(TOGETHER).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::VOICE_WAV;
    use crate::replay::Voice;

    #[test]
    fn a_voice_that_comes_back_late_and_later_is_found_where_it_is() {
        let voice = Voice::from_wav(VOICE_WAV).unwrap();
        let said = &voice.samples()[..40_800];
        let mut heard = vec![0; 800];
        heard.extend(&said[..19_200]);
        heard.extend([0; 400]);
        heard.extend(&said[19_200..]);
        let mut delays = delays_ms(said, &heard, voice.rate());
        delays.sort_by(f64::total_cmp);
        assert!(delays.len() > 4, "{delays:?}");
        assert!(delays.iter().all(|ms| (*ms - 100.0).abs() < 1.0 || (*ms - 150.0).abs() < 1.0), "{delays:?}");
        assert!(delays[0] < 101.0 && delays[delays.len() - 1] > 149.0, "{delays:?}");
    }

    #[test]
    fn silence_and_another_voice_are_not_found() {
        let voice = Voice::from_wav(VOICE_WAV).unwrap();
        let said = &voice.samples()[..16_000];
        assert!(delays_ms(said, &[0; 30_000], voice.rate()).is_empty());
        let backwards: Vec<i16> = said.iter().rev().copied().collect();
        assert!(delays_ms(said, &backwards, voice.rate()).len() <= 1);
        assert!(delays_ms(&[0; 16_000], said, voice.rate()).is_empty());
    }
}
