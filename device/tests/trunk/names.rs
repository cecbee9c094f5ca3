//! A trunk that is given by its name.

use super::name_server;
use super::office::{Office, free, settings};
use super::phone::Phone;
use offhook::trunk::command::Report;
use offhook::trunk::settings::{Keep, Line};
use offhook_sip_rtp::names::resolver::Failure;
use offhook_sip_rtp::sip::method::Method;
use offhook_sip_rtp::sip::registration::Event;
use offhook_sip_rtp::sip::transport::Transport;
use offhook_units::Pii;

fn line(server: &str, port: u16) -> Line {
    Line {
        server: server.into(),
        port: Some(port),
        transport: Some(Transport::Udp),
        user: Pii::new("box".into()),
        domain: None,
        credentials: None,
        keep: Keep::Register { expires_s: 300 },
    }
}

#[test]
fn its_server_is_found_and_registered_with() {
    let mut phone = Phone::udp(free());
    let mut settings = settings(21_000);
    settings.sip.name_servers = Some(vec![name_server::open()]);
    settings.trunks.push(line("trunk.example", phone.address().port()));
    let office = Office::open(settings);
    phone.set_peer(office.locals.udp);
    let register = phone.request();
    assert_eq!(
        (register.method.clone(), register.uri.to_string()),
        (Method::Register, "sip:trunk.example".into())
    );
    phone.answer(&register, 200, "");
    let up = office.wait_for(|report| match report {
        Report::Trunk(_, event) => Some(matches!(event, Event::Up { .. })),
        _ => None,
    });
    assert!(up && office.handle.snapshot().expect("the thread runs").trunks[0].up);
    office.close();
}

#[test]
fn a_name_that_leads_nowhere_is_told_and_holds_nothing_up() {
    let silent = Phone::udp(free());
    let mut settings = settings(21_040);
    settings.sip.name_servers = Some(vec![silent.address()]);
    settings.trunks.push(line("trunk.example", 5060));
    let office = Office::open(settings);
    let mut phone = Phone::udp(office.locals.udp);
    assert_eq!(phone.call_plainly("100").status.code(), 200);
    phone.hang_up();
    let why = office.wait_for(|report| match report {
        Report::Name(_, why, _) => Some(*why),
        _ => None,
    });
    assert_eq!(why, Failure::NoAnswer);
    office.close();
}
