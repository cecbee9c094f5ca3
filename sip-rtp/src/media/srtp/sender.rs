//! Protects what we send.

use super::{
    LAST_RTCP_INDEX, LAST_RTP_INDEX, MasterKey, RTCP_CLEAR, SrtpError, Suite, keys::SessionKeys, rtcp_ssrc,
};
use crate::media::packet::PacketView;
use offhook_units::{ExtSeq, SeqNo};

/// Protects the RTP and RTCP of one direction of one leg.
#[derive(Debug)]
pub struct SrtpSender {
    master: MasterKey,
    rtp: SessionKeys,
    rtcp: SessionKeys,
    /// SSRC and index of the newest RTP packet. We send one stream at a time.
    newest: Option<(u32, ExtSeq)>,
    /// SSRCs that we gave up; with the same key they must not come back.
    retired: heapless::Vec<u32, 8>,
    next_rtcp: u32,
}

impl SrtpSender {
    /// A sender with the key that we gave in our SDP.
    pub fn new(master: MasterKey) -> Self {
        Self {
            rtp: master.rtp(),
            rtcp: master.rtcp(),
            master,
            newest: None,
            retired: heapless::Vec::new(),
            next_rtcp: 0,
        }
    }

    /// Protects the RTP packet in the first `length` bytes of `buffer` and returns how long it became.
    ///
    /// # Errors
    /// [`SrtpError`]; nothing useful is in `buffer` then, and the packet must not be sent.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let packet = buffer.get(..length).ok_or(SrtpError::Malformed)?;
        let clear = PacketView::header_len(packet).map_err(|_| SrtpError::Malformed)?;
        let view = PacketView::parse(packet).map_err(|_| SrtpError::Malformed)?;
        let (ssrc, seq) = (view.ssrc.0, view.seq);
        let tag = self.master.suite().rtp_tag();
        let whole = length + self.master.mki().len() + tag;
        let buffer = buffer.get_mut(..whole).ok_or(SrtpError::NoRoom)?;
        let index = self.advance(ssrc, seq)?;

        let (packet, trailer) = buffer.split_at_mut(length);
        self.rtp.crypt(ssrc, index, packet.get_mut(clear..).ok_or(SrtpError::Malformed)?);
        let rollover = ((index >> 16) as u32).to_be_bytes();
        let (mki, tag) = trailer.split_at_mut(self.master.mki().len());
        mki.copy_from_slice(self.master.mki());
        self.rtp.sign(packet, &rollover, tag);
        Ok(whole)
    }

    /// Protects the RTCP datagram in the first `length` bytes of `buffer` and returns how long it became.
    ///
    /// # Errors
    /// As [`SrtpSender::protect_rtp`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let ssrc = buffer.get(..length).and_then(rtcp_ssrc).ok_or(SrtpError::Malformed)?;
        let indexed = length + 4;
        let whole = indexed + self.master.mki().len() + Suite::RTCP_TAG;
        let buffer = buffer.get_mut(..whole).ok_or(SrtpError::NoRoom)?;
        if self.next_rtcp > LAST_RTCP_INDEX {
            return Err(SrtpError::Exhausted);
        }
        let index = self.next_rtcp;
        self.next_rtcp += 1;

        let (signed, trailer) = buffer.split_at_mut(indexed);
        let (packet, word) = signed.split_at_mut(length);
        self.rtcp.crypt(ssrc, u64::from(index), packet.get_mut(RTCP_CLEAR..).ok_or(SrtpError::Malformed)?);
        word.copy_from_slice(&(super::ENCRYPTED | index).to_be_bytes());
        let (mki, tag) = trailer.split_at_mut(self.master.mki().len());
        mki.copy_from_slice(self.master.mki());
        self.rtcp.sign(signed, &[], tag);
        Ok(whole)
    }

    /// The 48-bit index of the next packet (RFC 3711 3.3.1). It only rises: a key stream used twice is no
    /// secret any more.
    fn advance(&mut self, ssrc: u32, seq: SeqNo) -> Result<u64, SrtpError> {
        let index = match self.newest {
            Some((known, newest)) if known == ssrc => {
                let step = seq.0.wrapping_sub(newest.0 as u16);
                if step == 0 || step > 0x7FFF {
                    return Err(SrtpError::Reused);
                }
                ExtSeq(newest.0 + u64::from(step))
            }
            other => {
                if self.retired.contains(&ssrc) {
                    return Err(SrtpError::Reused);
                }
                if let Some((old, _)) = other {
                    self.retired.push(old).map_err(|_| SrtpError::Exhausted)?;
                }
                ExtSeq(u64::from(seq.0))
            }
        };
        if index.0 > LAST_RTP_INDEX {
            return Err(SrtpError::Exhausted);
        }
        self.newest = Some((ssrc, index));
        Ok(index.0)
    }
}
