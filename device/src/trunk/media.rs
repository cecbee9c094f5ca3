//! One call's media, without its sockets: what came goes to the audio thread, to RTCP, or to the keys; what the audio
//! thread made goes out.
//!
//! Calling order: [`Media::receive`] and [`Media::receive_rtcp`] for each datagram, [`Media::send`] once a tick,
//! [`Media::handle_timeout`] when [`Media::poll_timeout`] is due, then [`Media::poll_rtcp`] and [`Media::poll_event`] until
//! `None`.

use super::agreed::{event_clock, expects, ours, payloads, rtcp_route, send_format, theirs};
use super::beat::Beat;
use super::inband::Inband;
use super::pause::Pause;
use super::settings;
use crate::audio::gauges::LineGauges;
use crate::rings::{CallEnds, Full, MOST_PAYLOAD, Payload};
use offhook_engine::{Packet, PacketKind};
use offhook_sip_rtp::media::dtmf::{Digit, DtmfEvent, DtmfReceiver};
use offhook_sip_rtp::media::emodel::Equipment;
use offhook_sip_rtp::media::rtcp::{Cname, DelayLimits, NtpTime, RtcpConfig, RtcpSession};
use offhook_sip_rtp::media::sender::{KeyRefused, Outgoing, RtpSender};
use offhook_sip_rtp::media::srtp::{SrtpReceiver, SrtpSender};
use offhook_sip_rtp::media::stream::{
    DropCounters, GateConfig, GateEvent, Kind, MediaWatch, Patience, ReceiveGate, Silence,
};
use offhook_sip_rtp::sdp::negotiate::Stream;
use offhook_sip_rtp::sip::ids::Ids;
use offhook_units::{Codec, Frames, Moment, SampleRate, SeqNo, Span};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// Packets that the jitter buffer threw away and that one look at its counters accounts for, at most.
const MOST_DISCARDS_AT_ONCE: u64 = 32;
/// Between two looks at the audio thread's counters.
const LOOK_EVERY: Span = Span::from_millis(500);
/// Events that nobody fetched are not kept without end.
const MOST_EVENTS: usize = 64;

/// What happened on the media side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// A telephone key, by RFC 4733 or in the voice.
    Key(Digit),
    /// The wire is silent.
    Silence(Silence),
    /// The peer sends from here now.
    Remote(SocketAddr),
}

/// What is told from the start of a call to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounters {
    /// Packets that the audio thread's ring had no room for.
    pub ring_full: u64,
    /// Packets that were here in time for a tick and were read behind it: the box was late, not the line.
    pub read_late: u64,
    /// Packets handed to the socket.
    pub sent: u64,
    /// Packet intervals of voice that could not be written or had nowhere to go.
    pub unsent: u64,
    /// Keys heard, whichever way.
    pub keys: u64,
}

/// One call's media.
#[derive(Debug)]
pub struct Media {
    gate: ReceiveGate,
    sender: RtpSender,
    rtcp: RtcpSession,
    /// From the answer on: before it nobody has to send anything.
    watch: Option<MediaWatch>,
    patience: Patience,
    keys: DtmfReceiver,
    inband: Option<Inband>,
    pause: Pause,
    ends: CallEnds,
    gauges: Arc<LineGauges>,
    agreed: Stream,
    packet_ms: u32,
    /// The clock of what we send; behind what was agreed while the audio thread has not changed yet.
    clock: SampleRate,
    longest_delay: Span,
    listen_inband: bool,
    /// A goodbye with our old SSRC is due.
    clash: bool,
    /// The newest sequence number, to account for what the jitter buffer threw away.
    newest: SeqNo,
    discarded: u64,
    look_at: Moment,
    events: VecDeque<MediaEvent>,
    counters: MediaCounters,
}

/// What a call's media are made of.
#[derive(Debug)]
pub struct Parts {
    /// What was agreed.
    pub stream: Stream,
    /// Milliseconds in each packet that the audio thread makes.
    pub packet_ms: u32,
    /// The rings.
    pub ends: CallEnds,
    /// The audio thread's counters.
    pub gauges: Arc<LineGauges>,
    /// The wall clock at the origin of all moments, as NTP has it.
    pub ntp_origin: NtpTime,
    /// The most that the jitter buffer may hold.
    pub longest_delay: Span,
}

