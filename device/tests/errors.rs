//! What goes wrong is told with its file, its place and what was expected; the exit code says what kind it is;
//! and nothing is left behind.

mod support;

use offhook::demo::VOICE_WAV;
use std::process::{Command, Stdio};
use support::{Done, Folder, trace};

const FILES: [&str; 6] = ["--trace", "t.csv", "--voice", "v.wav", "--wav", "out.wav"];

/// A folder in which a replay would work, and an older result stands.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("t.csv", trace(100, |_| Some(20_500)));
    folder.write("v.wav", VOICE_WAV);
    folder.write("out.wav", "an older one");
    folder
}

/// Runs a replay that fails, and sees that everything in the folder is as it was.
#[track_caller]
fn fails(folder: &Folder, more: &[&str]) -> Done {
    let before = folder.names();
    let done = folder.run(&[&["replay"], &FILES[..], more].concat());
    assert_ne!(done.code, 0, "{done:?}");
    assert_eq!(done.out, "");
    assert_eq!(folder.names(), before);
    assert_eq!(folder.read("out.wav"), b"an older one");
    done
}

#[test]
fn a_bad_line_of_a_trace() {
    let folder = folder("bad-trace");
    for (text, expected) in [
        ("", "offhook: t.csv: line 1: the first line is \"\"; expected \"seq,send_ms,arrive_ms\""),
        ("seq;send_ms;arrive_ms\n", "t.csv: line 1: the first line is"),
        ("seq,send_ms,arrive_ms\n", "t.csv: line 2: no packet at all; expected"),
        ("seq,send_ms,arrive_ms\n0,0,20\n1,20\n", "t.csv: line 3: 2 columns; expected 3"),
        (
            "seq,send_ms,arrive_ms\n0,0,20\n1,20,soon\n",
            "t.csv: line 3: arrive_ms is \"soon\"; expected milliseconds",
        ),
        (
            "seq,send_ms,arrive_ms\n0,0,20\n\n1.5,20,40\n",
            "t.csv: line 4: seq is \"1.5\"; expected a whole number",
        ),
        (
            "seq,send_ms,arrive_ms\n0,0,1e300\n",
            "t.csv: line 2: arrive_ms is \"1e300\"; expected milliseconds from 0",
        ),
    ] {
        folder.write("t.csv", text);
        let done = fails(&folder, &[]);
        assert_eq!(done.code, 65, "{done:?}");
        assert!(done.err.contains(expected), "wanted {expected:?}: {done:?}");
        assert_eq!(done.err.lines().count(), 1);
    }
}

#[test]
fn a_trace_that_is_no_text() {
    let folder = folder("binary-trace");
    folder.write("t.csv", b"seq,send_ms,arrive_ms\n\xFF\xFE\x00");
    let done = fails(&folder, &[]);
    assert_eq!(done.code, 65);
    assert!(done.err.contains("t.csv: line 2: not a text file"), "{done:?}");
}

#[test]
fn a_bad_voice() {
    let folder = folder("bad-voice");
    let stereo = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(folder.path("stereo.wav"), stereo).unwrap();
    (0..100).for_each(|_| file.write_sample(0i16).unwrap());
    file.finalize().unwrap();
    for (voice, expected) in [
        (b"".to_vec(), "v.wav: byte 0: this is not a WAV file"),
        (folder.read("t.csv"), "v.wav: byte 0: this is not a WAV file"),
        (VOICE_WAV[..1_000].to_vec(), "cut short: expected"),
        (
            folder.read("stereo.wav"),
            "44100 Hz stereo 16-bit: expected mono 16-bit at 8000, 16000, 24000 or 48000 Hz",
        ),
    ] {
        folder.write("v.wav", voice);
        let done = fails(&folder, &[]);
        assert_eq!(done.code, 65, "{done:?}");
        assert!(done.err.contains(expected), "wanted {expected:?}: {done:?}");
    }
}

