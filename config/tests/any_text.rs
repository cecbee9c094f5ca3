//! Whatever stands in the file, the environment or the options: an answer, never a panic, and each refusal
//! can be shown.

use offhook_config::{Config, Problems, Sources};
use offhook_units::{Ppm, Span};
use proptest::prelude::*;

/// What the rest of the product relies on, or an error that says something about a place.
fn is_sound(result: Result<Config, Problems>) -> Result<(), TestCaseError> {
    match result {
        Ok(Config { jitter, speed, .. }) => {
            prop_assert!(Span::from_millis(20) <= jitter.min && jitter.min <= jitter.target);
            prop_assert!(jitter.target <= jitter.max && jitter.max <= Span::from_millis(500));
            prop_assert!(Ppm(0.0) <= speed.max && speed.max <= Ppm(50_000.0));
        }
        Err(problems) => {
            let text = problems.to_string();
            let count = problems.iter().count();
            prop_assert!(count > 0);
            prop_assert!(
                text.matches("error: ").count() >= count && text.matches(" --> ").count() >= count,
                "{}",
                text
            );
        }
    }
    Ok(())
}

/// Pieces of real configurations, joined at random: gets further than random text does.
fn nearly_toml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[jitter]"),
        Just("[speed]"),
        Just("[["),
        Just("]]"),
        Just("min_ms"),
        Just("max_ms"),
        Just("target_ms"),
        Just("jitter."),
        Just("[trunk.fallback]"),
        Just("[route]"),
        Just("server"),
        Just("password"),
        Just("echo"),
        Just("max_percent"),
        Just("="),
        Just(" = "),
        Just("\n"),
        Just("\r\n"),
        Just("\t"),
        Just("#"),
        Just("\""),
        Just("'''"),
        Just("{"),
        Just("}"),
        Just(","),
        Just("0x"),
        Just("1e9"),
        Just("nan"),
        Just("-"),
        Just("20"),
        Just("60"),
        Just("5.0"),
        Just("\u{feff}"),
        Just("é"),
        Just("\u{202e}"),
        Just("日本"),
        Just("\0"),
        Just("\u{1b}[31m"),
        Just("\u{200d}"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>(), name in any::<String>()) {
        is_sound(Config::from_toml(&text, &name))?;
    }

    #[test]
    fn nearly_toml_is_answered(text in nearly_toml(), value in nearly_toml(), option in nearly_toml()) {
        let sources = Sources::new().file("offhook.toml", &text).environment([("JITTER_BUFFER_MAX_MS", &value)]);
        is_sound(sources.set(&option).set(&format!("jitter.min_ms={value}")).read())?;
    }

    #[test]
    fn any_numbers_are_either_sound_or_refused(min in -10i64..600, target in -10i64..600, max in -10i64..600, speed in -1.0..7.0) {
        let text = format!("[jitter]\nmin_ms = {min}\ntarget_ms = {target}\nmax_ms = {max}\n[speed]\nmax_percent = {speed}");
        let result = Config::from_toml(&text, "t");
        let fits = |ms: i64| (20..=500).contains(&ms);
        let wanted = fits(min) && fits(target) && fits(max) && min <= target && target <= max && (0.1..=5.0).contains(&speed);
        prop_assert_eq!(result.is_ok(), wanted);
        is_sound(result)?;
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
    assert!(Config::from_toml(&format!("a = {}", "[".repeat(100_000)), "t").is_err());
}
