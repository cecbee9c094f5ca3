//! What a request outside a dialog must pass before anyone looks at what it wants (RFC 3261 8.2).

use crate::sip::header::{Headers, Name};
use crate::sip::message::{self, Request, Response};
use crate::sip::method::Method;
use crate::sip::parse::end_of_head;
use crate::sip::status::Status;

/// Methods that we serve.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY";
/// Extensions that we have.
pub(super) const SUPPORTED: &str = "100rel, timer, replaces, path";

const EXTENSIONS: [&str; 3] = ["100rel", "timer", "replaces"];

/// The refusal that `request` gets, if it gets one. `None`: it may go on.
pub(super) fn screen(request: &Request) -> Option<Response> {
    let refuse = |status| Some(request.response(status));
    // 8.2.1: the method.
    match &request.method {
        Method::Other(_) => return refuse(Status::NOT_IMPLEMENTED).map(|r| r.with(Name::Allow, ALLOW)),
        Method::Register | Method::Subscribe | Method::Message | Method::Publish => {
            return refuse(Status::METHOD_NOT_ALLOWED).map(|r| r.with(Name::Allow, ALLOW));
        }
        _ => {}
    }
    // 8.2.2.1: the scheme. A telephone number is called by its digits.
    let telephone = request.uri.user().is_some();
    if request.uri.sip().is_none() && !telephone {
        return refuse(Status::UNSUPPORTED_SCHEME);
    }
    unsupported(request).or_else(|| content(request))
}

/// 8.2.2.3: extensions that we must have and have not. Proxy-Require is for proxies and ignored by us, but a
/// request that reached its end with one was answered by the RFC's own example (RFC 4475 3.3.5) for Require.
pub(super) fn unsupported(request: &Request) -> Option<Response> {
    let unknown = |tag: &&str| !EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(tag));
    let missing: Vec<_> = request.headers.values(&Name::Require).filter(unknown).collect();
    if missing.is_empty() {
        return None;
    }
    Some(request.response(Status::BAD_EXTENSION).with(Name::Unsupported, missing.join(", ")))
}

/// 8.2.3: a body that we cannot read, and an answer that the caller could not.
pub(super) fn content(request: &Request) -> Option<Response> {
    if request.method != Method::Invite {
        return None;
    }
    if request.headers.values(&Name::ContentEncoding).any(|e| !e.eq_ignore_ascii_case("identity")) {
        return Some(request.response(Status::UNSUPPORTED_MEDIA).with(Name::Accept, "application/sdp"));
    }
    let body = message::body_type(&request.headers, &request.body);
    let optional =
        request.headers.get(&Name::ContentDisposition).is_some_and(|d| d.contains("handling=optional"));
    match body.as_deref() {
        None | Some("application/sdp" | "multipart/mixed" | "multipart/alternative") => {}
        _ if optional => {}
        _ => return Some(request.response(Status::UNSUPPORTED_MEDIA).with(Name::Accept, "application/sdp")),
    }
    let accepts = |value: &str| {
        let kind = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        matches!(kind.as_str(), "application/sdp" | "application/*" | "*/*")
    };
    let says = request.headers.get(&Name::Accept).is_some();
    if says && !request.headers.values(&Name::Accept).any(accepts) {
        return Some(request.response(Status::NOT_ACCEPTABLE));
    }
    None
}

/// The SDP of a message: its body, or the part of a multipart body that is SDP (RFC 5621).
pub(super) fn sdp_of<'a>(headers: &Headers, body: &'a [u8]) -> Option<&'a [u8]> {
    let kind = message::body_type(headers, body)?;
    // Nothing but SDP is sent without saying what it is.
    if kind == "application/sdp" || kind.is_empty() {
        return Some(body);
    }
    if !kind.starts_with("multipart/") {
        return None;
    }
    let parameters = headers.get(&Name::ContentType)?.split(';').skip(1);
    let boundary = parameters
        .filter_map(|p| p.split_once('='))
        .find(|(n, _)| n.trim().eq_ignore_ascii_case("boundary"))?;
    let boundary = format!("--{}", boundary.1.trim().trim_matches('"'));
    parts(body, boundary.as_bytes()).find_map(|part| {
        let (head, rest) = end_of_head(part)?;
        let head = String::from_utf8_lossy(part.get(..head)?).to_ascii_lowercase();
        head.contains("application/sdp").then_some(part.get(rest..)?)
    })
}

/// The pieces between occurrences of `boundary`.
fn parts<'a, 'b>(body: &'a [u8], boundary: &'b [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'b> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let at = find(rest, boundary)?;
        rest = rest.get(at + boundary.len()..)?;
        Some(find(rest, boundary).and_then(|end| rest.get(..end)).unwrap_or(rest))
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;
    use crate::sip::parse::{Framing, Limits, parse};

    fn request(start: &str, extra: &str) -> Request {
        let method = start.split(' ').next().unwrap();
        let text = format!(
            "{start} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@y>\r\n\
             Call-ID: c\r\nCSeq: 1 {method}\r\n{extra}"
        );
        match parse(text.as_bytes(), Framing::Datagram, &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn code(start: &str, extra: &str) -> Option<u16> {
        screen(&request(start, extra)).map(|r| r.status.code())
    }

    #[test]
    fn each_reason_to_refuse_has_its_code() {
        assert_eq!(code("FOO sip:a@b", ""), Some(501));
        assert_eq!(code("REGISTER sip:b", ""), Some(405));
        assert_eq!(code("OPTIONS soap.beep://192.0.2.103:3002", ""), Some(416));
        assert_eq!(code("OPTIONS tel:+15550100", ""), None);
        assert_eq!(code("INVITE sip:a@b", "Require: timer, gruu\r\n"), Some(420));
        assert_eq!(code("INVITE sip:a@b", "Require: Timer\r\nProxy-Require: x\r\n"), None);
        assert_eq!(code("INVITE sip:a@b", "Accept: text/plain\r\n"), Some(406));
        assert_eq!(code("INVITE sip:a@b", "Accept: text/plain, application/SDP;level=1\r\n"), None);
        assert_eq!(code("INVITE sip:a@b", "Content-Type: text/plain\r\n\r\nhi"), Some(415));
        assert_eq!(code("INVITE sip:a@b", "Content-Type: text/plain\r\n\r\n"), None, "no body, no type");
        assert_eq!(
            code("INVITE sip:a@b", "Content-Encoding: gzip\r\nContent-Type: application/sdp\r\n\r\nx"),
            Some(415)
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let refusal = screen(&request("INVITE sip:a@b", "Require: timer, gruu, foo\r\n")).unwrap();
        assert_eq!(refusal.headers.get(&Name::Unsupported), Some("gruu, foo"));
    }

    #[test]
    fn sdp_is_found_inside_a_multipart_body() {
        let extra = "Content-Type: multipart/mixed;boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\n\
                     Content-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n";
        let request = request("INVITE sip:a@b", extra);
        assert_eq!(sdp_of(&request.headers, &request.body), Some(&b"v=0\r\n"[..]));
    }

    #[test]
    fn a_body_that_holds_no_sdp_gives_none() {
        let broken =
            request("INVITE sip:a@b", "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nv=0\r\n--b--\r\n");
        assert_eq!(sdp_of(&broken.headers, &broken.body), None);
    }
}
