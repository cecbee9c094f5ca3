//! T5: the messages of RFC 4475, byte for byte, each with what its section asks of the parser. What a message
//! asks of the layers above (405, 415, 420 …) is tested there; here it must come through them readable.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::malformed::{Fault, Malformed};
use offhook_sip_rtp::sip::message::{Message, Request};
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use std::fs;
use std::path::PathBuf;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Want {
    /// Well-formed: goes up.
    Request(&'static str),
    /// Well-formed response with this code: goes up, and finds no transaction.
    Response(u16),
    /// Refused with this code.
    Answer(u16),
    /// Dropped.
    Drop,
}
use Want::{Answer, Drop, Response};

const fn req(method: &'static str) -> Want {
    Want::Request(method)
}

/// File, section, what the RFC asks, why where the RFC leaves a choice.
const TABLE: [(&str, &str, Want, &str); 50] = [
    ("wsinv", "3.1.1.1", req("INVITE"), ""),
    ("intmeth", "3.1.1.2", req("!interesting-Method0123456789_*+`.%indeed'~"), ""),
    ("esc01", "3.1.1.3", req("INVITE"), ""),
    ("escnull", "3.1.1.4", req("REGISTER"), ""),
    ("esc02", "3.1.1.5", req("RE%47IST%45R"), ""),
    ("lwsdisp", "3.1.1.6", req("OPTIONS"), ""),
    ("longreq", "3.1.1.7", req("INVITE"), ""),
    ("dblreq", "3.1.1.8", req("REGISTER"), "the rest of a datagram is no message"),
    ("semiuri", "3.1.1.9", req("OPTIONS"), ""),
    ("transports", "3.1.1.10", req("OPTIONS"), ""),
    ("mpart01", "3.1.1.11", req("MESSAGE"), ""),
    ("unreason", "3.1.1.12", Response(200), ""),
    ("noreason", "3.1.1.13", Response(100), ""),
    ("badinv01", "3.1.2.1", Answer(400), ""),
    ("clerr", "3.1.2.2", Answer(400), ""),
    ("ncl", "3.1.2.3", Answer(400), ""),
    ("scalar02", "3.1.2.4", Answer(400), ""),
    ("scalarlg", "3.1.2.5", Drop, ""),
    ("quotbal", "3.1.2.6", Answer(400), ""),
    ("ltgtruri", "3.1.2.7", Answer(400), ""),
    ("lwsruri", "3.1.2.8", Answer(400), ""),
    ("lwsstart", "3.1.2.9", Answer(400), "a proxy in front of us may read the line another way"),
    ("trws", "3.1.2.10", Answer(400), "as above"),
    ("escruri", "3.1.2.11", req("INVITE"), "headers in a Request-URI are ignored, as the RFC allows"),
    ("baddate", "3.1.2.12", req("INVITE"), "Date means nothing to a call"),
    ("regbadct", "3.1.2.13", Answer(400), ""),
    ("badaspec", "3.1.2.14", req("OPTIONS"), "spaces inside <> have one reading only"),
    ("baddn", "3.1.2.15", Answer(400), "a comma has two readings"),
    ("badvers", "3.1.2.16", Answer(505), ""),
    ("mismatch01", "3.1.2.17", Answer(400), ""),
    ("mismatch02", "3.1.2.18", Answer(400), "400 before 501: the transaction it belongs to is unclear"),
    ("bigcode", "3.1.2.19", Drop, ""),
    ("badbranch", "3.2.1", req("OPTIONS"), "matched as RFC 2543 had it"),
    ("insuf", "3.3.1", Answer(400), ""),
    ("unkscm", "3.3.2", req("OPTIONS"), "416 above"),
    ("novelsc", "3.3.3", req("OPTIONS"), "416 above"),
    ("unksm2", "3.3.4", req("REGISTER"), "no URI of it is used by us"),
    ("bext01", "3.3.5", req("OPTIONS"), "420 above"),
    ("invut", "3.3.6", req("INVITE"), "415 above"),
    ("regaut01", "3.3.7", req("REGISTER"), ""),
    ("multi01", "3.3.8", Answer(400), ""),
    ("mcl01", "3.3.9", Answer(400), ""),
    ("bcast", "3.3.10", Response(200), "two Vias: not ours, dropped above"),
    ("zeromf", "3.3.11", req("OPTIONS"), "Max-Forwards binds proxies"),
    ("cparam01", "3.3.12", req("REGISTER"), ""),
    ("cparam02", "3.3.13", req("REGISTER"), ""),
    ("regescrt", "3.3.14", req("REGISTER"), ""),
    ("sdp01", "3.3.15", req("INVITE"), "406 above"),
    ("inv2543", "3.4.1", req("INVITE"), ""),
    ("test", "none", Drop, "no version, no Via: nothing says that an answer would be understood"),
];

fn file(name: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests", "torture", &format!("{name}.dat")].iter().collect();
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn outcome(bytes: &[u8], framing: Framing) -> Want {
    match parse(bytes, framing, &Limits::default()) {
        Ok(Message::Request(request)) => {
            let known = TABLE.iter().find_map(|(_, _, want, _)| match want {
                Want::Request(method) if *method == request.method.as_str() => Some(*want),
                _ => None,
            });
            known.unwrap_or(Want::Request("a method of none of the files"))
        }
        Ok(Message::Response(response)) => Response(response.status.code()),
        Err(Malformed::Answer(bad)) => Answer(bad.status().code()),
        Err(Malformed::Drop(_)) => Drop,
    }
}

fn request(name: &str) -> Request {
    match parse(&file(name), Framing::Datagram, &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name} is no request: {other:?}"),
    }
}

#[test]
fn every_message_falls_where_the_rfc_puts_it() {
    let wrong: Vec<_> = TABLE
        .iter()
        .map(|(name, section, want, _)| (name, section, want, outcome(&file(name), Framing::Datagram)))
        .filter(|(_, _, want, got)| *want != got)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_covers_every_file() {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "torture"].iter().collect();
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    let mut names: Vec<_> = TABLE.iter().map(|(name, ..)| (*name).to_owned()).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn what_was_read_is_the_same_after_writing_and_reading_again() {
    let mut checked = 0;
    for (name, ..) in TABLE {
        let Ok(first) = parse(&file(name), Framing::Datagram, &Limits::default()) else { continue };
        // Writing puts the Vias first, so it is the second writing that must change nothing.
        let again = parse(&first.to_bytes(), Framing::Stream, &Limits::default()).unwrap();
        assert_eq!((again.ident(), again.to_bytes()), (first.ident(), first.to_bytes()), "{name}");
        checked += 1;
    }
    assert_eq!(checked, 30, "all that are well-formed");
}

#[test]
fn every_answer_to_a_bad_message_can_be_read_by_a_lenient_eye() {
    for (name, _, want, _) in TABLE {
        let Answer(code) = want else { continue };
        let Err(Malformed::Answer(bad)) = parse(&file(name), Framing::Datagram, &Limits::default()) else {
            panic!("{name} is not answered")
        };
        let text =
            String::from_utf8_lossy(&bad.to_bytes("127.0.0.2:5060".parse().unwrap(), "t")).into_owned();
        assert!(
            text.starts_with(&format!("SIP/2.0 {code} ")) && text.contains("\r\nVia: "),
            "{name}: {text}"
        );
        assert!(text.ends_with("Content-Length: 0\r\n\r\n"), "{name}");
    }
}

/// RFC 4475 3.1.1.1: white space, folding and case everywhere.
#[test]
fn the_tortuous_invite_is_understood_to_its_last_parameter() {
    let invite = request("wsinv");
    let ident = &invite.ident;
    assert_eq!(ident.to.tag(), Some("1918181833n"));
    assert_eq!(ident.from.tag(), Some("98asjd8"));
    assert_eq!(ident.from.display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((ident.cseq.number, ident.cseq.method.as_str()), (9, "INVITE"));
    assert_eq!(ident.via.to_string(), "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw");
    assert_eq!(invite.headers.values(&Name::Via).count(), 2);
    assert_eq!(invite.headers.number(&Name::MaxForwards), Some(68));
    assert_eq!(
        invite.headers.get(&Name::from_wire("NewFangledHeader")),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(invite.body.len(), 150);
}

#[test]
fn a_long_list_of_vias_keeps_its_order() {
    let invite = request("longreq");
    assert_eq!(invite.ident.via.host.to_string(), "sip33.example.com");
    assert_eq!(invite.headers.all(&Name::Via).count(), 33);
    assert!(invite.headers.all(&Name::Via).last().is_some_and(|v| v.contains("received=192.0.2.5")));
}

#[test]
fn escaped_parts_are_kept_and_still_understood() {
    let invite = request("esc01");
    assert_eq!(invite.uri.user().as_deref(), Some("sips:user@example.com"));
    assert_eq!(invite.ident.to.uri.user().as_deref(), Some("user"));
    assert_eq!(invite.uri.to_string(), "sip:sips%3Auser%40example.com@example.net");
    assert_eq!(request("escnull").ident.to.uri.user().as_deref(), Some("null-\0-null"));
}

#[test]
fn what_lies_behind_a_datagrams_body_is_ignored() {
    assert!(request("dblreq").body.is_empty());
}

#[test]
fn faults_are_named() {
    let fault = |name: &str| match parse(&file(name), Framing::Datagram, &Limits::default()) {
        Err(malformed) => malformed.fault().clone(),
        Ok(_) => panic!("{name} was read"),
    };
    assert_eq!(fault("insuf"), Fault::Missing(Name::From));
    assert_eq!(fault("clerr"), Fault::BodyCutOff);
    assert_eq!(fault("badinv01"), Fault::Invalid(Name::Via));
    assert_eq!(fault("multi01"), Fault::Duplicate(Name::CSeq));
    assert_eq!(fault("mcl01"), Fault::Duplicate(Name::ContentLength));
    assert_eq!(fault("quotbal"), Fault::Invalid(Name::To));
    assert_eq!(fault("scalar02"), Fault::Invalid(Name::CSeq));
}

/// Over a stream the frame decides what the parser sees; all but three files frame as they stand.
#[test]
fn over_a_stream_the_same_files_frame_and_classify() {
    use offhook_sip_rtp::sip::framing::{Frame, Framer};
    for (name, _, want, _) in TABLE {
        let mut framer = Framer::new(Limits::default());
        framer.push(&file(name));
        let frames: Vec<_> = std::iter::from_fn(|| framer.next_frame()).collect();
        match (name, frames.first()) {
            // Announces more than it brings, or lacks its empty line: the stream waits for the rest.
            ("clerr" | "baddn", first) => assert_eq!(first, None, "{name}"),
            // No Content-Length, which a stream needs.
            ("inv2543", Some(Frame::Last(bytes))) => assert_eq!(outcome(bytes, Framing::Stream), Answer(400)),
            (_, Some(Frame::Message(bytes) | Frame::Last(bytes))) => {
                assert_eq!(outcome(bytes, Framing::Stream), want, "{name}");
            }
            (_, other) => panic!("{name}: {other:?}"),
        }
        if name == "dblreq" {
            // Its second body is five octets longer than it says: they come out as a frame that is no SIP.
            let kinds = frames.iter().skip(1).map(|frame| match frame {
                Frame::Message(bytes) | Frame::Last(bytes) => outcome(bytes, Framing::Stream),
                other => panic!("{other:?}"),
            });
            assert_eq!(kinds.collect::<Vec<_>>(), [req("INVITE"), Drop]);
        }
    }
}
