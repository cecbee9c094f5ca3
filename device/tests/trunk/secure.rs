//! SIP inside TLS, both ways.

use super::authority::Authority;
use super::office::{Office, free, settings};
use super::phone::Phone;
use offhook::trunk::command::Report;
use offhook::trunk::settings::{Keep, Line};
use offhook_sip_rtp::sip::method::Method;
use offhook_sip_rtp::sip::registration::Event;
use offhook_sip_rtp::sip::transport::Transport;
use offhook_units::Pii;

/// A trunk on loopback, reached by TLS.
fn line(port: u16) -> Line {
    Line {
        server: "127.0.0.1".into(),
        port: Some(port),
        transport: Some(Transport::Tls),
        user: Pii::new("box".into()),
        domain: None,
        credentials: None,
        keep: Keep::Watch,
    }
}

fn is_up(report: &Report) -> Option<bool> {
    match report {
        Report::Trunk(_, event) => Some(matches!(event, Event::Up { .. })),
        _ => None,
    }
}

#[test]
fn a_caller_sees_our_certificate_and_calls() {
    let authority = Authority::make("called");
    let mut settings = settings(21_100);
    settings.sip.tls = Some(free());
    settings.tls = authority.settings();
    let office = Office::open(settings);
    let mut phone = Phone::tls(office.locals.tls.expect("a listener"), &authority);
    assert_eq!(phone.call_plainly("100").status.code(), 200);
    phone.hear();
    assert_eq!(phone.hang_up().status.code(), 200);
    office.close();
}

#[test]
fn a_trunk_whose_certificate_is_in_order_is_up() {
    let authority = Authority::make("calling");
    let listener = Phone::listen();
    let mut settings = settings(21_140);
    settings.tls = authority.settings();
    settings.trunks.push(line(listener.local_addr().expect("bound").port()));
    let office = Office::open(settings);
    let mut server = Phone::called_by_tls(&listener, &authority);
    let options = server.request();
    assert_eq!(options.method, Method::Options);
    server.answer(&options, 200, "");
    assert!(office.wait_for(is_up));
    office.close();
}

#[test]
fn a_trunk_that_somebody_else_vouches_for_stays_down() {
    let (ours, theirs) = (Authority::make("ours"), Authority::make("theirs"));
    let listener = Phone::listen();
    let mut settings = settings(21_180);
    settings.tls = ours.settings();
    settings.trunks.push(line(listener.local_addr().expect("bound").port()));
    let office = Office::open(settings);
    let server = std::thread::spawn(move || Phone::called_by_tls(&listener, &theirs).fails());
    assert!(!office.wait_for(is_up), "nothing is said to a server that cannot show who it is");
    assert!(server.join().expect("it ends"));
    office.close();
}
