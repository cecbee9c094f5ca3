//! Calls to somebody who can hold one at a time.

use super::office::{Office, settings};
use super::phone::Phone;
use offhook::audio::LineId;
use offhook::audio::route::Route as Line;
use offhook::trunk::routes::{Route, Target};
use offhook::trunk::switchboard::{Switchboard, Unserved};
use offhook_units::{Codec, Span};

/// A handset, in a call or not.
#[derive(Debug, Default)]
struct One(Option<LineId>);

impl Switchboard for One {
    fn serves(&self, _target: &Target) -> Result<(), Unserved> {
        self.0.map_or(Ok(()), |_line| Err(Unserved::Busy))
    }

    fn connect(&mut self, line: LineId, _target: &Target, _codec: Codec) -> Option<Line> {
        if self.0.is_some() {
            return None;
        }
        self.0 = Some(line);
        Some(Line::Handset)
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
