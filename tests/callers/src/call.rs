//! One call, told the time and what came: says what is to be sent, and how it ended.

use crate::sip::{Answer, Message, Names, ok};
use crate::stream::Stream;
use std::net::SocketAddr;
use std::time::Duration;

/// Until a request is sent again for the first time, then doubled (RFC 3261 17.1.1.2, T1).
const AGAIN: Duration = Duration::from_millis(500);
/// So many times it is sent before it is given up: 500 ms to 32 s.
const MOST_TRIES: u32 = 7;

/// How a caller may vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vanish {
    /// The answer is never acknowledged.
    WithoutAck,
    /// In mid-call, without BYE; what comes afterwards is not answered.
    InMidCall,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// We hung up.
    Here,
    /// They did.
    There,
    /// They would not have it.
    Refused,
    /// A request was never answered.
    Unanswered,
    /// As planned.
    Vanished,
}

#[derive(Clone, Debug)]
enum State {
    Inviting(Tries),
    Up { contact: String, to_tag: String },
    Leaving(Tries, String),
    Over(End),
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    again_at: Duration,
}

impl Tries {
    fn first(now: Duration) -> Self {
        Self { count: 1, again_at: now + AGAIN }
    }

    /// Whether to send again now; `None` when it is no use any more.
    fn due(&mut self, now: Duration) -> Option<bool> {
        if now < self.again_at {
            return Some(false);
        }
        self.again_at = now + AGAIN * 2_u32.pow(self.count);
        self.count += 1;
        (self.count <= MOST_TRIES).then_some(true)
    }
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    names: Names,
    state: State,
    /// Where its sound goes.
    pub(crate) media: Option<SocketAddr>,
    pub(crate) stream: Stream,
    pub(crate) answered_at: Option<Duration>,
    /// How long it lasts once it stands; until it is told otherwise where there is none.
    length: Option<Duration>,
    vanish: Option<Vanish>,
    rtp_port: u16,
}

impl Call {
    /// A call that begins now, and its INVITE.
    pub(crate) fn begin(
        now: Duration,
        names: Names,
        rtp_port: u16,
        stream: Stream,
        length: Option<Duration>,
        vanish: Option<Vanish>,
    ) -> (Self, String) {
        let invite = names.invite(rtp_port);
        let state = State::Inviting(Tries::first(now));
        (Self { names, state, media: None, stream, answered_at: None, length, vanish, rtp_port }, invite)
    }

    pub(crate) const fn id(&self) -> u64 {
        self.names.id
    }

    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    pub(crate) const fn end(&self) -> Option<End> {
        match self.state {
            State::Over(end) => Some(end),
            _ => None,
        }
    }

    /// A message for it came; what to send.
    pub(crate) fn take(&mut self, now: Duration, message: &Message<'_>, text: &str) -> Option<String> {
        match message {
            Message::Request { method: "ACK", .. } => None,
            Message::Request { method, .. } => {
                if *method == "BYE" {
                    self.state = State::Over(End::There);
                }
                Some(ok(text))
            }
            Message::Answer(answer) => self.answered(now, answer),
        }
    }

    fn answered(&mut self, now: Duration, answer: &Answer<'_>) -> Option<String> {
        match (&self.state, answer.method, answer.status) {
            (_, _, ..200) => None,
            (State::Inviting(_), "INVITE", 200..300) => {
                self.answered_at = Some(now);
                if self.vanish == Some(Vanish::WithoutAck) {
                    self.state = State::Over(End::Vanished);
                    return None;
                }
                self.media = answer.rtp_port.map(|port| SocketAddr::new(self.names.there.ip(), port));
                let (contact, to_tag) = (answer.contact.to_owned(), answer.to_tag.to_owned());
                self.state = State::Up { contact, to_tag };
                Some(self.names.ack(answer))
            }
            (State::Inviting(_), "INVITE", _) => {
                self.state = State::Over(End::Refused);
                Some(self.names.ack(answer))
            }
            // The answer came again: so must its ACK.
            (_, "INVITE", _) => Some(self.names.ack(answer)),
            (State::Leaving(..), "BYE", _) => {
                self.state = State::Over(End::Here);
                None
            }
            _ => None,
        }
    }

