//! What is wrong with a configuration, told so that it can be mended: the place, what was expected, what to try.

use crate::key::Key;
use crate::layer::{Layer, Place};
use crate::redacted::Redacted;
use crate::route;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    fault: Fault,
    place: Place,
    /// The other value of a contradiction.
    beside: Option<Place>,
    advice: Option<String>,
}

/// The kinds of problem. `Display` is the headline; the place is in [`Problems`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The file is not TOML here; in the parser's words.
    Syntax(String),
    /// An override without its `=`.
    NotAnAssignment,
    /// A key that does not exist.
    UnknownKey {
        /// As it was written.
        key: String,
        /// What it was probably meant to be.
        nearest: Option<&'static str>,
    },
    /// The name of a section used as a value or a list.
    NotASection {
        /// The section.
        section: String,
    },
    /// A value of another kind than the key holds.
    WrongType {
        /// The key.
        key: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A text that is not what the key holds.
    BadText {
        /// The key.
        key: &'static str,
        /// What stands there, as TOML.
        found: String,
    },
    /// A number beyond the key's range.
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What stands there.
        found: String,
    },
    /// The bounds of the delay crossed.
    MaxBelowMin {
        /// `jitter.max_ms`
        max_ms: f64,
        /// `jitter.min_ms`
        min_ms: f64,
    },
    /// A start below the lower bound.
    TargetBelowMin {
        /// `jitter.target_ms`
        target_ms: f64,
        /// `jitter.min_ms`
        min_ms: f64,
    },
    /// A start above the upper bound.
    TargetAboveMax {
        /// `jitter.target_ms`
        target_ms: f64,
        /// `jitter.max_ms`
        max_ms: f64,
    },
    /// The number of a route that is none.
    BadNumber(String),
    /// The target of a route that is none.
    BadTarget {
        /// As it was written.
        found: String,
        /// What it was probably meant to be.
        nearest: Option<&'static str>,
    },
    /// The range of media ports is empty or too small.
    TooFewPorts {
        /// How many calls it holds.
        calls: u16,
        /// How many it has to hold.
        wanted: usize,
    },
    /// A lower and an upper bound, each with its key, crossed.
    Crossed {
        /// The lower one.
        low: (&'static str, u16),
        /// The upper one.
        high: (&'static str, u16),
    },
    /// An address of a kind that its protocol does not run over.
    WrongAddress {
        /// The key.
        key: &'static str,
        /// How it has to begin.
        wanted: &'static str,
        /// Where the protocol is chosen.
        by: &'static str,
    },
    /// A file that is there for nothing: whoever reads it says why.
    Unusable(Unusable),
    /// A key that means nothing without another.
    Alone {
        /// The key.
        key: &'static str,
        /// What it needs.
        needs: &'static str,
        /// What would become of it.
        because: &'static str,
    },
}

/// A file that a key names and that is there for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The key.
    pub key: &'static str,
    /// What is wrong with the file.
    pub why: String,
    /// What it should hold.
    pub expected: &'static str,
}

impl Problem {
    pub(crate) fn new(fault: Fault, place: Place) -> Self {
        Self { fault, place, beside: None, advice: None }
    }

    pub(crate) fn beside(self, other: Option<Place>) -> Self {
        Self { beside: other, ..self }
    }

    pub(crate) fn advise(self, advice: Option<String>) -> Self {
        Self { advice, ..self }
    }

    /// What is wrong, without its place.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    pub(crate) fn advice(&self) -> Option<String> {
        match &self.fault {
            Fault::UnknownKey { nearest: Some(nearest), .. } => Some(format!("did you mean {nearest}?")),
            Fault::BadTarget { nearest: Some(nearest), .. } => Some(format!("did you mean \"{nearest}\"?")),
            _ => self.advice.clone(),
        }
    }

    fn report<'l>(&self, layers: &'l [Layer]) -> Group<'l> {
        let label = self.fault.label();
        let mut group = Group::with_title(Level::ERROR.primary_title(self.fault.to_string()));
        let here = layers.get(self.place.layer);
        let mut annotations = vec![(&self.place, AnnotationKind::Primary, label)];
        let mut elsewhere = None;
        if let Some(beside) = &self.beside {
            let given = (beside, AnnotationKind::Context, Some("given here".to_owned()));
            if beside.layer == self.place.layer { annotations.push(given) } else { elsewhere = Some(given) }
        }
        if let Some(layer) = here {
            group = group.element(snippet(layer, annotations));
        }
        if let Some((layer, given)) = elsewhere.and_then(|given| Some((layers.get(given.0.layer)?, given))) {
            group = group.element(snippet(layer, vec![given]));
        }
        if let Some(advice) = self.advice() {
            group = group.element(Level::HELP.message(advice));
        }
        group
    }
}

/// The lines of `layer` that hold the places, with carets.
fn snippet<'l>(
    layer: &'l Layer,
    places: Vec<(&Place, AnnotationKind, Option<String>)>,
) -> Snippet<'l, Annotation<'l>> {
    let annotations = places.into_iter().map(|(place, kind, label)| {
        let (start, end) = (floor(&layer.shown, place.span.start), floor(&layer.shown, place.span.end));
        kind.span(start..end.max(start)).label(label)
    });
    Snippet::source(layer.shown.as_str()).path(layer.origin.as_str()).annotations(annotations)
}