impl Media {
    /// Media of a call that can be heard since `now`. `ids` gives what must not be guessed.
    pub fn new(now: Moment, parts: Parts, settings: &settings::Media, ids: &mut Ids) -> Self {
        let Parts { stream, packet_ms, ends, gauges, ntp_origin, longest_delay } = parts;
        let srtp = ours(&stream).map(SrtpSender::new);
        let sender = RtpSender::new(send_format(&stream), bits(ids), srtp);
        let config = RtcpConfig {
            ssrc: sender.ssrc(),
            cname: Cname::from_bits(bits(ids), bits(ids)),
            clock: stream.codec.rtp_clock(),
            packet: Span::from_millis(i64::from(packet_ms)),
            bits_per_second: 80_000,
            equipment: Equipment::G711_CONCEALED,
            extended: settings.extended_reports,
            ntp_origin,
            seed: bits(ids),
        };
        let gate = ReceiveGate::new(GateConfig {
            reach: settings.reach,
            expected: stream.remote,
            rtcp: rtcp_route(&stream),
            symmetric: settings.symmetric,
            payloads: payloads(&stream),
            local_ssrc: sender.ssrc(),
            srtp: theirs(&stream).map(SrtpReceiver::new),
            most_payload: MOST_PAYLOAD,
        });
        Self {
            gate,
            sender,
            rtcp: RtcpSession::new(config, now),
            watch: None,
            patience: settings.patience,
            keys: DtmfReceiver::new(event_clock(&stream)),
            inband: inband(&stream, settings.inband_keys),
            pause: Pause::default(),
            ends,
            gauges,
            packet_ms,
            clock: stream.codec.rtp_clock(),
            longest_delay,
            listen_inband: settings.inband_keys,
            clash: false,
            newest: SeqNo(0),
            discarded: 0,
            look_at: now + LOOK_EVERY,
            events: VecDeque::new(),
            counters: MediaCounters::default(),
            agreed: stream,
        }
    }

    /// Address, direction, keys or payload types changed. What we send changes at once, unless the codec or the
    /// packet time is another: then when the audio thread made the change, by [`Self::recoded`].
    pub fn renegotiate(&mut self, now: Moment, stream: Stream) {
        if ours(&stream) != ours(&self.agreed) {
            self.sender.set_srtp(ours(&stream).map(SrtpSender::new));
        }
        if theirs(&stream) != theirs(&self.agreed) {
            self.gate.set_srtp(theirs(&stream).map(SrtpReceiver::new));
        }
        self.gate.renegotiate(stream.remote, rtcp_route(&stream), payloads(&stream));
        if let Some(watch) = &mut self.watch {
            watch.expect(now, expects(&stream));
        }
        if event_clock(&stream) != event_clock(&self.agreed) {
            self.keys = DtmfReceiver::new(event_clock(&stream));
        }
        self.inband = inband(&stream, self.listen_inband);
        let same_voice = stream.codec == self.agreed.codec;
        self.agreed = stream;
        if same_voice {
            self.set_format();
        }
    }

    /// From now on the audio thread makes packets of what was agreed last, `packet_ms` long each.
    pub fn recoded(&mut self, packet_ms: u32) {
        self.packet_ms = packet_ms;
        let codec = self.agreed.codec;
        let packet = Span::from_millis(i64::from(packet_ms));
        self.rtcp.set_codec(codec.rtp_clock(), packet, Equipment::G711_CONCEALED);
        self.set_format();
    }

    fn set_format(&mut self) {
        self.clock = self.agreed.codec.rtp_clock();
        self.sender.set_format(send_format(&self.agreed));
        self.took_ssrc();
    }

    /// Tells everybody our SSRC, which may be another.
    fn took_ssrc(&mut self) {
        let ssrc = self.sender.ssrc();
        self.gate.set_local_ssrc(ssrc);
        self.rtcp.set_ssrc(ssrc);
    }

    /// What was agreed last.
    pub const fn agreed(&self) -> &Stream {
        &self.agreed
    }

    /// What was counted here.
    pub const fn counters(&self) -> &MediaCounters {
        &self.counters
    }

    /// What the door let in and what not.
    pub const fn drops(&self) -> &DropCounters {
        self.gate.counters()
    }

    /// How the stream arrives, and what the peer reports of ours.
    pub const fn rtcp(&self) -> &RtcpSession {
        &self.rtcp
    }

    /// The audio thread's counters.
    pub const fn gauges(&self) -> &Arc<LineGauges> {
        &self.gauges
    }

    /// The call was answered: the peer's voice is due from now on.
    pub fn answered(&mut self, now: Moment) {
        let mut watch = MediaWatch::new(now, self.patience);
        watch.expect(now, expects(&self.agreed));
        self.watch = Some(watch);
    }

