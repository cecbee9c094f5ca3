//! One source of values: its text, and the entries found in it, each with its place.

use crate::key::{KEYS, Key};
use crate::nearest::nearest;
use crate::{Fault, Problem};
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A text that holds values, and how errors call it.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) origin: String,
    pub(crate) text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// TOML.
    File,
    /// `NAME=VALUE`, where the name stands for `key` and the value begins at byte `value_at`.
    Variable { key: &'static Key, value_at: usize },
    /// `KEY=VALUE`.
    Option,
}

/// A value as it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(i64),
    Decimal(f64),
    /// What no key expects today, in words.
    Other(&'static str),
}

/// A value of a known key, and where in which layer it stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: &'static Key,
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// Bytes `span` of layer number `layer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) layer: usize,
    pub(crate) span: Range<usize>,
}

impl Value {
    /// NaN where it is not a number, so that it compares with nothing.
    pub(crate) fn as_number(&self) -> f64 {
        match self {
            Self::Whole(number) => *number as f64,
            Self::Decimal(number) => *number,
            Self::Other(_) => f64::NAN,
        }
    }

    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Self::Other("a number beyond all range"), Self::Whole),
            DeValue::Float(digits) => {
                digits.as_str().parse().map_or(Self::Other("a number beyond all range"), Self::Decimal)
            }
            DeValue::String(_) => Self::Other("text"),
            DeValue::Boolean(_) => Self::Other("true or false"),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Array(_) => Self::Other("a list"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }
}

impl Layer {
    pub(crate) fn file(name: &str, text: &str) -> Self {
        Self { origin: name.to_owned(), text: text.to_owned(), kind: Kind::File }
    }

    /// `None` for a variable that stands for no key, or that is empty, as `NAME=` in a service file is meant.
    pub(crate) fn variable(name: &str, value: &str) -> Option<Self> {
        let key = KEYS.into_iter().find(|key| key.variable == name)?;
        if value.trim().is_empty() {
            return None;
        }
        let kind = Kind::Variable { key, value_at: name.len() + 1 };
        Some(Self { origin: "environment".to_owned(), text: format!("{name}={value}"), kind })
    }

    pub(crate) fn option(assignment: &str) -> Self {
        Self { origin: "--set".to_owned(), text: assignment.to_owned(), kind: Kind::Option }
    }

    /// What stands in this layer, which is number `layer`; what is wrong with it goes to `problems`.
    pub(crate) fn entries(&self, layer: usize, problems: &mut Vec<Problem>) -> Vec<Entry> {
        let mut found = Found { layer, problems, entries: Vec::new() };
        match self.kind {
            Kind::File => self.read_file(&mut found),
            Kind::Variable { key, value_at } => {
                found.assign(key, value_at, self.text.get(value_at..).unwrap_or_default());
            }
            Kind::Option => match self.text.split_once('=') {
                Some((path, value)) => match Key::find(path.trim()) {
                    Some(key) => found.assign(key, path.len() + 1, value),
                    None => found.unknown(path.trim(), 0..path.len()),
                },
                None => found.problem(Fault::NotAnAssignment, 0..self.text.len()),
            },
        }
        found.entries
    }

    fn read_file(&self, found: &mut Found<'_>) {
        let (document, errors) = DeTable::parse_recoverable(&self.text);
        let mut broken = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            broken.push(self.line(span.start)..=self.line(span.end));
            found.problem(Fault::Syntax(error.message().to_owned()), span);
        }
        // On a line that TOML itself could not read, the recovered value means nothing.
        let readable = |span: &Range<usize>| {
            let (first, last) = (self.line(span.start), self.line(span.end));
            !broken.iter().any(|lines| *lines.start() <= last && first <= *lines.end())
        };
        for (section, value) in document.get_ref() {
            if !readable(&section.span()) {
                continue;
            }
            let known = KEYS.iter().any(|key| key.section() == section.get_ref());
            match value.get_ref() {
                DeValue::Table(table) if known => {
                    for (name, value) in table {
                        if !readable(&name.span()) || !readable(&value.span()) {
                            continue;
                        }
                        let path = format!("{}.{}", section.get_ref(), name.get_ref());
                        match Key::find(&path) {
                            Some(key) => found.entry(key, Value::of(value.get_ref()), value.span()),
                            None => found.unknown(&path, name.span()),
                        }
                    }
                }
                _ if known => {
                    let fault = Fault::NotASection { section: section.get_ref().to_string() };
                    found.problem(fault, section.span());
                }
                _ => found.unknown(section.get_ref(), section.span()),
            }
        }
    }

    /// The line that byte `at` stands on, from 0.
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

/// Collects what a layer holds.
struct Found<'p> {
    layer: usize,
    problems: &'p mut Vec<Problem>,
    entries: Vec<Entry>,
}

impl Found<'_> {
    fn entry(&mut self, key: &'static Key, value: Value, span: Range<usize>) {
        self.entries.push(Entry { key, value, place: Place { layer: self.layer, span } });
    }

    /// The right side of `NAME=VALUE`, which begins at byte `start`. What is not TOML is text without its quotes.
    fn assign(&mut self, key: &'static Key, start: usize, text: &str) {
        let value = text.trim();
        let start = start + (text.len() - text.trim_start().len());
        let parsed = DeValue::parse(value).map_or(Value::Other("text"), |value| Value::of(value.get_ref()));
        let parsed = if value.is_empty() { Value::Other("nothing") } else { parsed };
        self.entry(key, parsed, start..start + value.len());
    }

    fn unknown(&mut self, path: &str, span: Range<usize>) {
        let sections = KEYS.iter().map(|key| key.section());
        let paths = KEYS.iter().map(|key| key.path);
        let nearest = match path.contains('.') {
            true => nearest(path, paths),
            // A lone word may be a section, or a key whose section was forgotten.
            false => nearest(path, sections).or_else(|| {
                let name = nearest(path, KEYS.iter().map(|key| key.name()))?;
                KEYS.iter().find(|key| key.name() == name).map(|key| key.path)
            }),
        };
        self.problem(Fault::UnknownKey { key: path.to_owned(), nearest }, span);
    }

    fn problem(&mut self, fault: Fault, span: Range<usize>) {
        self.problems.push(Problem::new(fault, Place { layer: self.layer, span }));
    }
}
