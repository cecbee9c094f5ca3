//! Any counters whatever: no number is given twice, and media time goes on.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use offhook_engine::{PacketKind, sequencer::Sequencer};
use offhook_fuzz::{Arrival, Stream};
use offhook_units::{Codec, Moment};
use std::collections::HashSet;

#[derive(Arbitrary, Debug)]
struct Line<'a> {
    arrivals: Vec<Arrival>,
    raw: &'a [u8],
}

fuzz_target!(|line: Line<'_>| {
    let mut sequencer = Sequencer::new(Codec::Pcmu.rtp_clock());
    let mut stream = Stream::new(Codec::Pcmu);
    let mut given = HashSet::new();
    let mut newest = None;
    let mut now_us = 0;
    for arrival in &line.arrivals {
        now_us += u64::from(arrival.wait) * 500;
        let packet = stream.packet(Moment::from_micros(now_us), arrival, line.raw);
        let duration = match packet.kind {
            PacketKind::Voice(_) => packet.payload.len() as i64,
            PacketKind::ComfortNoise | PacketKind::TelephoneEvent => 0,
        };
        let Ok(place) = sequencer.place(&packet, duration) else { continue };
        assert!(given.insert(place.seq), "number {:?} is given twice", place.seq);
        match newest {
            Some(seq) if place.late => assert!(place.seq < seq),
            Some(seq) => assert!(place.seq > seq),
            None => assert!(!place.late && !place.restarted),
        }
        if !place.late {
            newest = Some(place.seq);
        }
    }
});
