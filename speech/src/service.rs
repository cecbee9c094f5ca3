//! The speech thread: drives the sessions of all calls and the one [`Network`] under them, and a thread beside it
//! for the voice on the device, which computes and must not hold up a socket.
//!
//! ```text
//! Speech (handle) ─► commands ─► speech thread: sessions, network ─► Port of each call (its rings)
//!                                      ▲  │
//!                                      │  ▼
//!                                 device's voice
//! ```
//!
//! Nothing of a call can hold up another one: sockets never block, ports never block, every queue has an end.

mod device;
mod run;

use crate::ear::Ear;
use crate::net::{NetError, Network};
use crate::session::{SessionEvent, SessionSettings};
use crate::truevoice::{PoolSettings, TrueVoiceSettings};
use crate::voice::{Voice, VoiceError};
use device::DeviceVoice;
use mio::Waker;
use offhook_units::Moment;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Commands that may wait; more than all calls of a device open at once.
const COMMANDS_MAX: usize = 1_024;

/// What a call's play-out and ears have to say since they were last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortNews {
    /// Whether the caller is heard to speak.
    pub caller_speaks: bool,
    /// The caller has heard the stream up to this sample.
    pub heard: u64,
    /// The caller broke in: the stream was heard up to this sample and the rest of what was handed out thrown away.
    pub barge_in: Option<u64>,
}

/// A call's rings, as the speech thread sees them. No method may block.
pub trait Port: Send {
    /// What is new.
    fn news(&mut self) -> PortNews;

    /// The caller's samples since the last time, appended.
    fn caller(&mut self, into: &mut Vec<i16>);

    /// How many samples the play-out takes now.
    fn room(&mut self) -> usize;

    /// Samples for the caller; never more than there is room for.
    fn speak(&mut self, samples: &[i16]);

    /// Something happened.
    fn event(&mut self, event: SessionEvent);
}

/// A call, by a number of the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call(pub u64);

/// Tells the time; asked on the speech thread only.
pub type Clock = Box<dyn Fn() -> Moment + Send>;

/// What the thread is made of.
pub struct ServiceSettings {
    /// Certificates to trust beside the system's, as PEM text.
    pub extra_roots_pem: Option<String>,
    /// Warm connections to the all-in-one service.
    pub pool: Option<(TrueVoiceSettings, PoolSettings)>,
    /// The one clock.
    pub clock: Clock,
}

impl fmt::Debug for ServiceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSettings").field("pool", &self.pool).finish_non_exhaustive()
    }
}

enum Command {
    Open(Call, Box<SessionSettings>, Box<dyn Port>),
    Answered(Call),
    Say(Call, String),
    HangUp(Call),
    End,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Too many wait.
    Busy,
    /// The thread is gone.
    Gone,
}

/// The handle of the speech thread; dropped, it ends every session and the thread.
#[derive(Debug)]
pub struct Speech {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    device_voice: Result<String, VoiceError>,
    says_parts: bool,
    thread: Option<JoinHandle<()>>,
}

impl Speech {
    /// Starts the thread, with the voice on the device or the reason why there is none, which is no error here; and with what
    /// hears which words came of a voice that does not tell.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn start(
        settings: ServiceSettings,
        voice: Result<Box<dyn Voice>, VoiceError>,
        ear: Option<Ear>,
    ) -> Result<Self, NetError> {
        let network = Network::new(settings.extra_roots_pem.as_deref())?;
        let waker = network.waker();
        let says_parts = voice.as_ref().is_ok_and(|voice| voice.says_parts());
        let (device, device_voice) = match voice {
            Ok(voice) => {
                let name = voice.name().to_owned();
                (DeviceVoice::start(voice, ear, Arc::clone(&waker)), Ok(name))
            }
            Err(error) => (None, Err(error)),
        };
        let (commands, taken) = sync_channel(COMMANDS_MAX);
        let ServiceSettings { clock, pool, .. } = settings;
        let thread = std::thread::Builder::new()
            .name("speech".to_owned())
            .spawn(move || run::Loop::new(network, device, clock, taken, pool).run())
            .map_err(NetError::Poll)?;
        Ok(Self { commands, waker, device_voice, says_parts, thread: Some(thread) })
    }

    /// The name of the voice on the device, or why there is none.
    ///
    /// # Errors
    /// [`VoiceError`].
    pub fn device_voice(&self) -> Result<&str, &VoiceError> {
        self.device_voice.as_deref()
    }

    /// A call comes: connects to its services. What the settings tell of the voice on the device is set by that.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn open(
        &self,
        call: Call,
        mut settings: SessionSettings,
        port: Box<dyn Port>,
    ) -> Result<(), NotTaken> {
        settings.has_device_voice = self.device_voice.is_ok();
        settings.device_says_parts = self.says_parts;
        self.send(Command::Open(call, Box::new(settings), port))
    }

    /// The caller hears us from now on.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn answered(&self, call: Call) -> Result<(), NotTaken> {
        self.send(Command::Answered(call))
    }

    /// Says this in a call, now.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn say(&self, call: Call, text: &str) -> Result<(), NotTaken> {
        self.send(Command::Say(call, text.to_owned()))
    }

    /// The call is over; its port is dropped when the thread has seen this.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn hang_up(&self, call: Call) -> Result<(), NotTaken> {
        self.send(Command::HangUp(call))
    }

    fn send(&self, command: Command) -> Result<(), NotTaken> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Busy,
            TrySendError::Disconnected(_) => NotTaken::Gone,
        })?;
        // A thread that is not waiting sees the command by itself.
        let _ = self.waker.wake();
        Ok(())
    }
}

impl Drop for Speech {
    fn drop(&mut self) {
        // Blocks only while the queue is full, which the thread empties.
        let _ = self.commands.send(Command::End);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
