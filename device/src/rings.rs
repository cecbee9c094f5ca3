//! Real-time: after construction no allocation, no lock, no syscall, no panic, no log, on either side.
//!
//! Every ring of the process. They are the only ties of the audio thread to the rest, but for the atomic
//! counters of [`crate::audio::gauges`].
//!
//! | ring | writes | reads | length, and why | full | empty |
//! |---|---|---|---|---|---|
//! | packets, one a call | trunk | audio | 16 KiB: 1.8 s of G.711, for a burst behind a stall | the packet is dropped; the writer counts it | the tick goes on: the engine knows holes |
//! | payloads, one a call | audio | trunk | 4 KiB: 0.5 s of G.711, for a trunk thread that was held up | the payload is dropped and counted in the call's gauges | nothing is due |
//! | caller PCM, one a conversation | audio | speech | 1 s, for a speech thread that was held up | the newest samples are dropped and counted | - |
//! | speech PCM, one a conversation | speech | audio | 1 s: a service's burst goes on waiting in the writer, where a cut reaches it | the writer keeps the rest | silence, told as "ran dry" within a turn |
//! | marks, one a conversation | speech | audio | 64: places of the words in that second | the writer keeps mark and samples | - |
//! | said, heard, one each a conversation | audio | speech | 64 and 16 | the event is dropped and counted | - |
//! | commands, one a writer | trunk, control | audio | 2 a call and 16: all calls may open and close between two ticks | the trunk keeps the command and tries again; control tells that it was not carried out | - |
//! | card PCM, one for each way of an open card | audio, card | card, audio | 0.5 s at the card's rate: cards ask for up to 0.1 s at a time | the newest samples are dropped and counted | silence, counted |
//! | card changes, cards done with | sound, audio | audio, sound | 8 each: two ways, opened some times between two ticks | the change waits; the old card waits | - |
//! | retired | audio | trunk | 4 a call and 16: lines and replaced media | the object waits where it is | - |

mod packed;

use crate::audio::ear::Heard;
use crate::audio::prompter::{Mark, Said};
use crate::audio::sound::Change;
use crate::audio::{Command, Retired};
use offhook_engine::Packet;
use offhook_units::SampleRate;
use packed::{PacketHead, put, take};
use ringbuf::traits::Split as _;
use ringbuf::{HeapCons, HeapProd, HeapRb};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

const PACKET_RING_BYTES: usize = 16 * 1024;
const PAYLOAD_RING_BYTES: usize = 4 * 1024;

/// The largest payload that a ring carries: RFC 6716 3.4, a packet of one Opus frame; 120 ms of G.711 are less.
pub const MOST_PAYLOAD: usize = 1_280;

/// The trunk's ends of one call's rings.
#[derive(Debug)]
pub struct CallEnds {
    /// What came from the wire.
    pub packets: PacketSender,
    /// What goes onto it.
    pub payloads: PayloadReceiver,
}

/// The audio thread's ends of one call's rings.
#[derive(Debug)]
pub struct LineEnds {
    /// What came from the wire.
    pub packets: PacketReceiver,
    /// What goes onto it.
    pub payloads: PayloadSender,
}

/// The rings of one call.
// start-up: of the call, on the trunk's thread.
pub fn call() -> (CallEnds, LineEnds) {
    let (packets_in, packets_out) = rtrb::RingBuffer::new(PACKET_RING_BYTES);
    let (payloads_in, payloads_out) = rtrb::RingBuffer::new(PAYLOAD_RING_BYTES);
    let scratch = || vec![0; MOST_PAYLOAD].into_boxed_slice();
    (
        CallEnds {
            packets: PacketSender { ring: packets_in },
            payloads: PayloadReceiver { ring: payloads_out, scratch: scratch() },
        },
        LineEnds {
            packets: PacketReceiver { ring: packets_out, scratch: scratch() },
            payloads: PayloadSender { ring: payloads_in },
        },
    )
}

