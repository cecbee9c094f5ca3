//! `[route]`: what answers which number. The keys are the installer's own.

use crate::layer::RouteEntry;
use crate::nearest::nearest;
use crate::reading::Reading;
use crate::text::Server;
use crate::value::Value;
use crate::{Config, Fault, Problem, trunk};
use offhook_units::{Pii, Span};

/// What a route may say, for errors and the sample file.
pub(crate) const TARGETS: &str = "echo, tone, agent, handset, reject, or transfer and a number or a sip: address; ring or early and seconds may follow";

/// The words that stand alone.
const WORDS: [&str; 5] = ["echo", "tone", "agent", "handset", "reject"];

/// What holds without a `[route]`.
const DEFAULT: [(&str, &str); 3] = [("600", "echo"), ("601", "tone"), ("602", "agent")];

/// The longest that a call may ring before it is answered by itself, seconds.
const LONGEST_RING_S: u64 = 120;

/// Numbers and beginnings of numbers longer than this are no numbers.
const LONGEST: usize = 64;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The caller hears himself.
    Echo,
    /// A test tone.
    Tone,
    /// A spoken conversation.
    Agent,
    /// The sound card.
    Handset,
    /// It is handed on.
    Transfer(Pii<String>),
    /// It is refused.
    Reject,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The number, or with `*` at its end the beginning of numbers.
    pub number: String,
    /// What becomes of a call to it.
    pub target: Target,
    /// How long it rings before it is answered.
    pub ring: Span,
    /// Whether the caller hears what answers while it still rings.
    pub early_media: bool,
}

/// A line as it is printed, and where it was given.
pub(crate) type Line = (Route, Value, Option<crate::layer::Place>);

/// The lines, each number once, the last layer's first; what is wrong goes to the reading's problems.
pub(crate) fn read(reading: &mut Reading) -> Vec<Line> {
    // `--set route.600=tone` on the defaults changes one of them and leaves the others.
    let mut lines = if reading.has_route_section { Vec::new() } else { default() };
    for entry in std::mem::take(&mut reading.routes) {
        let answer = check(&entry, &mut reading.problems);
        lines.retain(|(route, ..)| route.number != entry.number);
        if let Some(answer) = answer {
            lines.push((answer.at(entry.number), entry.value, Some(entry.place)));
        }
    }
    lines
}

/// Whether there is somebody at the other end of each line.
pub(crate) fn check_ends(reading: &mut Reading, config: &Config, lines: &[Line]) {
    let is_mute = config.sound.speaker.card.is_none() && config.sound.microphone.card.is_none();
    let has_trunk = !config.trunks.is_empty() || trunk::is_misspelt(reading);
    for (route, _, place) in lines {
        let (key, needs, because) = match &route.target {
            Target::Handset if is_mute => (
                "a route to handset",
                "sound.speaker or sound.microphone",
                "nobody could hear or say anything",
            ),
            Target::Transfer(to) if !to.reveal().contains(':') && !has_trunk => {
                ("a transfer to a number", "trunk.server", "there is nobody who knows the number")
            }
            _ => continue,
        };
        if let Some(place) = place {
            reading.problems.push(Problem::new(Fault::Alone { key, needs, because }, place.clone()));
        }
    }
}

fn default() -> Vec<Line> {
    let line = |(number, word): (&str, &str)| {
        Some((answer(word)?.at(number.to_owned()), Value::Text(word.to_owned()), None))
    };
    DEFAULT.into_iter().filter_map(line).collect()
}

fn check(entry: &RouteEntry, problems: &mut Vec<Problem>) -> Option<Answer> {
    if !is_number(&entry.number) {
        let fault = Fault::BadNumber(entry.number.clone());
        problems.push(Problem::new(fault, entry.number_place.clone()));
    }
    let fault = match &entry.value {
        Value::Text(text) => match answer(text) {
            Some(answer) => return Some(answer),
            None => {
                let nearest = nearest(text, WORDS.into_iter().chain(["transfer NUMBER"]));
                Fault::BadTarget { found: entry.value.to_string(), nearest }
            }
        },
        other => Fault::BadTarget { found: other.to_string(), nearest: None },
    };
    problems.push(Problem::new(fault, entry.place.clone()));
    None
}

fn is_number(number: &str) -> bool {
    let body = number.strip_suffix('*').unwrap_or(number);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+*#-_.".contains(&byte);
    !number.is_empty() && number.len() <= LONGEST && body.bytes().all(fits)
}

