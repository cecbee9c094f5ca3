//! J7: what rate conversion does to tones. Prints the table that `docs/formats.md` shows:
//! `cargo test -p offhook-engine --test rate_response -- --nocapture`

#![allow(clippy::print_stdout, reason = "the table is the point")]

use offhook_engine::rate::Converter;
use offhook_units::SampleRate;
use std::f64::consts::TAU;

/// −3 dB of full scale: as loud as a tone gets without the filter's overshoot being cut off.
const AMPLITUDE: f64 = 23_000.0;

fn rate(hz: u32) -> SampleRate {
    SampleRate::new(hz).expect("a whole number of frames in 10 ms")
}

/// One second of a tone at `tone_hz`, converted; what comes of the filling and emptying is cut off.
fn converted(from: u32, to: u32, tone_hz: f64) -> Vec<f64> {
    let mut converter = Converter::new(rate(from), rate(to)).expect("one of ours");
    let input: Vec<i16> = (0..from)
        .map(|i| (AMPLITUDE * (TAU * tone_hz * f64::from(i) / f64::from(from)).sin()).round() as i16)
        .collect();
    let mut out = vec![0; to as usize];
    let flow = converter.process(&input, &mut out);
    assert_eq!((flow.consumed, flow.produced), (input.len(), out.len()), "a second for a second");
    out[to as usize / 10..].iter().map(|&x| f64::from(x)).collect()
}

/// Amplitude of `signal` at `hz`, by correlation under a Hann window.
fn amplitude(signal: &[f64], hz: f64, rate_hz: u32) -> f64 {
    let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
    for (i, x) in signal.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * i as f64 / signal.len() as f64).cos();
        let turn = TAU * hz * i as f64 / f64::from(rate_hz);
        re += window * x * turn.cos();
        im += window * x * turn.sin();
        sum += window;
    }
    2.0 * re.hypot(im) / sum
}

/// Root mean square of what remains when the tone at `hz` is taken out, as the amplitude of a tone.
fn residue(signal: &[f64], hz: f64, rate_hz: u32) -> f64 {
    let n = signal.len() as f64;
    let turn = |i: usize| TAU * hz * i as f64 / f64::from(rate_hz);
    let re = signal.iter().enumerate().map(|(i, x)| x * turn(i).cos()).sum::<f64>() * 2.0 / n;
    let im = signal.iter().enumerate().map(|(i, x)| x * turn(i).sin()).sum::<f64>() * 2.0 / n;
    let rest = |(i, x): (usize, &f64)| (x - re * turn(i).cos() - im * turn(i).sin()).powi(2);
    (2.0 * signal.iter().enumerate().map(rest).sum::<f64>() / n).sqrt()
}

fn db(amplitude: f64) -> f64 {
    20.0 * (amplitude.max(1e-9) / AMPLITUDE).log10()
}

fn gain_db(from: u32, to: u32, hz: f64) -> f64 {
    db(amplitude(&converted(from, to, hz), hz, to))
}

/// The loudest thing that comes out and should not, over tones all through the band: aliases of tones beyond
/// the lower rate's Nyquist frequency when going down, images of tones below it when going up.
fn unwanted_db(from: u32, to: u32) -> f64 {
    let nyquist = f64::from(from.min(to)) / 2.0;
    // Multiples of 10 Hz: whole turns in the 900 ms that are looked at, so that a tone can be taken out.
    let whole = |hz: f64| (hz / 10.0).round() * 10.0;
    let tones = (1..=40).map(|step| whole(f64::from(step) * nyquist / 40.0 - 10.0));
    let down = from > to;
    let worst = |tone: f64| {
        if !down {
            return db(residue(&converted(from, to, tone), tone, to));
        }
        let above = whole(nyquist + (f64::from(from) / 2.0 - nyquist) * tone / nyquist);
        let below = residue(&converted(from, to, tone), tone, to);
        let alias = converted(from, to, above);
        let level = (2.0 * alias.iter().map(|x| x * x).sum::<f64>() / alias.len() as f64).sqrt();
        db(level.max(below))
    };
    // Right beyond the edge it is hardest.
    let edges = [10.0, 20.0, 50.0, 100.0].map(|off| if down { off } else { nyquist - off });
    tones.chain(edges).map(worst).fold(f64::NEG_INFINITY, f64::max)
}

