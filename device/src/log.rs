//! What a running service tells: lines on stderr, as text or JSON, or fields to journald.
//!
//! What is told of a call carries its number as the field `call`. Names and telephone numbers come only in types that do
//! not print. Nothing here runs on the audio thread.

use offhook_config::{Format, Level, Log};
use std::io;
use std::os::unix::fs::MetadataExt;
use tracing::level_filters::LevelFilter;
use tracing_journald::{Priority, PriorityMappings};
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
        let (output, no_journal) = output(log.format);
        let subscriber = tracing_subscriber::registry().with(filter).with(output);
        // A second one in the same process, in tests, leaves the first where it is.
        let _ = tracing::subscriber::set_global_default(subscriber);
        if let Some(error) = no_journal {
            tracing::warn!("journald does not answer ({error}): the log goes to stderr");
        }
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

/// Where the log goes, and why that is not the journal where it should be.
fn output<S>(format: Format) -> (Output<S>, Option<io::Error>)
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let text = || fmt::layer().with_writer(io::stderr).with_ansi(false).with_target(false);
    let is_journal = format == Format::Journal || format == Format::Auto && is_journals_stderr();
    match (format, is_journal.then(tracing_journald::layer)) {
        (_, Some(Ok(journal))) => {
            let priorities = PriorityMappings {
                info: Priority::Informational,
                debug: Priority::Debug,
                trace: Priority::Debug,
                ..PriorityMappings::new()
            };
            // Without a prefix a call's number is the field CALL.
            (Box::new(journal.with_field_prefix(None).with_priority_mappings(priorities)), None)
        }
        (_, Some(Err(error))) => (Box::new(text()), Some(error)),
        (Format::Json, None) => (Box::new(text().json().flatten_event(true)), None),
        (_, None) => (Box::new(text()), None),
    }
}

/// Whether the service manager connected stderr to the journal and it still is (systemd.exec(5)): the variable holds
/// the device and the inode of what it connected, and is inherited by whatever is started below, whose stderr may be
/// another.
pub fn is_journals_stderr() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = std::fs::metadata("/dev/stderr") else { return false };
    stream.to_str() == Some(&format!("{}:{}", stderr.dev(), stderr.ino()))
}