    /// What is due by now; to be asked every few milliseconds.
    pub(crate) fn due(&mut self, now: Duration) -> Option<String> {
        let is_to_end =
            self.length.zip(self.answered_at).is_some_and(|(length, since)| now >= since + length);
        let (again, text) = match &mut self.state {
            State::Up { .. } if is_to_end => return self.leave(now),
            State::Up { .. } | State::Over(_) => return None,
            State::Inviting(tries) => (tries.due(now), self.names.invite(self.rtp_port)),
            State::Leaving(tries, bye) => (tries.due(now), bye.clone()),
        };
        match again {
            Some(again) => again.then_some(text),
            None => self.give_up(),
        }
    }

    fn give_up(&mut self) -> Option<String> {
        self.state = State::Over(End::Unanswered);
        None
    }

    /// Hangs up, or vanishes where that is its plan.
    pub(crate) fn leave(&mut self, now: Duration) -> Option<String> {
        let State::Up { contact, to_tag } = &self.state else { return None };
        if self.vanish.is_some() {
            self.state = State::Over(End::Vanished);
            return None;
        }
        let bye = self.names.bye(contact, to_tag);
        self.state = State::Leaving(Tries::first(now), bye.clone());
        Some(bye)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::read;

    const OK: &str = "SIP/2.0 200 OK\r\nTo: <sip:6@127.0.0.1>;tag=a\r\nCall-ID: 7@callers\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:x@127.0.0.1:9>\r\n\r\nm=audio 4000 RTP/AVP 0\r\n";

    fn call(length_s: Option<u64>, vanish: Option<Vanish>) -> Call {
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let names = Names { here: addr(7_000), there: addr(5_060), number: "600".into(), id: 7 };
        let length = length_s.map(Duration::from_secs);
        Call::begin(Duration::ZERO, names, 9_000, Stream::new(7), length, vanish).0
    }

    fn tell(call: &mut Call, text: &str) -> Option<String> {
        call.take(Duration::from_millis(10), &read(text).unwrap(), text)
    }

    fn is(text: Option<String>, method: &str) -> bool {
        text.is_some_and(|text| text.starts_with(method))
    }

    #[test]
    fn a_call_is_answered_stands_for_its_length_and_is_hung_up() {
        let mut call = call(Some(2), None);
        assert!(is(tell(&mut call, OK), "ACK"));
        assert_eq!(call.media, Some("127.0.0.1:4000".parse().unwrap()));
        assert_eq!(call.due(Duration::from_millis(1_900)), None);
        assert!(is(call.due(Duration::from_millis(2_020)), "BYE"));
        assert!(is(tell(&mut call, OK), "ACK"), "the answer came again");
        assert_eq!(tell(&mut call, &OK.replace("1 INVITE", "2 BYE")), None);
        assert_eq!(call.end(), Some(End::Here));
    }

    #[test]
    fn what_is_not_answered_is_sent_again_and_then_given_up() {
        let mut call = call(None, None);
        let mut times = Vec::new();
        for ms in 0..70_000 {
            if is(call.due(Duration::from_millis(ms)), "INVITE") {
                times.push(ms);
            }
        }
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(call.end(), Some(End::Unanswered));
    }

    #[test]
    fn who_vanishes_says_nothing_more() {
        let mut early = call(None, Some(Vanish::WithoutAck));
        assert_eq!(tell(&mut early, OK), None);
        assert_eq!(early.end(), Some(End::Vanished));
        let mut later = call(Some(1), Some(Vanish::InMidCall));
        assert!(is(tell(&mut later, OK), "ACK"));
        assert_eq!(later.due(Duration::from_secs(2)), None);
        assert_eq!(later.end(), Some(End::Vanished));
    }

    #[test]
    fn a_refusal_is_acknowledged_and_a_goodbye_answered() {
        let mut refused = call(None, None);
        assert!(is(tell(&mut refused, &OK.replace("200 OK", "503 Full")), "ACK"));
        assert_eq!(refused.end(), Some(End::Refused));
        let mut ended = call(None, None);
        tell(&mut ended, OK);
        assert!(is(
            tell(&mut ended, "BYE sip:x SIP/2.0\r\nCall-ID: 7@callers\r\nCSeq: 1 BYE\r\n\r\n"),
            "SIP/2.0 200"
        ));
        assert_eq!(ended.end(), Some(End::There));
    }
}
