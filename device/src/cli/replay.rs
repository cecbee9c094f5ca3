//! `offhook replay`: what would the engine have made of that network?

use super::configuration::ConfigArguments;
use super::failure::Failure;
use super::progress::Progress;
use crate::interrupt::Interrupt;
use crate::join;
use crate::replay::{Outputs, PACKET_MS, Stream, Trace, Voice, play, pulls_in};
use clap::Args;
use offhook_units::Codec;
use std::fs;
use std::path::{Path, PathBuf};

/// Work beyond this gets a progress bar, in packets: five minutes of G.711, ten seconds of Opus, which takes
/// some hundred times longer to code.
const LONG_PACKETS: u32 = 300_000 / PACKET_MS;
const LONG_OPUS_PACKETS: u32 = 10_000 / PACKET_MS;

/// Play a recorded network and a recorded voice through the engine of a live call
///
/// The voice is coded as a sender would, cut into RTP packets of 20 ms, and each packet is handed to the engine when
/// the trace says that it came. The engine is pulled every 10 ms from 0 on, in virtual time: a minute takes a few
/// hundredths of a second, and the same input gives the same sound to the last bit.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Replay {
    /// What the network did: a CSV with the columns seq,send_ms,arrive_ms
    #[arg(long, value_name = "T.csv")]
    trace: PathBuf,
    /// What was said: a WAV, mono, 16-bit or G.711; packet q carries the 20 ms from 20*q on
    #[arg(long, value_name = "V.wav")]
    voice: PathBuf,
    /// Where to write what was heard: WAV, 8 kHz, mono, 16-bit, from the instant when packet 0 was sent
    #[arg(long, value_name = "OUT.wav")]
    wav: PathBuf,
    /// Where to write the course of it: a CSV with a row every 10 ms, for scripts/plot-replay
    #[arg(long, value_name = "FILE.csv")]
    log: Option<PathBuf>,
    /// How the voice is coded: pcmu, pcma, g722 or opus
    #[arg(long, default_value = "pcmu", value_parser = str::parse::<Codec>)]
    codec: Codec,
    /// Print one line of JSON with every counter
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: ConfigArguments,
}

const AFTER_HELP: &str = "\
A trace has one line for each packet. Without arrive_ms the packet was lost; a second line for a seq is a duplicate:
  seq,send_ms,arrive_ms
  0,0.000,21.734
  1,20.000,
  2,40.000,63.018

Examples:
  offhook replay --trace lte.csv --voice voice.wav --wav heard.wav
  offhook replay --trace lte.csv --voice voice.wav --wav heard.wav --set jitter.max_ms=120 --json
  offhook replay --trace lte.csv --voice voice.wav --wav heard.wav --log lte-log.csv
  scripts/plot-replay lte.csv lte-log.csv lte.png

`offhook demo` writes traces and a voice to begin with. docs/replay.md tells what the figures mean.";

impl Replay {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.configuration.read()?;
        self.refuse_to_overwrite()?;
        let trace = Trace::parse(&read(&self.trace)?)
            .map_err(|error| Failure::Trace { path: self.trace.clone(), error })?;
        let voice = Voice::from_wav(&read(&self.voice)?)
            .map_err(|error| Failure::Recording { path: self.voice.clone(), error })?;
        // Before the first output: from here on there is something to clear away.
        let interrupt = Interrupt::watch().unwrap_or_default();
        // Before the work: a folder that is not there should not come out after it.
        let outputs = Outputs {
            wav: super::create(&self.wav)?,
            log: self.log.as_deref().map(super::create).transpose()?,
        };
        let is_long =
            trace.packets() > if self.codec == Codec::Opus { LONG_OPUS_PACKETS } else { LONG_PACKETS };
        let stream = {
            let progress = Progress::bar("coding", trace.packets().into(), is_long);
            Stream::code(voice, self.codec, trace.packets(), &mut || progress.step(&interrupt))?
        };
        let stream = stream.ok_or(Failure::Interrupted)?;
        let report = {
            let progress = Progress::bar("replaying", pulls_in(&trace), is_long);
            play(&stream, &trace, join::settings(&config), outputs, &mut || progress.step(&interrupt))?
        };
        let report = report.ok_or(Failure::Interrupted)?;
        super::print(&if self.json { report.json().to_string() } else { report.to_string() })
    }

    /// An output must not take an input's place, nor the other output's.
    fn refuse_to_overwrite(&self) -> Result<(), Failure> {
        let mut taken = vec![(&self.trace, "trace"), (&self.voice, "voice")];
        taken.extend(self.configuration.config.as_ref().map(|path| (path, "configuration")));
        let outputs = [Some((&self.wav, "WAV")), self.log.as_ref().map(|path| (path, "log"))];
        for (output, is) in outputs.into_iter().flatten() {
            if let Some((_, is)) = taken.iter().find(|(path, _)| is_same(path, output)) {
                return Err(Failure::SamePlace { path: output.clone(), is });
            }
            taken.push((output, is));
        }
        Ok(())
    }
}

/// Whether two paths lead to one file. A device such as `/dev/null` may be given twice.
fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other && one.is_file(),
        _ => one == other,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::Read { path: path.to_owned(), error })
}
