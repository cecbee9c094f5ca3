//! Values that are each fine and mean nothing together, and secrets that do not show.

use offhook_config::{Card, Config, Monitor, Sources, Transport};
use std::path::Path;

fn error(text: &str) -> String {
    Config::from_toml(text, "offhook.toml").expect_err("it is wrong").to_string()
}

#[test]
fn http_beyond_this_machine_wants_a_token() {
    assert_eq!(
        error("[http]\nlisten = \"0.0.0.0:8080\"\n"),
        "\
error: http.listen without http.token_file: anybody on the network could read the calls and stop the voice
 --> offhook.toml:2:10
  |
2 | listen = \"0.0.0.0:8080\"
  |          ^^^^^^^^^^^^^^ expected http.token_file too

1 problem in the configuration"
    );
    assert!(Config::from_toml("http = { listen = \"[::]:80\", token_file = \"t\" }", "t").is_ok());
    assert!(Config::from_toml("http.listen = \"[::1]:80\"", "t").is_ok());
}

#[test]
fn a_trunk_is_read_with_what_it_needs() {
    let text = "[trunk]\nserver = \"sip.example.com\"\nuser = \"601\"\npassword_file = \"trunk-password\"\n\
                [trunk.fallback]\nserver = \"192.0.2.9:5080\"\ntransport = \"tcp\"\nregister = false\n";
    let trunks = Config::from_toml(text, "t").unwrap().trunks;
    let [first, second] = &trunks[..] else { panic!("{trunks:?}") };
    assert_eq!((&*first.server.host, first.server.port), ("sip.example.com", None));
    assert_eq!((&**first.user.reveal(), &**first.auth_user.reveal()), ("601", "601"));
    assert_eq!(first.password_file.as_deref(), Some(Path::new("trunk-password")));
    assert!(first.register.is_some() && second.register.is_none());
    assert_eq!((second.server.port, second.transport), (Some(5080), Transport::Tcp));
    let text = error("[trunk]\nserver = \"sip.example.com\"\n");
    assert!(text.contains("trunk.server without trunk.user: there is nobody to register"), "{text}");
}

#[test]
fn keys_that_would_do_nothing_are_told() {
    for (text, expected) in [
        ("trunk.user = \"601\"", "trunk.user without trunk.server: there is no trunk"),
        ("trunk.fallback.register = false", "trunk.fallback.register without trunk.fallback.server"),
        ("sip.tls_listen = \"0.0.0.0:5061\"", "sip.tls_listen without sip.certificate_file"),
        ("sip.certificate_file = \"c\"", "sip.certificate_file without sip.key_file"),
        ("sip.caller_user = \"u\"", "sip.caller_user without sip.caller_password_file"),
        ("sip.caller_digest = \"MD5\"", "sip.caller_digest without sip.caller_user: no caller is asked"),
        (
            "trunk = { server = \"a\", user = \"u\", auth_user = \"v\" }",
            "trunk.auth_user without trunk.password_file: there is no password",
        ),
        (
            "sound = { monitor = \"both\", speaker = \"none\" }",
            "sound.monitor without sound.speaker: there is nothing",
        ),
        (
            "route.7 = \"handset\"\nsound = { speaker = \"none\", microphone = \"none\" }",
            "a route to handset without sound.speaker or sound.microphone: nobody",
        ),
        ("route.7 = \"transfer 12\"", "a transfer to a number without trunk.server: there is nobody"),
        (
            "speech = { voice_protocol = \"deepgram\", voice_model = \"m\" }",
            "speech.voice_model without speech.voice_protocol elevenlabs: elsewhere a voice is its model",
        ),
        (
            "speech = { voice_protocol = \"wyoming\", voice_url = \"tcp://a:1\", voice_key_file = \"k\" }",
            "speech.voice_key_file without another speech.voice_protocol: Wyoming knows no keys",
        ),
        (
            "speech = { ears_protocol = \"wyoming\", ears_url = \"tcp://a:1\", ears_key_file = \"k\" }",
            "speech.ears_key_file without another speech.ears_protocol: Wyoming knows no keys",
        ),
        (
            "speech.device_voice = \"command\"",
            "speech.device_voice command without speech.device_command: there is no command",
        ),
        (
            "speech = { device_voice = \"rms\", device_command = [\"piper\"] }",
            "speech.device_command without speech.device_voice command: no other voice",
        ),
        ("speech.device_output = \"wav\"", "speech.device_output without speech.device_voice command"),
        ("speech.device_rate_hz = 16000", "speech.device_rate_hz without speech.device_voice command"),
    ] {
        let told = error(text);
        assert!(told.contains(expected), "{text}: {told}");
        assert!(told.ends_with("\n1 problem in the configuration"), "{text}: {told}");
    }
}

