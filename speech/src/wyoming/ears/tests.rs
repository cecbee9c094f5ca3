//! A server that answers, is slow, answers early, or is not there.

use super::*;
use crate::transport::{Closed, Lost};

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

struct Bed {
    ears: WyomingEars,
    opened: Vec<ConnId>,
    closed: Vec<ConnId>,
    /// Kinds of events and samples, for each connection.
    sent: Vec<(ConnId, String, usize)>,
    told: Vec<SttEvent>,
}

impl Bed {
    fn new() -> Self {
        let settings = WyomingEarsSettings {
            url: Url::parse("tcp://127.0.0.1:10300").unwrap(),
            model: None,
            language: Some("en".to_owned()),
            endpointing_ms: 300,
            rate_hz: 16_000,
        };
        let (opened, closed, sent, told) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { ears: WyomingEars::new(settings, Breaker::new(), 1), opened, closed, sent, told }
    }

    fn poll(&mut self) {
        while let Some(output) = self.ears.poll_output() {
            match output {
                SttOutput::Net(ToNet::Open(conn, _)) => self.opened.push(conn),
                SttOutput::Net(ToNet::Close(conn)) => self.closed.push(conn),
                SttOutput::Net(ToNet::Text(..) | ToNet::Probe(_)) => panic!("text"),
                SttOutput::Net(ToNet::Binary(conn, bytes)) => {
                    assert!(!self.closed.contains(&conn), "said into no connection");
                    let mut reader = Reader::default();
                    reader.put(&bytes);
                    let event = reader.next().unwrap().unwrap();
                    self.sent.push((conn, event.kind, event.payload.len() / 2));
                }
                SttOutput::Event(event) => self.told.push(event),
            }
        }
    }

    fn hear(&mut self, ms: u64, length_ms: u32) {
        self.ears.hear(at(ms), &vec![100; frames(length_ms)]);
        self.poll();
    }

    fn speaks(&mut self, ms: u64, speaks: bool) {
        self.ears.caller_speaks(at(ms), speaks);
        self.poll();
    }

    fn net(&mut self, ms: u64, conn: ConnId, message: FromNet) {
        self.ears.handle_net(at(ms), conn, message);
        self.poll();
    }

    fn time(&mut self, ms: u64) {
        self.ears.handle_timeout(at(ms));
        self.poll();
    }

    fn answer(&mut self, ms: u64, conn: ConnId, text: &str) {
        self.net(ms, conn, FromNet::Binary(encode("transcript", &json!({"text": text}), &[])));
    }

    fn samples(&self, conn: ConnId) -> usize {
        self.sent.iter().filter(|(whose, ..)| *whose == conn).map(|(.., samples)| samples).sum()
    }

    fn utter(&mut self, ms: u64) -> ConnId {
        self.speaks(ms, true);
        let conn = *self.opened.last().unwrap();
        self.net(ms, conn, FromNet::Opened);
        self.speaks(ms + 100, false);
        self.time(ms + 400);
        conn
    }
}

#[test]
fn an_utterance_has_what_came_just_before_it_and_ends_after_silence() {
    let mut bed = Bed::new();
    bed.hear(0, 2_000);
    assert!(bed.opened.is_empty(), "silence is nobody's");
    bed.speaks(2_000, true);
    let conn = bed.opened[0];
    bed.hear(2_100, 100);
    bed.net(2_101, conn, FromNet::Opened);
    bed.speaks(2_200, false);
    bed.speaks(2_400, true);
    bed.speaks(2_500, false);
    bed.hear(2_600, 500);
    assert_eq!(bed.ears.poll_timeout(), Some(at(2_800)));
    bed.time(2_800);
    let kinds: Vec<&str> = bed.sent.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!((kinds[0], kinds[1], *kinds.last().unwrap()), ("transcribe", "audio-start", "audio-stop"));
    assert_eq!(bed.samples(conn), frames(600 + 100 + 500));
    bed.net(2_900, conn, FromNet::Binary(encode("transcript-chunk", &json!({"text": "two "}), &[])));
    bed.answer(3_000, conn, " two nights ");
    let two = |text: &str| text.to_owned();
    assert_eq!(bed.told, [SttEvent::Interim(two("two")), SttEvent::Utterance(two("two nights"))]);
    assert_eq!((bed.closed, bed.ears.poll_timeout()), (vec![conn], None));
}

#[test]
fn words_come_in_the_order_in_which_they_were_spoken() {
    let mut bed = Bed::new();
    let (first, second) = (bed.utter(1_000), bed.utter(2_000));
    bed.answer(2_500, second, "two");
    assert!(bed.told.is_empty());
    bed.answer(2_600, first, "one");
    assert_eq!(bed.told, ["one", "two"].map(|text| SttEvent::Utterance(text.to_owned())));
}

#[test]
fn a_connection_that_breaks_is_tried_once_more_with_all_of_the_utterance() {
    let mut bed = Bed::new();
    bed.hear(0, 600);
    let first = bed.utter(1_000);
    bed.net(1_500, first, FromNet::Closed(Closed::Lost(Lost::Broken)));
    let second = *bed.opened.last().unwrap();
    assert_ne!(first, second);
    bed.net(1_501, second, FromNet::Opened);
    assert_eq!(bed.samples(second), bed.samples(first));
    bed.net(1_600, second, FromNet::Closed(Closed::Lost(Lost::Broken)));
    assert_eq!(bed.opened.len(), 2);
    assert!(bed.told.iter().all(|event| matches!(event, SttEvent::Fault(_))) && bed.told.len() == 2);
    bed.speaks(1_610, true);
    assert_eq!(bed.opened.len(), 2, "it rests");
    bed.speaks(1_620, false);
    bed.speaks(3_000, true);
    assert_eq!(bed.opened.len(), 3);
}

