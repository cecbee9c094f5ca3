//! What a replay came to: for people as a few lines, for programs as one line of JSON.

use super::json::JsonLine;
use super::session::{Pull, Session};
use super::trace::Trace;
use offhook_engine::decide::Mode;
use offhook_engine::{Playout, Settings, Stats};
use offhook_units::{Codec, SampleRate};
use std::fmt;

/// A report being gathered: [`Report::note`] each pull, then [`Report::close`].
#[derive(Clone, Debug)]
pub struct Report {
    codec: Codec,
    settings: Settings,
    sent: u32,
    lost: u32,
    repeated: u32,
    refused: u64,
    stats: Stats,
    /// The same when a voice was played last: behind it there is nothing but the end of the recording.
    while_voice: Stats,
    /// Of each pull, ns.
    cpu_ns: Vec<u32>,
    delay_sum_ms: f64,
    delay_max_ms: f64,
    /// Pulls since the first packet was played.
    playing: u64,
}

impl Report {
    /// For a stream in `codec` over `trace`.
    pub fn new(codec: Codec, trace: &Trace, settings: Settings) -> Self {
        Self {
            codec,
            settings,
            sent: trace.packets(),
            lost: trace.lost(),
            repeated: trace.repeated(),
            refused: 0,
            stats: Stats::default(),
            while_voice: Stats::default(),
            cpu_ns: Vec::new(),
            delay_sum_ms: 0.0,
            delay_max_ms: 0.0,
            playing: 0,
        }
    }

    /// Takes one pull into account.
    pub fn note(&mut self, pull: &Pull<'_>) {
        self.cpu_ns.push(u32::try_from(pull.cpu_ns).unwrap_or(u32::MAX));
        if pull.mode != Mode::Waiting {
            let delay_ms = f64::from(pull.stats.delay.as_millis_f32());
            self.playing += 1;
            self.delay_sum_ms += delay_ms;
            self.delay_max_ms = self.delay_max_ms.max(delay_ms);
        }
        if pull.mode == Mode::Voice {
            self.while_voice = *pull.stats;
        }
    }

    /// The replay is over.
    pub fn close(&mut self, session: &Session<'_>) {
        self.stats = *session.stats();
        self.refused = session.refused();
        self.cpu_ns.sort_unstable();
    }

    /// What the engine counted in the end.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Share of the packets that the network lost, in percent.
    pub fn lost_percent(&self) -> f64 {
        percent(u64::from(self.lost), u64::from(self.sent))
    }

    /// The delay that the buffer held on average, packet included, ms.
    pub fn delay_mean_ms(&self) -> f64 {
        self.delay_sum_ms / self.playing.max(1) as f64
    }

    /// Share of the sound, from the first packet to the last, that was guessed, bridged or recovered, in percent.
    pub fn concealed_percent(&self) -> f64 {
        let stats = &self.while_voice;
        self.share(stats.extrapolated_frames + stats.bridged_frames + stats.recovered_frames)
    }

    /// Share of the sound that was put in to fall back, in percent.
    pub fn stretched_percent(&self) -> f64 {
        self.share(self.while_voice.stretched_frames)
    }

    /// What a pull costs, ns. The median: a machine that does something else in between does not move it.
    pub fn cpu_median_ns(&self) -> u32 {
        self.cpu_ns_at(50)
    }

    /// Mean time of a pull, ns.
    fn cpu_mean_ns(&self) -> f64 {
        let sum: u64 = self.cpu_ns.iter().map(|ns| u64::from(*ns)).sum();
        sum as f64 / self.cpu_ns.len().max(1) as f64
    }

    /// The cost that `percent` of the pulls do not pass, ns.
    fn cpu_ns_at(&self, percent: usize) -> u32 {
        let last = self.cpu_ns.len().saturating_sub(1);
        self.cpu_ns.get(last * percent / 100).copied().unwrap_or(0)
    }

    fn rate(&self) -> SampleRate {
        self.codec.sample_rate()
    }

    /// Part of the sound between the first packet and the last that was played, in percent.
    fn share(&self, frames: u64) -> f64 {
        let all = self.while_voice.ticks * self.rate().frames_in_ms(10) as u64;
        percent(frames, all.saturating_sub(self.while_voice.silent_frames))
    }

