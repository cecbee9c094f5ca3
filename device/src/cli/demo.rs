//! `offhook demo`: hear what the engine is for, in calls to the running service.

use super::configuration::ConfigArguments;
use super::failure::Failure;
use super::progress::Progress;
use crate::demo::{Caller, FixedBuffer, Heard, NETWORKS, Network, VOICE_WAV, delays_ms};
use crate::draft::Draft;
use crate::interrupt::Interrupt;
use crate::replay::{PACKET_MS, Recording, Stream, Trace, Voice, pulls_in};
use crate::run::appliance::Appliance;
use crate::run::supervisor::Ending;
use clap::Args;
use clap::builder::PossibleValuesParser;
use offhook_units::Codec;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::JoinHandle;

/// Call the service over four bad networks, and hear what it makes of them
///
/// Starts the service on this machine alone, or takes the one that --to names, and calls its echo with a built-in
/// voice, once for each network: a wired one, busy wifi, a moving phone, and a line that loses packets in bursts. The
/// networks are made up here from a seed; the calls are real ones, as long as the voice. At the end it tells what was
/// measured: how late the voice came back, and what the service reported of its line. Each network leaves what a
/// simple player would have made of it, which waits 40 ms and is silent where a packet is missing (NAME-before.wav),
/// what the service made of it (NAME-after.wav), and the trace of its packets (NAME.csv); voice.wav is as it was sent.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Demo {
    /// Call this echo, by UDP, instead of a service of its own
    #[arg(long, value_name = "sip:NUMBER@HOST:PORT")]
    to: Option<String>,
    /// Sets one key of the service that it starts, as in jitter.max_ms=60; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", conflicts_with = "to")]
    set: Vec<String>,
    /// Only this network; may be given several times
    #[arg(long = "network", value_name = "NAME", value_parser = PossibleValuesParser::new(NETWORKS.map(|n| n.name)))]
    networks: Vec<String>,
    /// Only so much of the voice, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=MOST_SECONDS))]
    length: Option<u32>,
    /// Folder for what is written; it is made if it is not there
    #[arg(long, value_name = "FOLDER", default_value = "offhook-demo")]
    out: PathBuf,
    /// Another draw of the same networks
    #[arg(long, default_value_t = DRAW)]
    seed: u64,
}

const AFTER_HELP: &str = "\
Examples:
  offhook demo
  offhook demo --network mobile --set jitter.max_ms=60
  offhook demo --to sip:600@192.0.2.10 --out listen --seed 7

Then see for yourself, quicker than in calls, what a setting does:
  offhook replay --trace offhook-demo/mobile.csv --voice offhook-demo/voice.wav --wav tight.wav --set jitter.max_ms=60";

/// The draw that is played unless another is asked for: one with something to hear on every bad network.
const DRAW: u64 = 4;
/// The built-in voice is no longer.
const MOST_SECONDS: i64 = 20;
/// The number of the echo in a service of its own.
const ECHO: &str = "600";

/// One network: what it does to the voice, and what a player makes of it that does not think.
struct Line {
    network: Network,
    trace: Trace,
    before: FixedBuffer,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        fs::create_dir_all(&self.out).map_err(|error| Failure::Write { path: self.out.clone(), error })?;
        let interrupt = Interrupt::watch().unwrap_or_default();
        let voice = self.voice()?;
        let packets = voice.samples().len().div_ceil(voice.rate().frames_in_ms(PACKET_MS)) as u32;
        let stream = Stream::code(voice.clone(), Codec::Pcmu, packets, &mut || !interrupt.is_raised())?;
        let stream = stream.ok_or(Failure::Interrupted)?;
        self.write("voice.wav", |file| file.write_all(VOICE_WAV))?;
        let lines = self.lines(&stream, packets)?;
        let service = match &self.to {
            Some(_) => None,
            None => Some(Service::start(&self.set)?),
        };
        let to = self.to.clone().or_else(|| Some(service.as_ref()?.to.clone())).unwrap_or_default();
        let failed = |error| Failure::Call { to: to.clone(), error };
        let caller = Caller::call(&to, &stream, lines.iter().map(|line| &line.trace)).map_err(failed)?;
        let progress = Progress::bar("calling", u64::from(packets) * lines.len() as u64, true);
        let heard = caller.run(&mut |sent| progress.reach(sent.into(), &interrupt)).map_err(failed)?;
        drop(progress);
        let heard = heard.ok_or(Failure::Interrupted)?;
        if let Some(service) = service {
            service.end()?;
        }
        let mut text = format!("Called {to}. What the service made of each network:\n\n{HEAD}");
        for (line, heard) in lines.iter().zip(&heard) {
            self.keep(line, &stream, heard)?;
            text += &line.row(&voice, heard);
        }
        super::print(&(text + &self.listen(&lines)))
    }

    fn voice(&self) -> Result<Voice, Failure> {
        let path = PathBuf::from("the built-in voice");
        let voice = Voice::from_wav(VOICE_WAV).map_err(|error| Failure::Recording { path, error })?;
        let Some(seconds) = self.length else { return Ok(voice) };
        let frames = voice.rate().frames_in_ms(seconds * 1000).min(voice.samples().len());
        Ok(Voice::new(voice.samples().get(..frames).unwrap_or_default().to_vec(), voice.rate()))
    }

    fn lines(&self, stream: &Stream, packets: u32) -> Result<Vec<Line>, Failure> {
        let is_wanted = |network: &Network| {
            self.networks.is_empty() || self.networks.iter().any(|name| name == network.name)
        };
        let mut lines = Vec::new();
        for network in NETWORKS.into_iter().filter(is_wanted) {
            let trace = network.trace(packets, self.seed);
            self.write(&format!("{}.csv", network.name), |file| trace.write(file))?;
            let before = FixedBuffer::play(stream, &trace)?;
            lines.push(Line { network, trace, before });
        }
        Ok(lines)
    }

    /// Writes both recordings of a network.
    fn keep(&self, line: &Line, stream: &Stream, heard: &Heard) -> Result<(), Failure> {
        for (when, samples) in [("before", &line.before.samples), ("after", &heard.samples)] {
            let path = self.out.join(format!("{}-{when}.wav", line.network.name));
            let file = super::create(&path)?;
            let written = record(file, stream, &line.trace, samples);
            written.map_err(|error| Failure::Write { path, error })?;
        }
        Ok(())
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

    /// Where to begin listening: with the last network but one, which is the one with most to hear.
    fn listen(&self, lines: &[Line]) -> String {
        let Some(line) = lines.iter().find(|line| line.network.name == "mobile").or(lines.last()) else {
            return String::new();
        };
        let file = |when: &str| self.out.join(format!("{}-{when}.wav", line.network.name));
        format!(
            "\nWritten to {}. Listen to {} first: words break off where packets came late or never.\n\
             Then to {}: the same packets, in the call; what is missing is filled from the sound around it.",
            self.out.display(),
            file("before").display(),
            file("after").display()
        )
    }
}

