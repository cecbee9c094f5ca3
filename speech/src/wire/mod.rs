//! The wire's small parts, each fed as bytes come and none of them near a socket: addresses, HTTP/1.1, server-sent
//! events, audio encodings and rates. Whatever a service sends, none of them panics or grows without bound.

pub mod audio;
pub mod http;
pub mod resample;
pub mod sse;
pub mod url;
