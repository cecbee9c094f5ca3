//! Believes and decrypts what the peer sent, or does not.

use super::{
    ENCRYPTED, LAST_RTP_INDEX, MasterKey, RTCP_CLEAR, SrtpError, Suite, keys::SessionKeys, replay::Window,
    rtcp_ssrc,
};
use crate::media::packet::PacketView;
use heapless::Vec;
use offhook_units::SeqNo;

/// What is known of one source that proved to have the key.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    rtp: Option<Window>,
    rtcp: Option<Window>,
}

/// Unprotects the RTP and RTCP of one direction of one leg.
#[derive(Debug)]
pub struct SrtpReceiver {
    master: MasterKey,
    rtp: SessionKeys,
    rtcp: SessionKeys,
    /// The latest source first.
    sources: Vec<Source, { Self::MOST_SOURCES }>,
}

impl SrtpReceiver {
    /// Sources that are remembered. Only the peer, who has the key, can add one; beyond these the one that was
    /// silent for longest is forgotten, and with it what it sent before.
    const MOST_SOURCES: usize = 8;

    /// A receiver with the key that the peer gave in its SDP.
    pub fn new(master: MasterKey) -> Self {
        Self { rtp: master.rtp(), rtcp: master.rtcp(), master, sources: Vec::new() }
    }

    /// Checks and decrypts an SRTP datagram in place and returns the length of the RTP packet in it.
    ///
    /// # Errors
    /// [`SrtpError`]; the datagram is then to be dropped.
    pub fn unprotect_rtp(&mut self, datagram: &mut [u8]) -> Result<usize, SrtpError> {
        let clear = PacketView::header_len(datagram).map_err(|_| SrtpError::Malformed)?;
        let (ssrc, seq) = rtp_identity(datagram).ok_or(SrtpError::Malformed)?;
        let tag = self.master.suite().rtp_tag();
        let length = datagram.len().checked_sub(self.master.mki().len() + tag).ok_or(SrtpError::Malformed)?;
        if length < clear {
            return Err(SrtpError::Malformed);
        }
        let window = self.known(ssrc).and_then(|source| source.rtp);
        let index = estimate(window, seq)?;
        if let Some(window) = window {
            window.check(index)?;
        }

        let (packet, trailer) = datagram.split_at_mut(length);
        let (mki, tag) = trailer.split_at(self.master.mki().len());
        let rollover = ((index >> 16) as u32).to_be_bytes();
        if mki != self.master.mki() || !self.rtp.verify(packet, &rollover, tag) {
            return Err(SrtpError::NotAuthentic);
        }
        self.rtp.crypt(ssrc, index, packet.get_mut(clear..).ok_or(SrtpError::Malformed)?);
        note(&mut self.source(ssrc).rtp, index);
        Ok(length)
    }

    /// Checks and decrypts an SRTCP datagram in place and returns the length of the RTCP in it.
    ///
    /// # Errors
    /// As [`SrtpReceiver::unprotect_rtp`].
    pub fn unprotect_rtcp(&mut self, datagram: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(datagram).ok_or(SrtpError::Malformed)?;
        let trailer = self.master.mki().len() + Suite::RTCP_TAG;
        let signed = datagram.len().checked_sub(trailer).ok_or(SrtpError::Malformed)?;
        let length = signed.checked_sub(4).filter(|&length| length >= RTCP_CLEAR);
        let length = length.ok_or(SrtpError::Malformed)?;

        let (signed, trailer) = datagram.split_at_mut(signed);
        let (mki, tag) = trailer.split_at(self.master.mki().len());
        let word = signed.last_chunk::<4>().copied().map(u32::from_be_bytes).ok_or(SrtpError::Malformed)?;
        let index = u64::from(word & !ENCRYPTED);
        if let Some(window) = self.known(ssrc).and_then(|source| source.rtcp) {
            window.check(index)?;
        }
        if mki != self.master.mki() || !self.rtcp.verify(signed, &[], tag) {
            return Err(SrtpError::NotAuthentic);
        }
        if word & ENCRYPTED != 0 {
            self.rtcp.crypt(ssrc, index, signed.get_mut(RTCP_CLEAR..length).ok_or(SrtpError::Malformed)?);
        }
        note(&mut self.source(ssrc).rtcp, index);
        Ok(length)
    }

    fn known(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().find(|source| source.ssrc == ssrc)
    }

    /// The state of a source that has just proved itself, made if need be, at the front.
    fn source(&mut self, ssrc: u32) -> &mut Source {
        // `place` is found or just pushed: in bounds either way, and so is the front.
        let place = match self.sources.iter().position(|source| source.ssrc == ssrc) {
            Some(place) => place,
            None => {
                if self.sources.is_full() {
                    self.sources.pop();
                }
                let _ = self.sources.push(Source { ssrc, rtp: None, rtcp: None });
                self.sources.len() - 1
            }
        };
        self.sources[..=place].rotate_right(1);
        &mut self.sources[0]
    }
}

/// SSRC and sequence number, which are in the clear.
fn rtp_identity(datagram: &[u8]) -> Option<(u32, SeqNo)> {
    let (&[_, _, high, low, _, _, _, _, a, b, c, d], _) = datagram.split_first_chunk::<12>()?;
    Some((u32::from_be_bytes([a, b, c, d]), SeqNo(u16::from_be_bytes([high, low]))))
}

/// The index whose low 16 bits are `seq` and which lies nearest to the newest one (RFC 3711 3.3.1). A source
/// begins in its first round.
fn estimate(window: Option<Window>, seq: SeqNo) -> Result<u64, SrtpError> {
    let Some(window) = window else { return Ok(u64::from(seq.0)) };
    let step = seq.ahead_of(SeqNo(window.newest() as u16));
    let index = window.newest().checked_add_signed(i64::from(step)).ok_or(SrtpError::TooOld)?;
    if index > LAST_RTP_INDEX { Err(SrtpError::Exhausted) } else { Ok(index) }
}

fn note(window: &mut Option<Window>, index: u64) {
    match window {
        Some(window) => window.note(index),
        None => *window = Some(Window::starting_with(index)),
    }
}
