//! The media of a call allocates nothing per packet. Counted by an allocator that counts per thread, so
//! that tests which run beside each other do not see each other.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is being torn down has no counter any more; nothing is measured there.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is passed on unchanged to `System`, which keeps the contract; counting touches only a
// const-initialised thread-local cell, which itself never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: `pointer` came from `System` through `alloc` or `realloc`, with this `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; `new_size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many times `work` allocated, freed or resized.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = CALLS.with(Cell::get);
    work();
    CALLS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(16)))), 2);
}

mod packet {
    use super::allocations;
    use offhook_sip_rtp::media::packet::{PacketHeader, PacketView};
    use offhook_units::{PayloadType, RtpTime, SeqNo, Ssrc};
    use std::hint::black_box;

    #[test]
    fn reading_and_writing_packets_is_free() {
        let payload = [0xFF; 160];
        let mut out = [0; 256];
        let count = allocations(|| {
            for seq in 0..10_000_u16 {
                let header = PacketHeader {
                    seq: SeqNo(seq),
                    time: RtpTime(u32::from(seq) * 160),
                    ssrc: Ssrc(7),
                    payload_type: PayloadType::PCMU,
                    marker: seq == 0,
                };
                let length = header.write(&payload, &mut out).expect("room");
                assert!(PacketView::parse(black_box(&out[..length])).is_ok());
            }
        });
        assert_eq!(count, 0);
    }

    #[test]
    fn hostile_headers_are_free_too() {
        let mut bytes = [0xFF; 200];
        let count = allocations(|| {
            for first in 0..=255_u8 {
                for second in 0..=255_u8 {
                    (bytes[0], bytes[1]) = (first, second);
                    let _ = black_box(PacketView::parse(black_box(&bytes)));
                }
            }
        });
        assert_eq!(count, 0);
    }
}

mod dtmf {
    use super::allocations;
    use offhook_sip_rtp::media::{
        dtmf::{Digit, DtmfReceiver, DtmfSender, InbandDetector, Volume},
        packet::PacketView,
    };
    use offhook_units::{Frames, Moment, PayloadType, RtpTime, SampleRate, SeqNo, Ssrc};

    #[test]
    fn keys_out_in_and_in_the_voice_are_free() {
        let mut sender = DtmfSender::new(SampleRate::HZ_8000, 100, 100, Volume::USUAL);
        let mut receiver = DtmfReceiver::new(SampleRate::HZ_8000);
        let mut detector = InbandDetector::new(SampleRate::HZ_8000).expect("rate");
        let payload_type = PayloadType::new(101).expect("seven bits");
        let mut told = 0;
        let count = allocations(|| {
            for tick in 0..10_000_u32 {
                if sender.is_idle() {
                    for digit in Digit::all() {
                        sender.push(digit).expect("room");
                    }
                }
                let (now, time) = (Moment::from_millis(u64::from(tick) * 20), RtpTime(tick * 160));
                let samples = [(tick % 7) as i16 * 1_000; 160];
                detector.put(&samples, |_| ());
                if let Some(out) = sender.tick(time, Frames(160)) {
                    let (seq, ssrc) = (SeqNo(tick as u16), Ssrc(1));
                    let (marker, time, payload) = (out.marker, out.time, &out.payload[..]);
                    receiver.put(now, &PacketView { seq, time, ssrc, payload_type, marker, payload });
                }
                receiver.handle_timeout(now);
                while receiver.poll_output().is_some() {
                    told += 1;
                }
            }
        });
        assert_eq!(count, 0);
        assert!(told > 1_000, "{told}");
    }
}

mod rtcp {
    use super::allocations;
    use offhook_sip_rtp::media::{
        emodel::Equipment,
        packet::PacketView,
        rtcp::{Cname, NtpTime, RtcpConfig, RtcpSession},
    };
    use offhook_units::{Moment, PayloadType, RtpTime, SampleRate, SeqNo, Span, Ssrc};

    #[test]
    fn reports_are_free() {
        let session = |ssrc| {
            let config = RtcpConfig {
                ssrc: Ssrc(ssrc),
                cname: Cname::from_bits(1, 2),
                clock: SampleRate::HZ_8000,
                packet: Span::from_millis(20),
                bits_per_second: 80_000,
                equipment: Equipment::G711_CONCEALED,
                extended: true,
                ntp_origin: NtpTime(0),
                seed: 1,
            };
            RtcpSession::new(config, Moment::ZERO)
        };
        let (mut here, mut there) = (session(1), session(2));
        let mut reports = 0;
        let count = allocations(|| {
            for n in 0..10_000_u32 {
                let now = Moment::from_millis(u64::from(n) * 20);
                let packet = PacketView {
                    seq: SeqNo(n as u16),
                    time: RtpTime(n * 160),
                    ssrc: Ssrc(2),
                    payload_type: PayloadType::PCMU,
                    marker: false,
                    payload: &[0; 160],
                };
                there.rtp_sent(now, packet.time, 160);
                if n % 7 != 0 {
                    here.rtp_received(now, &packet, true);
                }
                let mut out = [0; RtcpSession::MOST_BYTES];
                if let Some(length) = here.poll_output(now, &mut out) {
                    there.handle_input(now, &out[..length]).expect("ours");
                    reports += u32::from(there.reported().is_some_and(|report| report.at == now));
                }
            }
        });
        assert_eq!(count, 0);
        assert!(reports > 20, "{reports}");
    }
}