    /// Takes a datagram that came on the RTP port, at `stamp` by the kernel. What is RTCP on a shared port is taken as
    /// such.
    pub fn receive(&mut self, now: Moment, stamp: Moment, from: SocketAddr, datagram: &mut [u8]) {
        use offhook_sip_rtp::media::demux::Datagram;
        if self.agreed.rtcp_mux && Datagram::of(datagram) == Datagram::Rtcp {
            return self.receive_rtcp(now, from, datagram);
        }
        let Ok(incoming) = self.gate.admit(now, from, datagram) else { return };
        let packet = incoming.packet;
        if let Some(watch) = &mut self.watch {
            watch.heard(now, incoming.kind);
        }
        self.newest = packet.seq;
        let kind = match incoming.kind {
            Kind::Voice(codec) => PacketKind::Voice(codec),
            Kind::ComfortNoise => PacketKind::ComfortNoise,
            Kind::TelephoneEvent(_) => PacketKind::TelephoneEvent,
        };
        self.counters.read_late += u64::from(Beat::was_late(now, stamp));
        self.rtcp.rtp_received(stamp, &packet, kind != PacketKind::TelephoneEvent);
        match (kind, &mut self.inband) {
            (PacketKind::TelephoneEvent, _) => self.keys.put(now, &packet),
            (PacketKind::Voice(codec), Some(inband)) => inband.put(codec, packet.payload),
            _ => {}
        }
        let packet = Packet {
            arrival: Beat::arrival(now, stamp),
            ssrc: packet.ssrc,
            seq: packet.seq,
            time: packet.time,
            kind,
            payload: packet.payload,
        };
        if self.ends.packets.send(&packet) == Err(Full) {
            self.counters.ring_full += 1;
        }
        self.fetch_keys();
        self.follow_gate();
    }

    /// Takes a datagram that came on the RTCP port.
    pub fn receive_rtcp(&mut self, now: Moment, from: SocketAddr, datagram: &mut [u8]) {
        let Ok(report) = self.gate.admit_rtcp(from, datagram) else { return };
        if self.rtcp.handle_input(now, report).is_ok()
            && let Some(watch) = &mut self.watch
        {
            watch.heard_report(now);
        }
    }

    /// Writes the packet that is due into `out`: its length and where it goes. `None` when there is nothing to send;
    /// `Err` when the audio thread has not made anything yet.
    ///
    /// # Errors
    /// [`NotYet`].
    pub fn send(&mut self, now: Moment, out: &mut [u8]) -> Result<Option<(usize, SocketAddr)>, NotYet> {
        let payload = self.ends.payloads.receive().ok_or(NotYet)?;
        let agreed = &self.agreed;
        let what = match payload {
            Payload::Voice(bytes)
                if agreed.comfort_noise.is_some() && self.pause.put(agreed.codec, bytes) =>
            {
                Outgoing::Noise(Pause::LEVEL)
            }
            Payload::Voice(bytes) => Outgoing::Voice(bytes),
            Payload::Nothing => Outgoing::Nothing,
        };
        let voice = u64::from(what != Outgoing::Nothing);
        let frames = Frames(self.clock.frames_in_ms(self.packet_ms) as u32);
        let Ok(sent) = self.sender.tick(what, frames, out) else {
            self.counters.unsent += voice;
            return Ok(None);
        };
        let Some(to) = self.gate.remote() else {
            self.counters.unsent += voice;
            return Ok(None);
        };
        Ok(sent.map(|sent| {
            self.rtcp.rtp_sent(now, sent.time, sent.payload_bytes);
            self.counters.sent += 1;
            (sent.length, to)
        }))
    }

    /// Sends a key, as soon as those before it are sent.
    ///
    /// # Errors
    /// [`KeyRefused`].
    pub fn push_key(&mut self, digit: Digit) -> Result<(), KeyRefused> {
        self.sender.push_key(digit)
    }

    /// How long the packets are that the audio thread makes, ms.
    pub const fn packet_ms(&self) -> u32 {
        self.packet_ms
    }

