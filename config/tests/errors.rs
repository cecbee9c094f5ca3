//! What a person sees who wrote something wrong: every problem at once, its place, what was expected.

use offhook_config::{Config, Fault};

fn error(text: &str) -> String {
    Config::from_toml(text, "offhook.toml").expect_err("it is wrong").to_string()
}

#[test]
fn all_problems_come_at_once_each_with_its_place() {
    let text = "\
[jitter]
min_ms = 5
target_ms = \"100\"
mox_ms = 300   # a typo

[speed]
max_percent = 7.5
";
    assert_eq!(
        error(text),
        "\
error: jitter.min_ms 5 is out of range
 --> offhook.toml:2:10
  |
2 | min_ms = 5
  |          ^ expected whole milliseconds from 20 to 500, default 20

error: jitter.target_ms is text
 --> offhook.toml:3:13
  |
3 | target_ms = \"100\"
  |             ^^^^^ expected whole milliseconds from 20 to 500, default 100

error: unknown key jitter.mox_ms
 --> offhook.toml:4:1
  |
4 | mox_ms = 300   # a typo
  | ^^^^^^ no such key
  |
  = help: did you mean jitter.max_ms?

error: speed.max_percent 7.5 is out of range
 --> offhook.toml:7:15
  |
7 | max_percent = 7.5
  |               ^^^ expected percent from 0 to 5, default 5

4 problems in the configuration"
    );
}

#[test]
fn bounds_that_cross_are_shown_together() {
    assert_eq!(
        error("[jitter]\nmin_ms = 60\nmax_ms = 30\n"),
        "\
error: max_ms 30 is below min_ms 60: the buffer could never start
 --> offhook.toml:3:10
  |
2 | min_ms = 60
  |          -- given here
3 | max_ms = 30
  |          ^^ expected 60 or more

1 problem in the configuration"
    );
}

#[test]
fn a_target_outside_its_bounds_is_told_which_bound() {
    assert!(error("[jitter]\nmin_ms = 60\ntarget_ms = 40").contains("target_ms 40 is below min_ms 60"));
    assert!(error("[jitter]\nmax_ms = 60\ntarget_ms = 80").contains("target_ms 80 is above max_ms 60"));
}

#[test]
fn a_value_at_fault_by_itself_makes_no_contradiction() {
    let problems = Config::from_toml("[jitter]\nmin_ms = 9000\nmax_ms = 30", "t").unwrap_err();
    assert_eq!(problems.iter().count(), 1);
}

#[test]
fn what_is_not_toml_is_shown_beside_what_is_wrong_elsewhere() {
    assert_eq!(
        error("[jitter]\nmin_ms = \nmax_ms = 5\n"),
        "\
error: this is not TOML: string values must be quoted, expected literal string
 --> offhook.toml:2:10
  |
2 | min_ms = 
  |          ^

error: jitter.max_ms 5 is out of range
 --> offhook.toml:3:10
  |
3 | max_ms = 5
  |          ^ expected whole milliseconds from 20 to 500, default 500

2 problems in the configuration"
    );
}

#[test]
fn the_same_key_twice_is_an_error() {
    assert!(error("[jitter]\nmin_ms = 20\nmin_ms = 30").contains("offhook.toml:3:1"));
}

#[test]
fn a_key_without_its_section_is_sent_there() {
    assert!(error("max_percent = 3").contains("did you mean speed.max_percent?"));
    assert!(error("600 = \"echo\"").contains("help: did you mean route?"));
}

#[test]
fn a_misspelt_section_is_one_problem_however_much_it_holds() {
    let text = error("[jiter]\nmin_ms = 5\nmax_ms = 7");
    assert!(text.contains("offhook.toml:1:2"), "{text}");
    assert!(text.ends_with("help: did you mean jitter?\n\n1 problem in the configuration"), "{text}");
}

