//! The keys: what each is called, what it may be, and what it is when nobody says.

use crate::text::Kind;
use crate::value::{NOTHING, Value};
use crate::{
    Fault, audio, calls, chunks, http, jitter, log, media, pauses, secret, sip, sound, speech, speed, trunk,
};
use std::fmt;

/// Every section's keys, in the order of the sample file.
static SECTIONS: [&[&Key]; 15] = [
    &trunk::KEYS,
    &trunk::FALLBACK_KEYS,
    &sip::KEYS,
    &media::KEYS,
    &jitter::KEYS,
    &speed::KEYS,
    &calls::KEYS,
    &audio::KEYS,
    &sound::KEYS,
    &speech::KEYS,
    &chunks::KEYS,
    &pauses::KEYS,
    &pauses::BREATH_KEYS,
    &http::KEYS,
    &log::KEYS,
];

/// Every key that may be set, in the order of the sample file. The patterns of `[route]` are besides.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.into_iter().flatten().copied()
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Section and name, as in `jitter.min_ms`.
    pub(crate) path: &'static str,
    /// The environment variable that stands for it, if one does.
    pub(crate) variable: Option<&'static str>,
    pub(crate) expects: Expects,
    pub(crate) effect: Effect,
}

/// When a change of a key acts on a process that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// At once, on calls in progress too.
    Live,
    /// On calls that begin after it.
    NextCall,
    /// Only a restart of the service brings it.
    Restart,
}

/// As a reload tells it.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live now",
            Self::NextCall => "next call",
            Self::Restart => "needs a restart",
        })
    }
}

/// What a value must be. `Display` says it in the words that also stand in the sample file.
#[derive(Debug)]
pub(crate) enum Expects {
    /// `unit` in words that go before "from 1 to 2".
    Whole { unit: &'static str, from: i64, to: i64, default: i64 },
    /// `smallest` is the least value other than 0 that makes sense.
    Percent { smallest: f64, to: f64, default: f64 },
    /// True or false.
    Flag { default: bool },
    /// One of some words.
    Choice { of: &'static [&'static str], default: &'static str },
    /// Text; empty where `default` is, which means that there is none, or where the kind says so.
    Text { kind: Kind, default: &'static str },
    /// A list of texts.
    List { kind: Kind, default: &'static [&'static str] },
}

/// The unit of keys in milliseconds.
pub(crate) const MILLIS: &str = "whole milliseconds";

impl Key {
    /// A key that no variable stands for, and whose change waits for a restart.
    pub(crate) const fn at_restart(path: &'static str, expects: Expects) -> Self {
        Self { path, variable: None, expects, effect: Effect::Restart }
    }

    pub(crate) fn find(path: &str) -> Option<&'static Self> {
        keys().find(|key| key.path == path)
    }

    /// The key's section: `jitter`, `trunk.fallback`.
    pub(crate) fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(section, _)| section)
    }

    /// The key's name inside its section: `min_ms`.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// Whether what stands there may not stand in a log: somebody's name or number, and words in which there may be one.
    pub(crate) const fn is_personal(&self) -> bool {
        matches!(self.expects, Expects::Text { kind: Kind::User | Kind::Words, .. })
    }

    pub(crate) fn default(&self) -> Value {
        match self.expects {
            Expects::Whole { default, .. } => Value::Whole(default),
            Expects::Percent { default, .. } => Value::Decimal(default),
            Expects::Flag { default } => Value::Flag(default),
            Expects::Choice { default, .. } | Expects::Text { default, .. } => {
                Value::Text(default.to_owned())
            }
            Expects::List { default, .. } => {
                Value::List(default.iter().map(|item| Value::Text((*item).to_owned())).collect())
            }
        }
    }

    /// Whether `value` is what this key expects.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Fault> {
        let wrong = |value: &Value| Err(Fault::WrongType { key: self.path, found: value.kind() });
        let range = |found| Err(Fault::OutOfRange { key: self.path, found });
        match (&self.expects, value) {
            (Expects::Whole { from, to, .. }, Value::Whole(number)) => match (from..=to).contains(&number) {
                true => Ok(()),
                false => range(number.to_string()),
            },
            (Expects::Percent { smallest, to, .. }, Value::Decimal(_) | Value::Whole(_)) => {
                let percent = value.as_number();
                let fits = percent == 0.0 || (*smallest..=*to).contains(&percent);
                if fits { Ok(()) } else { range(percent.to_string()) }
            }
            (Expects::Flag { .. }, Value::Flag(_)) => Ok(()),
            (Expects::Choice { of, .. }, Value::Text(word)) if of.contains(&word.as_str()) => Ok(()),
            (Expects::Choice { .. }, Value::Text(_)) => self.bad_text(value),
            (Expects::Text { kind, default }, Value::Text(text)) => {
                let none = default.is_empty() && text.is_empty();
                if none || kind.takes(text) { Ok(()) } else { self.bad_text(value) }
            }
            // A call without any codec cannot be.
            (Expects::List { kind: Kind::Codec, .. }, Value::List(items)) if items.is_empty() => {
                self.bad_text(value)
            }
            (Expects::List { kind, .. }, Value::List(items)) => {
                match items.iter().find(|item| !matches!(item, Value::Text(text) if kind.takes(text))) {
                    Some(item) => self.bad_text(item),
                    None => Ok(()),
                }
            }
            _ => wrong(value),
        }
    }

    fn bad_text(&self, value: &Value) -> Result<(), Fault> {
        Err(Fault::BadText { key: self.path, found: secret::cover(&value.to_string()) })
    }

    /// How to mend a value that is not what this key expects, where there is more to say than the range.
    pub(crate) fn advice(&self, value: &Value) -> Option<String> {
        let number = value.as_number();
        match &self.expects {
            // Only where text may be empty must it be in quotes there.
            _ if *value == NOTHING && self.check(&Value::Text(String::new())).is_ok() => {
                Some(format!("for an empty text write {0}=\"\", and in a shell '{0}=\"\"'", self.path))
            }
            Expects::Percent { smallest, .. } if number > 0.0 && number < *smallest => Some(format!(
                "this is a percentage: for {number} as a fraction write {}",
                round(number * 100.0)
            )),
            Expects::Whole { unit: MILLIS, from, to, .. } if number > 0.0 && number < 1.0 => {
                let ms = round(number * 1000.0);
                let fits = (*from as f64..=*to as f64).contains(&ms);
                fits.then(|| format!("this is in milliseconds: for {number} seconds write {ms}"))
            }
            Expects::Text { kind: Kind::Url | Kind::WebUrl | Kind::SocketUrl, .. }
                if value.as_text().contains('@') =>
            {
                Some("keys and passwords do not stand in an address; the service's key has a file".to_owned())
            }
            Expects::Choice { of, .. } => {
                let nearest = crate::nearest::nearest(value.as_text(), of.iter().copied())?;
                Some(format!("did you mean \"{nearest}\"?"))
            }
            _ => None,
        }
    }
}

