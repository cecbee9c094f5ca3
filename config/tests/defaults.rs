//! The sample file, the defaults and the keys say the same.

use offhook_config::{Config, Jitter, Sources, Speed, Target};
use offhook_units::{Ppm, Span};

const SAMPLE: &str = include_str!("../offhook.toml");

/// What holds when nobody says anything.
fn defaults() -> Config {
    Sources::new().read().expect("they are sound")
}

#[test]
fn the_sample_file_and_an_empty_one_hold_the_defaults() {
    for text in [SAMPLE, ""] {
        assert_eq!(Config::from_toml(text, "offhook.toml").unwrap(), defaults());
    }
}

#[test]
fn the_defaults_are_the_promised_ones() {
    let ms = Span::from_millis;
    let jitter = Jitter { min: ms(20), target: ms(100), max: ms(500) };
    let config = defaults();
    assert_eq!((config.jitter, config.speed), (jitter, Speed { max: Ppm(50_000.0) }));
    assert!(config.http.listen.ip().is_loopback(), "nobody else sees it unless told otherwise");
    assert!(config.sip.networks.iter().all(|network| network.address.is_loopback()), "nobody else may call");
    let numbers: Vec<_> = config.routes.iter().map(|route| (&*route.number, route.target.clone())).collect();
    assert_eq!(numbers, [("600", Target::Echo), ("601", Target::Tone), ("602", Target::Agent)]);
}

#[test]
fn a_target_that_nobody_asked_for_moves_between_the_bounds_that_somebody_did() {
    let target = |text| Config::from_toml(text, "t").unwrap().jitter.target;
    assert_eq!(target("[jitter]\nmin_ms = 150"), Span::from_millis(150));
    assert_eq!(target("[jitter]\nmax_ms = 60"), Span::from_millis(60));
    assert_eq!(target("[jitter]\nmin_ms = 40\nmax_ms = 300"), Span::from_millis(100));
}

#[test]
fn low_latency_mode_is_a_minimum_equal_to_the_target() {
    let jitter = Config::from_toml("jitter = { min_ms = 20, target_ms = 20 }", "t").unwrap().jitter;
    assert_eq!((jitter.min, jitter.target), (Span::from_millis(20), Span::from_millis(20)));
}
