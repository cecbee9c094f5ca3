//! An appliance without its control half: both threads, their rings, and what they report.

use offhook::audio::gauges::TickGauges;
use offhook::audio::stage::Stage;
use offhook::audio::thread::{self, Wishes};
use offhook::clock::Clock;
use offhook::rings;
use offhook::trunk::command::{Handle, Report, Request};
use offhook::trunk::routes::{Route, Routes, Target};
use offhook::trunk::settings::Settings;
use offhook::trunk::start::{Started, start};
use offhook::trunk::switchboard::{Plain, Switchboard};
use offhook_sip_rtp::sip::local::LocalAddrs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

/// Far beyond what anything here takes, so that a slow machine fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const MOST_CALLS: usize = 8;

/// Loopback, a free port.
pub(crate) fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Settings for loopback: echo behind every number that begins with 1, and a telephone may call. Each test gives
/// its own media ports.
pub(crate) fn settings(first_port: u16) -> Settings {
    let mut settings = Settings::default();
    settings.sip.udp = free();
    settings.sip.tcp = Some(free());
    settings.allowed = vec!["127.0.0.1".parse().expect("an address")];
    settings.media.ports = first_port..=first_port + 39;
    settings.max_calls = MOST_CALLS;
    settings.routes = Routes(vec![Route::new("1*", Target::Echo), Route::new("2", Target::Tone)]);
    settings
}

/// The running threads.
pub(crate) struct Office {
    pub(crate) locals: LocalAddrs,
    pub(crate) handle: Handle,
    reports: Receiver<Report>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Office {
    pub(crate) fn open(settings: Settings) -> Self {
        Self::open_with(settings, Box::new(Plain))
    }

    /// One whose calls are answered by `switchboard`.
    pub(crate) fn open_with(settings: Settings, switchboard: Box<dyn Switchboard>) -> Self {
        let clock = Clock::start();
        let (desk, _control, audio) = rings::shared(MOST_CALLS);
        let gauges = Arc::new(TickGauges::default());
        let stage = Stage::new(MOST_CALLS, audio, gauges.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let playout = offhook_engine::Settings::default();
        let started = start(settings, playout, clock, desk, switchboard).expect("free ports");
        let Started { trunk, handle, reports } = started;
        let locals = *trunk.locals();
        let stopped = stop.clone();
        let threads = vec![
            std::thread::spawn(move || {
                thread::run(stage, clock, Wishes::default(), &gauges, &stopped, |_refused| {});
            }),
            std::thread::spawn(move || trunk.run().expect("the loop goes on")),
        ];
        Self { locals, handle, reports, stop, threads }
    }

    /// The next report that `wanted` finds something in; others are passed over.
    pub(crate) fn wait_for<T>(&self, mut wanted: impl FnMut(&Report) -> Option<T>) -> T {
        loop {
            let report = self.reports.recv_timeout(PATIENCE).expect("a report in time");
            if let Some(found) = wanted(&report) {
                return found;
            }
        }
    }

    /// Stops both threads, and waits for their end.
    pub(crate) fn close(self) {
        self.handle.ask(Request::Stop).expect("the thread takes it");
        let Self { stop, threads, .. } = self;
        let [audio, trunk]: [JoinHandle<()>; 2] = threads.try_into().expect("two threads");
        trunk.join().expect("the trunk's thread ends by itself");
        stop.store(true, Ordering::Relaxed);
        audio.join().expect("the audio thread ends by itself");
    }
}
