//! One source of values: its text, and the entries found in it, each with its place.

use crate::key::{Expects, Key, keys};
use crate::nearest::nearest;
use crate::secret;
use crate::value::{NOTHING, Value};
use crate::{Fault, Problem};
use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The section whose keys are the installer's own: patterns of numbers.
pub(crate) const ROUTE: &str = "route";

/// A text that holds values, and how errors call it.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) origin: String,
    /// As it is shown: byte for byte as long as `text`, with what looks like a secret covered.
    pub(crate) shown: String,
    text: String,
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

/// A value of a known key, and where in which layer it stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: &'static Key,
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A line of `[route]`.
#[derive(Clone, Debug)]
pub(crate) struct RouteEntry {
    pub(crate) number: String,
    pub(crate) value: Value,
    pub(crate) number_place: Place,
    pub(crate) place: Place,
}

/// Bytes `span` of layer number `layer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) layer: usize,
    pub(crate) span: Range<usize>,
}

impl Place {
    /// In no layer: there is nothing to show.
    pub(crate) const NOWHERE: Self = Self { layer: usize::MAX, span: 0..0 };
}

/// What a layer holds.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) entries: Vec<Entry>,
    pub(crate) routes: Vec<RouteEntry>,
    /// Whether there is a `[route]`, which takes the place of the default lines even when it is empty.
    pub(crate) has_route_section: bool,
}