#[test]
fn a_server_that_answers_before_the_caller_has_ended_is_told_nothing_more() {
    let mut bed = Bed::new();
    bed.speaks(0, true);
    bed.net(1, bed.opened[0], FromNet::Opened);
    bed.hear(600, 600);
    bed.speaks(700, false);
    bed.time(1_000);
    bed.speaks(2_000, true);
    bed.net(2_001, bed.opened[1], FromNet::Opened);
    bed.answer(2_500, bed.opened[1], "two");
    bed.speaks(3_000, false);
    bed.speaks(3_100, true);
    bed.net(3_101, bed.opened[2], FromNet::Opened);
    bed.answer(3_200, bed.opened[0], "one");
    assert_eq!(bed.told, ["one", "two"].map(|text| SttEvent::Utterance(text.to_owned())));
}

#[test]
fn v2_a_caller_whom_no_server_hears_is_told_so_once() {
    let mut bed = Bed::new();
    let unheard = |bed: &Bed| bed.told.iter().filter(|event| **event == SttEvent::Unheard).count();
    bed.speaks(0, true);
    let lost = || FromNet::Closed(Closed::Lost(Lost::Broken));
    bed.net(1, bed.opened[0], lost());
    bed.net(2, bed.opened[1], lost());
    bed.speaks(1_000, false);
    bed.time(1_499);
    assert_eq!(unheard(&bed), 0, "the caller may go on");
    bed.time(1_500);
    bed.time(9_000);
    assert_eq!((unheard(&bed), bed.ears.poll_timeout()), (1, None));
    // A cough is not worth it.
    bed.speaks(10_000, true);
    bed.net(10_001, bed.opened[2], lost());
    bed.net(10_002, bed.opened[3], lost());
    bed.speaks(10_200, false);
    bed.time(20_000);
    assert_eq!(unheard(&bed), 1);
    // What breaks when the caller has ended is told, too.
    let mut bed = Bed::new();
    bed.hear(0, 600);
    bed.speaks(0, true);
    bed.net(1, bed.opened[0], FromNet::Opened);
    bed.speaks(1_000, false);
    bed.time(1_300);
    bed.net(1_400, bed.opened[0], lost());
    bed.net(1_401, bed.opened[1], lost());
    bed.time(1_901);
    assert_eq!(unheard(&bed), 1);
    // Whose call is over waits for nothing.
    bed.speaks(3_000, true);
    bed.net(3_001, bed.opened[2], lost());
    bed.net(3_002, bed.opened[3], lost());
    bed.speaks(4_000, false);
    assert!(bed.ears.poll_timeout().is_some());
    bed.ears.shut();
    assert_eq!(bed.ears.poll_timeout(), None);
}

#[test]
fn a_server_that_never_answers_and_a_caller_who_never_stops_have_an_end() {
    let mut bed = Bed::new();
    bed.speaks(0, true);
    bed.net(1, bed.opened[0], FromNet::Opened);
    assert_eq!(bed.ears.poll_timeout(), Some(at(30_000)));
    bed.speaks(29_900, false);
    bed.time(30_000);
    assert_eq!(bed.sent.last().unwrap().1, "audio-stop");
    bed.time(45_000);
    assert_eq!(bed.told, [SttEvent::Fault(Fault::Passing(Passing::Silent))]);
    bed.net(45_001, bed.opened[1], FromNet::Opened);
    bed.time(60_000);
    bed.time(60_500);
    assert_eq!((bed.ears.poll_timeout(), bed.closed.len()), (None, 2));
}

#[test]
fn words_that_came_wait_for_those_before_them_however_long_these_take() {
    let mut bed = Bed::new();
    let (first, second) = (bed.utter(1_000), bed.utter(2_000));
    bed.answer(2_500, second, "two");
    // The server says more than it was asked.
    bed.net(2_501, second, FromNet::Binary(encode("error", &json!({"text": "x"}), &[])));
    bed.time(16_400);
    let again = *bed.opened.last().unwrap();
    assert_eq!((bed.opened.len(), bed.closed.as_slice()), (3, &[second, first][..]));
    bed.time(17_400);
    assert_eq!(bed.opened.len(), 3, "what is answered is not asked again");
    bed.net(17_500, again, FromNet::Opened);
    bed.answer(17_600, again, "one");
    assert_eq!(bed.told[1..], ["one", "two"].map(|text| SttEvent::Utterance(text.to_owned())));
    assert_eq!(bed.ears.poll_timeout(), None);
}

#[test]
fn a_caller_who_goes_on_goes_on_in_another_utterance_and_nothing_is_sent_twice() {
    let mut bed = Bed::new();
    bed.hear(0, 600);
    bed.speaks(0, true);
    bed.net(1, bed.opened[0], FromNet::Opened);
    bed.hear(29_000, 1_000);
    bed.time(30_000);
    bed.net(30_001, bed.opened[1], FromNet::Opened);
    bed.hear(30_060, 60);
    assert_eq!(bed.samples(bed.opened[0]), frames(1_600));
    assert_eq!(bed.samples(bed.opened[1]), frames(60));
}

#[test]
fn hanging_up_closes_all() {
    let mut bed = Bed::new();
    let conn = bed.utter(0);
    bed.ears.shut();
    bed.poll();
    assert_eq!((bed.closed.as_slice(), bed.ears.poll_timeout()), (&[conn][..], None));
}
