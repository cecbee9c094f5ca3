//! What the benchmarks share: packets, lines, a clock and figures.

pub mod clock;
pub mod figures;
pub mod line;
#[path = "../../tests/support/mod.rs"]
pub mod support;
