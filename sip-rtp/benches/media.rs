//! What a packet costs, and what a stranger's costs: `cargo bench -p offhook-sip-rtp --bench media`.
//! Plain loops with a median of several rounds; the SRTP oracle is the baseline of the same run.
#![allow(clippy::print_stdout)]

use offhook_sip_rtp::media::{
    dtmf::InbandDetector,
    packet::{PacketHeader, PacketView},
    sender::{Outgoing, RtpSender, SendFormat},
    srtp::{MOST_OVERHEAD, MasterKey, SrtpReceiver, SrtpSender, Suite},
    stream::{GateConfig, Kind, PayloadMap, Reach, ReceiveGate, RtcpRoute},
};
use offhook_units::{Codec, Frames, Moment, PayloadType, RtpTime, SampleRate, SeqNo, Ssrc};
use std::{hint::black_box, net::SocketAddr, time::Instant};
use webrtc_srtp::{context::Context, protection_profile::ProtectionProfile};

const ROUNDS: usize = 9;
const PER_ROUND: u32 = 20_000;

/// The median over the rounds of the mean time of one call of `work`, which is told its number.
fn measure(name: &str, mut work: impl FnMut(u32)) {
    let mut number = 0;
    let mut times = [0.0; ROUNDS];
    for time in &mut times {
        let start = Instant::now();
        for _ in 0..PER_ROUND {
            work(number);
            number += 1;
        }
        *time = start.elapsed().as_nanos() as f64 / f64::from(PER_ROUND);
    }
    times.sort_by(f64::total_cmp);
    println!("{name:<44} {:>9.1} ns", times[ROUNDS / 2]);
}

fn header(n: u32) -> PacketHeader {
    PacketHeader {
        seq: SeqNo(n as u16),
        time: RtpTime(n * 160),
        ssrc: Ssrc(7),
        payload_type: PayloadType::PCMU,
        marker: false,
    }
}

fn gate(peer: SocketAddr) -> ReceiveGate {
    ReceiveGate::new(GateConfig {
        reach: Reach::Anywhere,
        expected: Some(peer),
        rtcp: RtcpRoute::Multiplexed,
        symmetric: true,
        payloads: PayloadMap::default().with(PayloadType::PCMU, Kind::Voice(Codec::Pcmu)),
        local_ssrc: Ssrc(1),
        srtp: None,
        most_payload: 1_500,
    })
}

fn packets() {
    let payload = [0x55; 160];
    let mut buffer = [0; 256];
    let length = header(1).write(&payload, &mut buffer).expect("room");
    measure("read a header", |_| {
        black_box(PacketView::parse(black_box(&buffer[..length]))).expect("sound");
    });
    measure("write a packet of 160 bytes", |n| {
        let mut out = [0; 256];
        black_box(header(n).write(black_box(&payload), &mut out)).expect("room");
    });
    let (peer, stranger) =
        (SocketAddr::from(([192, 0, 2, 1], 4_000)), SocketAddr::from(([203, 0, 113, 1], 5)));
    let mut leg = gate(peer);
    measure("gate: the call's own packet", |n| {
        let mut datagram = [0; 172];
        header(n).write(&payload, &mut datagram).expect("room");
        black_box(leg.admit(Moment::from_millis(u64::from(n)), peer, &mut datagram)).expect("ours");
    });
    let last = Moment::from_millis(u64::from(PER_ROUND) * ROUNDS as u64);
    measure("gate: a stranger's packet", |_| {
        black_box(leg.admit(last, stranger, black_box(&mut buffer[..length]))).expect_err("foreign");
    });
    measure("gate: a new SSRC from the call's address", |n| {
        let mut datagram = [0; 172];
        PacketHeader { ssrc: Ssrc(n | 8), ..header(n) }.write(&payload, &mut datagram).expect("room");
        let _ = black_box(leg.admit(last, peer, &mut datagram));
    });
    let format = SendFormat {
        voice: PayloadType::PCMU,
        clock: SampleRate::HZ_8000,
        events: Some((PayloadType::new(101).expect("seven bits"), SampleRate::HZ_8000)),
        noise: None,
    };
    let mut sender = RtpSender::new(format, 1, None);
    measure("sender: one interval", |_| {
        let mut out = [0; 256];
        black_box(sender.tick(Outgoing::Voice(&payload), Frames(160), &mut out)).expect("room");
    });
}

fn secrecy() {
    for (suite, profile) in [
        (Suite::Aes128Sha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
        (Suite::Aes256Sha1_80, ProtectionProfile::Aes256CmHmacSha1_80),
    ] {
        let key: Vec<u8> = (0..suite.key_and_salt_len()).map(|n| n as u8).collect();
        let master = || MasterKey::new(suite, &key, &[]).expect("lengths fit");
        let (mut sender, mut receiver) = (SrtpSender::new(master()), SrtpReceiver::new(master()));
        measure(&format!("{} there and back", suite.name()), |n| {
            let mut buffer = [0; 172 + MOST_OVERHEAD];
            let length = header(n).write(&[0x55; 160], &mut buffer).expect("room");
            let length = sender.protect_rtp(&mut buffer, length).expect("protected");
            receiver.unprotect_rtp(black_box(&mut buffer[..length])).expect("ours");
        });
        let context = || {
            let (key, salt) = key.split_at(suite.key_len());
            Context::new(key, salt, profile, None, None).expect("lengths fit")
        };
        let (mut sender, mut receiver) = (context(), context());
        measure("  the same with webrtc-srtp (no replay window)", |n| {
            let mut buffer = [0; 172];
            header(n).write(&[0x55; 160], &mut buffer).expect("room");
            let sent = sender.encrypt_rtp(&buffer).expect("protected");
            black_box(receiver.decrypt_rtp(&sent)).expect("ours");
        });
    }
}

fn main() {
    packets();
    secrecy();
    let mut detector = InbandDetector::new(SampleRate::HZ_8000).expect("rate");
    let samples = [1_234; 160];
    measure("keys in the voice: 20 ms at 8 kHz", |_| detector.put(black_box(&samples), |_| ()));
}
