//! What a running service tells: lines on stderr, as text or JSON, or fields to journald.
//!
//! What is told of a call carries its number as the field `call`. Names and telephone numbers come only in types that do
//! not print. Nothing here runs on the audio thread.

use offhook_config::{Format, Level, Log};
use std::io;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Layer, Registry, fmt};

/// The log's level, while it runs.
#[derive(Clone, Debug)]
pub struct Logging {
    level: Handle<LevelFilter, Registry>,
}

impl Logging {
    /// Begins to tell. The first in a process counts.
    pub fn begin(log: Log) -> Self {
        let (filter, level) = reload::Layer::new(filter(log.level));
        let subscriber = tracing_subscriber::registry().with(filter).with(output(log.format));
        // A second one in the same process, in tests, leaves the first where it is.
        let _ = tracing::subscriber::set_global_default(subscriber);
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
        Self { level }
    }

    /// Tells so much from now on.
    pub fn set_level(&self, level: Level) {
        // Fails only where the log itself is gone.
        let _ = self.level.modify(|filter_now| *filter_now = filter(level));
    }
}

const fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

type Output<S> = Box<dyn Layer<S> + Send + Sync>;

fn output<S>(format: Format) -> Output<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let text = || fmt::layer().with_writer(io::stderr).with_ansi(false).with_target(false);
    // systemd.exec(5): set where stderr goes to the journal.
    let is_journal =
        format == Format::Journal || format == Format::Auto && std::env::var_os("JOURNAL_STREAM").is_some();
    if is_journal && let Ok(journal) = tracing_journald::layer() {
        // Without a prefix a call's number is the field CALL.
        return Box::new(journal.with_field_prefix(None));
    }
    match format {
        Format::Json => Box::new(text().json().flatten_event(true)),
        _ => Box::new(text()),
    }
}
