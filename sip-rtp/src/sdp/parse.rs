//! Reads SDP, and reads on: a line that is odd is passed over, whatever it is, as senders' descriptions hold
//! things that no grammar foresaw. Only what cannot be answered at all is an error.

use super::crypto::Crypto;
use super::description::{Connection, Description, Direction, Media, Origin, RtpMap};
use crate::sip::host::Host;
use crate::sip::text::Scan;
use std::fmt;
use std::net::IpAddr;

/// More lines than any call has use for would make an answer of the same length.
const MAX_MEDIA: usize = 128;
/// Attribute lines of one kind that are kept of each media line.
const MAX_KEPT: usize = 128;

/// Why a description cannot be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is no `m=` line.
    NoMedia,
    /// There are too many.
    TooManyMedia,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMedia => "the SDP describes no media",
            Self::TooManyMedia => "the SDP has too many media lines",
        })
    }
}

impl std::error::Error for Unusable {}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// [`Unusable`]: nothing in it can be answered.
    pub fn parse(body: &[u8]) -> Result<Self, Unusable> {
        let text = String::from_utf8_lossy(body);
        let mut all = Self { origin: None, connection: None, direction: None, media: Vec::new() };
        // Line ends are CRLF, LF or, from some senders, CR alone.
        for line in text.split(['\r', '\n']) {
            // "m =audio" is seen in the wild and in RFC 4475 (dblreq): it still has one meaning.
            let Some((kind, value)) = line.split_once('=') else { continue };
            let (kind, value) = (kind.trim(), value.trim());
            match kind {
                "o" => all.origin = parse_origin(value),
                "m" if all.media.len() >= MAX_MEDIA => return Err(Unusable::TooManyMedia),
                "m" => all.media.extend(parse_media(value)),
                "c" => {
                    let connection = Some(parse_connection(value));
                    match all.media.last_mut() {
                        Some(media) => media.connection = media.connection.take().or(connection),
                        None => all.connection = connection,
                    }
                }
                "a" => all.attribute(value),
                _ => {}
            }
        }
        if all.media.is_empty() { Err(Unusable::NoMedia) } else { Ok(all) }
    }

    fn attribute(&mut self, text: &str) {
        let (name, value) = text.split_once(':').map_or((text, ""), |(n, v)| (n.trim_end(), v.trim_start()));
        if let Some(direction) = Direction::from_name(name) {
            match self.media.last_mut() {
                Some(media) => media.direction = Some(direction),
                None => self.direction = Some(direction),
            }
            return;
        }
        let Some(media) = self.media.last_mut() else { return };
        match name.to_ascii_lowercase().as_str() {
            "rtpmap" if media.rtpmaps.len() < MAX_KEPT => media.rtpmaps.extend(parse_rtpmap(value)),
            "fmtp" if media.fmtps.len() < MAX_KEPT => media.fmtps.extend(parse_fmtp(value)),
            "crypto" if media.crypto.len() < MAX_KEPT => media.crypto.extend(Crypto::parse(value)),
            "ptime" => media.ptime_ms = parse_ms(value),
            "maxptime" => media.maxptime_ms = parse_ms(value),
            "rtcp-mux" => media.rtcp_mux = true,
            "rtcp" => media.rtcp = parse_rtcp(value),
            _ => {}
        }
    }
}

/// `o=name session version IN IP4 address`; names with spaces are seen, so it is read from the end.
fn parse_origin(value: &str) -> Option<Origin> {
    let words: Vec<_> = value.split_ascii_whitespace().collect();
    let [.., session, version, _, _, address] = words.as_slice() else { return None };
    Some(Origin {
        session: (*session).to_owned(),
        version: (*version).to_owned(),
        address: (*address).to_owned(),
    })
}

/// `IN IP4 192.0.2.1/127`.
fn parse_connection(value: &str) -> Connection {
    let address = value.split_ascii_whitespace().nth(2).unwrap_or("");
    parse_address(address.split('/').next().unwrap_or(""))
}

fn parse_address(text: &str) -> Connection {
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Connection::Addr(addr);
    }
    let mut scan = Scan::new(text);
    match Host::scan(&mut scan) {
        Some(Host::Name(name)) if scan.is_empty() => Connection::Name(name),
        _ => Connection::Unreadable,
    }
}

/// `audio 49170/2 RTP/AVP 0 8`. Every line counts, however odd, as the answer must have as many.
fn parse_media(value: &str) -> Option<Media> {
    let mut words = value.split_ascii_whitespace();
    let kind = words.next()?.to_owned();
    let port = words.next().unwrap_or("");
    let port = port.split('/').next().unwrap_or("").parse().ok();
    let protocol = words.next().unwrap_or("").to_owned();
    let formats = words.take(MAX_KEPT).map(str::to_owned).collect();
    Some(Media { kind, port, protocol, formats, ..Media::default() })
}

