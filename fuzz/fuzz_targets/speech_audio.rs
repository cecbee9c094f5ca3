//! Any bytes as the audio of a service or of a voice on the device: no cut changes a sample, and no rate or header makes
//! more of it than there is.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use offhook_speech::voice::wav::PcmStream;
use offhook_speech::wire::audio::{AudioDecoder, AudioFormat};
use offhook_speech::wire::resample::Resampler;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    mulaw: bool,
    wide: bool,
    rates: (u8, u8),
    piece: u8,
    bytes: &'a [u8],
}

/// Of services, of voices, and some that nobody has.
const RATES_HZ: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 12_000];

fuzz_target!(|input: Input<'_>| {
    let Input { mulaw, wide, rates: (from, to), piece, bytes } = input;
    let piece = usize::from(piece).max(1);
    let rate = |index: u8| RATES_HZ[usize::from(index) % RATES_HZ.len()];
    let format = if mulaw { AudioFormat::Mulaw8k } else { AudioFormat::Pcm16 { rate_hz: rate(from) } };
    let decode = |piece: usize| {
        let (mut decoder, mut samples) = (AudioDecoder::new(format), Vec::new());
        bytes.chunks(piece).for_each(|part| decoder.put(part, &mut samples));
        samples
    };
    let samples = decode(bytes.len().max(1));
    assert_eq!(samples, decode(piece), "where a stream is cut makes no difference");
    assert_eq!(samples.len(), if mulaw { bytes.len() } else { bytes.len() / 2 });

    let (from, to) = (format.rate_hz(), rate(to));
    let (mut resampler, mut out) = (Resampler::new(from, to), Vec::new());
    samples.chunks(piece).for_each(|part| resampler.put(part, &mut out));
    resampler.finish(&mut out);
    let wanted = samples.len() as u64 * u64::from(to) / u64::from(from);
    assert!((out.len() as u64).abs_diff(wanted) <= 2 * u64::from(to) / 100, "{} for {wanted}", out.len());

    let read = |piece: usize| {
        let mut stream = if wide { PcmStream::raw(rate(0)) } else { PcmStream::wav(rate(0)) };
        let mut samples = Vec::new();
        let whole = bytes.chunks(piece).all(|part| stream.put(part, &mut samples).is_ok());
        (whole, samples)
    };
    let (whole, samples) = read(bytes.len().max(1));
    assert!(samples.len() <= bytes.len() / 2);
    if whole {
        assert_eq!(read(piece).1, samples, "where a file is cut makes no difference");
    }
});
