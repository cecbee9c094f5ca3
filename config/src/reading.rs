//! The layers laid over one another: the value of each key, where it came from, and what is wrong.

use crate::key::{Key, keys};
use crate::layer::{Layer, Place, RouteEntry};
use crate::value::Value;
use crate::{Fault, Problem};
use std::collections::HashMap;
use std::path::PathBuf;

/// All values that were given, checked one by one.
#[derive(Debug)]
pub(crate) struct Reading {
    settings: HashMap<&'static str, Setting>,
    /// Every layer's lines of `[route]`, weakest first.
    pub(crate) routes: Vec<RouteEntry>,
    /// Whether a layer has that section.
    pub(crate) has_route_section: bool,
    pub(crate) problems: Vec<Problem>,
}

/// The value of one key.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    /// Where it was given; `None` for a default.
    pub(crate) place: Option<Place>,
    /// Whether it is what the key expects; if not, that was reported and `value` is the default.
    pub(crate) sound: bool,
}

impl Reading {
    pub(crate) fn of(layers: &[Layer]) -> Self {
        let default = |key: &'static Key| Setting { value: key.default(), place: None, sound: true };
        let settings = keys().map(|key| (key.path, default(key))).collect();
        let mut reading =
            Self { settings, routes: Vec::new(), has_route_section: false, problems: Vec::new() };
        for (index, layer) in layers.iter().enumerate() {
            let found = layer.entries(index, &mut reading.problems);
            for entry in found.entries {
                let (value, sound) = match entry.key.check(&entry.value) {
                    Ok(()) => (entry.value, true),
                    Err(fault) => {
                        let problem = Problem::new(fault, entry.place.clone());
                        reading.problems.push(problem.advise(entry.key.advice(&entry.value)));
                        (entry.key.default(), false)
                    }
                };
                reading.settings.insert(entry.key.path, Setting { value, place: Some(entry.place), sound });
            }
            reading.routes.extend(found.routes);
            reading.has_route_section |= found.has_route_section;
        }
        reading
    }

    pub(crate) fn setting(&self, key: &'static Key) -> Setting {
        let default = || Setting { value: key.default(), place: None, sound: true };
        self.settings.get(key.path).cloned().unwrap_or_else(default)
    }

    pub(crate) fn number(&self, key: &'static Key) -> f64 {
        self.setting(key).value.as_number()
    }

    /// A whole number; what does not fit `N` is cut to nothing, which the key's range excludes.
    pub(crate) fn whole<N: TryFrom<i64> + Default>(&self, key: &'static Key) -> N {
        let whole = if let Value::Whole(number) = self.setting(key).value { number } else { 0 };
        N::try_from(whole).unwrap_or_default()
    }

    pub(crate) fn flag(&self, key: &'static Key) -> bool {
        self.setting(key).value == Value::Flag(true)
    }

    pub(crate) fn text(&self, key: &'static Key) -> String {
        self.setting(key).value.as_text().to_owned()
    }

    /// Text of a kind that parses; `None` where there is none.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, key: &'static Key) -> Option<T> {
        self.text(key).parse().ok()
    }

    /// A file; `None` where there is none.
    pub(crate) fn path(&self, key: &'static Key) -> Option<PathBuf> {
        Some(self.text(key)).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// A list of texts of a kind that parses.
    pub(crate) fn list<T: std::str::FromStr>(&self, key: &'static Key) -> Vec<T> {
        self.setting(key).value.as_list().iter().filter_map(|item| item.as_text().parse().ok()).collect()
    }

    /// Whether somebody gave the key a sound value that is not its default.
    pub(crate) fn is_changed(&self, key: &'static Key) -> bool {
        let setting = self.setting(key);
        setting.sound && setting.value != key.default()
    }

    /// What holds instead of a default, because other keys were given.
    fn settle(&mut self, key: &'static Key, value: Value) {
        if let Some(setting) = self.settings.get_mut(key.path) {
            setting.value = value;
        }
    }

    /// Whether a lower bound lies above an upper one; then that is a problem.
    pub(crate) fn is_crossed(&mut self, low: &'static Key, high: &'static Key) -> bool {
        let (this, other) = (self.setting(low), self.setting(high));
        let (least, most) = (self.whole(low), self.whole(high));
        let is_crossed = this.sound && other.sound && least > most;
        if is_crossed {
            let fault = Fault::Crossed { low: (low.path, least), high: (high.path, most) };
            self.contradiction(&this, &other, fault);
        }
        is_crossed
    }

    /// A key that nobody gave moves between the bounds that somebody did give; where it is then.
    pub(crate) fn moved(&mut self, key: &'static Key, least: i64, most: i64) -> Option<i64> {
        let setting = self.setting(key);
        let value = setting.value.as_number() as i64;
        let value = setting.place.is_none().then(|| value.max(least).min(most))?;
        self.settle(key, Value::Whole(value));
        Some(value)
    }

    /// Two values that are each fine and do not go together: `this` is the one to be changed first.
    pub(crate) fn contradiction(&mut self, this: &Setting, other: &Setting, fault: Fault) {
        let (first, second) = (this.place.clone(), other.place.clone());
        // A default is never to blame: then the other one was given.
        let Some(place) = first.clone().or_else(|| second.clone()) else { return };
        let other = if first.is_some() { second } else { None };
        self.problems.push(Problem::new(fault, place).beside(other));
    }
}