/// The right side of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    target: Target,
    ring: Span,
    early_media: bool,
}

impl Answer {
    fn at(self, number: String) -> Route {
        Route { number, target: self.target, ring: self.ring, early_media: self.early_media }
    }
}

/// `TARGET`, `TARGET ring SECONDS` or `TARGET early SECONDS`.
fn answer(text: &str) -> Option<Answer> {
    for (word, early_media) in [(" ring ", false), (" early ", true)] {
        if let Some((before, seconds)) = text.rsplit_once(word) {
            let is_plain = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
            let seconds: u64 = seconds.parse().ok().filter(|_| is_plain)?;
            let target = target(before).filter(|target| *target != Target::Reject)?;
            let ring = Span::from_millis(i64::try_from(seconds).ok()?.saturating_mul(1000));
            return (1..=LONGEST_RING_S).contains(&seconds).then_some(Answer { target, ring, early_media });
        }
    }
    target(text).map(|target| Answer { target, ring: Span::ZERO, early_media: false })
}

fn target(text: &str) -> Option<Target> {
    match text {
        "echo" => Some(Target::Echo),
        "tone" => Some(Target::Tone),
        "agent" => Some(Target::Agent),
        "handset" => Some(Target::Handset),
        "reject" => Some(Target::Reject),
        _ => {
            let to = text.strip_prefix("transfer ")?.trim();
            let fits = match to.strip_prefix("sip:").or_else(|| to.strip_prefix("sips:")) {
                Some(address) => is_address(address),
                None => is_number(to) && !to.ends_with('*'),
            };
            fits.then(|| Target::Transfer(Pii::new(to.to_owned())))
        }
    }
}

/// What stands behind `sip:` (RFC 3261 19.1.1): a host with or without a port, perhaps with a user before it and
/// parameters behind. The trunk's own parser looks closer.
fn is_address(text: &str) -> bool {
    let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
    let server = rest.split([';', '?']).next().unwrap_or_default();
    let bare = server.strip_prefix('[').and_then(|server| server.strip_suffix(']')).unwrap_or(server);
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"<>\"".contains(&byte);
    bare.parse::<Server>().is_ok() && user.is_none_or(|user| !user.is_empty()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_words_and_transfers_name_where_to() {
        assert_eq!(target("echo"), Some(Target::Echo));
        assert_eq!(target("handset"), Some(Target::Handset));
        assert_eq!(target("transfer +4930123"), Some(Target::Transfer(Pii::new("+4930123".into()))));
        for to in [
            "sip:desk@192.0.2.1",
            "sips:+49-30.12;phone-context=a@pbx.example:5061;transport=tcp?Subject=a",
            "sip:12@[2001:db8::1]",
            "sip:12@[2001:db8::1]:5080",
            "sip:pbx.example",
        ] {
            let wanted = Some(Target::Transfer(Pii::new(to.to_owned())));
            assert_eq!(target(&format!("transfer {to}")), wanted, "{to}");
        }
        for bad in [
            "",
            "Echo",
            "transfer",
            "transfer ",
            "transfer a b",
            "transfer 49*",
            "transfer sip:a b",
            "transfer sip:",
            "transfer sip:@",
            "transfer sip:12@",
            "transfer sip:@192.0.2.1",
            "transfer sip:12@192.0.2",
            "transfer sip:12@192.0.2.1:0",
            "transfer sip:<12>@192.0.2.1",
            "handset 2",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_target_may_ring_first_in_silence_or_aloud() {
        let of =
            |text| answer(text).map(|answer| (answer.target, answer.ring.as_micros(), answer.early_media));
        assert_eq!(of("echo"), Some((Target::Echo, 0, false)));
        assert_eq!(of("echo ring 4"), Some((Target::Echo, 4_000_000, false)));
        assert_eq!(
            of("transfer 12 early 120"),
            Some((Target::Transfer(Pii::new("12".into())), 120_000_000, true))
        );
        for bad in [
            "echo ring",
            "echo ring 0",
            "echo ring 121",
            "echo ring +4",
            "reject ring 4",
            "echo early x",
            "ring 4",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_may_end_with_a_star() {
        assert!(["600", "*", "+49*", "*97", "*97*", "desk.2"].into_iter().all(is_number));
        assert!(!["", "6 00", "ä", "6/7"].into_iter().any(is_number) && !is_number(&"1".repeat(65)));
    }
}
