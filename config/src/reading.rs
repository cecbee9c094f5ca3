//! The layers laid over one another: the value of each key, and what is wrong.

use crate::key::{KEYS, Key};
use crate::layer::{Layer, Place};
use crate::{Fault, Problem};
use std::collections::HashMap;

/// All values that were given, checked one by one.
#[derive(Debug)]
pub(crate) struct Reading {
    numbers: HashMap<&'static str, Number>,
    pub(crate) problems: Vec<Problem>,
}

/// The value of one key.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    pub(crate) value: f64,
    /// Where it was given; `None` for a default.
    pub(crate) place: Option<Place>,
    /// Whether it is what the key expects; if not, that was reported and `value` is the default.
    pub(crate) sound: bool,
}

impl Reading {
    pub(crate) fn of(layers: &[Layer]) -> Self {
        let mut numbers: HashMap<_, _> = KEYS
            .into_iter()
            .map(|key| (key.path, Number { value: key.default(), place: None, sound: true }))
            .collect();
        let mut problems = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            for entry in layer.entries(index, &mut problems) {
                let checked = entry.key.check(&entry.value);
                let sound = checked.is_ok();
                let value = checked.unwrap_or_else(|fault| {
                    let problem = Problem::new(fault, entry.place.clone());
                    problems.push(problem.advise(entry.key.advice(&entry.value)));
                    entry.key.default()
                });
                numbers.insert(entry.key.path, Number { value, place: Some(entry.place), sound });
            }
        }
        Self { numbers, problems }
    }

    pub(crate) fn number(&self, key: &'static Key) -> Number {
        let default = || Number { value: key.default(), place: None, sound: true };
        self.numbers.get(key.path).cloned().unwrap_or_else(default)
    }

    /// Two values that are each fine and do not go together: `this` is the one to be changed first.
    pub(crate) fn contradiction(&mut self, this: &Number, other: &Number, fault: Fault) {
        let (first, second) = (this.place.clone(), other.place.clone());
        // A default is never to blame: then the other one was given.
        let Some(place) = first.clone().or_else(|| second.clone()) else { return };
        let other = if first.is_some() { second } else { None };
        self.problems.push(Problem::new(fault, place).beside(other));
    }
}
