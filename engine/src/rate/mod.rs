//! Sample rates: conversion between those that the product speaks, and the check of formats from outside.

mod converter;
mod format;

pub use converter::{Converter, Flow, RateError};
pub use format::{Encoding, Format, FormatError};

use offhook_units::SampleRate;

/// The rates between which audio is converted.
pub const RATES: [SampleRate; 4] =
    [SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate::HZ_24000, SampleRate::HZ_48000];
