//! The text format of Prometheus.

use std::fmt::{self, Display, Write};

/// A text being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only grows; its name ends with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Exposition {
    /// A metric with one value for each set of labels, which stand as `a="b",c="d"`.
    pub fn metric(&mut self, name: &str, is: Type, help: &str, values: &[(&str, &dyn Display)]) {
        let kind = if is == Type::Counter { "counter" } else { "gauge" };
        self.head(name, kind, help);
        for (labels, value) in values {
            self.sample(name, labels, value);
        }
    }

    /// A histogram out of counts, each of its own bucket: the last is above all `edges`.
    pub fn histogram(&mut self, name: &str, help: &str, edges: &[f64], counts: &[u64], sum: f64) {
        self.head(name, "histogram", help);
        self.buckets(name, "", edges, counts, sum);
    }

    fn buckets(&mut self, name: &str, labels: &str, edges: &[f64], counts: &[u64], sum: f64) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (index, count) in counts.iter().enumerate() {
            below += count;
            let edge = edges.get(index).map_or("+Inf".to_owned(), ToString::to_string);
            self.sample(&format!("{name}_bucket"), &format!("{labels}{comma}le=\"{edge}\""), &below);
        }
        self.sample(&format!("{name}_sum"), labels, &sum);
        self.sample(&format!("{name}_count"), labels, &below);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: &dyn Display) {
        match labels {
            "" => self.line(format_args!("{name} {value}")),
            _ => self.line(format_args!("{name}{{{labels}}} {value}")),
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}

/// A label's value as it may stand between quotes.
pub fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Counts by size, in buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram<const EDGES: usize> {
    edges: [f64; EDGES],
    counts: Vec<u64>,
    sum: f64,
}

impl<const EDGES: usize> Histogram<EDGES> {
    /// An empty one with these upper edges, growing.
    pub fn new(edges: [f64; EDGES]) -> Self {
        Self { edges, counts: vec![0; EDGES + 1], sum: 0.0 }
    }

    /// Counts one value.
    pub fn add(&mut self, value: f64) {
        let bucket = self.edges.iter().position(|edge| value <= *edge).unwrap_or(EDGES);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
    }

    /// Writes it.
    pub fn write(&self, to: &mut Exposition, name: &str, help: &str) {
        to.histogram(name, help, &self.edges, &self.counts, self.sum);
    }

    /// Writes several as one metric, told apart by the label `key`.
    pub fn write_by(to: &mut Exposition, name: &str, help: &str, key: &str, all: &[(&str, &Self)]) {
        to.head(name, "histogram", help);
        for (word, one) in all {
            to.buckets(name, &format!("{key}=\"{}\"", label(word)), &one.edges, &one.counts, one.sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_all_that_is_below_their_edge() {
        let mut histogram = Histogram::new([0.02, 0.1]);
        for value in [0.01, 0.02, 0.05, 3.0] {
            histogram.add(value);
        }
        let mut text = Exposition::default();
        histogram.write(&mut text, "delay_seconds", "Delay.");
        assert_eq!(
            text.finish(),
            "# HELP delay_seconds Delay.\n# TYPE delay_seconds histogram\n\
             delay_seconds_bucket{le=\"0.02\"} 2\ndelay_seconds_bucket{le=\"0.1\"} 3\n\
             delay_seconds_bucket{le=\"+Inf\"} 4\ndelay_seconds_sum 3.08\ndelay_seconds_count 4\n"
        );
    }

    #[test]
    fn labels_stand_between_braces_and_are_escaped() {
        let mut text = Exposition::default();
        let labels = format!("server=\"{}\"", label("a\"b\\c\nd"));
        text.metric("up", Type::Gauge, "Up.", &[(&labels, &1), ("", &2.5)]);
        assert_eq!(
            text.finish(),
            "# HELP up Up.\n# TYPE up gauge\nup{server=\"a\\\"b\\\\c\\nd\"} 1\nup 2.5\n"
        );
    }
}