const CALLER_MS: u32 = 1_000;
const SPEECH_MS: u32 = 1_000;
const MARKS: usize = 64;
const SAID_EVENTS: usize = 64;
const HEARD_EVENTS: usize = 16;

/// The speech thread's ends of one conversation's rings. A turn is laid down in this order: its
/// [`Begin`](crate::audio::prompter::MarkKind::Begin), samples with the marks of a stretch before its samples, its
/// [`End`](crate::audio::prompter::MarkKind::End).
pub struct SpeechEnds {
    /// What the caller says, at the call's rate.
    pub caller: HeapCons<i16>,
    /// When the caller begins and stops.
    pub heard: rtrb::Consumer<Heard>,
    /// What the device says, at the call's rate.
    pub samples: HeapProd<i16>,
    /// Places in it.
    pub marks: rtrb::Producer<Mark>,
    /// What became of it.
    pub said: rtrb::Consumer<Said>,
    /// Samples that the audio thread took, played or thrown away, since the call began.
    pub taken: Arc<AtomicU64>,
    /// The number of the last turn that is to stop.
    pub hushed: Arc<AtomicU32>,
}

impl fmt::Debug for SpeechEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeechEnds").finish_non_exhaustive()
    }
}

/// The audio thread's ends of what the caller says.
pub struct AgentEnds {
    /// Samples at the call's rate.
    pub caller: HeapProd<i16>,
    /// When the caller begins and stops.
    pub heard: rtrb::Producer<Heard>,
}

impl fmt::Debug for AgentEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentEnds").finish_non_exhaustive()
    }
}

/// The audio thread's ends of what the device says.
pub struct PrompterEnds {
    /// Samples at the call's rate.
    pub samples: HeapCons<i16>,
    /// Places in them.
    pub marks: rtrb::Consumer<Mark>,
    /// What became of them.
    pub said: rtrb::Producer<Said>,
    /// How many were taken.
    pub taken: Arc<AtomicU64>,
    /// Turns up to this number are to stop.
    pub hushed: Arc<AtomicU32>,
}

impl fmt::Debug for PrompterEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrompterEnds").finish_non_exhaustive()
    }
}

/// The rings of one conversation, in a call at `rate`.
// start-up: of the call, on the trunk's thread.
pub fn conversation(rate: SampleRate) -> (SpeechEnds, AgentEnds, PrompterEnds) {
    let (caller_in, caller) = HeapRb::new(rate.frames_in_ms(CALLER_MS)).split();
    let (samples, samples_out) = HeapRb::new(rate.frames_in_ms(SPEECH_MS)).split();
    let (marks, marks_out) = rtrb::RingBuffer::new(MARKS);
    let (said_in, said) = rtrb::RingBuffer::new(SAID_EVENTS);
    let (heard_in, heard) = rtrb::RingBuffer::new(HEARD_EVENTS);
    let (taken, hushed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU32::new(0)));
    (
        SpeechEnds { caller, heard, samples, marks, said, taken: taken.clone(), hushed: hushed.clone() },
        AgentEnds { caller: caller_in, heard: heard_in },
        PrompterEnds { samples: samples_out, marks: marks_out, said: said_in, taken, hushed },
    )
}

const CARD_MS: u32 = 500;
const CARD_CHANGES: usize = 8;

/// The ring of one way of a card that runs at `rate`: its writer's end and its reader's.
// start-up: of the card, on the sound thread.
pub fn card(rate: SampleRate) -> (HeapProd<i16>, HeapCons<i16>) {
    HeapRb::new(rate.frames_in_ms(CARD_MS)).split()
}

/// The sound thread's ends.
#[derive(Debug)]
pub struct SoundDesk {
    /// Cards that came and went.
    pub changes: rtrb::Producer<Change>,
    /// Those that the audio thread has done with: to be dropped here.
    pub retired: rtrb::Consumer<Change>,
}

/// The audio thread's ends.
#[derive(Debug)]
pub struct SoundEnds {
    /// Cards that came and went.
    pub changes: rtrb::Consumer<Change>,
    /// Those that are done with.
    pub retired: rtrb::Producer<Change>,
}

