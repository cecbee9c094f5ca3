//! Calls to somebody who can hold one at a time.

use super::office::{Office, settings};
use super::phone::Phone;
use offhook::audio::LineId;
use offhook::audio::route::Route as Line;
use offhook::trunk::routes::{Route, Target};
use offhook::trunk::switchboard::{Switchboard, Unserved};
use offhook_sip_rtp::sip::message::Message;
use offhook_units::{Codec, Span};

/// A handset, in a call or not.
#[derive(Debug, Default)]
struct One(Option<LineId>);

impl Switchboard for One {
    fn serves(&self, _target: &Target) -> Result<(), Unserved> {
        self.0.map_or(Ok(()), |_line| Err(Unserved::Busy))
    }

    fn engage(&mut self, line: LineId, target: &Target) -> Result<(), Unserved> {
        if self.0 != Some(line) {
            self.serves(target)?;
            self.0 = Some(line);
        }
        Ok(())
    }

    fn connect(&mut self, line: LineId, _target: &Target, _codec: Codec) -> Option<Line> {
        (self.0 == Some(line)).then_some(Line::Handset)
    }

    fn disconnect(&mut self, line: LineId, _target: &Target) {
        self.0 = self.0.filter(|there| *there != line);
    }
}

fn office(first_port: u16) -> Office {
    let mut settings = settings(first_port);
    settings.routes.0.push(Route::new("7", Target::Handset));
    settings.routes.0.push(Route { ring: Span::from_millis(500), ..Route::new("8", Target::Handset) });
    Office::open_with(settings, Box::new(One::default()))
}

#[test]
fn whoever_is_in_a_call_is_busy_until_it_is_over() {
    let office = office(21_500);
    let (mut first, mut second) = (Phone::udp(office.locals.udp), Phone::udp(office.locals.udp));
    assert_eq!(first.call_plainly("7").status.code(), 200);
    assert_eq!(second.call_plainly("7").status.code(), 486);
    let counters = office.handle.snapshot().expect("the thread runs").counters;
    assert_eq!((counters.busy, counters.absent, counters.no_media), (1, 0, 0));
    assert_eq!(first.hang_up().status.code(), 200);
    let mut third = Phone::udp(office.locals.udp);
    assert_eq!(third.call_plainly("7").status.code(), 200);
    third.hang_up();
    office.close();
}

#[test]
fn of_two_that_ring_together_one_is_answered_and_the_other_told_that_it_is_busy() {
    let office = office(21_540);
    let (mut first, mut second) = (Phone::udp(office.locals.udp), Phone::udp(office.locals.udp));
    first.ask("INVITE", "8", "", &first.sdp("RTP/AVP 0", ""));
    assert_eq!(second.call_plainly("8").status.code(), 486);
    assert_eq!(first.response().status.code(), 200);
    let counters = office.handle.snapshot().expect("the thread runs").counters;
    assert_eq!((counters.answered, counters.busy), (1, 1));
    office.close();
}

/// Its media are agreed by its ACK only; nobody else is answered until then.
#[test]
fn a_call_without_an_offer_is_taken_from_its_answer_on() {
    let office = office(21_580);
    let (mut first, mut second) = (Phone::udp(office.locals.udp), Phone::udp(office.locals.udp));
    first.ask("INVITE", "7", "", "");
    assert_eq!(first.response().status.code(), 200);
    second.ask("INVITE", "7", "", "");
    assert_eq!(second.response().status.code(), 486);
    office.close();
}

/// The same for two that come in one piece.
#[test]
fn of_two_that_come_at_once_one_is_answered_and_the_other_told_that_it_is_busy() {
    let office = office(21_620);
    let mut phone = Phone::tcp(office.locals.tcp.expect("it listens"));
    let first = phone.request_text("INVITE", "7", "", "");
    let second = phone.request_text("INVITE", "7", "", "").replace("Call-ID: ", "Call-ID: other-");
    phone.send_bytes(format!("{first}{second}").as_bytes());
    let mut codes = std::iter::repeat_with(|| phone.read()).filter_map(|message| match message {
        Message::Response(response) if !response.status.is_provisional() => Some(response.status.code()),
        _ => None,
    });
    assert_eq!((codes.next(), codes.next()), (Some(200), Some(486)));
    drop(codes);
    office.close();
}
