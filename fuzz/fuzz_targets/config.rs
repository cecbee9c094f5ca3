//! Any text whatever as the configuration: taken within its ranges, or refused with a message that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_config::{Config, Sources};
use offhook_units::Span;

fuzz_target!(|text: &str| {
    match Config::from_toml(text, "fuzz.toml") {
        Ok(Config { jitter, .. }) => {
            assert!(Span::from_millis(20) <= jitter.min && jitter.min <= jitter.target);
            assert!(jitter.target <= jitter.max && jitter.max <= Span::from_millis(500));
        }
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let sources =
        Sources::new().file("fuzz.toml", rest).environment([("JITTER_BUFFER_MIN_MS", first)]).set(first);
    if let Err(problems) = sources.read() {
        assert!(!problems.to_string().is_empty());
    }
});
