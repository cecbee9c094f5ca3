//! The voice on the device and the ear, each on a thread of its own: they compute for tens of milliseconds at a time, and
//! the ear is asked of what the voice is still saying. Where both are flite's they take turns with its engine, sentence by
//! sentence.

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
    voice: Worker,
    ear: Option<Worker>,
    /// Sentences that nobody has begun to say.
    waiting: Arc<AtomicUsize>,
}

/// One of the threads, from outside; it ends when this is dropped.
struct Worker {
    jobs: SyncSender<Job>,
    answers: Receiver<Answer>,
    running: HashMap<(Call, JobId), Arc<AtomicBool>>,
}

/// And from inside.
struct Desk {
    wanted: Receiver<Job>,
    said: SyncSender<Answer>,
    waker: Arc<Waker>,
}

impl DeviceVoice {
    /// Starts the threads; they end when the handle is dropped.
    pub(super) fn start(voice: Box<dyn Voice>, ear: Option<Ear>, waker: Arc<Waker>) -> Option<Self> {
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let ear = ear.and_then(|ear| Worker::start("ear", Arc::clone(&waker), |desk| listen(ear, &desk)));
        let voice = Worker::start("voice", waker, move |desk| speak(voice, &left, &desk))?;
        Some(Self { voice, ear, waiting })
    }

    /// Does this; false when too much waits already, or nobody is there who could.
    pub(super) fn want(&mut self, call: Call, job: JobId, what: Wanted) -> bool {
        if let Wanted::Place(_) = what {
            return self.ear.as_mut().is_some_and(|ear| ear.want(call, job, what));
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let is_taken = self.voice.want(call, job, what);
        self.waiting.fetch_sub(usize::from(!is_taken), Ordering::Relaxed);
        is_taken
    }

    /// Stops a job, which may not have begun.
    pub(super) fn stop(&mut self, call: Call, job: JobId) {
        self.workers().for_each(|worker| worker.stop_all(|running| *running == (call, job)));
    }

    /// Stops everything of a call.
    pub(super) fn forget(&mut self, call: Call) {
        self.workers().for_each(|worker| worker.stop_all(|(whose, _)| *whose == call));
    }

    /// The next answer to a job that was not stopped.
    pub(super) fn poll(&mut self) -> Option<Answer> {
        self.workers().find_map(Worker::poll)
    }

    fn workers(&mut self) -> impl Iterator<Item = &mut Worker> {
        std::iter::once(&mut self.voice).chain(&mut self.ear)
    }
}

impl Worker {
    fn start(name: &str, waker: Arc<Waker>, work: impl FnOnce(Desk) + Send + 'static) -> Option<Self> {
        let (jobs, wanted) = sync_channel(JOBS_MAX);
        let (said, answers) = sync_channel(PIECES_MAX);
        let desk = Desk { wanted, said, waker };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || work(desk)).ok()?;
        Some(Self { jobs, answers, running: HashMap::new() })
    }

    fn want(&mut self, call: Call, job: JobId, what: Wanted) -> bool {
        let stopped = Arc::new(AtomicBool::new(false));
        self.running.insert((call, job), Arc::clone(&stopped));
        match self.jobs.try_send(Job { call, job, what, stopped }) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.running.remove(&(call, job));
                false
            }
        }
    }

    fn stop_all(&mut self, of: impl Fn(&(Call, JobId)) -> bool) {
        self.running.retain(|running, stopped| {
            if of(running) {
                stopped.store(true, Ordering::Relaxed);
            }
            !of(running)
        });
    }

    fn poll(&mut self) -> Option<Answer> {
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

impl Desk {
    /// False when nobody is there any more. Waits while a thousand pieces wait: the speech thread takes them whenever it is
    /// awake.
    fn answer(&self, call: Call, job: JobId, answer: FromDevice) -> bool {
        let is_taken = self.said.send((call, job, answer)).is_ok();
        let _ = self.waker.wake();
        is_taken
    }
}

/// The ear's thread.
fn listen(mut ear: Ear, desk: &Desk) {
    while let Ok(Job { call, job, what, stopped }) = desk.wanted.recv() {
        let Wanted::Place(Broken { text, samples, rate_hz, is_cut }) = what else { continue };
        if stopped.load(Ordering::Relaxed) {
            continue;
        }
        let came = ear.place_of(&text, &samples, rate_hz, is_cut);
        if !desk.answer(call, job, FromDevice::Places(came)) {
            return;
        }
    }
}

/// The voice's.
fn speak(mut voice: Box<dyn Voice>, waiting: &AtomicUsize, desk: &Desk) {
    let rate_hz = voice.rate_hz();
    while let Ok(Job { call, job, what, stopped }) = desk.wanted.recv() {
        let Wanted::Say(text) = what else { continue };
        let to_say = waiting.fetch_sub(1, Ordering::Relaxed);
        if stopped.load(Ordering::Relaxed) {
            continue;
        }
        voice.hurry(to_say >= HURRY);
        let outcome = voice.speak_placed(&text, &mut |samples, chars| {
            if stopped.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            if samples.is_empty() {
                return ControlFlow::Continue(());
            }
            let audio = FromDevice::Audio { samples: samples.to_vec(), rate_hz, chars: chars.to_vec() };
            if desk.answer(call, job, audio) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let last = match outcome {
            Ok(Spoke::All) => FromDevice::Finished,
            Ok(Spoke::Stopped) => continue,
            Err(_) => FromDevice::Failed,
        };
        if !desk.answer(call, job, last) {
            return;
        }
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
    fn v2_the_ear_does_not_wait_for_what_the_voice_is_saying() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (go_on, waits) = sync_channel(9);
        let ear = Some(Ear::with(Box::new(Frail)));
        let mut device = DeviceVoice::start(Box::new(Patient(waits, false)), ear, waker).unwrap();
        assert!(say(&mut device, Call(1), 1, "yes"));
        let broken = Broken { text: "yes".to_owned(), samples: vec![7; 800], rate_hz: 8_000, is_cut: false };
        assert!(device.want(Call(1), JobId(2), Wanted::Place(broken)));
        let heard = answers(&mut device, &mut poll, 1);
        assert!(matches!(heard[..], [(Call(1), JobId(2), FromDevice::Places(_))]), "{heard:?}");
        go_on.send(()).unwrap();
        assert_eq!(answers(&mut device, &mut poll, 2).len(), 2);
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
