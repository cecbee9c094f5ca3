//! The voice on the device, on a thread of its own: it computes for tens of milliseconds at a time.

use crate::ear::Ear;
use crate::speaking::{Broken, FromDevice};
use crate::tts::JobId;
use crate::voice::{Spoke, Voice};
use mio::Waker;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use super::Call;

/// Jobs that may wait, and pieces of audio that wait to be taken: twenty seconds of speech.
const JOBS_MAX: usize = 256;
const PIECES_MAX: usize = 1_024;
/// With so many in the queue a sentence is said in a hurry: the callers behind it hear nothing meanwhile, and a good voice
/// takes a tenth of a second for it, on a small computer half of one.
const HURRY: usize = 3;

struct Job {
    call: Call,
    job: JobId,
    what: Wanted,
    stopped: Arc<AtomicBool>,
}

/// What is wanted of it.
pub(super) enum Wanted {
    /// That it says this.
    Say(String),
    /// That it listens to this.
    Place(Broken),
}

/// What the voice says, and for whom.
pub(super) type Answer = (Call, JobId, FromDevice);

/// The handle, on the speech thread.
pub(super) struct DeviceVoice {
    jobs: SyncSender<Job>,
    answers: Receiver<Answer>,
    running: HashMap<(Call, JobId), Arc<AtomicBool>>,
    /// Sentences that nobody has begun to say.
    waiting: Arc<AtomicUsize>,
}

impl DeviceVoice {
    /// Starts the thread; it ends when the handle is dropped.
    pub(super) fn start(voice: Box<dyn Voice>, ear: Option<Ear>, waker: Arc<Waker>) -> Option<Self> {
        let (jobs, wanted) = sync_channel(JOBS_MAX);
        let (said, answers) = sync_channel(PIECES_MAX);
        let thread = std::thread::Builder::new().name("voice".to_owned());
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        thread.spawn(move || work(voice, ear, &wanted, &left, &said, &waker)).ok()?;
        Some(Self { jobs, answers, running: HashMap::new(), waiting })
    }

    /// Does this; false when too much waits already.
    pub(super) fn want(&mut self, call: Call, job: JobId, what: Wanted) -> bool {
        let stopped = Arc::new(AtomicBool::new(false));
        self.running.insert((call, job), Arc::clone(&stopped));
        let to_say = usize::from(matches!(what, Wanted::Say(_)));
        self.waiting.fetch_add(to_say, Ordering::Relaxed);
        match self.jobs.try_send(Job { call, job, what, stopped }) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.waiting.fetch_sub(to_say, Ordering::Relaxed);
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
        loop {
            let (call, job, answer) = match self.answers.try_recv() {
                Ok(answer) => answer,
                Err(TryRecvError::Empty) => return None,
                // The thread is gone, and nobody else would say so.
                Err(TryRecvError::Disconnected) => {
                    let (call, job) = *self.running.keys().next()?;
                    (call, job, FromDevice::Failed)
                }
            };
            if !self.running.contains_key(&(call, job)) {
                continue;
            }
            if !matches!(answer, FromDevice::Audio { .. }) {
                self.running.remove(&(call, job));
            }
            return Some((call, job, answer));
        }
    }
}

