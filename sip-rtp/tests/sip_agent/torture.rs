//! T5: RFC 4475 as a user agent answers it, over UDP: what the rig's script calls "ok".

use super::desk::{Desk, settings};
use offhook_sip_rtp::sip::agent::{Input, Output};
use offhook_sip_rtp::sip::message::Message;
use offhook_sip_rtp::sip::transport::Peer;
use std::path::PathBuf;

/// The first answer to each message; 0 for none. An INVITE that may go on gets its 100.
const ANSWERS: [(&str, u16); 50] = [
    ("wsinv", 481), // its To has a tag: it claims a dialog that we do not have (RFC 3261 12.2.2)
    ("intmeth", 501),
    ("esc01", 100),
    ("escnull", 405), // no registrar
    ("esc02", 501),
    ("lwsdisp", 200),
    ("longreq", 100),
    ("dblreq", 405),
    ("semiuri", 200),
    ("transports", 200),
    ("mpart01", 405),
    ("unreason", 0),
    ("noreason", 0),
    ("badinv01", 400),
    ("clerr", 400),
    ("ncl", 400),
    ("scalar02", 400),
    ("scalarlg", 0),
    ("quotbal", 400),
    ("ltgtruri", 400),
    ("lwsruri", 400),
    ("lwsstart", 400),
    ("trws", 400),
    ("escruri", 100),
    ("baddate", 100),
    ("regbadct", 400),
    ("badaspec", 200),
    ("baddn", 400),
    ("badvers", 505),
    ("mismatch01", 400),
    ("mismatch02", 400),
    ("bigcode", 0),
    ("badbranch", 200),
    ("insuf", 400),
    ("unkscm", 416),
    ("novelsc", 416),
    ("unksm2", 405),
    ("bext01", 420),
    ("invut", 415),
    ("regaut01", 405),
    ("multi01", 400),
    ("mcl01", 400),
    ("bcast", 0),
    ("zeromf", 200),
    ("cparam01", 405),
    ("cparam02", 405),
    ("regescrt", 405),
    ("sdp01", 406),
    ("inv2543", 100),
    ("test", 0),
];

#[test]
fn every_message_is_answered_as_the_rfc_asks_and_the_agent_goes_on() {
    let mut wrong = Vec::new();
    for (name, want) in ANSWERS {
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests", "torture", &format!("{name}.dat")].iter().collect();
        let mut d = Desk::new(settings("192.0.2.1:5060"));
        let from = Peer::udp("192.0.2.9:5060".parse().unwrap());
        let bytes = std::fs::read(path).unwrap();
        d.agent.handle_input(d.now, Input::Bytes { from, bytes: &bytes });
        let mut codes = Vec::new();
        while let Some(output) = d.agent.poll_output() {
            if let Output::Send { bytes, .. } = output {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                codes.push(text.split(' ').nth(1).unwrap().parse::<u16>().unwrap());
            }
        }
        // The 100 that any INVITE gets says nothing when something follows.
        let got = codes.iter().rev().copied().find(|c| *c != 100).or(codes.first().copied()).unwrap_or(0);
        if got != want {
            wrong.push((name, want, codes));
        }
        let options = d.message("OPTIONS", 1, "", "", "");
        d.hear(&options);
        assert!(
            matches!(d.sent.last(), Some((_, Message::Response(r))) if r.status.code() == 200),
            "after {name}"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
