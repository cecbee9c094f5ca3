//! `offhook demo`, `offhook say`, and what the program says of itself.

mod support;

use support::{Folder, wav};

#[test]
fn the_demonstration_needs_nothing_and_leaves_what_it_names() {
    let folder = Folder::new("demo");
    let done = folder.run(&["demo"]);
    assert_eq!((done.code, &*done.err), (0, ""), "{done:?}");
    assert_eq!(folder.names(), ["offhook-demo"]);
    for network in ["lan", "busy-wifi", "mobile", "loss-bursts"] {
        assert!(done.out.lines().any(|line| line.starts_with(network)), "{}", done.out);
        let [before, after] = ["before", "after"]
            .map(|when| wav(&folder.path(&format!("offhook-demo/{network}-{when}.wav"))).0);
        assert_eq!(before.len(), after.len(), "{network}");
        assert!(before.len() > 19 * 8_000 && before != after, "{network}");
    }
    // What it wrote is what `replay` takes, and gives the same.
    let files =
        ["--trace", "offhook-demo/mobile.csv", "--voice", "offhook-demo/voice.wav", "--wav", "again.wav"];
    let again = folder.run(&[&["replay"], &files[..]].concat());
    assert_eq!(again.code, 0, "{again:?}");
    assert!(folder.read("again.wav") == folder.read("offhook-demo/mobile-after.wav"));
}

#[test]
fn the_demonstration_can_be_drawn_anew_elsewhere() {
    let folder = Folder::new("demo-seed");
    for (out, seed) in [("a/b", "7"), ("c", "7"), ("d", "8")] {
        assert_eq!(folder.run(&["demo", "--out", out, "--seed", seed]).code, 0);
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
fn every_command_has_help_with_an_example() {
    let folder = Folder::new("help");
    for command in ["check", "demo", "replay", "say"] {
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