fn work(
    mut voice: Box<dyn Voice>,
    mut ear: Option<Ear>,
    wanted: &Receiver<Job>,
    waiting: &AtomicUsize,
    said: &SyncSender<Answer>,
    waker: &Waker,
) {
    let rate_hz = voice.rate_hz();
    while let Ok(Job { call, job, what, stopped }) = wanted.recv() {
        let is_said = matches!(what, Wanted::Say(_));
        let to_say = waiting.fetch_sub(usize::from(is_said), Ordering::Relaxed);
        if stopped.load(Ordering::Relaxed) {
            continue;
        }
        let text = match what {
            Wanted::Say(text) => text,
            Wanted::Place(Broken { text, samples, rate_hz }) => {
                let words = ear.as_mut().and_then(|ear| ear.place(&text, &samples, rate_hz));
                if said.send((call, job, FromDevice::Places(words))).is_err() {
                    return;
                }
                let _ = waker.wake();
                continue;
            }
        };
        voice.hurry(to_say >= HURRY);
        let outcome = voice.speak_placed(&text, &mut |samples, chars| {
            if stopped.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            if samples.is_empty() {
                return ControlFlow::Continue(());
            }
            let audio = FromDevice::Audio { samples: samples.to_vec(), rate_hz, chars: chars.to_vec() };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::{Sink, VoiceError};
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    /// Says a sample for each letter; falls over at a word.
    struct Frail;

    impl Voice for Frail {
        fn name(&self) -> &str {
            "frail"
        }
        fn rate_hz(&self) -> u32 {
            8_000
        }
        fn normal_chars_per_s(&self) -> f32 {
            14.0
        }
        fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
            assert!(text != "fall", "as it was asked");
            let _ = sink(&vec![7; text.len()]);
            Ok(Spoke::All)
        }
    }

    fn say(device: &mut DeviceVoice, call: Call, job: u32, text: &str) -> bool {
        device.want(call, JobId(job), Wanted::Say(text.to_owned()))
    }

    /// What comes until nothing has come for a while, or so many answers did.
    fn answers(device: &mut DeviceVoice, poll: &mut Poll, count: usize) -> Vec<Answer> {
        let mut all = Vec::new();
        for _ in 0..500 {
            all.extend(std::iter::from_fn(|| device.poll()));
            if all.len() >= count {
                break;
            }
            poll.poll(&mut Events::with_capacity(4), Some(Duration::from_millis(20))).unwrap();
        }
        all
    }

    /// Waits for a word before each job, and says whether it was hurried.
    struct Patient(Receiver<()>, bool);

    impl Voice for Patient {
        fn name(&self) -> &str {
            "patient"
        }
        fn rate_hz(&self) -> u32 {
            8_000
        }
        fn normal_chars_per_s(&self) -> f32 {
            14.0
        }
        fn hurry(&mut self, hurried: bool) {
            self.1 = hurried;
        }
        fn speak(&mut self, _: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
            self.0.recv().expect("the test goes on");
            let _ = sink(&[i16::from(self.1)]);
            Ok(Spoke::All)
        }
    }

    #[test]
    fn v2_who_speaks_hurries_as_long_as_others_wait() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (go_on, waits) = sync_channel(9);
        let mut device = DeviceVoice::start(Box::new(Patient(waits, false)), None, waker).unwrap();
        let mut hurried = |count: u32| -> Vec<i16> {
            (0..count).for_each(|job| assert!(say(&mut device, Call(u64::from(job)), job, "yes")));
            // None is done before the last is asked for.
            (0..count).for_each(|_| go_on.send(()).unwrap());
            let answers = answers(&mut device, &mut poll, 2 * count as usize);
            let said = answers.into_iter().filter_map(|(.., answer)| match answer {
                FromDevice::Audio { samples, .. } => Some(samples[0]),
                _ => None,
            });
            said.skip(1).collect()
        };
        // Of the first it is not known how many were there when it began.
        assert_eq!(hurried(6), [1, 1, 1, 0, 0]);
        assert_eq!(hurried(3), [0, 0]);
    }

    #[test]
    fn v6_a_voice_that_dies_fails_its_jobs_and_those_that_come_after_it() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let mut device = DeviceVoice::start(Box::new(Frail), None, waker).unwrap();
        let (first, second) = (Call(1), Call(2));
        assert!(say(&mut device, first, 1, "yes"));
        let audio = FromDevice::Audio { samples: vec![7; 3], rate_hz: 8_000, chars: Vec::new() };
        let said = [(first, JobId(1), audio), (first, JobId(1), FromDevice::Finished)];
        assert_eq!(answers(&mut device, &mut poll, 2), said);
        assert!(say(&mut device, first, 2, "fall"));
        let taken = say(&mut device, second, 1, "never");
        let mut failed = answers(&mut device, &mut poll, 1 + usize::from(taken));
        failed.sort_by_key(|(call, ..)| *call);
        let expected = [(first, JobId(2), FromDevice::Failed), (second, JobId(1), FromDevice::Failed)];
        assert_eq!(failed, expected[..1 + usize::from(taken)]);
        assert!(!say(&mut device, second, 3, "more") && device.poll().is_none());
    }
}
