//! Units as types. A point in time differs from a length of time, a wire counter from the number it
//! stands for; none of them is a bare integer outside this crate.

mod codec;
mod pii;
mod sequence;
mod time;

pub use codec::{Codec, UnknownCodec};
pub use pii::Pii;
pub use sequence::{ExtSeq, PayloadType, RtpTime, SeqNo, Ssrc, UnknownPayloadType};
pub use time::{Frames, Moment, Ppm, SampleRate, Span};
