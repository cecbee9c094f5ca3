//! One call's media: what arrives on its RTP and RTCP ports, and what leaves by them.
//!
//! Nothing here owns a socket or reads a clock.
//!
//! ```text
//! in:   datagram -> stream::ReceiveGate --voice, noise--> (the audio thread)
//!                        |         '----- events -------> dtmf::DtmfReceiver
//!                        '- RTCP -> rtcp::RtcpSession -> reports, emodel
//! out:  voice, keys, noise -> sender::RtpSender -> datagram
//! ```

pub mod demux;
pub mod dscp;
pub mod dtmf;
pub mod emodel;
pub mod noise;
pub mod packet;
mod random;
pub mod rtcp;
pub mod sender;
pub mod srtp;
pub mod stream;
mod wire;
