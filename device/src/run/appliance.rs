//! The process: built, run, and ended.

use super::book::Book;
use super::pages::{Desk, Shared};
use super::secrets::Places;
use super::speech::Starter;
use super::supervisor::{Ending, Input, Output, Part, Supervisor};
use super::threads::{self, Outcome};
use super::{handset, reload, service, settings, signals, speech, watch};
use crate::audio::gauges::TickGauges;
use crate::audio::sound::Sound;
use crate::audio::sound::gauges::SoundGauges;
use crate::audio::stage::Stage;
use crate::audio::thread::{self, Refused};
use crate::cli::{ConfigArguments, Failure};
use crate::clock::Clock;
use crate::http::router;
use crate::http::server::{Server, Stopper};
use crate::log::Logging;
use crate::sound;
use crate::trunk::command::{Report, Request};
use crate::trunk::start::{Started, start};
use crate::{join, rings};
use offhook_config::{Config, Resolved};
use offhook_sip_rtp::sip::registration;
use offhook_units::Moment;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the control thread looks at how things stand.
const LOOK: Duration = Duration::from_millis(1_000);
/// The same on the way out, where calls are waited for.
const LOOK_CLOSELY: Duration = Duration::from_millis(50);
/// A card takes so long to close at most.
const CARD_CLOSES: Duration = Duration::from_millis(1_000);
/// An editor that saves makes several events; the file is read when none came for so long, or so many did.
const SETTLED: Duration = Duration::from_millis(100);
const EVENTS_OF_A_SAVE: usize = 20;

/// What the control thread is woken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// SIGTERM or SIGINT.
    Terminate,
    /// SIGHUP.
    Reload,
    /// The configuration file is not as it was.
    FileChanged,
    /// A thread is over.
    Ended(Part),
    /// The system refused the audio thread something.
    Refused(Refused),
}

/// What changes while the process runs.
#[derive(Debug)]
pub(super) struct Live {
    /// What stands in the sources.
    pub(super) resolved: Resolved,
    /// What the process runs with, where that takes a restart to change.
    pub(super) started: Resolved,
    pub(super) shared: Shared,
    pub(super) supervisor: Supervisor,
    pub(super) logging: Logging,
    pub(super) starter: Starter,
    pub(super) sound: sound::Handle,
}

/// A process that takes calls.
#[derive(Debug)]
pub struct Appliance {
    live: Live,
    arguments: ConfigArguments,
    sender: Sender<Event>,
    events: Receiver<Event>,
    threads: Vec<(Part, JoinHandle<Outcome>)>,
    reports: JoinHandle<()>,
    /// Threads whose end was told.
    over: Vec<Part>,
    stop_audio: Arc<AtomicBool>,
    stop_http: Stopper,
    http: SocketAddr,
    sip: SocketAddr,
}