/// The rings by which cards come to the audio thread and leave it.
// start-up: of the process.
pub fn sound() -> (SoundDesk, SoundEnds) {
    let (changes_in, changes) = rtrb::RingBuffer::new(CARD_CHANGES);
    let (retired_in, retired) = rtrb::RingBuffer::new(CARD_CHANGES);
    (SoundDesk { changes: changes_in, retired }, SoundEnds { changes, retired: retired_in })
}

/// The trunk's ends of the rings that all calls share.
#[derive(Debug)]
pub struct TrunkDesk {
    /// Calls that open, change and close.
    pub commands: rtrb::Producer<Command>,
    /// What the audio thread has done with: to be dropped here, where that may take its time.
    pub retired: rtrb::Consumer<Retired>,
}

/// The control thread's end.
#[derive(Debug)]
pub struct ControlDesk {
    /// Settings that change while calls run.
    pub commands: rtrb::Producer<Command>,
}

/// The audio thread's ends of the rings that all calls share.
#[derive(Debug)]
pub struct AudioDesk {
    /// From the trunk.
    pub trunk: rtrb::Consumer<Command>,
    /// From control.
    pub control: rtrb::Consumer<Command>,
    /// Back to the trunk.
    pub retired: rtrb::Producer<Retired>,
}

/// The rings that `most_calls` calls share.
// start-up: of the process.
pub fn shared(most_calls: usize) -> (TrunkDesk, ControlDesk, AudioDesk) {
    let (trunk_in, trunk) = rtrb::RingBuffer::new(2 * most_calls + 16);
    let (control_in, control) = rtrb::RingBuffer::new(2 * most_calls + 16);
    let (retired, retired_out) = rtrb::RingBuffer::new(4 * most_calls + 16);
    (
        TrunkDesk { commands: trunk_in, retired: retired_out },
        ControlDesk { commands: control_in },
        AudioDesk { trunk, control, retired },
    )
}

/// A ring has no room for what was to go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The trunk's end of a packet ring.
#[derive(Debug)]
pub struct PacketSender {
    ring: rtrb::Producer<u8>,
}

impl PacketSender {
    /// Hands a packet to the audio thread.
    ///
    /// # Errors
    /// [`Full`] when it does not fit, or never would: the packet is gone and is to be counted.
    pub fn send(&mut self, packet: &Packet<'_>) -> Result<(), Full> {
        put(&mut self.ring, &PacketHead::of(packet).to_bytes(), packet.payload)
    }
}

/// The audio thread's end of a packet ring.
#[derive(Debug)]
pub struct PacketReceiver {
    ring: rtrb::Consumer<u8>,
    scratch: Box<[u8]>,
}

impl PacketReceiver {
    /// The next packet, in the order in which they came.
    pub fn receive(&mut self) -> Option<Packet<'_>> {
        let mut head = [0; PacketHead::BYTES];
        let payload = take(&mut self.ring, &mut head, &mut self.scratch)?;
        PacketHead::from_bytes(&head).map(|head| head.with(payload))
    }
}

/// What a packet interval brings onto the wire. One comes for each interval of a call, so that the media clock of
/// the stream runs on in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Coded voice.
    Voice(&'a [u8]),
    /// Nothing: the call is on hold, or may not send.
    Nothing,
}

/// The audio thread's end of a payload ring.
#[derive(Debug)]
pub struct PayloadSender {
    ring: rtrb::Producer<u8>,
}

impl PayloadSender {
    /// Hands on what one packet interval is to carry.
    ///
    /// # Errors
    /// [`Full`]: the payload is gone.
    pub fn send(&mut self, payload: Payload<'_>) -> Result<(), Full> {
        match payload {
            Payload::Voice(bytes) => put(&mut self.ring, &[1], bytes),
            Payload::Nothing => put(&mut self.ring, &[0], &[]),
        }
    }
}

/// The trunk's end of a payload ring.
#[derive(Debug)]
pub struct PayloadReceiver {
    ring: rtrb::Consumer<u8>,
    scratch: Box<[u8]>,
}

