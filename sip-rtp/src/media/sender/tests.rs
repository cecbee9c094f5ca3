use super::*;
use crate::media::{dtmf::EventBlock, packet::PacketView};

const FRAMES: Frames = Frames(160);

fn format() -> SendFormat {
    SendFormat {
        voice: PayloadType::PCMU,
        clock: SampleRate::HZ_8000,
        events: Some((PayloadType::new(101).unwrap(), SampleRate::HZ_8000)),
        noise: Some(PayloadType::COMFORT_NOISE),
    }
}

/// A packet as it was read back: sequence, time, payload type, marker, payload.
type Read = (u16, u32, u8, bool, Vec<u8>);

fn tick(sender: &mut RtpSender, what: Outgoing<'_>, frames: Frames) -> Option<Read> {
    let mut out = [0; 512];
    let sent = sender.tick(what, frames, &mut out).unwrap()?;
    let view = PacketView::parse(&out[..sent.length]).unwrap();
    assert_eq!((view.ssrc, view.time, view.payload.len()), (sender.ssrc(), sent.time, sent.payload_bytes));
    Some((view.seq.0, view.time.0, view.payload_type.get(), view.marker, view.payload.to_vec()))
}

#[test]
fn voice_is_numbered_and_its_first_packet_marked() {
    let mut sender = RtpSender::new(format(), 1, None);
    let voice = Outgoing::Voice(&[1; 160]);
    let (seq, time, payload_type, marker, _) = tick(&mut sender, voice, FRAMES).unwrap();
    assert_eq!((payload_type, marker), (0, true));
    for n in 1..10 {
        let read = tick(&mut sender, voice, FRAMES).unwrap();
        assert_eq!((read.0, read.1, read.3), (seq + n, time.wrapping_add(u32::from(n) * 160), false));
    }
}

#[test]
fn time_runs_on_in_silence_and_numbers_do_not() {
    let mut sender = RtpSender::new(format(), 1, None);
    let voice = Outgoing::Voice(&[1; 160]);
    let before = tick(&mut sender, voice, FRAMES).unwrap();
    for _ in 0..100 {
        assert_eq!(tick(&mut sender, Outgoing::Nothing, FRAMES), None);
    }
    let after = tick(&mut sender, voice, FRAMES).unwrap();
    assert_eq!((after.0, after.1), (before.0 + 1, before.1.wrapping_add(101 * 160)));
    assert!(after.3, "a talk spurt begins");
}

#[test]
fn noise_is_announced_again_when_it_changes_or_after_a_second() {
    let mut sender = RtpSender::new(format(), 1, None);
    let mut announced = Vec::new();
    for n in 0..120 {
        let level = if n < 20 { 60 } else { 50 };
        if let Some((_, _, payload_type, marker, payload)) = tick(&mut sender, Outgoing::Noise(level), FRAMES)
        {
            assert_eq!((payload_type, marker), (13, false));
            announced.push((n, payload[0]));
        }
    }
    assert_eq!(announced, [(0, 60), (20, 50), (70, 50)]);
    assert!(tick(&mut sender, Outgoing::Voice(&[1]), FRAMES).unwrap().3);
    let mute = SendFormat { noise: None, ..format() };
    assert_eq!(tick(&mut RtpSender::new(mute, 1, None), Outgoing::Noise(60), FRAMES), None);
}

