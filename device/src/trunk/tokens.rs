//! Which token belongs to which socket.

use super::leg::Side;
use mio::Token;
use offhook_sip_rtp::sip::agent::CallId;

/// The timer.
pub(super) const ALARM: Token = Token(0);
/// Requests.
pub(super) const WAKER: Token = Token(1);
/// SIP over UDP.
pub(super) const UDP: Token = Token(2);
/// The TCP listener.
pub(super) const TCP: Token = Token(3);
/// The TLS listener.
pub(super) const TLS: Token = Token(4);
/// Connections and questions begin here.
const FIRST_LINK: usize = 16;

/// The token of a stream connection. On 32-bit machines it repeats after two thousand million connections.
pub(super) const fn link(id: u64) -> Token {
    Token(FIRST_LINK.wrapping_add((id as usize).wrapping_mul(2)))
}

/// The token of a question to a name server.
pub(super) const fn lookup(id: u64) -> Token {
    Token(link(id).0.wrapping_add(1))
}

/// What a token stands for that is none of the fixed ones.
pub(super) enum Numbered {
    /// A stream connection.
    Link(u64),
    /// A question to a name server.
    Lookup(u64),
}

/// What `token` stands for; `None` for the fixed ones.
pub(super) fn numbered(token: Token) -> Option<Numbered> {
    let number = token.0.checked_sub(FIRST_LINK)?;
    let id = (number / 2) as u64;
    Some(if number.is_multiple_of(2) { Numbered::Link(id) } else { Numbered::Lookup(id) })
}

/// The token of a media socket, among media sockets: they are watched apart.
pub(super) const fn media(call: CallId, side: Side) -> Token {
    Token((call.0 as usize).wrapping_mul(2).wrapping_add(side as usize))
}

/// The media socket of a token.
pub(super) const fn media_of(token: Token) -> (CallId, Side) {
    (CallId((token.0 / 2) as u64), if token.0.is_multiple_of(2) { Side::Rtp } else { Side::Rtcp })
}