/// Delay of the output in ms, by the phase of a slow tone.
fn delay_ms(from: u32, to: u32) -> f64 {
    let hz = 50.0; // 20 ms a turn, longer than any delay here
    let out = converted(from, to, hz);
    let n = out.len() as f64;
    let start = f64::from(to) / 10.0;
    let turn = |i: usize| TAU * hz * (start + i as f64) / f64::from(to);
    let re = out.iter().enumerate().map(|(i, x)| x * turn(i).cos()).sum::<f64>() / n;
    let im = out.iter().enumerate().map(|(i, x)| x * turn(i).sin()).sum::<f64>() / n;
    (-re).atan2(im).rem_euclid(TAU) / TAU / hz * 1000.0
}

const PATHS: [(u32, u32); 12] = [
    (8_000, 16_000),
    (16_000, 8_000),
    (24_000, 8_000),
    (24_000, 16_000),
    (48_000, 8_000),
    (8_000, 48_000),
    (48_000, 16_000),
    (16_000, 48_000),
    (8_000, 24_000),
    (16_000, 24_000),
    (24_000, 48_000),
    (48_000, 24_000),
];

/// What becomes of tones on one path.
struct Response {
    from: u32,
    to: u32,
    /// Of tones that speech is made of: Hz, dB.
    gains: Vec<(f64, f64)>,
    unwanted_db: f64,
    delay_ms: f64,
}

impl Response {
    fn of((from, to): (u32, u32)) -> Self {
        let tones: &[f64] =
            if from.min(to) == 8_000 { &[300.0, 1000.0, 3400.0] } else { &[300.0, 1000.0, 3400.0, 7000.0] };
        Self {
            from,
            to,
            gains: tones.iter().map(|&hz| (hz, gain_db(from, to, hz))).collect(),
            unwanted_db: unwanted_db(from, to),
            delay_ms: delay_ms(from, to),
        }
    }

    fn row(&self) -> String {
        let gain = |i| self.gains.get(i).map_or("–".into(), |(_, gain)| format!("{gain:+.3} dB"));
        let cells: Vec<String> = (0..4).map(gain).collect();
        format!(
            "| {} → {} kHz | {} | {:.0} dB | {:.2} ms |",
            self.from / 1000,
            self.to / 1000,
            cells.join(" | "),
            self.unwanted_db,
            self.delay_ms
        )
    }
}

#[test]
fn speech_passes_and_what_lies_beyond_nyquist_does_not() {
    // Side by side: under an emulator all these sines take their time.
    let responses = std::thread::scope(|scope| {
        let paths = PATHS.map(|path| scope.spawn(move || Response::of(path)));
        paths.map(|path| path.join().expect("measured"))
    });
    println!("| path | 300 Hz | 1000 Hz | 3400 Hz | 7000 Hz | alias or image | delay |");
    println!("|---|---|---|---|---|---|---|");
    responses.iter().for_each(|response| println!("{}", response.row()));
    for Response { from, to, gains, unwanted_db, delay_ms } in responses {
        for (hz, gain) in gains {
            assert!(gain.abs() <= 0.1, "{from} to {to}: {gain} dB at {hz} Hz");
        }
        assert!(unwanted_db <= -60.0, "{from} to {to}: {unwanted_db} dB of alias or image");
        let stated = Converter::new(rate(from), rate(to)).expect("one of ours").delay().0;
        let measured = delay_ms / 1000.0 * f64::from(to);
        let rounding = f64::from(stated) - measured;
        assert!((-0.02..1.0).contains(&rounding), "{from} to {to}: {stated} stated, {measured} measured");
    }
}