/// `96 opus/48000/2`. A clock of zero or beyond 32 bits is none.
fn parse_rtpmap(value: &str) -> Option<RtpMap> {
    let (payload_type, encoding) = value.split_once([' ', '\t'])?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next()?.trim().to_owned();
    let clock_hz = parts.next()?.trim().parse().ok().filter(|hz| *hz > 0)?;
    let channels = parts.next().and_then(|c| c.trim().parse().ok());
    Some(RtpMap { payload_type: payload_type.parse().ok()?, name, clock_hz, channels })
}

fn parse_fmtp(value: &str) -> Option<(u8, String)> {
    let (payload_type, parameters) = value.split_once([' ', '\t'])?;
    Some((payload_type.parse().ok()?, parameters.trim().to_owned()))
}

/// Whole milliseconds; some senders write "20.0".
fn parse_ms(value: &str) -> Option<u32> {
    value.split('.').next()?.trim().parse().ok().filter(|ms| *ms > 0)
}

/// `53020 IN IP4 192.0.2.1`, the address being optional (RFC 3605).
fn parse_rtcp(value: &str) -> Option<(u16, Option<Connection>)> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    Some((port, words.nth(2).map(parse_address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(text: &str) -> Description {
        Description::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn attributes_go_where_they_stand() {
        let d = sdp("v=0\r\no=a b 1 2 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\na=sendonly\r\n\
                     m=audio 4000/2 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
                     a=ptime:20.0\r\na=maxptime:60\r\na=rtcp:4005 IN IP4 192.0.2.3\r\na=rtcp-mux\r\na=ice-lite\r\n\
                     m=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\na=inactive\r\n");
        assert_eq!(d.origin.as_ref().map(|o| o.session.as_str()), Some("1"));
        let [audio, video] = d.media.as_slice() else { panic!("two lines") };
        assert_eq!(
            (d.direction_of(audio), d.direction_of(video)),
            (Direction::SendOnly, Direction::Inactive)
        );
        assert_eq!((audio.port, audio.ptime_ms, audio.maxptime_ms), (Some(4000), Some(20), Some(60)));
        assert_eq!(audio.rtcp, Some((4005, Some(Connection::Addr("192.0.2.3".parse().unwrap())))));
        assert!(audio.rtcp_mux && audio.fmtps.len() == 1 && audio.rtpmaps[0].channels == Some(2));
        assert_eq!(d.connection_of(audio), Some(&Connection::Addr("192.0.2.2".parse().unwrap())));
        assert_eq!(d.connection_of(video), Some(&Connection::Addr("2001:db8::1".parse().unwrap())));
    }

    #[test]
    fn odd_lines_are_passed_over() {
        let d = sdp("garbage\n\0\0\nv=7\no=short\ns\nc=IN IP4 192.0.2.2\nz=?\nm =audio 4000 RTP/AVP 0 8\n\
                     a=rtpmap:0 PCMU/0\na=rtpmap:x PCMU/8000\na=ptime:-20\na=rtcp:none\na=crypto:?\na\n=\na=fmtp:0");
        assert_eq!(d.media.len(), 1);
        assert_eq!((d.media[0].rtpmaps.len(), d.media[0].ptime_ms, d.origin.is_none()), (0, None, true));
    }

    #[test]
    fn addresses_names_and_rubbish_are_told_apart() {
        let connection = |c: &str| sdp(&format!("c={c}\nm=audio 1 RTP/AVP 0\n")).connection.unwrap();
        assert_eq!(connection("IN IP4 pbx.lan"), Connection::Name("pbx.lan".into()));
        assert_eq!(connection("IN IP4 999.999.999.999"), Connection::Unreadable);
        assert_eq!(connection("IN IP4"), Connection::Unreadable);
        assert!(connection("IN IP4 0.0.0.0").is_hold() && connection("IN IP6 ::").is_hold());
        assert_eq!(connection("IN IP4 239.1.2.3/127"), Connection::Addr("239.1.2.3".parse().unwrap()));
    }

    #[test]
    fn every_media_line_counts_even_a_broken_one() {
        let d = sdp("m=audio\nm=audio 70000 RTP/AVP 0\nm=audio -5 RTP/AVP 0\nm=image 9 udptl t38\n");
        assert_eq!(d.media.iter().map(|m| m.port).collect::<Vec<_>>(), [None, None, None, Some(9)]);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(Description::parse(b" "), Err(Unusable::NoMedia));
        assert_eq!(
            Description::parse("m=video 0 RTP/AVP 1\n".repeat(1000).as_bytes()),
            Err(Unusable::TooManyMedia)
        );
        assert_eq!(sdp(&"m=video 0 RTP/AVP 1\n".repeat(100)).media.len(), 100);
    }
}