#[test]
fn a_section_is_no_value_and_no_list() {
    for text in ["jitter = 5", "[[jitter]]\nmin_ms = 20"] {
        let problems = Config::from_toml(text, "t").unwrap_err();
        let faults: Vec<_> = problems.iter().map(|problem| problem.fault().clone()).collect();
        assert_eq!(faults, [Fault::NotASection { section: "jitter".to_owned() }]);
    }
}

#[test]
fn other_kinds_of_value_are_named() {
    for (value, found) in [
        ("true", "true or false"),
        ("[20]", "a list"),
        ("20.5", "a number with a fraction"),
        ("1979-05-27", "a date or time"),
        ("{ a = 1 }", "a table"),
        ("99999999999999999999", "a number beyond all range"),
    ] {
        let text = error(&format!("[jitter]\nmin_ms = {value}"));
        assert!(text.starts_with(&format!("error: jitter.min_ms is {found}\n")), "{text}");
    }
}

#[test]
fn a_fraction_meant_as_percent_is_told_how_to_write_it() {
    let text = error("[speed]\nmax_percent = 0.05");
    assert!(text.contains("help: this is a percentage: for 0.05 as a fraction write 5\n"), "{text}");
}

#[test]
fn a_delay_in_seconds_is_told_its_milliseconds() {
    let text = error("[jitter]\nmax_ms = 0.3");
    assert!(text.contains("help: this is in milliseconds: for 0.3 seconds write 300\n"), "{text}");
}

#[test]
fn hexadecimal_and_grouped_numbers_are_numbers() {
    let jitter = Config::from_toml("[jitter]\nmin_ms = 0x20\nmax_ms = 5_00", "t").unwrap().jitter;
    assert_eq!((jitter.min.as_micros(), jitter.max.as_micros()), (32_000, 500_000));
}

#[test]
fn chunks_that_cross_are_shown_with_both_keys() {
    let wrong = error("[chunks]\nmin_ms = 400\nmax_ms = 300\n");
    assert!(wrong.contains("chunks.min_ms 400 is above chunks.max_ms 300"), "{wrong}");
    let wrong = error("[chunks]\ndefault_ms = 300\nmax_ms = 200\n");
    assert!(wrong.contains("chunks.default_ms 300 is above chunks.max_ms 200"), "{wrong}");
}

#[test]
fn pauses_and_breaths_that_cross_are_shown_with_both_keys() {
    for (section, name, low, high) in [
        ("pauses", "full_stop", "full_stop_min_ms", "full_stop_max_ms"),
        ("pauses", "comma", "comma_min_ms", "comma_max_ms"),
        ("breaths", "after", "after_min_chars", "after_max_chars"),
    ] {
        let wrong = error(&format!("[{section}]\n{low} = 900\n{high} = 800\n"));
        let told = format!("{section}.{low} 900 is above {section}.{high} 800");
        assert!(wrong.contains(&told), "{name}: {wrong}");
    }
}

#[test]
fn an_address_that_its_protocol_does_not_run_over_is_shown_with_the_protocol() {
    let wrong = error("[speech]\nvoice_protocol = \"wyoming\"\nvoice_url = \"https://api.example.com\"\n");
    assert!(wrong.contains("speech.voice_url is not an address for the protocol"), "{wrong}");
    assert!(wrong.contains("expected tcp://"), "{wrong}");
    let wrong = error("[speech]\nears_url = \"tcp://192.0.2.7:10300\"\n");
    assert!(wrong.contains("expected https:// or http://"), "{wrong}");
}

#[test]
fn an_address_that_no_http_runs_over_is_refused_where_nothing_else_is_spoken() {
    for key in ["mind_url", "realtime_url", "truevoice_url"] {
        let wrong = error(&format!("[speech]\n{key} = \"tcp://192.0.2.7:10300\"\n"));
        assert!(wrong.contains("offhook.toml:2:") && wrong.contains(&format!("speech.{key}")), "{wrong}");
        assert!(wrong.contains("expected an address, as in https://api.example.com, default"), "{wrong}");
    }
}
