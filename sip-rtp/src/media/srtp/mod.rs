//! SRTP and SRTCP in place (RFC 3711, RFC 6188), with keys that came in SDP (RFC 4568).
//!
//! Each direction has its own master key: [`SrtpSender`] and [`SrtpReceiver`] are made from one each. Nothing is
//! allocated after construction, and a packet that is not authentic changes no state.

mod keys;
mod receiver;
mod replay;
mod sender;

pub use keys::{KeyError, MasterKey, Suite};
pub use receiver::SrtpReceiver;
pub use sender::SrtpSender;

use std::fmt;

/// Bytes that protection may add to a packet: RTCP's index, the tag, and the longest key identifier that we take.
pub const MOST_OVERHEAD: usize = 4 + 10 + MasterKey::MOST_MKI;

/// Why a packet was not protected, or not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpError {
    /// Not RTP or RTCP, or too short to carry a tag.
    Malformed,
    /// The buffer has no room for the tag.
    NoRoom,
    /// Its tag is wrong: other keys, or not from the peer.
    NotAuthentic,
    /// It came before.
    Replayed,
    /// It is too old to tell whether it came before.
    TooOld,
    /// To send it would use one part of the key stream twice: sequence numbers must rise.
    Reused,
    /// The key has protected as many packets as it may (RFC 3711 9.2); the call needs a new one.
    Exhausted,
}

impl fmt::Display for SrtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an SRTP packet",
            Self::NoRoom => "no room for the authentication tag",
            Self::NotAuthentic => "the authentication tag is wrong",
            Self::Replayed => "the packet came before",
            Self::TooOld => "the packet is too old to be told from a replay",
            Self::Reused => "the sequence number was used before with this key",
            Self::Exhausted => "the key has protected as many packets as it may",
        })
    }
}

impl std::error::Error for SrtpError {}

/// Bytes of the SRTCP header that stay in the clear: the first packet's header and SSRC (RFC 3711 3.4).
const RTCP_CLEAR: usize = 8;
/// The bit before the SRTCP index that says "encrypted".
const ENCRYPTED: u32 = 0x8000_0000;
/// SRTCP indices have 31 bits.
const LAST_RTCP_INDEX: u32 = 0x7FFF_FFFF;
/// SRTP indices have 48 bits.
const LAST_RTP_INDEX: u64 = 0xFFFF_FFFF_FFFF;

/// The sender of an RTCP packet; `None` if it is too short or no RTCP.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let (&[first, kind, _, _, a, b, c, d], _) = packet.split_first_chunk::<RTCP_CLEAR>()?;
    (first >> 6 == 2 && crate::media::demux::is_rtcp_type(kind)).then(|| u32::from_be_bytes([a, b, c, d]))
}
