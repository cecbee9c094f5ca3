//! The keys: what each is called, what it may be, and what it is when nobody says.

use crate::layer::Value;
use crate::{Fault, jitter, speed};
use std::fmt;

/// Every key that may be set, in the order of the sample file.
pub(crate) const KEYS: [&Key; 4] =
    [&jitter::MIN_MS, &jitter::TARGET_MS, &jitter::MAX_MS, &speed::MAX_PERCENT];

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Section and name, as in `jitter.min_ms`.
    pub(crate) path: &'static str,
    /// The environment variable that stands for it.
    pub(crate) variable: &'static str,
    pub(crate) expects: Expects,
}

/// What a value must be. `Display` says it in the words that also stand in the sample file.
#[derive(Debug)]
pub(crate) enum Expects {
    Millis {
        from: i64,
        to: i64,
        default: i64,
    },
    /// `smallest` is the least value other than 0 that makes sense.
    Percent {
        smallest: f64,
        to: f64,
        default: f64,
    },
}

impl Key {
    pub(crate) fn find(path: &str) -> Option<&'static Self> {
        KEYS.into_iter().find(|key| key.path == path)
    }

    /// The key's section: `jitter`.
    pub(crate) fn section(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(section, _)| section)
    }

    /// The key's name inside its section: `min_ms`.
    pub(crate) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    pub(crate) fn default(&self) -> f64 {
        match self.expects {
            Expects::Millis { default, .. } => default as f64,
            Expects::Percent { default, .. } => default,
        }
    }

    /// `value` as a number, if it is what this key expects.
    pub(crate) fn check(&self, value: &Value) -> Result<f64, Fault> {
        let wrong = |found| Fault::WrongType { key: self.path, found };
        let range = |found| Fault::OutOfRange { key: self.path, found };
        match (&self.expects, value) {
            (_, Value::Other(found)) => Err(wrong(found)),
            (Expects::Millis { .. }, Value::Decimal(_)) => Err(wrong("a number with a fraction")),
            (Expects::Millis { from, to, .. }, Value::Whole(ms)) => {
                if (from..=to).contains(&ms) {
                    Ok(*ms as f64)
                } else {
                    Err(range(ms.to_string()))
                }
            }
            (Expects::Percent { smallest, to, .. }, Value::Decimal(_) | Value::Whole(_)) => {
                let percent = value.as_number();
                if percent == 0.0 || (*smallest..=*to).contains(&percent) {
                    Ok(percent)
                } else {
                    Err(range(percent.to_string()))
                }
            }
        }
    }

    /// How to mend a value that is not what this key expects, where there is more to say than the range.
    pub(crate) fn advice(&self, value: &Value) -> Option<String> {
        let number = value.as_number();
        match self.expects {
            Expects::Percent { smallest, .. } if number > 0.0 && number < smallest => Some(format!(
                "this is a percentage: for {number} as a fraction write {}",
                round(number * 100.0)
            )),
            Expects::Millis { from, to, .. } if number > 0.0 && number < 1.0 => {
                let ms = round(number * 1000.0);
                let fits = (from as f64..=to as f64).contains(&ms);
                fits.then(|| format!("this is in milliseconds: for {number} seconds write {ms}"))
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
            Self::Millis { from, to, default } => {
                write!(f, "whole milliseconds from {from} to {to}, default {default}")
            }
            Self::Percent { to, default, .. } => write!(f, "percent from 0 to {to}, default {default}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_and_variables_are_unique_and_every_default_is_sound() {
        let paths: HashSet<_> = KEYS.iter().map(|key| key.path).collect();
        let variables: HashSet<_> = KEYS.iter().map(|key| key.variable).collect();
        assert_eq!((paths.len(), variables.len()), (KEYS.len(), KEYS.len()));
        for key in KEYS {
            let value = match key.expects {
                Expects::Millis { default, .. } => Value::Whole(default),
                Expects::Percent { default, .. } => Value::Decimal(default),
            };
            assert_eq!(key.check(&value), Ok(key.default()), "{}", key.path);
        }
    }

    #[test]
    fn ranges_hold_at_their_ends() {
        assert_eq!(jitter::MIN_MS.check(&Value::Whole(20)), Ok(20.0));
        assert_eq!(jitter::MIN_MS.check(&Value::Whole(500)), Ok(500.0));
        assert!(jitter::MIN_MS.check(&Value::Whole(19)).is_err());
        assert!(jitter::MIN_MS.check(&Value::Whole(501)).is_err());
        assert_eq!(speed::MAX_PERCENT.check(&Value::Whole(0)), Ok(0.0));
        assert_eq!(speed::MAX_PERCENT.check(&Value::Decimal(5.0)), Ok(5.0));
        assert_eq!(speed::MAX_PERCENT.check(&Value::Decimal(0.1)), Ok(0.1));
        for bad in [0.05, 5.01, -1.0, f64::NAN, f64::INFINITY] {
            assert!(speed::MAX_PERCENT.check(&Value::Decimal(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_sample_file_tells_each_key_with_unit_range_default_and_variable() {
        let sample = include_str!("../offhook.toml");
        for key in KEYS {
            let section = sample.find(&format!("\n[{}]\n", key.section())).expect(key.path);
            let above = &sample[section..];
            let above = &above[..above.find(&format!("\n{} = ", key.name())).expect(key.path)];
            let comment = &above[above.rfind("\n\n").expect(key.path)..];
            assert!(
                comment.contains(&format!("\n# {}\n", key.expects)),
                "{}: {}\n{comment}",
                key.path,
                key.expects
            );
            assert!(
                comment.ends_with(&format!("\n# environment: {}", key.variable)),
                "{}\n{comment}",
                key.path
            );
        }
    }
}