fn record(file: Draft, stream: &Stream, trace: &Trace, samples: &[i16]) -> io::Result<()> {
    let mut recording = Recording::begin(file, stream.codec().sample_rate(), pulls_in(trace))?;
    recording.put(samples)?;
    recording.finish()?.publish()
}

const HEAD: &str = "                                              before |                    in the call
network      what it is                 lost    gaps |   delay  buffer  concealed  quality
";

impl Line {
    /// What was measured: gaps by the simple player, the delay here, there and back, the rest by the service.
    fn row(&self, voice: &Voice, heard: &Heard) -> String {
        let percent = |part: f64| format!("{part:.1} %");
        let packets = f64::from(self.trace.packets().max(1));
        let or_unknown = |told: Option<String>| told.unwrap_or_else(|| "-".to_owned());
        let mut delays = delays_ms(voice.samples(), &heard.samples, voice.rate());
        delays.sort_by(f64::total_cmp);
        let delay = delays.get(delays.len() / 2).map(|ms| format!("{ms:.0} ms"));
        let metrics = heard.reported.metrics;
        let buffer = metrics.map(|metrics| format!("{} ms", metrics.buffer.nominal_ms));
        // In 256th (RFC 3611 4.7.1); what was lost or came too late had to be concealed.
        let missing = |rates: (u8, u8)| (f64::from(rates.0) + f64::from(rates.1)) * 100.0 / 256.0;
        let concealed = metrics.map(|metrics| percent(missing((metrics.loss_rate, metrics.discard_rate))));
        // 127 is "unavailable" (RFC 3611 4.7.5).
        let score = metrics.map(|metrics| metrics.mos_listening_10).filter(|score| *score != 127);
        let quality = score.map(|score| format!("{}.{} of 5", score / 10, score % 10));
        format!(
            "{:<12} {:<23} {:>7} {:>7} | {:>7} {:>7} {:>10} {:>8}\n",
            self.network.name,
            self.network.what,
            percent(f64::from(self.trace.lost()) * 100.0 / packets),
            percent(f64::from(self.before.gaps) * 100.0 / packets),
            or_unknown(delay),
            or_unknown(buffer),
            or_unknown(concealed),
            or_unknown(quality)
        )
    }
}

/// The service, in this process, on this machine alone.
struct Service {
    to: String,
    stop: Box<dyn Fn() + Send>,
    thread: JoinHandle<Ending>,
}

impl Service {
    /// Starts it with these settings, as far as they are not the demonstration's own.
    fn start(set: &[String]) -> Result<Self, Failure> {
        // Nobody reads a log here, and no real-time priority is needed for some calls.
        let before = ["log.level=error", "audio.priority=0"].map(str::to_owned);
        let own = [
            "sip.listen=127.0.0.1:0".to_owned(),
            "http.listen=127.0.0.1:0".to_owned(),
            "sip.tcp=false".to_owned(),
            "calls.drain_s=0".to_owned(),
            format!("route.{ECHO}=echo"),
            // The default's agent would load voices that nobody hears.
            "route.602=reject".to_owned(),
        ];
        let assignments = before.into_iter().chain(set.iter().cloned()).chain(own).collect();
        let appliance = Appliance::start(ConfigArguments::of(assignments))?;
        let to = format!("sip:{ECHO}@{}", appliance.sip());
        let stop = Box::new(appliance.stopper());
        let body = move || appliance.run();
        let thread = std::thread::Builder::new().name("service".to_owned()).spawn(body);
        Ok(Self { to, stop, thread: thread.map_err(Failure::Thread)? })
    }

    fn end(self) -> Result<(), Failure> {
        (self.stop)();
        match self.thread.join() {
            Ok(ending @ (Ending::Died(_) | Ending::Standstill)) => Err(Failure::Ended(ending)),
            // One that panicked has told so.
            _ => Ok(()),
        }
    }
}