impl Appliance {
    /// Builds everything and starts the threads.
    ///
    /// # Errors
    /// Whatever keeps it from taking calls.
    pub fn start(arguments: ConfigArguments) -> Result<Self, Failure> {
        let clock = Clock::start();
        let resolved = arguments.resolve()?;
        let config = &resolved.config;
        let places = Places::of(arguments.file());
        let trunk_settings = settings::trunk(config, &places)?;
        let token = config.http.token_file.as_deref().map(|file| places.read(file)).transpose();
        let token = token.map_err(settings::SettingsError::from)?;
        let logging = Logging::begin(config.log);
        let (sender, events) = channel();
        let (switchboard, mut starter) = speech::answering(clock, sender.clone());
        let (trunk_desk, control_desk, audio_desk) = rings::shared(config.calls.max);
        let (sound_desk, sound_ends) = rings::sound();
        let sound_gauges = Arc::new(SoundGauges::default());
        let switchboard = handset::with_handset(switchboard, sound_gauges.clone());
        let Started { trunk, handle, reports } =
            start(trunk_settings, join::settings(config), clock, trunk_desk, switchboard)
                .map_err(|error| arguments.blame(error))?;
        let (server, stop_http) = bind(config.http.listen, clock)?;
        let gauges = Arc::new(TickGauges::default());
        let servers = config.trunks.iter().map(|trunk| trunk.server.host.clone()).collect();
        let shared = Shared {
            clock,
            trunk: handle,
            book: Arc::new(Mutex::new(Book::new(clock.now(), gauges.clone(), config.calls.max, servers))),
            desk: Arc::new(Mutex::new(control_desk)),
        };
        starter.begin(config, &places, &shared)?;
        signals::watch(&sender).map_err(Failure::Thread)?;
        let stop_audio = Arc::new(AtomicBool::new(false));
        let wishes = settings::wishes(config);
        let audio = {
            let card = Sound::new(sound_ends, settings::sound(config)).map_err(Failure::Sound)?;
            let stage = Stage::new(config.calls.max, audio_desk, gauges.clone()).with_sound(Box::new(card));
            let (stop, told) = (stop_audio.clone(), sender.clone());
            move || {
                let tell = |refused: [Option<Refused>; 3]| {
                    for refused in refused.into_iter().flatten() {
                        // Where nobody listens any more the process is at its end.
                        let _ = told.send(Event::Refused(refused));
                    }
                };
                thread::run(stage, clock, wishes, &gauges, &stop, tell);
                Ok(())
            }
        };
        let (sound, sound_thread) = {
            let (shared, fifo) = (shared.clone(), wishes.fifo);
            let tell = move |told| shared.book().sound.note(told);
            sound::begin(sound_desk, sound_gauges.clone(), clock, fifo, tell)
        };
        sound.want(settings::cards(config));
        {
            let sound = &mut shared.book().sound;
            (sound.gauges, sound.has_handset) = (sound_gauges, settings::has_handset(config));
        }
        let (http, sip) = (server.local().map_err(Failure::Thread)?, trunk.locals().udp);
        let desk = Desk { shared: shared.clone(), ticked: (0, clock.now()) };
        let begin = |part, body: Box<dyn FnOnce() -> Outcome + Send>| {
            let thread = threads::start(part, &sender, body).map_err(Failure::Thread)?;
            Ok::<_, Failure>((part, thread))
        };
        let threads = vec![
            begin(Part::Audio, Box::new(audio))?,
            begin(
                Part::Sound,
                Box::new(move || {
                    sound_thread.run();
                    Ok(())
                }),
            )?,
            begin(
                Part::Trunk,
                Box::new(move || {
                    thread::follow(wishes);
                    trunk.run().map_err(|error| error.to_string())
                }),
            )?,
            begin(
                Part::Http,
                Box::new(move || serve(server, desk, token.map(|token| token.reveal().clone()))),
            )?,
        ];
        let reports = listen(reports, shared.clone(), &sender)?;
        let supervisor = Supervisor::new(clock.now(), config.calls.drain);
        forward_changes(&arguments, sender.clone());
        let live = Live { started: resolved.clone(), resolved, shared, supervisor, logging, starter, sound };
        Ok(Self {
            live,
            arguments,
            sender,
            events,
            threads,
            reports,
            over: Vec::new(),
            stop_audio,
            stop_http,
            http,
            sip,
        })
    }

    /// Where its page is.
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it is called.
    pub const fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// The configuration that it began with.
    pub const fn config(&self) -> &Config {
        &self.live.resolved.config
    }

    /// Tells it to end, from another thread, as SIGTERM does.
    pub fn stopper(&self) -> impl Fn() + Send + use<> {
        let sender = self.sender.clone();
        move || {
            // Where nobody listens any more it has ended.
            let _ = sender.send(Event::Terminate);
        }
    }

    /// Runs until it is told to end, or has to.
    pub fn run(mut self) -> Ending {
        let started_ms = self.now().as_micros() as f32 / 1e3;
        tracing::info!("ready after {started_ms:.0} ms: SIP on {}, http://{}/", self.sip, self.http);
        service::ready(&format!("takes calls on {}", self.sip));
        let mut looked = self.now();
        loop {
            let every = if self.live.supervisor.is_ending() { LOOK_CLOSELY } else { LOOK };
            if let Ok(event) = self.events.recv_timeout(every.saturating_sub(self.since(looked))) {
                self.on_event(event);
            }
            // In time however many events come: the service manager waits for it.
            if self.since(looked) >= every {
                looked = self.now();
                self.look();
            }
            while let Some(output) = self.live.supervisor.poll_output() {
                if let Some(ending) = self.carry_out(output) {
                    return self.end(ending);
                }
            }
        }
    }

    fn now(&self) -> Moment {
        self.live.shared.clock.now()
    }

    fn since(&self, moment: Moment) -> Duration {
        Duration::from_micros(self.now().since(moment).as_micros().max(0).cast_unsigned())
    }