/// Its text may hold what somebody should not have written there.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Layer {
    fn new(origin: &str, text: String, kind: Kind) -> Self {
        Self { origin: origin.to_owned(), shown: secret::cover(&text), text, kind }
    }

    pub(crate) fn file(name: &str, text: &str) -> Self {
        Self::new(name, text.to_owned(), Kind::File)
    }

    /// `None` for a variable that stands for no key, or that is empty, as `NAME=` in a service file is meant.
    pub(crate) fn variable(name: &str, value: &str) -> Option<Self> {
        let key = keys().find(|key| key.variable == Some(name))?;
        if value.trim().is_empty() {
            return None;
        }
        let kind = Kind::Variable { key, value_at: name.len() + 1 };
        Some(Self::new("environment", format!("{name}={value}"), kind))
    }

    pub(crate) fn option(assignment: &str) -> Self {
        Self::new("--set", assignment.to_owned(), Kind::Option)
    }

    /// Where `place` is, for people: `offhook.toml:12`, `environment NAME`, `--set`.
    pub(crate) fn tell(&self, place: &Place) -> String {
        match self.kind {
            Kind::File => format!("{}:{}", self.origin, self.line(place.span.start) + 1),
            Kind::Variable { key, .. } => format!("{} {}", self.origin, key.variable.unwrap_or_default()),
            Kind::Option => self.origin.clone(),
        }
    }

    /// What stands in this layer, which is number `layer`; what is wrong with it goes to `problems`.
    pub(crate) fn entries(&self, layer: usize, problems: &mut Vec<Problem>) -> Entries {
        let mut found = Found { layer, problems, entries: Entries::default() };
        match self.kind {
            Kind::File => self.read_file(&mut found),
            Kind::Variable { key, value_at } => {
                found.assign(key, value_at, self.text.get(value_at..).unwrap_or_default());
            }
            Kind::Option => match self.text.split_once('=') {
                Some((path, value)) => match (Key::find(path.trim()), routed(path)) {
                    (Some(key), _) => found.assign(key, path.len() + 1, value),
                    (None, Some(number)) => found.assign_route(number, path, value),
                    (None, None) => found.unknown(path.trim(), 0..path.len()),
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
        found.table("", document.get_ref(), &readable);
    }

    /// The line that byte `at` stands on, from 0.
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

/// The number of `route.NUMBER`, which may be in quotes as in the file.
fn routed(path: &str) -> Option<&str> {
    let number = path.trim().strip_prefix(ROUTE)?.strip_prefix('.')?;
    Some(number.strip_prefix('"').and_then(|number| number.strip_suffix('"')).unwrap_or(number))
}

/// Whether a table of this name may stand in the file.
fn is_section(path: &str) -> bool {
    keys().any(|key| {
        key.section().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Collects what a layer holds.
struct Found<'p> {
    layer: usize,
    problems: &'p mut Vec<Problem>,
    entries: Entries,
}

impl Found<'_> {
    /// A table of the file; `above` is its name with a dot, or nothing at the top.
    fn table(&mut self, above: &str, table: &DeTable<'_>, readable: &dyn Fn(&Range<usize>) -> bool) {
        for (name, value) in table {
            if !readable(&name.span()) {
                continue;
            }
            let path = format!("{above}{}", name.get_ref());
            match (Key::find(&path), value.get_ref()) {
                (Some(key), found) if readable(&value.span()) => {
                    self.entry(key, Value::of(found), value.span());
                }
                (Some(_), _) => {}
                (None, DeValue::Table(routes)) if path == ROUTE => self.routes(routes, readable),
                (None, DeValue::Table(inner)) if is_section(&path) => {
                    self.table(&format!("{path}."), inner, readable);
                }
                (None, _) if path == ROUTE || is_section(&path) => {
                    self.problem(Fault::NotASection { section: path }, name.span());
                }
                (None, _) => self.unknown(&path, name.span()),
            }
        }
    }

    fn routes(&mut self, table: &DeTable<'_>, readable: &dyn Fn(&Range<usize>) -> bool) {
        self.entries.has_route_section = true;
        for (number, value) in table {
            if readable(&number.span()) && readable(&value.span()) {
                let found = Value::of(value.get_ref());
                self.route(number.get_ref(), number.span(), found, value.span());
            }
        }
    }

    fn route(&mut self, number: &str, number_at: Range<usize>, value: Value, at: Range<usize>) {
        let (number_place, place) = (self.place(number_at), self.place(at));
        let entry = RouteEntry { number: number.to_owned(), value, number_place, place };
        self.entries.routes.push(entry);
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { layer: self.layer, span }
    }

    fn entry(&mut self, key: &'static Key, value: Value, span: Range<usize>) {
        let place = self.place(span);
        self.entries.entries.push(Entry { key, value, place });
    }

    /// The right side of `NAME=VALUE`, which begins at byte `start`.
    fn assign(&mut self, key: &'static Key, start: usize, text: &str) {
        let (value, span) = unquoted(start, text);
        let value = match (&key.expects, value) {
            // What is a number elsewhere is text where text is expected: a user may be called 601.
            (Expects::Text { .. } | Expects::Choice { .. }, Value::Whole(_) | Value::Decimal(_)) => {
                Value::Text(text.trim().to_owned())
            }
            (Expects::List { .. }, Value::Text(items)) => {
                Value::List(items.split(',').map(|item| Value::Text(item.trim().to_owned())).collect())
            }
            (_, value) => value,
        };
        self.entry(key, value, span);
    }

    fn assign_route(&mut self, number: &str, path: &str, text: &str) {
        let (value, span) = unquoted(path.len() + 1, text);
        self.route(number, 0..path.len(), value, span);
    }

    fn unknown(&mut self, path: &str, span: Range<usize>) {
        let sections = || keys().map(|key| key.section()).chain([ROUTE]);
        let nearest = match path.contains('.') {
            true => nearest(path, keys().map(|key| key.path).chain(sections())),
            // A lone word may be a section, or a key whose section was forgotten: a number belongs to the routes.
            false if path.bytes().any(|byte| byte.is_ascii_digit()) => Some(ROUTE),
            false => nearest(path, sections()).or_else(|| {
                let name = nearest(path, keys().map(|key| key.name()))?;
                keys().find(|key| key.name() == name).map(|key| key.path)
            }),
        };
        // Whoever writes a password into the file is sent to the key that names a file for it.
        let nearest = secret::replacement(path).or(nearest);
        self.problem(Fault::UnknownKey { key: path.to_owned(), nearest }, span);
    }

    fn problem(&mut self, fault: Fault, span: Range<usize>) {
        let place = self.place(span);
        self.problems.push(Problem::new(fault, place));
    }
}

/// A value outside a file, where text needs no quotes, and its place. `start` is where `text` begins.
fn unquoted(start: usize, text: &str) -> (Value, Range<usize>) {
    let value = text.trim();
    let start = start + (text.len() - text.trim_start().len());
    let span = start..start + value.len();
    if value.is_empty() {
        return (NOTHING, span);
    }
    let parsed = DeValue::parse(value).map(|value| Value::of(value.get_ref()));
    (parsed.unwrap_or_else(|_| Value::Text(value.to_owned())), span)
}
