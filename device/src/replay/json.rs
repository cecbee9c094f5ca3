//! One JSON object on one line. What we print has numbers and a few words; no more is needed.

use std::fmt::{self, Write};

/// An object being written, keys in the order in which they come.
#[derive(Clone, Debug, Default)]
pub struct JsonLine(String);

impl JsonLine {
    /// Adds a whole number.
    pub fn whole(&mut self, key: &str, value: impl Into<u64>) {
        self.add(key, format_args!("{}", value.into()));
    }

    /// Adds a number with three places; `null` where it is none, which JSON cannot write.
    pub fn decimal(&mut self, key: &str, value: f64) {
        if value.is_finite() {
            self.add(key, format_args!("{value:.3}"));
        } else {
            self.null(key);
        }
    }

    /// Adds text.
    pub fn text(&mut self, key: &str, value: &str) {
        self.add(key, format_args!("\"{}\"", escaped(value)));
    }

    /// Adds a key without a value.
    pub fn null(&mut self, key: &str) {
        self.add(key, format_args!("null"));
    }

    fn add(&mut self, key: &str, value: fmt::Arguments<'_>) {
        let comma = if self.0.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(self.0, "{comma}\"{}\":{value}", escaped(key));
    }
}

impl fmt::Display for JsonLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// RFC 8259 7: quotes, backslashes and control characters may not stand as they are.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_json() {
        let mut line = JsonLine::default();
        assert_eq!(line.to_string(), "{}");
        line.whole("n", 7u32);
        line.decimal("x", -0.5);
        line.decimal("nan", f64::NAN);
        line.text("name", "a \"b\"\\\n");
        line.null("none");
        let expected = r#"{"n":7,"x":-0.500,"nan":null,"name":"a \"b\"\\\u000a","none":null}"#;
        assert_eq!(line.to_string(), expected);
    }
}