    /// Whether [`Self::poll_rtcp`] has a goodbye to say before it is time for a report.
    pub const fn has_clash(&self) -> bool {
        self.clash
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Moment {
        let due = [self.watch.as_ref().and_then(MediaWatch::poll_timeout), self.keys.poll_timeout()];
        let first = self.rtcp.poll_timeout().min(self.look_at);
        due.into_iter().flatten().fold(first, Moment::min)
    }

    /// Does what is due, but for reports, which [`Self::poll_rtcp`] writes.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.keys.handle_timeout(now);
        self.fetch_keys();
        if let Some(silence) = self.watch.as_mut().and_then(|watch| watch.handle_timeout(now)) {
            self.tell(MediaEvent::Silence(silence));
        }
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            self.look_at_buffer();
        }
    }

    /// Writes the report that is due: its length, where it goes, and whether from the RTP port.
    pub fn poll_rtcp(
        &mut self,
        now: Moment,
        out: &mut [u8; RtcpSession::MOST_BYTES],
    ) -> Option<(usize, SocketAddr, bool)> {
        let length = if std::mem::take(&mut self.clash) {
            let goodbye = self.rtcp.goodbye(now, out);
            let protected = goodbye.and_then(|length| self.protect(out, length));
            self.sender.change_ssrc();
            self.took_ssrc();
            protected?
        } else {
            let length = self.rtcp.poll_output(now, out)?;
            self.protect(out, length)?
        };
        Some((length, self.gate.rtcp_remote()?, self.agreed.rtcp_mux))
    }

    /// Writes the last report of the call, with a goodbye.
    pub fn goodbye(
        &mut self,
        now: Moment,
        out: &mut [u8; RtcpSession::MOST_BYTES],
    ) -> Option<(usize, SocketAddr, bool)> {
        let length = self.rtcp.goodbye(now, out)?;
        let length = self.protect(out, length)?;
        Some((length, self.gate.rtcp_remote()?, self.agreed.rtcp_mux))
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    fn protect(&mut self, out: &mut [u8], length: usize) -> Option<usize> {
        match self.sender.srtp() {
            Some(srtp) => srtp.protect_rtcp(out, length).ok(),
            None => Some(length),
        }
    }

    fn follow_gate(&mut self) {
        while let Some(event) = self.gate.poll_event() {
            match event {
                // The latch tells its first address too, which as a rule is SDP's own.
                GateEvent::Remote(remote) if Some(remote) == self.agreed.remote => {}
                GateEvent::Remote(remote) => self.tell(MediaEvent::Remote(remote)),
                GateEvent::SsrcClash => self.clash = true,
            }
        }
    }

    /// A key came by SIP INFO: it counts among the others.
    pub(super) const fn count_key(&mut self) {
        self.counters.keys += 1;
    }

    fn fetch_keys(&mut self) {
        loop {
            let heard =
                self.keys.poll_output().or_else(|| self.inband.as_mut().and_then(Inband::poll_output));
            match heard {
                Some(DtmfEvent::Pressed(digit)) => {
                    self.counters.keys += 1;
                    self.tell(MediaEvent::Key(digit));
                }
                Some(DtmfEvent::Released { .. }) => {}
                None => return,
            }
        }
    }

    /// The jitter buffer counts what it throws away but does not say which packets: they are taken for the newest.
    fn look_at_buffer(&mut self) {
        let stats = self.gauges.stats();
        let discarded = stats.late + stats.overrun;
        let new = discarded.saturating_sub(self.discarded).min(MOST_DISCARDS_AT_ONCE);
        self.discarded = discarded;
        for back in 0..new {
            self.rtcp.discarded(SeqNo(self.newest.0.wrapping_sub(back as u16)));
        }
        let ms = |span: Span| u16::try_from(span.as_micros() / 1000).unwrap_or(u16::MAX);
        let limits = DelayLimits {
            nominal_ms: ms(stats.delay),
            maximum_ms: ms(stats.delay.max(stats.held)),
            absolute_ms: ms(self.longest_delay),
        };
        // What is heard waits in the buffer, what is said in its packet.
        self.rtcp.set_delays(limits, ms(stats.delay).saturating_add(self.packet_ms as u16));
    }

    /// The jitter buffer may hold so much from now on.
    pub const fn set_longest_delay(&mut self, longest: Span) {
        self.longest_delay = longest;
    }

    fn tell(&mut self, event: MediaEvent) {
        if self.events.len() < MOST_EVENTS {
            self.events.push_back(event);
        }
    }
}

/// The audio thread has nothing for us yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet;

fn inband(stream: &Stream, wanted: bool) -> Option<Inband> {
    let narrow = matches!(stream.codec, Codec::Pcmu | Codec::Pcma);
    (wanted && narrow && stream.events.is_none()).then(Inband::new).flatten()
}

fn bits(ids: &mut Ids) -> u64 {
    ids.bytes(8).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
