//! What must not be read in a log.

use std::fmt;

/// Personal data (a number, a name, an address, a credential): prints as `[redacted]`, so that a log
/// line cannot leak it by accident. [`Pii::reveal`] is the only way in, and easy to search for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself: for the wire, never for a log.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_way_of_printing_tells() {
        let number = Pii::new("+15550100");
        assert_eq!(format!("{number} {number:?}"), "[redacted] [redacted]");
        assert_eq!(*number.reveal(), "+15550100");
    }
}
