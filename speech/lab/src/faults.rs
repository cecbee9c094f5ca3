//! The switches: what a service does wrong, written as `name=value` pairs. One reading for the command line,
//! the query of a connection (`?lab.close=1011`), the header `x-lab` and `POST /lab/faults`.

use crate::reach;
use std::fmt;
use std::str::FromStr;

/// What goes wrong on a connection. The default is a service that does everything right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Only on paths that hold this text. The raw Wyoming socket has the path `wyoming`.
    pub path: String,
    /// Only on WebSockets, or only on plain requests, where a path serves both.
    pub way: Option<Way>,
    /// Only on the first so many connections; without it on all of them.
    pub times: Option<u32>,
    /// When `close`, `kill`, `half_open`, `error`, `pause_ms` and `mute` happen: after so many milliseconds of
    /// audio spoken (or heard, by a recogniser), or tokens of a language model. Without it: at once.
    pub after: Option<u32>,
    /// HTTP answers with this status, to an upgrade too.
    pub refuse: Option<u16>,
    /// The `Retry-After` of `refuse`, in seconds.
    pub retry_after_s: Option<u32>,
    /// Takes the connection and never answers.
    pub stall: Option<Stall>,
    /// Closes the WebSocket with this code.
    pub close: Option<u16>,
    /// The reason that goes with `close`.
    pub reason: String,
    /// The TCP connection goes away in the middle of what was being said.
    pub kill: bool,
    /// The TCP connection stays and nothing comes any more; nothing is read either.
    pub half_open: bool,
    /// The service says that something failed, in its own way, with this code.
    pub error: Option<String>,
    /// Nothing comes for so long, once.
    pub pause_ms: Option<u32>,
    /// Everything is accepted and nothing is said.
    pub mute: bool,
    /// How much faster than real time audio comes; 0 is as fast as it can be made.
    pub pace: Option<f32>,
    /// How long the first audio of a text or the first token takes, in milliseconds.
    pub first_ms: Option<u32>,
    /// How long a token takes, in milliseconds.
    pub token_ms: Option<u32>,
    /// So many frames of audio come for a context that is closed, or a response that is cancelled.
    pub late: u32,
    /// How many contexts may be open; the vendor says five.
    pub contexts: Option<u32>,
    /// A context never says that it is done, nor a recogniser that an utterance is (`speech_final`).
    pub no_final: bool,
    /// What is wrong with a recogniser's `UtteranceEnd`.
    pub utterance_end: Option<UtteranceEnd>,
    /// Closes an idle connection after so long, whatever the client asked for, in milliseconds.
    pub idle_ms: Option<u32>,
    /// Audio comes in pieces of so many bytes; an odd number cuts samples in two.
    pub cut: Option<usize>,
    /// A text stream comes in network writes of so many bytes, which cuts characters in two.
    pub split: Option<usize>,
    /// How the fields of ElevenLabs' messages are spelled.
    pub keys: Keys,
    /// Unknown messages stand between the others.
    pub noise: bool,
    /// Messages that are no JSON stand between the others.
    pub garbage: bool,
    /// A language model thinks aloud before it answers, and a comment line comes now and then.
    pub reasoning: bool,
    /// A text stream ends without saying so.
    pub no_done: bool,
}

/// How a path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the upgrade to a WebSocket.
    Socket,
    /// By a plain request.
    Http,
}

/// What is wrong with the message that says where the last word ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UtteranceEnd {
    /// It never comes, as in noise.
    Never,
    /// It comes while the caller goes on, as between the words of somebody who thinks.
    Early,
}

/// Where a connection gets stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// In the TLS handshake: TCP is accepted and nothing is answered.
    Tls,
    /// After the HTTP request.
    Http,
}

/// Spellings of ElevenLabs' fields that have been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// `contextId`, `isFinal`, `charDurationsMs`.
    #[default]
    Camel,
    /// `context_id`, `is_final`.
    Snake,
    /// Both at once.
    Both,
    /// `charsStartTimesMs`, `charsDurationsMs`.
    Plural,
}

/// A switch that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFault {
    /// What was written.
    pub given: String,
    /// What was expected.
    pub expected: &'static str,
}

impl fmt::Display for BadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lab cannot take \"{}\"; expected {}", self.given, self.expected)
    }
}

impl std::error::Error for BadFault {}

