//! `offhook demo`: hear what the engine is for.

use super::failure::Failure;
use super::progress::Progress;
use crate::demo::{FixedBuffer, NETWORKS, Network, VOICE_WAV};
use crate::interrupt::Interrupt;
use crate::replay::{Outputs, PACKET_MS, Recording, Report, Stream, Trace, Voice, play, pulls_in};
use clap::Args;
use offhook_engine::Settings;
use offhook_units::Codec;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Hear what the engine makes of four bad networks; needs no files and no network
///
/// A built-in voice goes over four networks that are made up here from a seed: a wired one, busy wifi, a moving
/// phone, and a line that loses packets in bursts. Each is played twice: by a simple player that waits 40 ms and is
/// silent where a packet is missing (NAME-before.wav), and by the engine of a live call (NAME-after.wav). The trace
/// of each network is written beside them (NAME.csv), and the voice as it was sent (voice.wav).
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  offhook demo\n  offhook demo --out listen --seed 7\n\nThen see for yourself what \
                        a setting does:\n  offhook replay --trace offhook-demo/mobile.csv --voice \
                        offhook-demo/voice.wav --wav tight.wav --set jitter.max_ms=60"
)]
pub(super) struct Demo {
    /// Folder for what is written; it is made if it is not there
    #[arg(long, value_name = "FOLDER", default_value = "offhook-demo")]
    out: PathBuf,
    /// Another draw of the same networks
    #[arg(long, default_value_t = DRAW)]
    seed: u64,
}

/// The draw that is played unless another is asked for: one with something to hear on every bad network.
const DRAW: u64 = 4;

/// What became of one network.
struct Outcome {
    network: Network,
    gaps_percent: f64,
    report: Report,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        fs::create_dir_all(&self.out).map_err(|error| Failure::Write { path: self.out.clone(), error })?;
        let path = PathBuf::from("the built-in voice");
        let voice = Voice::from_wav(VOICE_WAV).map_err(|error| Failure::Recording { path, error })?;
        let packets = voice.samples().len().div_ceil(voice.rate().frames_in_ms(PACKET_MS)) as u32;
        let interrupt = Interrupt::watch().unwrap_or_default();
        let stream = Stream::code(voice, Codec::Pcmu, packets, &mut || !interrupt.is_raised())?;
        let stream = stream.ok_or(Failure::Interrupted)?;
        self.write("voice.wav", |file| file.write_all(VOICE_WAV))?;
        let traces = NETWORKS.map(|network| (network, network.trace(packets, self.seed)));
        let pulls = traces.iter().map(|(_, trace)| pulls_in(trace)).sum();
        let progress = Progress::bar("replaying", pulls, true);
        let mut outcomes = Vec::new();
        for (network, trace) in &traces {
            outcomes.push(self.play(*network, trace, &stream, &mut || progress.step(&interrupt))?);
        }
        drop(progress);
        super::print(&self.table(&outcomes))
    }

    /// One network, before and after.
    fn play(
        &self,
        network: Network,
        trace: &Trace,
        stream: &Stream,
        step: &mut dyn FnMut() -> bool,
    ) -> Result<Outcome, Failure> {
        let name = network.name;
        self.write(&format!("{name}.csv"), |file| trace.write(file))?;
        let before = FixedBuffer::play(stream, trace)?;
        let path = self.out.join(format!("{name}-before.wav"));
        let failed = |error| Failure::Write { path: path.clone(), error };
        let rate = stream.codec().sample_rate();
        let mut recording = Recording::begin(super::create(&path)?, rate, pulls_in(trace)).map_err(failed)?;
        recording.put(&before.samples).map_err(failed)?;
        recording.finish().and_then(|file| file.publish()).map_err(failed)?;
        let wav = super::create(&self.out.join(format!("{name}-after.wav")))?;
        let report = play(stream, trace, Settings::default(), Outputs { wav, log: None }, step)?;
        let report = report.ok_or(Failure::Interrupted)?;
        let gaps_percent = f64::from(before.gaps) * 100.0 / f64::from(trace.packets().max(1));
        Ok(Outcome { network, gaps_percent, report })
    }

    fn write(
        &self,
        name: &str,
        contents: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let path = self.out.join(name);
        let mut file = super::create(&path)?;
        let written = contents(&mut file).and_then(|()| file.publish());
        written.map_err(|error| Failure::Write { path, error })
    }

    fn table(&self, outcomes: &[Outcome]) -> String {
        let mut text = String::from(
            "                                              before |                  after\n\
             network      what it is                 lost   gaps | delay  concealed  stretched  CPU per 10 ms\n",
        );
        for Outcome { network, gaps_percent, report } in outcomes {
            text += &format!(
                "{:<12} {:<24} {:>4.1} % {:>4.1} % | {:>3.0} ms {:>8.1} % {:>8.1} % {:>11.1} µs\n",
                network.name,
                network.what,
                report.lost_percent(),
                gaps_percent,
                report.delay_mean_ms(),
                report.concealed_percent(),
                report.stretched_percent(),
                f64::from(report.cpu_median_ns()) / 1000.0
            );
        }
        let file = |name: &str| self.out.join(name).display().to_string();
        text + &format!(
            "\nWritten to {}. Listen to {} first: words break off where packets came late or never.\n\
             Then to {}: the same packets; what is missing is filled from the sound around it.",
            Path::new(&self.out).display(),
            file("mobile-before.wav"),
            file("mobile-after.wav")
        )
    }
}
