//! `offhook demo`, `offhook say`, and what the program says of itself.

mod support;

use support::{Folder, wav};

#[test]
fn the_demonstration_calls_the_service_over_each_network_and_tells_what_it_measured() {
    let folder = Folder::new("demo");
    let done = folder.run(&["demo", "--length", "4"]);
    assert_eq!((done.code, &*done.err), (0, ""), "{done:?}");
    assert_eq!(folder.names(), ["offhook-demo"]);
    assert!(done.out.starts_with("Called sip:600@127.0.0.1:"), "{}", done.out);
    for network in ["lan", "busy-wifi", "mobile", "loss-bursts"] {
        let row =
            done.out.lines().find(|line| line.starts_with(network)).unwrap_or_else(|| panic!("{done:?}"));
        let (_, told) = row.split_once('|').unwrap();
        let told: Vec<&str> = told.split_whitespace().collect();
        // Delay and buffer in ms, what was concealed in percent, a score: all were reported.
        assert_eq!([told[1], told[3], told[5], told[7]], ["ms", "ms", "%", "of"], "{row}");
        assert!(told[0].parse::<f64>().unwrap() > 10.0, "{row}");
        let [before, after] = ["before", "after"]
            .map(|when| wav(&folder.path(&format!("offhook-demo/{network}-{when}.wav"))).0);
        assert_eq!(before.len(), after.len(), "{network}");
        assert!(before.len() > 4 * 8_000 && before != after, "{network}");
        assert!(after.iter().any(|sample| sample.unsigned_abs() > 3_000), "{network}: nothing was heard");
    }
    // What it wrote is what `replay` takes.
    let files =
        ["--trace", "offhook-demo/mobile.csv", "--voice", "offhook-demo/voice.wav", "--wav", "again.wav"];
    let again = folder.run(&[&["replay"], &files[..]].concat());
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn a_service_that_is_not_there_is_told_with_its_address() {
    let folder = Folder::new("demo-nobody");
    // Bound and closed again: nobody listens there.
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let done = folder.run(&["demo", "--to", &format!("sip:600@{free}"), "--length", "1"]);
    assert_eq!(done.code, 69, "{done:?}");
    assert!(
        done.err.contains(&format!("the call to sip:600@{free}: no server could be reached")),
        "{done:?}"
    );
    let done = folder.run(&["demo", "--to", "600"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("expected sip:NUMBER@HOST"), "{done:?}");
}

#[test]
fn the_demonstration_can_be_drawn_anew_elsewhere() {
    let folder = Folder::new("demo-seed");
    for (out, seed) in [("a/b", "7"), ("c", "7"), ("d", "8")] {
        let only = ["--network", "mobile", "--length", "1"];
        assert_eq!(folder.run(&[&["demo", "--out", out, "--seed", seed], &only[..]].concat()).code, 0);
    }
    assert!(folder.read("a/b/mobile.csv") == folder.read("c/mobile.csv"));
    assert!(folder.read("c/mobile.csv") != folder.read("d/mobile.csv"));
    folder.write("e", "a file in the way");
    let done = folder.run(&["demo", "--out", "e"]);
    assert_eq!(done.code, 73, "{done:?}");
}

#[test]
fn text_becomes_a_recording() {
    let folder = Folder::new("say");
    let done = folder.run(&["say", "Good morning. How can I help you?", "--wav", "say.wav"]);
    assert_eq!((done.code, &*done.err), (0, ""), "{done:?}");
    let (samples, spec) = wav(&folder.path("say.wav"));
    assert_eq!(spec.channels, 1);
    let seconds = samples.len() as f64 / f64::from(spec.sample_rate);
    assert!((1.0..10.0).contains(&seconds), "{seconds}");
    assert!(done.out.starts_with("say.wav: 2 sentences, "), "{}", done.out);
}

#[test]
fn v6_say_uses_the_voice_that_the_configuration_wants() {
    let folder = Folder::new("say-command");
    folder.write(
        "c.toml",
        "[speech]\ndevice_voice = \"command\"\ndevice_rate_hz = 8000\n\
         device_command = [\"sh\", \"-c\", \"printf %s \\\"$1\\\" >said.txt; yes | head -c 16000\", \"sh\", \"{text}\"]\n",
    );
    let done = folder.run(&["say", "Good morning.", "--wav", "say.wav", "--config", "c.toml"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("at 8000 Hz, by sh"), "{}", done.out);
    assert_eq!(std::fs::read_to_string(folder.path("said.txt")).unwrap(), "Good morning.");
    let done =
        folder.run(&["say", "Good morning.", "--wav", "say.wav", "--set", "speech.device_voice=kal16"]);
    assert!(done.out.contains("by flite kal16"), "{done:?}");
    // What is asked for by name wins.
    let asked = ["say", "Good morning.", "--wav", "say.wav", "--config", "c.toml", "--voice", "flite"];
    assert!(folder.run(&asked).out.contains("by flite slt"));
    for name in ["slt", "rms", "kal16"] {
        let done = folder.run(&["say", "Good morning.", "--wav", "say.wav", "--voice", name]);
        assert!(done.out.contains(&format!("by flite {name}")), "{done:?}");
    }
}

#[test]
fn v6_say_says_what_is_wrong_with_a_voice_and_leaves_no_file_behind() {
    let folder = Folder::new("say-wrong");
    folder.write(
        "flood.toml",
        "[speech]\ndevice_voice = \"command\"\ndevice_command = [\"cat\", \"/dev/zero\"]\n",
    );
    folder.write(
        "wav.toml",
        "[speech]\ndevice_voice = \"command\"\ndevice_command = [\"espeak-ng\", \"--stdin\", \"--stdout\"]\n",
    );
    folder.write("rate.toml", "[speech]\ndevice_voice = \"command\"\ndevice_output = \"wav\"\ndevice_rate_hz = 8000\ndevice_command = [\"espeak-ng\", \"--stdin\", \"--stdout\"]\n");
    for (text, arguments, code, told) in [
        ("Good morning.", ["--config", "flood.toml"], 69, "gave more than"),
        ("Good morning.", ["--config", "wav.toml"], 69, "set device_output to wav"),
        ("Good morning.", ["--config", "rate.toml"], 69, "set device_rate_hz to 22050"),
        ("Привет, как дела?", ["--voice", "slt"], 65, "nothing"),
    ] {
        let done = folder.run(&[&["say", text, "--wav", "say.wav"], &arguments[..]].concat());
        assert!(done.code == code && done.err.contains(told), "{told}: {done:?}");
        assert!(!folder.names().contains(&"say.wav".to_owned()), "{told}");
    }
}

#[test]
fn a_lab_that_could_serve_nobody_or_would_do_nothing_of_what_it_is_told_does_not_start() {
    let folder = Folder::new("lab-wrong");
    for (arguments, told) in [
        (["--connections", "0"], "0 is not in 1..=65535"),
        (["--fault", "path"], "path=multi"),
        (["--fault", "path=/v2/listen,no_final"], "no_final"),
    ] {
        let done = folder.run(
            &[&["lab", "--port", "0", "--tls-port", "0", "--wyoming-port", "0"], &arguments[..]].concat(),
        );
        assert!(done.code == 2 && done.err.contains(told), "{told}: {done:?}");
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = Folder::new("help");
    for command in ["check", "demo", "print-config", "replay", "run", "say"] {
        let done = folder.run(&[command, "--help"]);
        assert_eq!(done.code, 0);
        assert!(
            done.out.contains("Example") && done.out.contains(&format!("offhook {command} ")),
            "{}",
            done.out
        );
    }
    let done = folder.run(&["--help"]);
    assert!(done.out.contains("Exit codes: 0 done, 2 wrong usage, 65"), "{}", done.out);
    assert!(folder.run(&["--version"]).out.starts_with("offhook 0."));
}

#[test]
fn the_settings_that_hold_are_told_with_their_origin() {
    let folder = Folder::new("print-config");
    folder.write("c.toml", "[trunk]\nserver = \"sip.example.com\"\nuser = \"601\"\npassword_file = \"p\"\n");
    folder.write("p", "hunter2\n");
    let arguments = ["print-config", "--config", "c.toml", "--set", "jitter.max_ms=200"];
    let mut command = folder.command(&arguments);
    let done = support::Done::of(command.env("JITTER_BUFFER_MIN_MS", "30").output().unwrap());
    assert_eq!((done.code, &*done.err), (0, ""), "{done:?}");
    for (name, origin) in [
        ("server = \"sip.example.com\"", "c.toml:2"),
        ("min_ms = 30", "environment JITTER_BUFFER_MIN_MS"),
        ("max_ms = 200", "--set"),
        ("target_ms = 100", "default"),
    ] {
        let line = done.out.lines().find(|line| line.starts_with(name)).expect(name);
        assert!(line.ends_with(&format!("# {origin}")), "{line}");
    }
    assert!(!done.out.contains("hunter2"));
    folder.write("again.toml", &done.out);
    assert_eq!(folder.run(&["check", "again.toml"]).code, 0);
}
