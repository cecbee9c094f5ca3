//! SIP over connections.

use super::office::{Office, settings};
use super::phone::Phone;
use offhook_units::Span;

#[test]
fn a_call_stands_over_tcp() {
    let office = Office::open(settings(20_600));
    let mut phone = Phone::tcp(office.locals.tcp.expect("a listener"));
    assert_eq!(phone.call_plainly("100").status.code(), 200);
    phone.hear();
    assert_eq!(phone.hang_up().status.code(), 200);
    office.close();
}

#[test]
fn a_ping_is_answered_and_messages_may_come_in_pieces_or_together() {
    let office = Office::open(settings(20_640));
    let mut phone = Phone::tcp(office.locals.tcp.expect("a listener"));
    phone.send_bytes(b"\r\n\r\n");
    assert_eq!(phone.read_some(), b"\r\n");
    let options = |n: u32| {
        format!(
            "OPTIONS sip:1@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx{n}\r\nFrom: <sip:p@127.0.0.1>;tag=p\r\n\
             To: <sip:1@127.0.0.1>\r\nCall-ID: pieces\r\nCSeq: {n} OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let both = options(1) + &options(2);
    let (first, second) = both.split_at(150);
    phone.send_bytes(first.as_bytes());
    phone.send_bytes(second.as_bytes());
    for number in [1, 2] {
        let offhook_sip_rtp::sip::message::Message::Response(answer) = phone.read() else {
            panic!("a response")
        };
        assert_eq!((answer.status.code(), answer.ident.cseq.number), (200, number));
    }
    office.close();
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let mut quick = settings(20_680);
    quick.sip.idle = Span::from_millis(200);
    let office = Office::open(quick);
    let mut phone = Phone::tcp(office.locals.tcp.expect("a listener"));
    assert_eq!(phone.read_some(), b"", "the end of the connection");
    office.close();
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once_and_those_that_stand_go_on() {
    let mut few = settings(20_720);
    few.sip.max_connections = 4;
    let office = Office::open(few);
    let listener = office.locals.tcp.expect("a listener");
    let mut taken: Vec<Phone> = (0..3).map(|_| Phone::tcp(listener)).collect();
    for phone in &mut taken {
        phone.send_bytes(b"\r\n\r\n");
        assert_eq!(phone.read_some(), b"\r\n");
    }
    assert_eq!(Phone::tcp(listener).read_some(), b"", "one place is kept for ourselves");
    taken[0].send_bytes(b"\r\n\r\n");
    assert_eq!(taken[0].read_some(), b"\r\n");
    assert_eq!(office.handle.snapshot().expect("the thread runs").counters.connections_refused, 1);
    office.close();
}

/// More frames than one turn takes, in one piece: none is left lying until something else comes.
#[test]
fn however_much_comes_at_once_all_of_it_is_answered() {
    const PINGS: usize = 500;
    let office = Office::open(settings(20_760));
    let mut phone = Phone::tcp(office.locals.tcp.expect("a listener"));
    let mut burst = b"\r\n\r\n".repeat(PINGS);
    burst.extend_from_slice(
        b"OPTIONS sip:1@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKlast\r\nFrom: <sip:p@127.0.0.1>;tag=p\r\n\
          To: <sip:1@127.0.0.1>\r\nCall-ID: burst\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    );
    phone.send_bytes(&burst);
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") || heard.iter().all(|byte| b"\r\n".contains(byte)) {
        heard.extend(phone.read_some());
    }
    let pongs = heard.iter().take_while(|byte| b"\r\n".contains(byte)).count() / 2;
    assert_eq!(pongs, PINGS);
    assert!(heard[2 * PINGS..].starts_with(b"SIP/2.0 200 "));
    office.close();
}
