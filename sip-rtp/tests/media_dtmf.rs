//! T2: what is typed at one end is what is heard at the other, whatever the network does to the packets, as
//! long as one packet of each key arrives.

use offhook_sip_rtp::media::{
    dtmf::{DTMF, DTMF_RELAY, Digit, DtmfEvent, DtmfReceiver, DtmfSender, Volume, key_of_info},
    packet::PacketView,
};
use offhook_units::{Frames, Moment, PayloadType, RtpTime, SampleRate, SeqNo, Span, Ssrc};
use proptest::prelude::*;

fn packet<'a>(seq: u16, time: RtpTime, marker: bool, payload: &'a [u8]) -> PacketView<'a> {
    let payload_type = PayloadType::new(101).expect("seven bits");
    PacketView { seq: SeqNo(seq), time, ssrc: Ssrc(5), payload_type, marker, payload }
}

/// What became of one packet on its way.
#[derive(Clone, Copy, Debug)]
struct Fate {
    lost: bool,
    doubled: bool,
    late_ms: u64,
}

fn fate() -> impl Strategy<Value = Fate> {
    (proptest::bool::weighted(0.4), proptest::bool::weighted(0.2), 0..60_u64)
        .prop_map(|(lost, doubled, late_ms)| Fate { lost, doubled, late_ms })
}

fn fetch(receiver: &mut DtmfReceiver, events: &mut Vec<DtmfEvent>) {
    while let Some(event) = receiver.poll_output() {
        events.push(event);
    }
}

/// Sends `keys` through `fates` and returns which keys had a packet left that was not overtaken by a later
/// key's, and what was heard.
fn through_a_bad_network(
    keys: &[Digit],
    clock: SampleRate,
    start: (u16, u32),
    fates: &[Fate],
) -> (Vec<Digit>, Vec<DtmfEvent>) {
    let mut sender = DtmfSender::new(clock, 100, 100, Volume::USUAL);
    for &key in keys {
        sender.push(key).expect("room");
    }
    let frame = u32::try_from(clock.frames_in_ms(20)).expect("small");
    let mut flying = Vec::new();
    let mut fates = fates.iter().cycle();
    for tick in 0.. {
        if sender.is_idle() {
            break;
        }
        let time = RtpTime(start.1.wrapping_add(tick * frame));
        let seq = start.0.wrapping_add(tick as u16);
        let Some(out) = sender.tick(time, Frames(frame)) else { continue };
        let fate = fates.next().expect("cycles");
        if !fate.lost {
            let at = u64::from(tick) * 20 + fate.late_ms;
            flying.push((at, seq, out));
            if fate.doubled {
                flying.push((at + 5, seq, out));
            }
        }
    }
    flying.sort_by_key(|&(at, seq, _)| (at, seq));
    let mut receiver = DtmfReceiver::new(clock);
    let (mut expected, mut heard) = (Vec::<(RtpTime, Digit)>::new(), Vec::new());
    for (at, seq, out) in flying {
        let now = Moment::from_millis(at);
        receiver.handle_timeout(now);
        receiver.put(now, &packet(seq, out.time, out.marker, &out.payload));
        fetch(&mut receiver, &mut heard);
        let newest = expected.last().is_none_or(|&(time, _)| out.time.ahead_of(time) > 0);
        if newest {
            expected.push((out.time, Digit::from_event(out.payload[0]).expect("key")));
        }
    }
    receiver.handle_timeout(Moment::from_millis(1_000_000));
    fetch(&mut receiver, &mut heard);
    (expected.into_iter().map(|(_, digit)| digit).collect(), heard)
}

proptest! {
    #[test]
    fn keys_survive_loss_doubling_and_reordering(
        keys in proptest::collection::vec((0..16_u8).prop_map(|code| Digit::from_event(code).expect("key")), 1..12),
        clock in prop_oneof![
            Just(SampleRate::HZ_8000), Just(SampleRate::HZ_16000), Just(SampleRate::HZ_48000)],
        start in any::<(u16, u32)>(),
        fates in proptest::collection::vec(fate(), 1..40),
    ) {
        let (expected, heard) = through_a_bad_network(&keys, clock, start, &fates);
        let mut pressed = Vec::new();
        let mut down = None;
        for event in heard {
            match event {
                DtmfEvent::Pressed(digit) => {
                    prop_assert_eq!(down.replace(digit), None, "a key is released before the next is pressed");
                    pressed.push(digit);
                }
                DtmfEvent::Released { digit, held } => {
                    prop_assert_eq!(down.take(), Some(digit));
                    prop_assert!(held > Span::ZERO && held <= Span::from_millis(100));
                }
            }
        }
        prop_assert_eq!(down, None, "no key hangs");
        prop_assert_eq!(pressed, expected);
    }

    #[test]
    fn any_payload_is_survived(
        packets in proptest::collection::vec(
            (any::<u16>(), any::<u32>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..60),
    ) {
        let mut receiver = DtmfReceiver::new(SampleRate::HZ_8000);
        let mut now = Moment::ZERO;
        let mut events = Vec::new();
        for (seq, time, marker, payload) in &packets {
            now += Span::from_millis(20);
            receiver.put(now, &packet(*seq, RtpTime(*time), *marker, payload));
            fetch(&mut receiver, &mut events);
        }
        receiver.handle_timeout(now + Span::from_millis(250));
        fetch(&mut receiver, &mut events);
        let presses = events.iter().filter(|event| matches!(event, DtmfEvent::Pressed(_))).count();
        prop_assert_eq!(presses * 2, events.len(), "each press has its release");
    }

    #[test]
    fn any_info_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = key_of_info(DTMF_RELAY, &body);
        let _ = key_of_info(DTMF, &body);
    }
}