#[test]
fn a_missing_input() {
    for name in ["t.csv", "v.wav"] {
        let folder = folder("missing-input");
        std::fs::remove_file(folder.path(name)).unwrap();
        let done = fails(&folder, &[]);
        assert_eq!(done.code, 66, "{done:?}");
        assert!(done.err.contains(&format!("offhook: {name} cannot be read: No such file")), "{done:?}");
    }
    let folder = folder("missing-config");
    assert_eq!(fails(&folder, &["--config", "c.toml"]).code, 66);
}

#[test]
fn an_output_that_cannot_be_written() {
    let folder = folder("no-output");
    for more in [["--log", "nowhere/log.csv"], ["--log", "/dev/full"]] {
        let done = fails(&folder, &more);
        assert_eq!(done.code, 73, "{done:?}");
        assert!(done.err.contains(&format!("offhook: {} cannot be written", more[1])), "{done:?}");
    }
}

#[test]
fn an_output_in_an_inputs_place() {
    let folder = folder("overwrite");
    folder.write("c.toml", "");
    for (more, expected) in [
        (&["--log", "t.csv"][..], "t.csv is the trace"),
        (&["--log", "../overwrite-link/v.wav"], "is the voice"),
        (&["--log", "out.wav"], "out.wav is the WAV"),
        (&["--log", "c.toml", "--config", "c.toml"], "c.toml is the configuration"),
    ] {
        let link = folder.path("../overwrite-link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(folder.path(""), &link).unwrap();
        let done = fails(&folder, more);
        std::fs::remove_file(&link).unwrap();
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains(expected), "{done:?}");
    }
}

#[test]
fn a_wrong_setting() {
    let folder = folder("bad-setting");
    let done = fails(&folder, &["--set", "jitter.mni_ms=40", "--set", "jitter.max_ms=9000"]);
    assert_eq!(done.code, 78);
    assert!(
        done.err.contains("unknown key jitter.mni_ms") && done.err.contains("did you mean jitter.min_ms?")
    );
    assert!(done.err.contains("jitter.max_ms 9000 is out of range"), "all at once: {done:?}");
    let done = fails(&folder, &["--set", "jitter.min_ms"]);
    assert_eq!(done.code, 78);
    folder.write("c.toml", b"[jitter]\nmin_ms = \xFF\n");
    let done = fails(&folder, &["--config", "c.toml"]);
    assert_eq!(done.code, 78);
    assert!(done.err.contains("c.toml: byte 18 is no UTF-8"), "{done:?}");
}

