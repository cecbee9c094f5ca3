//! File, environment, command line: the later one wins, and each is checked.

use offhook_config::{AllInOne, Chunks, Config, DeviceCommand, DeviceVoice, FliteVoice, Problems, Sources};
use offhook_units::{Ppm, Span};

const FILE: &str = "[jitter]\nmin_ms = 40\ntarget_ms = 120\nmax_ms = 400\n";

fn read(variables: &[(&str, &str)], options: &[&str]) -> Result<Config, Problems> {
    let sources = Sources::new().file("offhook.toml", FILE).environment(variables.iter().copied());
    options.iter().fold(sources, |sources, option| sources.set(option)).read()
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let all = [("JITTER_BUFFER_MIN_MS", "50"), ("JITTER_BUFFER_MAX_MS", "300")];
    let config = read(&all, &["jitter.min_ms=60", "speed.max_percent = 2.5"]).unwrap();
    assert_eq!(config.jitter.min, Span::from_millis(60));
    assert_eq!(config.jitter.target, Span::from_millis(120));
    assert_eq!(config.jitter.max, Span::from_millis(300));
    assert_eq!(config.speed.max, Ppm(25_000.0));
}

#[test]
fn the_last_of_two_options_for_one_key_holds() {
    assert_eq!(
        read(&[], &["jitter.min_ms=60", "jitter.min_ms=80"]).unwrap().jitter.min,
        Span::from_millis(80)
    );
}

#[test]
fn every_documented_variable_is_heard() {
    let variables = [
        ("JITTER_BUFFER_MIN_MS", "30"),
        ("JITTER_BUFFER_TARGET_MS", "130"),
        ("JITTER_BUFFER_MAX_MS", "330"),
        ("PLAYBACK_SPEED_ADJUSTMENT_MAX", "3"),
        ("CHUNK_SIZE_MIN_MS", "150"),
        ("CHUNK_SIZE_DEFAULT_MS", "250"),
        ("CHUNK_SIZE_MAX_MS", "350"),
    ];
    let config = read(&variables, &[]).unwrap();
    assert_eq!(config.chunks, Chunks { min_ms: 150, default_ms: 250, max_ms: 350 });
    assert_eq!(config.speech.all_in_one, None, "nobody asked for it");
    let jitter = config.jitter;
    assert_eq!([jitter.min, jitter.target, jitter.max], [30, 130, 330].map(Span::from_millis));
    assert_eq!(config.speed.max, Ppm(30_000.0));
}

#[test]
fn strange_and_empty_variables_are_passed_over() {
    let plain = read(&[], &[]).unwrap();
    assert_eq!(read(&[("PATH", "x"), ("JITTER_BUFFER_MIN_MS", " ")], &[]).unwrap(), plain);
}

#[test]
fn a_bad_variable_is_shown_with_its_name() {
    let error = read(&[("JITTER_BUFFER_MIN_MS", "9000")], &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "\
error: jitter.min_ms 9000 is out of range
 --> environment:1:22
  |
1 | JITTER_BUFFER_MIN_MS=9000
  |                      ^^^^ expected whole milliseconds from 20 to 500, default 20

1 problem in the configuration"
    );
}

#[test]
fn a_bad_option_is_shown_as_it_was_typed() {
    let error =
        read(&[], &["jitter.min_ms=fast", "jitter.mim_ms=40", "jitter.max_ms"]).unwrap_err().to_string();
    assert_eq!(
        error,
        "\
error: jitter.min_ms is text
 --> --set:1:15
  |
1 | jitter.min_ms=fast
  |               ^^^^ expected whole milliseconds from 20 to 500, default 20

error: unknown key jitter.mim_ms
 --> --set:1:1
  |
1 | jitter.mim_ms=40
  | ^^^^^^^^^^^^^ no such key
  |
  = help: did you mean jitter.min_ms?

error: an override without a value
 --> --set:1:1
  |
1 | jitter.max_ms
  | ^^^^^^^^^^^^^ expected KEY=VALUE, as in jitter.min_ms=40

3 problems in the configuration"
    );
}

#[test]
fn a_contradiction_between_two_sources_shows_both() {
    let error = read(&[], &["jitter.max_ms=30"]).unwrap_err().to_string();
    assert_eq!(
        error,
        "\
error: target_ms 120 is above max_ms 30: no call could start with it
 --> offhook.toml:3:13
  |
3 | target_ms = 120
  |             ^^^ expected 30 or less
  |
 ::: --set:1:15
  |
1 | jitter.max_ms=30
  |               -- given here

error: max_ms 30 is below min_ms 40: the buffer could never start
 --> --set:1:15
  |
1 | jitter.max_ms=30
  |               ^^ expected 40 or more
  |
 ::: offhook.toml:2:10
  |
2 | min_ms = 40
  |          -- given here

2 problems in the configuration"
    );
}