    fn on_event(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Terminate => self.live.supervisor.handle_input(now, Input::Terminate),
            Event::Ended(part) => {
                self.over.push(part);
                self.live.supervisor.handle_input(now, Input::Ended(part));
            }
            Event::Refused(refused) => {
                tracing::warn!("{refused}");
                self.live.shared.book().refused.push(refused);
            }
            Event::Reload => reload::reload(&mut self.live, &self.arguments, true),
            Event::FileChanged => {
                let mut later = None;
                for _ in 0..EVENTS_OF_A_SAVE {
                    later = self.events.recv_timeout(SETTLED).ok();
                    if later != Some(Event::FileChanged) {
                        break;
                    }
                }
                reload::reload(&mut self.live, &self.arguments, false);
                if let Some(event) = later.filter(|event| *event != Event::FileChanged) {
                    self.on_event(event);
                }
            }
        }
    }

    fn look(&mut self) {
        let now = self.now();
        self.live.shared.refresh();
        let (ticks, calls) = {
            let mut book = self.live.shared.book();
            if !self.live.supervisor.is_ending() {
                book.sample();
            }
            (book.ticks().ticks, book.snapshot.calls.len())
        };
        self.live.supervisor.handle_input(now, Input::Look { ticks, calls });
    }

    fn carry_out(&mut self, output: Output) -> Option<Ending> {
        match output {
            Output::Alive => service::alive(),
            Output::Drain => {
                self.live.shared.refresh();
                let calls = self.live.shared.book().snapshot.calls.len();
                tracing::info!("stopping: no new calls are taken; {calls} may end by themselves");
                service::stopping();
                service::status("waits for calls to end");
                self.live.shared.book().is_ending = true;
                self.ask(Request::Drain);
            }
            Output::Stop => self.ask(Request::Stop),
            Output::End(ending) => return Some(ending),
        }
        None
    }

    fn ask(&self, request: Request) {
        if self.live.shared.trunk.ask(request).is_err() {
            tracing::warn!("the trunk takes no requests any more");
        }
    }

    /// The card is closed in order: drivers have threads of their own, which should not outlive the program's end.
    fn close_sound(&mut self) {
        self.live.sound.stop();
        while !self.over.contains(&Part::Sound) {
            match self.events.recv_timeout(CARD_CLOSES) {
                Ok(Event::Ended(part)) => self.over.push(part),
                Ok(_) => {}
                // A driver that hangs goes with the process.
                Err(_too_late) => return,
            }
        }
    }

    /// Ends what is left, and says how it was.
    fn end(mut self, ending: Ending) -> Ending {
        self.close_sound();
        self.stop_audio.store(true, Relaxed);
        self.stop_http.stop();
        // One that is not over is not waited for: the process goes, and takes it along.
        for (part, thread) in self.threads.into_iter().filter(|(part, _)| self.over.contains(part)) {
            if let Some(words) = threads::last_words(thread) {
                tracing::error!("{} thread: {words}", part.name());
            }
        }
        if self.over.contains(&Part::Trunk) {
            // It told how its calls ended; those lines come before the last one. A panic there has been told.
            let _ = self.reports.join();
        }
        match ending {
            Ending::Drained | Ending::AtLimit | Ending::AtOnce => tracing::info!("{ending}"),
            Ending::Died(_) | Ending::Standstill => tracing::error!("{ending}"),
        }
        ending
    }
}

fn bind(listen: SocketAddr, clock: Clock) -> Result<(Server, Stopper), Failure> {
    Server::bind(listen, clock).map_err(|error| Failure::Listen { what: format!("HTTP on {listen}"), error })
}

fn serve(server: Server, mut desk: Desk, token: Option<String>) -> Outcome {
    let answer = &mut |request: &_| router::answer(request, token.as_deref(), &mut desk);
    server.run(answer).map_err(|error| error.to_string())
}

/// Writes what the trunk tells into the log and the book, for as long as it tells.
fn listen(
    reports: Receiver<Report>,
    shared: Shared,
    events: &Sender<Event>,
) -> Result<JoinHandle<()>, Failure> {
    let body = move || {
        for report in reports {
            shared.book().note(&report);
            tell(&report);
        }
    };
    threads::attend(Part::Reports.name(), Part::Reports, events, body).map_err(Failure::Thread)
}

fn tell(report: &Report) {
    let text = report.to_string();
    // "call 7: answered": the number is a field of its own.
    let parts = text.strip_prefix("call ").and_then(|rest| rest.split_once(": "));
    let call = parts.and_then(|(number, rest)| Some((number.parse::<u64>().ok()?, rest)));
    match (report, call) {
        (Report::Ladder(line), _) => tracing::debug!("{line}"),
        (Report::Doubt(..), Some((call, text))) => tracing::warn!(call, "{text}"),
        (Report::Full { .. } | Report::Name(..) | Report::Trunk(_, registration::Event::Down { .. }), _) => {
            tracing::warn!("{text}");
        }
        (_, Some((call, text))) => tracing::info!(call, "{text}"),
        _ => tracing::info!("{text}"),
    }
}

/// Watches the configuration file for the rest of the process.
fn forward_changes(arguments: &ConfigArguments, events: Sender<Event>) {
    let Some(file) = arguments.file() else { return };
    match watch::watch(file, events) {
        // It ends with the process.
        Ok(watcher) => std::mem::forget(watcher),
        Err(error) => tracing::warn!("changes of {} are not noticed ({error}); send SIGHUP", file.display()),
    }
}