#[test]
fn wrong_usage() {
    let folder = folder("usage");
    assert_eq!(fails(&folder, &["--codec", "g729"]).code, 2);
    assert_eq!(fails(&folder, &["--sett", "jitter.min_ms=40"]).code, 2);
    let done = folder.run(&["replay", "--trace", "t.csv"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("--voice <V.wav>") && done.err.contains("--wav <OUT.wav>"), "{done:?}");
    assert_eq!(folder.run(&["reply"]).code, 2);
    assert_eq!(folder.run(&[]).code, 2);
}

#[test]
fn ctrl_c_in_the_middle() {
    for signal in ["-INT", "-TERM"] {
        let folder = folder("ctrl-c");
        // Hours of Opus: coding it takes minutes, far longer than it takes us to stop it.
        folder.write("t.csv", trace(500_000, |_| Some(20_500)));
        let before = folder.names();
        let mut command = folder.command(&[&["replay", "--codec", "opus"], &FILES[..]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while folder.names() == before {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it began a file");
            std::thread::yield_now();
        }
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let done = Done::of(child.wait_with_output().unwrap());
        assert_eq!(done.code, 130, "{done:?}");
        assert_eq!(done.err, "offhook: interrupted; nothing half-written is left\n");
        assert_eq!(folder.names(), before);
        assert_eq!(folder.read("out.wav"), b"an older one");
    }
}

#[test]
fn a_file_to_be_checked() {
    let folder = folder("check");
    folder.write("good.toml", "[jitter]\nmax_ms = 200\n");
    let done = folder.run(&["check", "good.toml"]);
    assert_eq!(done.code, 0);
    assert!(done.out.starts_with("good.toml is in order.\ndelay   20 to 200 ms, 100 ms until"), "{done:?}");
    let done = folder.run(&["check", "good.toml", "--set", "jitter.min_ms=300"]);
    assert!(done.code == 78 && done.err.contains("max_ms 200 is below min_ms 300"), "{done:?}");
    folder.write("bad.toml", "[jitter]\nmin_ms = 5\n\n[sped]\nmax_percent = 3\n");
    let done = folder.run(&["check", "bad.toml"]);
    assert_eq!(done.code, 78);
    assert!(
        done.err.contains("bad.toml:2:10") && done.err.contains("unknown key sped"),
        "all at once: {done:?}"
    );
    folder.write("route.toml", "[route]\n\"7\" = \"transfer sip:@\"\n");
    let done = folder.run(&["check", "route.toml"]);
    assert!(done.code == 78 && done.err.contains("no call can go to \"transfer sip:@\""), "{done:?}");
    assert_eq!(folder.run(&["check", "none.toml"]).code, 66);
}

#[test]
fn a_certificate_that_cannot_be_used_is_a_mistake_of_the_configuration() {
    let folder = Folder::new("certificate");
    let tls = "[sip]\nlisten = \"127.0.0.1:0\"\ncertificate_file = \"./c.pem\"\nkey_file = \"./k.pem\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
    folder.write("c.toml", tls);
    let fails = |expected: &[&str]| {
        for command in [&["check", "c.toml"][..], &["run", "--config", "c.toml"]] {
            let done = folder.run(command);
            assert_eq!(done.code, 78, "{done:?}");
            for expected in expected {
                assert!(done.err.contains(expected), "wanted {expected:?}: {done:?}");
            }
        }
    };
    fails(&[
        "c.toml:3:20",
        "sip.certificate_file cannot be used: ./c.pem: No such file",
        "expected PEM with the certificate",
        "c.toml:4:12",
        "sip.key_file cannot be used: ./k.pem: No such file",
        "2 problems",
    ]);
    folder.write("c.pem", "no certificate");
    folder.write("k.pem", "no key");
    fails(&["c.toml:3:20", "./c.pem: ", "c.toml:4:12", "./k.pem: "]);
    let [ours, other] =
        ["a.example", "b.example"].map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap());
    folder.write("c.pem", ours.cert.pem());
    folder.write("k.pem", other.signing_key.serialize_pem());
    fails(&["c.toml:3:20", "certificate and key: "]);
    folder.write("k.pem", ours.signing_key.serialize_pem());
    assert_eq!(folder.run(&["check", "c.toml"]).code, 0);
    // A bare name may be one of the service manager's credentials, which it shows to the service alone.
    folder.write("c.toml", tls.replace("./k.pem", "mine.key"));
    let mut check = folder.command(&["check", "c.toml"]);
    let done = Done::of(check.env_remove("CREDENTIALS_DIRECTORY").output().unwrap());
    assert!(done.code == 0 && done.out.contains("mine.key is not here: it has to be one of"), "{done:?}");
    let done = folder.run(&["run", "--config", "c.toml"]);
    assert!(done.code == 78 && done.err.contains("mine.key: No such file"), "{done:?}");
}

#[test]
fn a_voice_that_is_not_there() {
    let folder = Folder::new("no-voice");
    let mut command = folder.command(&["say", "Hello.", "--wav", "hello.wav", "--voice", "espeak-ng"]);
    let done = Done::of(command.env("PATH", "").output().unwrap());
    assert_eq!(done.code, 69, "{done:?}");
    assert!(done.err.contains("apt-get install espeak-ng"), "{done:?}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn text_without_a_word() {
    let folder = Folder::new("no-words");
    let done = folder.run(&["say", "!?", "--wav", "hello.wav"]);
    assert_eq!(done.code, 65, "{done:?}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}
