//! Real-time: runs once, before the first tick.
//!
//! What the audio thread asks of the system so that it is woken in time. Each wish may be refused: the thread then
//! runs without, and the refusal, with its remedy, is for the log.

use std::fmt;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Stack that the ticks may need, touched beforehand so that no tick meets a page fault.
const STACK_BYTES: usize = 128 * 1024;

/// A wish that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// SCHED_FIFO.
    Priority,
    /// Locked memory.
    Memory,
    /// A processor of its own.
    Processor,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Priority => {
                "the audio thread may not run with real-time priority: under load calls may stutter. Give the \
                 service LimitRTPRIO=95 (or the capability CAP_SYS_NICE)"
            }
            Self::Memory => {
                "memory cannot be locked: when memory is short, calls may stutter. Give the service \
                 LimitMEMLOCK=infinity"
            }
            Self::Processor => {
                "the audio thread cannot be bound to the processor in audio.cpu: take a number that this machine has"
            }
        })
    }
}

/// What to ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// SCHED_FIFO priority, 1 to 99; none for an ordinary thread.
    pub fifo: Option<u8>,
    /// The processor to stay on.
    pub cpu: Option<usize>,
}

/// Asks for everything, for the calling thread.
pub(super) fn ask(wishes: Wishes) -> [Option<Refused>; 3] {
    touch_stack();
    let fifo = wishes.fifo.map(fifo);
    let memory = wishes.fifo.map(|_priority| {
        let flags = rustix::mm::MlockAllFlags::CURRENT | rustix::mm::MlockAllFlags::ONFAULT;
        rustix::mm::mlockall(flags | rustix::mm::MlockAllFlags::FUTURE).map_err(|_refused| Refused::Memory)
    });
    let cpu = wishes.cpu.map(|cpu| {
        let mut set = rustix::thread::CpuSet::new();
        if cpu >= rustix::thread::CpuSet::MAX_CPU {
            return Err(Refused::Processor);
        }
        set.set(cpu);
        rustix::thread::sched_setaffinity(None, &set).map_err(|_refused| Refused::Processor)
    });
    [fifo, memory, cpu].map(|wish| wish.and_then(Result::err))
}

/// Gives the calling thread, which hands the audio thread its packets and takes them away, real-time priority just below
/// that of the audio thread: a tick in time is of no use to a packet that was not read in time. Where the system refuses,
/// it refused the audio thread too, which tells.
pub fn follow(wishes: Wishes) {
    let below = wishes.fifo.map(|priority| priority.saturating_sub(1)).filter(|priority| *priority > 0);
    let _told_already = below.map(fifo);
}

/// Asks for SCHED_FIFO, for the calling thread.
pub(crate) fn fifo(priority: u8) -> Result<(), Refused> {
    let priority = ThreadPriorityValue::try_from(priority).map_err(|_out_of_range| Refused::Priority)?;
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(priority),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    )
    .map_err(|_refused| Refused::Priority)
}

#[inline(never)]
fn touch_stack() {
    let mut stack = [0_u8; STACK_BYTES];
    std::hint::black_box(&mut stack);
}

/// Runs `ticks` with denormal numbers taken for zero: a filter that rings out would otherwise cost a hundredfold.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[allow(unsafe_code, reason = "the processor's floating-point mode has no safe interface")]
pub(super) fn without_denormals<T>(ticks: impl FnOnce() -> T) -> T {
    // SAFETY: the mode is set for this thread and this call only and is put back at its end. Nothing within hangs on
    // denormals: samples are 16-bit, and no result there is that small.
    unsafe { no_denormals::no_denormals(ticks) }
}

/// On 32-bit ARM vector code has no denormals anyway.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn without_denormals<T>(ticks: impl FnOnce() -> T) -> T {
    ticks()
}
