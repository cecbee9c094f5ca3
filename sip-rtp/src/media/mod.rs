//! One call's media: what arrives on its RTP and RTCP ports, and what leaves by them.