/// Each switch with what it takes and what it does: the text of `offhook lab --help`.
pub const SWITCHES: &[(&str, &str)] = &[
    ("path=TEXT", "only on paths that hold TEXT"),
    ("way=ws|http", "only on WebSockets, or only on plain requests"),
    ("times=N", "only on the first N connections"),
    ("after=N", "not at once but after N ms of audio, or N tokens"),
    ("refuse=STATUS", "answer HTTP with STATUS (401, 429, 500...), to an upgrade too"),
    ("retry_after_s=N", "the Retry-After of refuse"),
    ("stall=tls|http", "accept TCP and never answer: in the TLS handshake, or after the request"),
    ("close=CODE", "close the WebSocket with CODE (without after: accept, then close)"),
    ("reason=TEXT", "the reason that goes with close"),
    ("kill", "drop the TCP connection"),
    ("half_open", "keep the TCP connection and never say or read anything again"),
    ("error=CODE", "the vendor's own error message (quota_exceeded, input_timeout_exceeded...)"),
    ("pause_ms=N", "say nothing for N ms, once"),
    ("mute", "accept everything and say nothing"),
    ("pace=X", "audio at X times real time; 0 as fast as it can be made"),
    ("first_ms=N", "delay of the first audio or token"),
    ("token_ms=N", "time a token takes"),
    ("late=N", "N frames of audio of what was closed or cancelled come after it"),
    ("contexts=N", "how many contexts may be open (5)"),
    ("no_final", "a context never says that it is done, /v1/listen never speech_final"),
    ("utterance_end=never|early", "UtteranceEnd of /v1/listen is missing, or comes in mid sentence"),
    ("idle_ms=N", "close an idle connection after N ms"),
    ("cut=N", "audio in pieces of N bytes; odd numbers cut samples"),
    ("split=N", "text streams in writes of N bytes; cuts UTF-8"),
    ("keys=camel|snake|both|plural", "spelling of ElevenLabs' fields"),
    ("noise", "unknown messages between the others"),
    ("garbage", "messages that are no JSON between the others"),
    ("reasoning", "the language model thinks aloud first, with comment lines"),
    ("no_done", "a text stream ends without saying so"),
];

impl FromStr for Faults {
    type Err = BadFault;

    /// Reads `name=value` pairs, with commas, spaces or `&` between them. A bare name is `name=true`. A switch that does
    /// nothing on any path that holds the text of `path` is refused: who sets it would wait for it.
    fn from_str(text: &str) -> Result<Self, BadFault> {
        let mut faults = Self::default();
        for pair in text.split([',', ' ', '&', '\n']).filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some((name, value)) => faults.set(name, value)?,
                None => faults.set_bare(pair)?,
            }
        }
        match reach::in_vain(&faults) {
            Some(name) => Err(in_vain(name)),
            None => Ok(faults),
        }
    }
}

