//! The voice on the device, on a thread of its own: it computes for tens of milliseconds at a time.

use crate::speaking::FromDevice;
use crate::tts::JobId;
use crate::voice::{Spoke, Voice};
use mio::Waker;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::Call;

/// Jobs that may wait, and pieces of audio that wait to be taken: twenty seconds of speech.
const JOBS_MAX: usize = 256;
const PIECES_MAX: usize = 1_024;

struct Job {
    call: Call,
    job: JobId,
    text: String,
    stopped: Arc<AtomicBool>,
}

/// What the voice says, and for whom.
pub(super) type Answer = (Call, JobId, FromDevice);

/// The handle, on the speech thread.
pub(super) struct DeviceVoice {
    jobs: SyncSender<Job>,
    answers: Receiver<Answer>,
    running: HashMap<(Call, JobId), Arc<AtomicBool>>,
}

impl DeviceVoice {
    /// Starts the thread; it ends when the handle is dropped.
    pub(super) fn start(voice: Box<dyn Voice>, waker: Arc<Waker>) -> Option<Self> {
        let (jobs, wanted) = sync_channel(JOBS_MAX);
        let (said, answers) = sync_channel(PIECES_MAX);
        let thread = std::thread::Builder::new().name("voice".to_owned());
        thread.spawn(move || speak_all(voice, &wanted, &said, &waker)).ok()?;
        Some(Self { jobs, answers, running: HashMap::new() })
    }

    /// Says this; false when too much waits already.
    pub(super) fn say(&mut self, call: Call, job: JobId, text: String) -> bool {
        let stopped = Arc::new(AtomicBool::new(false));
        self.running.insert((call, job), Arc::clone(&stopped));
        match self.jobs.try_send(Job { call, job, text, stopped }) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.running.remove(&(call, job));
                false
            }
        }
    }

    /// Stops a job, which may not have begun.
    pub(super) fn stop(&mut self, call: Call, job: JobId) {
        if let Some(stopped) = self.running.remove(&(call, job)) {
            stopped.store(true, Ordering::Relaxed);
        }
    }

    /// Stops everything of a call.
    pub(super) fn forget(&mut self, call: Call) {
        self.running.retain(|(whose, _), stopped| {
            if *whose == call {
                stopped.store(true, Ordering::Relaxed);
            }
            *whose != call
        });
    }

    /// The next answer to a job that was not stopped.
    pub(super) fn poll(&mut self) -> Option<Answer> {
        while let Ok((call, job, answer)) = self.answers.try_recv() {
            if !self.running.contains_key(&(call, job)) {
                continue;
            }
            if !matches!(answer, FromDevice::Audio { .. }) {
                self.running.remove(&(call, job));
            }
            return Some((call, job, answer));
        }
        None
    }
}

fn speak_all(mut voice: Box<dyn Voice>, wanted: &Receiver<Job>, said: &SyncSender<Answer>, waker: &Waker) {
    let rate_hz = voice.rate_hz();
    while let Ok(Job { call, job, text, stopped }) = wanted.recv() {
        if stopped.load(Ordering::Relaxed) {
            continue;
        }
        let outcome = voice.speak(&text, &mut |samples| {
            if stopped.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            if samples.is_empty() {
                return ControlFlow::Continue(());
            }
            let audio = FromDevice::Audio { samples: samples.to_vec(), rate_hz };
            // Waits while a thousand pieces wait: the speech thread takes them whenever it is awake.
            if said.send((call, job, audio)).is_err() {
                return ControlFlow::Break(());
            }
            let _ = waker.wake();
            ControlFlow::Continue(())
        });
        let last = match outcome {
            Ok(Spoke::All) => FromDevice::Finished,
            Ok(Spoke::Stopped) => continue,
            Err(_) => FromDevice::Failed,
        };
        if said.send((call, job, last)).is_err() {
            return;
        }
        let _ = waker.wake();
    }
}