#[test]
fn keys_that_do_something_with_others_are_taken() {
    for text in [
        "sip = { caller_digest = \"MD5\", caller_user = \"u\", caller_password_file = \"p\" }",
        "sip.caller_digest = \"SHA-256\"",
        "trunk = { server = \"a\", user = \"u\", auth_user = \"v\", password_file = \"p\" }",
        "sound = { monitor = \"both\", microphone = \"none\" }",
        "route.7 = \"handset\"\nsound.speaker = \"none\"",
        "route.7 = \"transfer sip:12@192.0.2.9\"",
        "route.7 = \"transfer 12\"\ntrunk = { server = \"a\", user = \"u\" }",
        "route.7 = \"transfer 12\"\ntrunk.fallback = { server = \"a\", register = false }",
        "speech = { voice_protocol = \"elevenlabs-single\", voice_model = \"m\" }",
        "speech = { device_voice = \"command\", device_command = [\"a b\", \"{text}\"], device_output = \"wav\" }",
    ] {
        assert!(Config::from_toml(text, "t").is_ok(), "{text}: {}", error(text));
    }
}

#[test]
fn what_is_wrong_by_itself_is_told_once() {
    for text in [
        "trunk = { server = \"a b\" }\nroute.7 = \"transfer 12\"",
        "trunk = { server = \"a\", user = \"a b\" }",
        "sip = { caller_digest = \"MD5\", caller_user = \"a b\" }",
        "speech = { truevoice_min_idle = 9, truevoice_max_idle = 99 }",
        "speech = { device_voice = \"command\", device_command = [\"piper\", \"\"] }",
        "speech = { device_voice = \"comand\", device_command = [\"piper\"] }",
        "speech = { device_voice = \"command\", device_command = \"piper\" }",
    ] {
        let told = error(text);
        assert!(told.ends_with("\n1 problem in the configuration"), "{text}: {told}");
    }
}

#[test]
fn ports_that_are_too_few_for_the_calls_are_told() {
    let text = error("[media]\nport_first = 40000\nport_last = 40019\n");
    assert!(text.contains("these ports are enough for 10 calls; calls.max is 50"), "{text}");
    assert!(text.contains("offhook.toml:2:14") && text.contains("given here"), "{text}");
    assert!(Config::from_toml("media.port_last = 40019\ncalls.max = 10", "t").is_ok());
    assert!(error("calls.max = 501").contains("calls.max 501 is out of range"));
}

#[test]
fn a_word_that_is_no_choice_finds_its_neighbour() {
    let text = error("[log]\nlevel = \"wran\"\n");
    assert!(text.contains("error: log.level cannot be \"wran\"\n --> offhook.toml:2:9"), "{text}");
    assert!(text.contains("expected one of error, warn, info, debug, trace, default info"), "{text}");
    assert!(text.contains("help: did you mean \"warn\"?"), "{text}");
}

#[test]
fn an_item_of_a_list_is_told_by_itself() {
    assert!(
        error("sip.networks = [\"10.0.0.0/8\", \"10.0.0.0/40\"]")
            .contains("sip.networks cannot be \"10.0.0.0/40\"")
    );
    assert!(error("media.codecs = [\"PCMU\", 3]").contains("media.codecs cannot be 3"));
    assert!(error("media.codecs = 3").contains("media.codecs is a number"));
    assert!(error("media.codecs = []").contains("media.codecs cannot be []"));
    assert!(Config::from_toml("sip.networks = []", "t").is_ok(), "nobody but the trunk may call");
}