mod srtp {
    use super::allocations;
    use offhook_sip_rtp::media::{
        packet::PacketHeader,
        srtp::{MasterKey, SrtpReceiver, SrtpSender, Suite},
    };
    use offhook_units::{PayloadType, RtpTime, SeqNo, Ssrc};

    #[test]
    fn secrecy_is_free() {
        for suite in Suite::ALL {
            let key =
                || MasterKey::new(suite, &[7; 46][..suite.key_and_salt_len()], &[]).expect("lengths fit");
            let (mut sender, mut receiver) = (SrtpSender::new(key()), SrtpReceiver::new(key()));
            let mut buffer = [0; 256];
            let count = allocations(|| {
                for seq in 0..5_000_u16 {
                    let header = PacketHeader {
                        seq: SeqNo(seq),
                        time: RtpTime(u32::from(seq) * 160),
                        ssrc: Ssrc(u32::from(seq / 600)),
                        payload_type: PayloadType::PCMU,
                        marker: false,
                    };
                    let plain = header.write(&[0x55; 160], &mut buffer).expect("room");
                    let length = sender.protect_rtp(&mut buffer, plain).expect("protected");
                    assert_eq!(receiver.unprotect_rtp(&mut buffer[..length]), Ok(plain));
                    buffer[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 1]);
                    let length = sender.protect_rtcp(&mut buffer, 8).expect("protected");
                    assert_eq!(receiver.unprotect_rtcp(&mut buffer[..length]), Ok(8));
                }
            });
            assert_eq!(count, 0);
        }
    }
}

mod leg {
    use super::allocations;
    use offhook_sip_rtp::media::{
        dtmf::Digit,
        sender::{Outgoing, RtpSender, SendFormat},
        stream::{GateConfig, Kind, PayloadMap, Reach, ReceiveGate, RtcpRoute},
    };
    use offhook_units::{Codec, Frames, Moment, PayloadType, SampleRate, Ssrc};

    #[test]
    fn the_gate_and_the_sender_are_free() {
        let events = PayloadType::new(101).expect("seven bits");
        let peer = "192.0.2.1:4000".parse().expect("address");
        let stranger = "203.0.113.1:4000".parse().expect("address");
        let mut gate = ReceiveGate::new(GateConfig {
            reach: Reach::Anywhere,
            expected: Some(peer),
            rtcp: RtcpRoute::Multiplexed,
            symmetric: true,
            payloads: PayloadMap::default()
                .with(PayloadType::PCMU, Kind::Voice(Codec::Pcmu))
                .with(PayloadType::COMFORT_NOISE, Kind::ComfortNoise)
                .with(events, Kind::TelephoneEvent(SampleRate::HZ_8000)),
            local_ssrc: Ssrc(1),
            srtp: None,
            most_payload: 1_500,
        });
        let format = SendFormat {
            voice: PayloadType::PCMU,
            clock: SampleRate::HZ_8000,
            events: Some((events, SampleRate::HZ_8000)),
            noise: Some(PayloadType::COMFORT_NOISE),
        };
        let mut sender = RtpSender::new(format, 5, None);
        let mut admitted = 0;
        let count = allocations(|| {
            for n in 0..10_000_u32 {
                if n % 1_000 == 500 {
                    for digit in Digit::all() {
                        sender.push_key(digit).expect("room");
                    }
                }
                let now = Moment::from_millis(u64::from(n) * 20);
                let voice = [0x55; 160];
                let what =
                    if n % 100 < 70 { Outgoing::Voice(&voice) } else { Outgoing::Noise((n % 90) as u8) };
                let mut out = [0; 256];
                if let Some(sent) = sender.tick(what, Frames(160), &mut out).expect("room") {
                    assert!(gate.admit(now, stranger, &mut out[..sent.length]).is_err() || n < 20);
                    admitted += u32::from(gate.admit(now, peer, &mut out[..sent.length]).is_ok());
                }
                while gate.poll_event().is_some() {}
            }
        });
        assert_eq!(count, 0);
        assert!(admitted > 7_000, "{admitted}");
    }
}