/// The nearest byte at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl Fault {
    /// What stands under the caret: what was expected there.
    pub(crate) fn label(&self) -> Option<String> {
        match self {
            Self::Syntax(_) => None,
            Self::NotAnAssignment => Some("expected KEY=VALUE, as in jitter.min_ms=40".to_owned()),
            Self::UnknownKey { .. } => Some("no such key".to_owned()),
            Self::NotASection { section } => Some(format!("expected the section [{section}]")),
            Self::WrongType { key, .. } | Self::OutOfRange { key, .. } | Self::BadText { key, .. } => {
                Key::find(key).map(|key| format!("expected {}", key.expects))
            }
            Self::MaxBelowMin { min_ms, .. } => Some(format!("expected {min_ms} or more")),
            Self::TargetBelowMin { min_ms, .. } => Some(format!("expected {min_ms} or more")),
            Self::TargetAboveMax { max_ms, .. } => Some(format!("expected {max_ms} or less")),
            Self::BadNumber(_) => Some(
                "expected what is called, as in \"600\" or \"+49*\"; * at the end stands for anything"
                    .to_owned(),
            ),
            Self::BadTarget { .. } => Some(format!("expected {}", route::TARGETS)),
            Self::TooFewPorts { .. } => Some("expected a wider range; each call takes two ports".to_owned()),
            Self::Crossed { high: (key, high), .. } => {
                Some(format!("expected {high} or less, which is {key}"))
            }
            Self::WrongAddress { wanted, .. } => Some(format!("expected {wanted}")),
            Self::Unusable(unusable) => Some(format!("expected {}", unusable.expected)),
            Self::Alone { needs, .. } => Some(format!("expected {needs} too")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(message) => write!(f, "this is not TOML: {}", message.escape_debug()),
            Self::NotAnAssignment => f.write_str("an override without a value"),
            // A key in quotes may hold anything, line ends among it.
            Self::UnknownKey { key, .. } => write!(f, "unknown key {}", key.escape_debug()),
            Self::NotASection { section } => write!(f, "{section} is a section, not a value"),
            Self::WrongType { key, found } => write!(f, "{key} is {found}"),
            Self::OutOfRange { key, found } => write!(f, "{key} {found} is out of range"),
            Self::BadText { key, found } => write!(f, "{key} cannot be {found}"),
            Self::BadNumber(number) => write!(f, "{} can never be called", number.escape_debug()),
            Self::BadTarget { found, .. } => write!(f, "no call can go to {found}"),
            Self::TooFewPorts { calls, wanted } => {
                write!(f, "these ports are enough for {calls} calls; calls.max is {wanted}")
            }
            Self::Crossed { low: (low, least), high: (high, most) } => {
                write!(f, "{low} {least} is above {high} {most}")
            }
            Self::WrongAddress { key, by, .. } => {
                write!(f, "{key} is not an address for the protocol that {by} chooses")
            }
            Self::Unusable(Unusable { key, why, .. }) => {
                write!(f, "{key} cannot be used: {}", why.escape_debug())
            }
            Self::Alone { key, needs, because } => write!(f, "{key} without {needs}: {because}"),
            Self::MaxBelowMin { max_ms, min_ms } => {
                write!(f, "max_ms {max_ms} is below min_ms {min_ms}: the buffer could never start")
            }
            Self::TargetBelowMin { target_ms, min_ms } => {
                write!(f, "target_ms {target_ms} is below min_ms {min_ms}: no call could start with it")
            }
            Self::TargetAboveMax { target_ms, max_ms } => {
                write!(f, "target_ms {target_ms} is above max_ms {max_ms}: no call could start with it")
            }
        }
    }
}

/// Everything that is wrong with a configuration: at least one problem. `Display` shows each with its place,
/// the line and a caret.
#[derive(Clone, Debug)]
pub struct Problems {
    layers: Vec<Layer>,
    problems: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(layers: Vec<Layer>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.place.layer, problem.place.span.start));
        Self { layers, problems }
    }

    /// Each of them, from the first source to the last, and from the top of each to its end.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// The same for a log: `Display` shows the lines of the file, and numbers of people with them.
    pub const fn redacted(&self) -> Redacted<'_> {
        Redacted(self)
    }

    /// Each with its place in words.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (String, &Problem)> {
        let tell = |place: &Place| self.layers.get(place.layer).map(|layer| layer.tell(place));
        self.problems.iter().map(move |problem| (tell(&problem.place).unwrap_or_default(), problem))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for problem in &self.problems {
            writeln!(f, "{}\n", renderer.render(&[problem.report(&self.layers)]))?;
        }
        match self.problems.len() {
            1 => f.write_str("1 problem in the configuration"),
            count => write!(f, "{count} problems in the configuration"),
        }
    }
}

impl std::error::Error for Problems {}