#[test]
fn a_wrong_value_in_the_file_is_reported_even_where_an_option_overrides_it() {
    let problems =
        Sources::new().file("t", "[jitter]\nmin_ms = 1").set("jitter.min_ms=40").read().unwrap_err();
    assert_eq!(problems.iter().count(), 1);
}

#[test]
fn truevoice_is_taken_where_it_has_an_address_or_is_named() {
    let all_in_one = |variables: &[(&str, &str)], options: &[&str]| {
        read(variables, options).unwrap().speech.all_in_one.map(|service| match service {
            AllInOne::TrueVoice(service) => (service.ws_url, service.url),
            AllInOne::Realtime(_) => panic!("nobody asked for it"),
        })
    };
    let some = |text: &str| Some(text.to_owned());
    let (socket, service) = ("wss://voice.example.com/talk", "https://voice.example.com");
    assert_eq!(all_in_one(&[("TRUEVOICE_WS_URL", socket)], &[]), Some((some(socket), None)));
    let both = [("TRUEVOICE_WS_URL", socket), ("TRUEVOICE_API_URL", service)];
    assert_eq!(all_in_one(&both, &[]), Some((some(socket), some(service))));
    assert_eq!(all_in_one(&both, &["speech.all_in_one=none"]), None);
    assert_eq!(all_in_one(&[], &["speech.all_in_one=truevoice"]), Some((None, None)));
    let pool = read(&[], &["speech.all_in_one=truevoice", "speech.truevoice_max_age_s=90"]).unwrap();
    let Some(AllInOne::TrueVoice(pool)) = pool.speech.all_in_one else { panic!("it was asked for") };
    assert_eq!((pool.min_idle, pool.max_idle, pool.max_age), (2, 8, Span::from_millis(90_000)));
}

#[test]
fn what_makes_no_sense_for_truevoice_is_said() {
    let error = |options: &[&str]| read(&[], options).unwrap_err().to_string();
    assert!(
        error(&["speech.truevoice_min_idle=9"]).contains("truevoice_min_idle 9 is above"),
        "{}",
        error(&["speech.truevoice_min_idle=9"])
    );
    assert!(error(&["speech.truevoice_key_file=k"]).contains("without speech.truevoice_url"));
    assert!(
        error(&["speech.truevoice_ws_url=https://a.b"]).contains("wss://api.example.com/ws/conversation")
    );
}

#[test]
fn realtime_needs_nobody_who_writes_down_what_the_caller_says_but_is_told_the_language_only_then() {
    let (realtime, nobody) = ("speech.all_in_one=openai-realtime", "speech.realtime_ears_model=\"\"");
    let speech = |options: &[&str]| read(&[], options).map(|config| config.speech);
    for (option, model) in [("speech.greeting=Hi", Some("gpt-transcribe")), (nobody, None)] {
        let Some(AllInOne::Realtime(service)) = speech(&[realtime, option]).unwrap().all_in_one else {
            panic!("{option}")
        };
        assert_eq!(service.ears_model.as_deref(), model);
    }
    let language = "speech.language=de";
    assert!(speech(&[realtime, language]).is_ok() && speech(&[nobody, language]).is_ok());
    let error = speech(&[realtime, language, nobody]).unwrap_err().to_string();
    assert!(error.contains("speech.language without speech.realtime_ears_model"), "{error}");
}

#[test]
fn v6_the_voice_on_the_device_is_chosen_and_a_commands_words_are_kept_apart() {
    let voice = |options: &[&str]| read(&[], options).unwrap().speech.device_voice;
    assert_eq!(voice(&[]), DeviceVoice::Auto);
    for (name, expected) in [("slt", FliteVoice::Slt), ("rms", FliteVoice::Rms), ("kal16", FliteVoice::Kal16)]
    {
        assert_eq!(voice(&[&format!("speech.device_voice={name}")]), DeviceVoice::Flite(expected));
    }
    assert_eq!(voice(&["speech.device_voice=espeak-ng"]), DeviceVoice::EspeakNg);
    let words = "speech.device_command=/opt/my voices/piper, --output-raw";
    let command = DeviceCommand {
        program: "/opt/my voices/piper".to_owned(),
        arguments: vec!["--output-raw".to_owned()],
        is_wav: false,
        rate_hz: 16_000,
    };
    let options = ["speech.device_voice=command", words, "speech.device_rate_hz=16000"];
    assert_eq!(voice(&options), DeviceVoice::Command(command));
}

#[test]
fn nothing_behind_a_key_is_told_how_empty_text_is_written_where_that_is_possible() {
    let told = |option: &str| read(&[], &[option]).unwrap_err().to_string();
    for key in ["speech.greeting", "speech.mind_url"] {
        let wrong = told(&format!("{key}="));
        assert!(wrong.contains(&format!("in a shell '{key}=\"\"'")), "{wrong}");
        assert!(read(&[], &[&format!("{key}=\"\"")]).is_ok(), "{key}");
    }
    for option in ["jitter.min_ms=", "speech.mind_model="] {
        assert!(!told(option).contains("shell"), "{}", told(option));
    }
}
