//! Session descriptions: what media a call has, and how both sides come to agree on it.
//!
//! [`description`] is the value and its text, [`parse`](Description::parse) reads tolerantly, [`mod@format`] knows
//! our codecs by their numbers, [`crypto`] the keys; [`negotiate`] makes offers and answers (RFC 3264).

mod base64;
pub mod crypto;
pub mod description;
pub mod format;
pub mod negotiate;
mod parse;

pub use description::{Description, Direction};
pub use parse::Unusable;
