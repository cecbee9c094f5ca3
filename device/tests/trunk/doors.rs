//! Who gets in, and what happens when the house closes.

use super::office::{Office, settings};
use super::phone::Phone;
use offhook::trunk::command::{Report, Request};
use offhook_sip_rtp::sip::method::Method;

#[test]
fn a_number_in_no_route_is_not_found() {
    let office = Office::open(settings(20_400));
    let mut phone = Phone::udp(office.locals.udp);
    assert_eq!(phone.call_plainly("999").status.code(), 404);
    assert_eq!(office.handle.snapshot().expect("the thread runs").counters.no_route, 1);
    office.close();
}

#[test]
fn strangers_get_silence_and_are_counted() {
    let mut closed = settings(20_440);
    closed.allowed = vec!["192.0.2.1".parse().expect("an address")];
    let office = Office::open(closed);
    let mut phone = Phone::udp(office.locals.udp);
    for _ in 0..20 {
        phone.ask("OPTIONS", "100", "", "");
    }
    assert!(phone.is_left_alone());
    let snapshot = office.handle.snapshot().expect("the thread runs");
    assert_eq!((snapshot.counters.turned_away, snapshot.counters.messages_in), (20, 0));
    assert_eq!(snapshot.strangers.first().map(|stranger| stranger.messages), Some(20));
    office.close();
}

#[test]
fn of_calls_for_which_there_is_no_room_the_log_tells() {
    let mut small = settings(21_760);
    small.max_calls = 1;
    let office = Office::open(small);
    let (mut first, mut second) = (Phone::udp(office.locals.udp), Phone::udp(office.locals.udp));
    first.call_plainly("100");
    assert_eq!(second.call_plainly("100").status.code(), 503);
    let told = office.wait_for(|report| match report {
        Report::Full { .. } => Some(report.to_string()),
        _ => None,
    });
    assert_eq!(
        told,
        "one call was refused with 503 Service Unavailable: there is room for 1 at once (calls.max)"
    );
    office.close();
}

#[test]
fn a_house_that_drains_lets_its_calls_end_and_takes_no_more() {
    let office = Office::open(settings(20_480));
    let (mut phone, mut late) = (Phone::udp(office.locals.udp), Phone::udp(office.locals.udp));
    phone.call_plainly("100");
    office.handle.ask(Request::Drain).expect("taken");
    assert!(office.handle.snapshot().expect("the thread runs").draining);
    let refusal = late.call_plainly("100");
    assert_eq!(refusal.status.code(), 503);
    assert!(String::from_utf8_lossy(&refusal.to_bytes()).contains("Retry-After"));
    assert_eq!(phone.hang_up().status.code(), 200);
    office.close();
}

#[test]
fn a_house_that_stops_says_goodbye_first() {
    let office = Office::open(settings(20_520));
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("100");
    office.wait_for(|report| matches!(report, Report::Answered { .. }).then_some(()));
    let closing = std::thread::spawn(move || office.close());
    let bye = phone.request();
    assert_eq!(bye.method, Method::Bye);
    phone.answer(&bye, 200, "");
    closing.join().expect("the threads end");
}

#[test]
fn the_ladder_tells_each_message_and_nobodys_number() {
    let office = Office::open(settings(20_560));
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("1005550100");
    let line = office.wait_for(|report| match report {
        Report::Ladder(line) if line.contains(" 200 OK") => Some(line.clone()),
        Report::Ladder(line) => {
            assert!(!line.contains("5550100"), "{line}");
            None
        }
        _ => None,
    });
    assert!(line.contains("-> UDP 127.0.0.1:"), "{line}");
    phone.hang_up();
    office.close();
}