impl Faults {
    /// Whether nothing is wrong.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Sets one switch.
    ///
    /// # Errors
    /// [`BadFault`] for an unknown name or a value that it does not take.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), BadFault> {
        if self.set_number(name, value)? || self.set_word(name, value)? || self.set_flag(name, value)? {
            return Ok(());
        }
        Err(BadFault { given: name.to_owned(), expected: "one of those that `offhook lab --help` lists" })
    }

    /// Sets a switch that stands alone, which those that take a text may not.
    pub(crate) fn set_bare(&mut self, name: &str) -> Result<(), BadFault> {
        match name {
            "path" | "reason" | "error" => {
                Err(BadFault { given: name.to_owned(), expected: "a text behind it, as in path=multi" })
            }
            _ => self.set(name, "true"),
        }
    }

    /// Whether all of them do something for a request; an error names the first that does not.
    pub(crate) fn fit(&self, path: &str, way: Way) -> Result<(), BadFault> {
        reach::in_vain_at(self, path, way).map_or(Ok(()), |name| Err(in_vain(name)))
    }

    fn set_number(&mut self, name: &str, value: &str) -> Result<bool, BadFault> {
        match name {
            "times" => self.times = Some(number(name, value)?),
            "after" => self.after = Some(number(name, value)?),
            "retry_after_s" => self.retry_after_s = Some(number(name, value)?),
            "pause_ms" => self.pause_ms = Some(number(name, value)?),
            "first_ms" => self.first_ms = Some(number(name, value)?),
            "token_ms" => self.token_ms = Some(number(name, value)?),
            "late" => self.late = number(name, value)?,
            "contexts" => self.contexts = Some(number(name, value)?),
            "idle_ms" => self.idle_ms = Some(number(name, value)?),
            "cut" => self.cut = Some(at_least_one(name, value)?),
            "split" => self.split = Some(at_least_one(name, value)?),
            "refuse" => self.refuse = Some(status(name, value)?),
            "close" => self.close = Some(close_code(name, value)?),
            "pace" => {
                let pace: f32 = number(name, value)?;
                if !(0.0..=1000.0).contains(&pace) {
                    return Err(bad(name, value, "pace between 0 and 1000"));
                }
                self.pace = Some(pace);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_word(&mut self, name: &str, value: &str) -> Result<bool, BadFault> {
        match name {
            "path" => value.clone_into(&mut self.path),
            "reason" => value.clone_into(&mut self.reason),
            "error" => self.error = Some(value.to_owned()),
            "way" => {
                self.way = Some(match value {
                    "ws" => Way::Socket,
                    "http" => Way::Http,
                    _ => return Err(bad(name, value, "way=ws or way=http")),
                });
            }
            "stall" => {
                self.stall = Some(match value {
                    "tls" => Stall::Tls,
                    "http" => Stall::Http,
                    _ => return Err(bad(name, value, "stall=tls or stall=http")),
                });
            }
            "keys" => {
                self.keys = match value {
                    "camel" => Keys::Camel,
                    "snake" => Keys::Snake,
                    "both" => Keys::Both,
                    "plural" => Keys::Plural,
                    _ => return Err(bad(name, value, "keys=camel, snake, both or plural")),
                };
            }
            "utterance_end" => {
                self.utterance_end = Some(match value {
                    "never" => UtteranceEnd::Never,
                    "early" => UtteranceEnd::Early,
                    _ => return Err(bad(name, value, "utterance_end=never or utterance_end=early")),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_flag(&mut self, name: &str, value: &str) -> Result<bool, BadFault> {
        let flag = match name {
            "kill" => &mut self.kill,
            "half_open" => &mut self.half_open,
            "mute" => &mut self.mute,
            "no_final" => &mut self.no_final,
            "noise" => &mut self.noise,
            "garbage" => &mut self.garbage,
            "reasoning" => &mut self.reasoning,
            "no_done" => &mut self.no_done,
            _ => return Ok(false),
        };
        *flag = match value {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(bad(name, value, "true or false")),
        };
        Ok(true)
    }
}

fn bad(name: &str, value: &str, expected: &'static str) -> BadFault {
    BadFault { given: format!("{name}={value}"), expected }
}

fn in_vain(name: &str) -> BadFault {
    let expected = "a switch that does something on that path; docs/lab.md says what does where";
    BadFault { given: name.to_owned(), expected }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, BadFault> {
    value.parse().map_err(|_| bad(name, value, "a number"))
}

fn at_least_one(name: &str, value: &str) -> Result<usize, BadFault> {
    match number(name, value)? {
        0 => Err(bad(name, value, "a number from 1 on")),
        some => Ok(some),
    }
}

fn status(name: &str, value: &str) -> Result<u16, BadFault> {
    let status = number(name, value)?;
    if (300..600).contains(&status) {
        Ok(status)
    } else {
        Err(bad(name, value, "an HTTP status from 300 to 599"))
    }
}

/// RFC 6455 section 7.4: 1000 to 4999, less those that never stand in a frame.
fn close_code(name: &str, value: &str) -> Result<u16, BadFault> {
    let code = number(name, value)?;
    let fit = (1000..5000).contains(&code) && ![1004, 1005, 1006, 1015].contains(&code);
    if fit { Ok(code) } else { Err(bad(name, value, "a close code that may be sent (1006 is `kill`)")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_whatever_stands_between_them() {
        let faults: Faults = "close=1011,after=300 keys=both&mute".parse().unwrap();
        assert_eq!((faults.close, faults.after), (Some(1011), Some(300)));
        assert_eq!(faults.keys, Keys::Both);
        assert!(faults.mute && !faults.kill);
        assert!("".parse::<Faults>().unwrap().is_none());
    }

    #[test]
    fn what_is_no_switch_is_refused_with_what_was_expected() {
        for wrong in [
            "clos=1",
            "close=99",
            "close=1006",
            "refuse=200",
            "cut=0",
            "pace=-1",
            "pace=x",
            "stall=x",
            "way=x",
            "kill=x",
            "utterance_end=late",
            // No path has the name "true".
            "path",
            "error",
        ] {
            let error = wrong.parse::<Faults>().unwrap_err();
            assert!(!error.expected.is_empty() && wrong.starts_with(&error.given[..3]), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_switch_that_does_nothing_where_it_is_set_is_refused() {
        for wrong in [
            "path=v2/listen,no_final",
            "path=multi,utterance_end=early",
            "path=conversation,idle_ms=200",
            "path=/speak,way=ws,split=7",
            "path=wyoming,token_ms=1",
        ] {
            let error = wrong.parse::<Faults>().unwrap_err();
            assert!(wrong.contains(&error.given) && error.expected.contains("that path"), "{wrong}: {error}");
        }
        // Where one of several paths has it, it is wanted there; and a path that is not known may be a voice's.
        for right in
            ["path=listen,no_final", "path=/speak,split=7", "path=my-voice,utterance_end=never", "no_done"]
        {
            right.parse::<Faults>().unwrap();
        }
    }

    #[test]
    fn every_switch_of_the_help_is_understood() {
        for (usage, _) in SWITCHES {
            let (name, value) = usage.split_once('=').unwrap_or((usage, "true"));
            let value = match value {
                "N" | "X" => "3",
                "STATUS" => "503",
                "CODE" => "1011",
                "TEXT" => "x",
                words => words.split('|').next().unwrap_or_default(),
            };
            let mut faults = Faults::default();
            faults.set(name, value).unwrap();
            assert!(faults != Faults::default() || *usage == "keys=camel|snake|both|plural", "{usage}");
        }
    }
}
