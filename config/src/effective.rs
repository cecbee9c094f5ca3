//! What holds in the end, key by key, where each value came from, and what a reload changes.

use crate::Config;
use crate::key::{Effect, Key, keys};
use crate::layer::{Layer, ROUTE};
use crate::reading::Reading;
use crate::route;
use std::fmt;

/// A configuration together with what was said about each key.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The configuration.
    pub config: Config,
    /// Every key, in the order of the sample file, the lines of `[route]` last.
    pub settings: Vec<Effective>,
}

/// One key as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// `jitter`, `trunk.fallback`, `route`.
    pub section: String,
    /// `min_ms`, `"600"`: as it stands in the file.
    pub name: String,
    /// As TOML.
    pub value: String,
    /// Where it came from: `default`, `offhook.toml:12`, `environment NAME`, `--set`.
    pub origin: String,
    /// When a change of it acts.
    pub effect: Effect,
    /// Whether the value may not stand in a log: a person's name or number. In `[route]` the name is one too.
    pub is_personal: bool,
}

/// What a reload makes of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key as it held; `None` for a line of `[route]` that is new.
    pub before: Option<Effective>,
    /// The key as it holds; `None` for a line of `[route]` that is gone.
    pub after: Option<Effective>,
    /// When it acts.
    pub effect: Effect,
}

impl Resolved {
    pub(crate) fn new(config: Config, layers: &[Layer], reading: &Reading, routes: &[route::Line]) -> Self {
        let mut settings: Vec<_> = keys().map(|key| of_key(key, layers, reading)).collect();
        for (route, value, place) in routes {
            let origin = place.as_ref().and_then(|place| Some(layers.get(place.layer)?.tell(place)));
            settings.push(Effective {
                section: ROUTE.to_owned(),
                name: format!("\"{}\"", route.number),
                value: value.to_string(),
                origin: origin.unwrap_or_else(|| "default".to_owned()),
                effect: Effect::NextCall,
                is_personal: true,
            });
        }
        Self { config, settings }
    }

    /// Whether a key holds here as it does in `one`.
    pub fn holds(&self, one: &Effective) -> bool {
        let is_it = |other: &&Effective| other.section == one.section && other.name == one.name;
        self.settings.iter().find(is_it).is_some_and(|other| other.value == one.value)
    }

    /// Takes the keys of `section` as they are in `other`.
    pub fn adopt(&mut self, section: &str, other: &Self) {
        for mine in self.settings.iter_mut().filter(|mine| mine.section == section) {
            if let Some(theirs) =
                other.settings.iter().find(|one| one.section == section && one.name == mine.name)
            {
                mine.clone_from(theirs);
            }
        }
    }

    /// What is different in `next`.
    pub fn changes(&self, next: &Self) -> Vec<Change> {
        let find = |all: &[Effective], one: &Effective| {
            all.iter().find(|other| other.section == one.section && other.name == one.name).cloned()
        };
        let mut changes = Vec::new();
        for before in &self.settings {
            let after = find(&next.settings, before);
            if after.as_ref().is_none_or(|after| after.value != before.value) {
                changes.push(Change { effect: before.effect, before: Some(before.clone()), after });
            }
        }
        for after in &next.settings {
            if find(&self.settings, after).is_none() {
                changes.push(Change { effect: after.effect, before: None, after: Some(after.clone()) });
            }
        }
        changes
    }
}

fn of_key(key: &'static Key, layers: &[Layer], reading: &Reading) -> Effective {
    let setting = reading.setting(key);
    let origin = setting.place.as_ref().and_then(|place| Some(layers.get(place.layer)?.tell(place)));
    let moved = setting.place.is_none() && setting.value != key.default();
    let default = if moved { "default, moved by other keys" } else { "default" };
    Effective {
        section: key.section().to_owned(),
        name: key.name().to_owned(),
        value: setting.value.to_string(),
        origin: origin.unwrap_or_else(|| default.to_owned()),
        effect: key.effect,
        is_personal: key.is_personal(),
    }
}

/// As TOML that gives the same configuration again, each line with its origin.
impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        let width = self.settings.iter().map(Effective::width).filter(|width| *width <= 44).max();
        for setting in &self.settings {
            if setting.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = &setting.section;
                writeln!(f, "{gap}[{section}]")?;
            }
            let line = format!("{} = {}", setting.name, setting.value);
            writeln!(f, "{line:<width$}  # {}", setting.origin, width = width.unwrap_or(0))?;
        }
        Ok(())
    }
}

impl Effective {
    fn width(&self) -> usize {
        self.name.chars().count() + 3 + self.value.chars().count()
    }
}

/// For a log: personal values do not show.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(one) = self.after.as_ref().or(self.before.as_ref()) else { return Ok(()) };
        let shown = |one: &Option<Effective>| match one {
            None => "nothing".to_owned(),
            Some(one) if one.is_personal => "[redacted]".to_owned(),
            Some(one) => one.value.clone(),
        };
        if one.section == ROUTE {
            write!(f, "a line of [{ROUTE}] ({}): ", one.origin)?;
        } else {
            write!(f, "{}.{}: ", one.section, one.name)?;
        }
        write!(f, "{} -> {} ({})", shown(&self.before), shown(&self.after), self.effect)
    }
}