    /// One JSON object with everything; times in ms, frames at `rate_hz`.
    pub fn json(&self) -> JsonLine {
        let mut line = JsonLine::default();
        line.text("codec", self.codec.name());
        line.whole("rate_hz", self.rate().hz());
        line.decimal("jitter_min_ms", f64::from(self.settings.min_delay.as_millis_f32()));
        line.decimal("jitter_target_ms", f64::from(self.settings.start_delay.as_millis_f32()));
        line.decimal("jitter_max_ms", f64::from(self.settings.max_delay.as_millis_f32()));
        line.decimal("speed_max_percent", f64::from(self.settings.max_speed_change * 100.0));
        line.whole("sent", self.sent);
        line.whole("lost", self.lost);
        line.whole("repeated", self.repeated);
        line.whole("refused", self.refused);
        for (name, count) in counters(&self.stats) {
            line.whole(name, count);
        }
        line.decimal("delay_ms", f64::from(self.stats.delay.as_millis_f32()));
        line.decimal("delay_mean_ms", self.delay_mean_ms());
        line.decimal("delay_max_ms", self.delay_max_ms);
        line.decimal("target_ms", f64::from(self.stats.target.as_millis_f32()));
        line.decimal("held_ms", f64::from(self.stats.held.as_millis_f32()));
        match self.stats.drift {
            Some(drift) => line.decimal("drift_ppm", f64::from(drift.0)),
            None => line.null("drift_ppm"),
        }
        line.whole("memory_most_bytes", Playout::most_bytes(self.codec) as u64);
        line.decimal("concealed_percent", self.concealed_percent());
        line.decimal("cpu_mean_ns", self.cpu_mean_ns());
        line.whole("cpu_p50_ns", self.cpu_ns_at(50));
        line.whole("cpu_p99_ns", self.cpu_ns_at(99));
        line.whole("cpu_max_ns", self.cpu_ns_at(100));
        line
    }
}

/// Every counter under its own name. A test compares the list with the engine's own.
fn counters(stats: &Stats) -> [(&'static str, u64); 23] {
    [
        ("packets", stats.packets),
        ("played", stats.played),
        ("duplicates", stats.duplicates),
        ("too_old", stats.too_old),
        ("on_probation", stats.on_probation),
        ("stragglers", stats.stragglers),
        ("late", stats.late),
        ("undecodable", stats.undecodable),
        ("overrun", stats.overrun),
        ("restarts", stats.restarts),
        ("missing", stats.missing),
        ("ticks", stats.ticks),
        ("voice_frames", stats.voice_frames),
        ("extrapolated_frames", stats.extrapolated_frames),
        ("bridged_frames", stats.bridged_frames),
        ("recovered_frames", stats.recovered_frames),
        ("noise_frames", stats.noise_frames),
        ("silent_frames", stats.silent_frames),
        ("underruns", stats.underruns),
        ("squeezed_frames", stats.squeezed_frames),
        ("stretched_frames", stats.stretched_frames),
        ("hurried_frames", stats.hurried_frames),
        ("warps", stats.warps),
    ]
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stats, voice) = (&self.stats, &self.while_voice);
        writeln!(
            f,
            "network    {} packets of {}, {} lost ({:.1} %), {} twice",
            self.sent,
            self.codec,
            self.lost,
            self.lost_percent(),
            self.repeated
        )?;
        writeln!(
            f,
            "delay      {:.0} ms on average, {:.0} at most; {:.0} at the end, where the line asked for {:.0}",
            self.delay_mean_ms(),
            self.delay_max_ms,
            stats.delay.as_millis_f32(),
            stats.target.as_millis_f32()
        )?;
        writeln!(
            f,
            "concealed  {:.2} %: {:.2} guessed, {:.2} bridged from both sides, {:.2} by the codec; {} underruns",
            self.concealed_percent(),
            self.share(voice.extrapolated_frames),
            self.share(voice.bridged_frames),
            self.share(voice.recovered_frames),
            stats.underruns
        )?;
        writeln!(
            f,
            "speed      {:.2} % stretched, {:.2} % squeezed, in {} changes",
            self.stretched_percent(),
            self.share(voice.squeezed_frames),
            stats.warps
        )?;
        let refused: Vec<String> = counters(stats)
            .into_iter()
            .filter(|(name, count)| REFUSALS.contains(name) && *count > 0)
            .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
            .collect();
        let refused = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
        writeln!(f, "refused    {refused}")?;
        match stats.drift {
            Some(drift) => {
                writeln!(f, "clock      the sender's runs {:+.0} ppm against ours", drift.0.round() + 0.0)?
            }
            None => writeln!(f, "clock      the sender's is not known yet against ours")?,
        }
        write!(
            f,
            "cost       {:.2} µs of CPU for 10 ms; half below {:.2}, 99 % below {:.2}, at most {:.2}",
            self.cpu_mean_ns() / 1e3,
            f64::from(self.cpu_ns_at(50)) / 1e3,
            f64::from(self.cpu_ns_at(99)) / 1e3,
            f64::from(self.cpu_ns_at(100)) / 1e3
        )
    }
}

/// The counters of packets that were not played.
const REFUSALS: [&str; 7] =
    ["duplicates", "too_old", "on_probation", "stragglers", "late", "undecodable", "overrun"];