/// Without the dust of binary fractions, for people.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

impl fmt::Display for Expects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { unit, from, to, default } => {
                write!(f, "{unit} from {from} to {to}, default {default}")
            }
            Self::Percent { to, default, .. } => write!(f, "percent from 0 to {to}, default {default}"),
            Self::Flag { default } => write!(f, "true or false, default {default}"),
            Self::Choice { of, default } => write!(f, "one of {}, default {default}", of.join(", ")),
            Self::Text { kind, default: "" } => write!(f, "{kind}, default none (\"\")"),
            Self::Text { kind, default } => write!(f, "{kind}, default {default}"),
            Self::List { kind, default: [] } => write!(f, "list of {kind}, default none"),
            Self::List { kind, default } => write!(f, "list of {kind}, default {}", default.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_and_variables_are_unique_and_every_default_is_sound() {
        let paths: HashSet<_> = keys().map(|key| key.path).collect();
        let variables: Vec<_> = keys().filter_map(|key| key.variable).collect();
        let unique: HashSet<_> = variables.iter().collect();
        assert_eq!((paths.len(), unique.len()), (keys().count(), variables.len()));
        for key in keys() {
            assert_eq!(key.check(&key.default()), Ok(()), "{}", key.path);
        }
    }

    #[test]
    fn ranges_hold_at_their_ends() {
        let whole = |key: &Key, number| key.check(&Value::Whole(number)).is_ok();
        assert!(whole(&jitter::MIN_MS, 20) && whole(&jitter::MIN_MS, 500) && whole(&speed::MAX_PERCENT, 0));
        assert!(!whole(&jitter::MIN_MS, 19) && !whole(&jitter::MIN_MS, 501));
        assert_eq!(speed::MAX_PERCENT.check(&Value::Decimal(5.0)), Ok(()));
        assert_eq!(speed::MAX_PERCENT.check(&Value::Decimal(0.1)), Ok(()));
        for bad in [0.05, 5.01, -1.0, f64::NAN, f64::INFINITY] {
            assert!(speed::MAX_PERCENT.check(&Value::Decimal(bad)).is_err(), "{bad}");
        }
    }

    /// What stands above the key in the sample file.
    fn comment(key: &Key) -> &'static str {
        let sample = include_str!("../offhook.toml");
        let section = sample.find(&format!("\n[{}]\n", key.section())).expect(key.path);
        let above = &sample[section..];
        let above = &above[..above.find(&format!("\n{} = ", key.name())).expect(key.path)];
        &above[above.rfind("\n\n").expect(key.path)..]
    }

    #[test]
    fn the_sample_file_tells_each_key_with_unit_range_default_effect_and_variable() {
        for key in keys() {
            let mut expected = format!("\n# {}\n# a change: {}", key.expects, key.effect);
            if let Some(variable) = key.variable {
                expected += &format!("\n# environment: {variable}");
            }
            let comment = comment(key);
            assert!(comment.ends_with(&expected), "{}: {expected}\n{comment}", key.path);
            assert!(comment.len() > expected.len() + 20, "{} is not explained", key.path);
        }
    }
}