#[test]
fn keys_take_the_place_of_voice_in_one_numbering() {
    let mut sender = RtpSender::new(format(), 1, None);
    let voice = Outgoing::Voice(&[1; 160]);
    let first = tick(&mut sender, voice, FRAMES).unwrap();
    sender.push_key(Digit::from_char('5').unwrap()).unwrap();
    let mut reads = Vec::new();
    for _ in 0..20 {
        reads.push(tick(&mut sender, voice, FRAMES).unwrap());
    }
    assert!(!sender.is_sending_keys());
    let seqs: Vec<_> = reads.iter().map(|read| read.0.wrapping_sub(first.0)).collect();
    assert_eq!(seqs, (1..=20).collect::<Vec<u16>>());
    let (events, voices): (Vec<_>, Vec<_>) = reads.iter().partition(|read| read.2 == 101);
    assert_eq!(events.len(), 7);
    let start = first.1.wrapping_add(160);
    assert!(events.iter().all(|read| read.1 == start));
    assert_eq!(voices[0].1, start.wrapping_add(7 * 160), "the clock ran on");
    assert!(voices[0].3, "and voice begins anew");
    assert_eq!(voices.iter().filter(|read| read.3).count(), 1);
}

#[test]
fn events_of_another_rate_keep_the_streams_timeline() {
    let opus = SendFormat { voice: PayloadType::new(111).unwrap(), clock: SampleRate::HZ_48000, ..format() };
    let mut sender = RtpSender::new(opus, 1, None);
    let first = tick(&mut sender, Outgoing::Voice(&[1; 60]), Frames(960)).unwrap();
    sender.push_key(Digit::from_char('5').unwrap()).unwrap();
    let mut last = None;
    while sender.is_sending_keys() {
        if let Some(read) = tick(&mut sender, Outgoing::Nothing, Frames(960)) {
            assert_eq!(read.1, first.1.wrapping_add(960));
            last = Some(read);
        }
    }
    let block = EventBlock::from_bytes(last.unwrap().4.try_into().unwrap());
    assert_eq!((block.end, block.duration), (true, 800), "100 ms at 8 kHz");
}

#[test]
fn a_change_of_source_changes_everything_that_must_not_be_guessed() {
    let mut sender = RtpSender::new(format(), 1, None);
    let before = (sender.ssrc(), tick(&mut sender, Outgoing::Voice(&[1]), FRAMES).unwrap());
    assert_ne!(sender.change_ssrc(), before.0);
    let after = tick(&mut sender, Outgoing::Voice(&[1]), FRAMES).unwrap();
    assert_ne!((after.0, after.1), (before.1.0 + 1, before.1.1.wrapping_add(160)));
    assert!(after.0 < 0x8000 && after.3);
    assert_ne!(RtpSender::new(format(), 2, None).ssrc(), before.0);
}

#[test]
fn keys_are_refused_when_the_peer_does_not_take_events() {
    let mut sender = RtpSender::new(SendFormat { events: None, ..format() }, 1, None);
    let key = Digit::from_char('1').unwrap();
    assert_eq!(sender.push_key(key), Err(KeyRefused::NotNegotiated));
    sender.set_format(format());
    for _ in 0..DtmfSender::MOST_WAITING {
        assert_eq!(sender.push_key(key), Ok(()));
    }
    assert_eq!(sender.push_key(key), Err(KeyRefused::QueueFull(QueueFull)));
    let ssrc = sender.ssrc();
    sender.set_format(SendFormat { voice: PayloadType::PCMA, ..format() });
    assert!(sender.is_sending_keys(), "a change of codec keeps the keys");
    assert_eq!(sender.ssrc(), ssrc);
    sender.set_format(SendFormat { clock: SampleRate::HZ_48000, ..format() });
    assert_ne!(sender.ssrc(), ssrc, "a change of clock does not keep the source");
}

#[test]
fn a_buffer_without_room_loses_the_interval_only() {
    let mut sender = RtpSender::new(format(), 1, None);
    let voice = Outgoing::Voice(&[1; 160]);
    let first = tick(&mut sender, voice, FRAMES).unwrap();
    assert_eq!(sender.tick(voice, FRAMES, &mut [0; 100]), Err(SendError::NoRoom));
    let next = tick(&mut sender, voice, FRAMES).unwrap();
    assert_eq!((next.0, next.1), (first.0 + 1, first.1.wrapping_add(320)));
}