impl PayloadReceiver {
    /// What the next packet interval carries. After a late tick several wait: whoever sends takes no more than
    /// one a tick of 10 ms, so that lateness here is no burst on the wire.
    pub fn receive(&mut self) -> Option<Payload<'_>> {
        let mut kind = [0];
        let bytes = take(&mut self.ring, &mut kind, &mut self.scratch)?;
        Some(if kind == [1] { Payload::Voice(bytes) } else { Payload::Nothing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_engine::PacketKind;
    use offhook_units::{Codec, Moment, RtpTime, SeqNo, Ssrc};
    use proptest::prelude::*;

    fn packet(number: u16, kind: PacketKind, payload: &[u8]) -> Packet<'_> {
        Packet {
            arrival: Moment::from_micros(u64::from(number) * 20_011),
            ssrc: Ssrc(0x0102_0304),
            seq: SeqNo(number),
            time: RtpTime(u32::from(number) * 160),
            kind,
            payload,
        }
    }

    fn kinds() -> impl Strategy<Value = PacketKind> {
        prop_oneof![
            Just(PacketKind::ComfortNoise),
            Just(PacketKind::TelephoneEvent),
            prop::sample::select(Codec::ALL.to_vec()).prop_map(PacketKind::Voice),
        ]
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in_and_in_order(
            bodies in prop::collection::vec((kinds(), prop::collection::vec(any::<u8>(), 0..400)), 1..200),
            drain in 1..20_usize,
        ) {
            let (mut trunk, mut line) = call();
            let mut inside = std::collections::VecDeque::new();
            for (number, (kind, body)) in bodies.iter().enumerate() {
                if trunk.packets.send(&packet(number as u16, *kind, body)).is_ok() {
                    inside.push_back(number);
                }
                if number % drain == 0 {
                    while let Some(got) = line.packets.receive() {
                        let number = inside.pop_front().unwrap();
                        let (kind, body) = &bodies[number];
                        let want = packet(number as u16, *kind, body);
                        prop_assert_eq!(PacketHead::of(&got), PacketHead::of(&want));
                        prop_assert_eq!(got.payload, want.payload);
                    }
                    prop_assert!(inside.is_empty());
                }
            }
        }
    }

    #[test]
    fn a_full_ring_refuses_whole_packets_and_keeps_what_it_has() {
        let (mut trunk, mut line) = call();
        let body = [7; 160];
        let mut sent = 0;
        while trunk.packets.send(&packet(sent, PacketKind::Voice(Codec::Pcmu), &body)).is_ok() {
            sent += 1;
        }
        assert!(sent >= 75, "1.5 s of 20 ms packets fit, not {sent}");
        for number in 0..sent {
            let got = line.packets.receive().unwrap();
            assert_eq!((got.seq, got.payload), (SeqNo(number), &body[..]));
        }
        assert!(line.packets.receive().is_none());
    }

    #[test]
    fn what_could_never_fit_is_refused() {
        let (mut trunk, _line) = call();
        let body = vec![0; MOST_PAYLOAD + 1];
        assert_eq!(trunk.packets.send(&packet(0, PacketKind::Voice(Codec::Opus), &body)), Err(Full));
        assert_eq!(trunk.packets.send(&packet(0, PacketKind::Voice(Codec::Opus), &body[1..])), Ok(()));
    }

    #[test]
    fn an_interval_without_voice_is_told_from_no_interval() {
        let (mut trunk, mut line) = call();
        assert_eq!(trunk.payloads.receive(), None);
        line.payloads.send(Payload::Nothing).unwrap();
        line.payloads.send(Payload::Voice(&[1, 2, 3])).unwrap();
        assert_eq!(trunk.payloads.receive(), Some(Payload::Nothing));
        assert_eq!(trunk.payloads.receive(), Some(Payload::Voice(&[1, 2, 3])));
        assert_eq!(trunk.payloads.receive(), None);
    }
}