#[test]
fn routes_are_checked_on_both_sides() {
    let text = error("[route]\n\"6 0\" = \"echo\"\n\"601\" = \"eko\"\n\"602\" = 5\n\"603\" = \"transfer\"\n");
    assert!(text.contains("error: 6 0 can never be called\n --> offhook.toml:2:1"), "{text}");
    assert!(text.contains("error: no call can go to \"eko\"\n --> offhook.toml:3:9"), "{text}");
    assert!(text.contains("help: did you mean \"echo\"?"), "{text}");
    assert!(
        text.contains("no call can go to 5") && text.ends_with("4 problems in the configuration"),
        "{text}"
    );
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    let text = "[trunk]\nserver = \"sip.example.com\"\nuser = \"601\"\npassword = \"hunter2\"\n";
    let problems = Config::from_toml(text, "offhook.toml").unwrap_err();
    let told = problems.to_string();
    assert!(
        told.contains("unknown key trunk.password") && told.contains("did you mean trunk.password_file?"),
        "{told}"
    );
    assert!(!told.contains("hunter2") && !format!("{problems:?}").contains("hunter2"), "{told}");
    let told = Sources::new().set("http.token=hunter2").read().unwrap_err().to_string();
    assert!(told.contains("did you mean http.token_file?") && !told.contains("hunter2"), "{told}");
    let told = error("[speech]\nmind_url = \"https://api.example.com\"\nmind_key = \"sk-hunter2\"\n");
    assert!(told.contains("did you mean speech.mind_key_file?") && !told.contains("hunter2"), "{told}");
    let told = error("[http]\ntoken = \"\"\"\nhunter2\n");
    assert!(told.contains("this is not TOML") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_log_is_told_the_place_and_what_was_expected_and_no_number_of_a_person() {
    let text = "493055501 = 5\n[trunk]\nserver = \"sip.example.com\"\nuser = \"4930 55502\"\n[jitter]\nmin_ms = 5\n\
                [speech]\nmind_url = \"https://me:4930@a\"\n\
                [route]\n\"4930 55503\" = \"echo\"\n\"600\" = \"transfer 493 055504\"\n\"493055505\"\n";
    let told = Config::from_toml(text, "offhook.toml").unwrap_err().redacted().to_string();
    assert_eq!(
        told,
        "\
offhook.toml:1: unknown key; no such key; did you mean route?
offhook.toml:4: trunk.user cannot be what stands there; expected a user name, default none (\"\")
offhook.toml:6: jitter.min_ms 5 is out of range; expected whole milliseconds from 20 to 500, default 20
offhook.toml:8: speech.mind_url cannot be \"https://*******@a\"; expected an address, as in https://api.example.com, default none (\"\"); keys and passwords do not stand in an address; the service's key has a file
offhook.toml:10: a line of [route] can never be called; expected what is called, as in \"600\" or \"+49*\"; * at the end stands for anything
offhook.toml:11: no call can go where a line of [route] leads; expected echo, tone, agent, handset, reject, or transfer and a number or a sip: address; ring or early and seconds may follow
offhook.toml:12: this is not TOML"
    );
    let told = error(text);
    assert!(told.contains("https://*******@a") && !told.contains("me:4930"), "{told}");
    // Passwords that look as if the host were over before them.
    for address in ["https://me:pa#hunter@a", "https://me:12/hunter@a", "http://me:pa?hunter@a/v1"] {
        let problems = Config::from_toml(&format!("[speech]\nmind_url = \"{address}\"\n"), "t").unwrap_err();
        for told in [problems.to_string(), problems.redacted().to_string()] {
            assert!(told.contains("passwords do not stand in an address"), "{told}");
            assert!(!told.contains("hunter") && !told.contains("me:"), "{told}");
        }
    }
}

#[test]
fn the_usual_size_of_chunks_moves_between_bounds_that_were_given() {
    let chunks = |text: &str| Config::from_toml(text, "t").unwrap().chunks;
    let usual = chunks("");
    assert_eq!((usual.min_ms, usual.default_ms, usual.max_ms), (100, 500, 1_000));
    assert_eq!(chunks("[chunks]\nmax_ms = 300").default_ms, 300);
    assert_eq!(chunks("[chunks]\nmin_ms = 600\ndefault_ms = 700").default_ms, 700);
}

#[test]
fn the_sound_card_is_the_systems_own_unless_another_or_none_is_named() {
    let sound = |text: &str| Config::from_toml(text, "offhook.toml").unwrap().sound;
    let plain = sound("");
    assert_eq!((plain.speaker.card, plain.microphone.card), (Some(Card::Default), Some(Card::Default)));
    assert_eq!((plain.monitor, plain.duck_db), (Monitor::Off, 20));
    let named = sound(
        "[sound]\nspeaker = \"hw:CARD=Device,DEV=0\"\nmicrophone = \"none\"\nspeaker_db = -6\nmonitor = \"both\"\n",
    );
    assert_eq!(named.speaker.card, Some(Card::Named("hw:CARD=Device,DEV=0".to_owned())));
    assert_eq!((named.microphone.card, named.speaker.level_db, named.monitor), (None, -6, Monitor::Both));
    for (text, told) in [
        ("[sound]\nspeaker_db = 21\n", "sound.speaker_db 21 is out of range"),
        ("[sound]\nspeaker = \"\"\n", "sound.speaker cannot be \"\""),
        ("[sound]\nmonitor = \"al\"\n", "sound.monitor cannot be \"al\""),
    ] {
        assert!(error(text).contains(told), "{}", error(text));
    }
}
