//! `offhook replay`, run as a person runs it.

mod support;

use offhook::demo::VOICE_WAV;
use offhook::replay::Voice;
use offhook_engine::Stats;
use support::{Done, Folder, trace, wav};

const FILES: [&str; 6] = ["--trace", "t.csv", "--voice", "v.wav", "--wav", "out.wav"];
/// Of the built-in voice.
const PACKETS: u32 = 960;

fn folder(name: &str, trace: &[u8]) -> Folder {
    let folder = Folder::new(name);
    folder.write("t.csv", trace);
    folder.write("v.wav", VOICE_WAV);
    folder
}

fn replay(folder: &Folder, more: &[&str]) -> Done {
    let done = folder.run(&[&["replay"], &FILES[..], more].concat());
    assert_eq!((done.code, &*done.err), (0, ""), "{done:?}");
    done
}

#[test]
fn a_clean_line_gives_the_voice_back_to_the_last_bit_after_30_ms() {
    // A packet of 20 ms that comes half a millisecond after it is complete is there for the pull at 30 ms.
    let folder = folder("clean", &trace(PACKETS, |_| Some(20_500)));
    let done = replay(&folder, &["--json"]);
    let (heard, spec) = wav(&folder.path("out.wav"));
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 8_000, 16));
    assert_eq!(
        heard.len(),
        (PACKETS as usize * 20 + 1_000) * 8 + 80,
        "until the last packet has come, and 1 s"
    );
    // µ-law to begin with, so that coding it again loses nothing. The first seconds give back the starting delay.
    let voice = Voice::from_wav(VOICE_WAV).unwrap();
    let sent = &voice.samples()[..PACKETS as usize * 160];
    let settled = 4 * 8_000;
    assert_eq!(heard[240 + settled..240 + sent.len()], sent[settled..]);
    assert_eq!((done.value("missing"), done.value("late")), ("0", "0"));
    assert_eq!(done.value("packets"), PACKETS.to_string());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let bad = trace(PACKETS, |q| (q % 17 != 0).then_some(20_000 + u64::from(q * 7_919 % 60_000)));
    let (one, other) = (folder("same-1", &bad), folder("same-2", &bad));
    let more = ["--log", "log.csv", "--json"];
    let (first, second) = (replay(&one, &more), replay(&other, &more));
    assert!(one.read("out.wav") == other.read("out.wav"), "the WAV differs");
    assert!(one.read("log.csv") == other.read("log.csv"), "the log differs");
    let but_cpu = |done: &Done| done.out.split_once(",\"cpu_mean_ns\"").unwrap().0.to_owned();
    assert_eq!(but_cpu(&first), but_cpu(&second));
}

#[test]
fn the_json_is_one_line_with_every_counter_of_the_engine() {
    let folder = folder("json", &trace(200, |q| (q % 10 != 9).then_some(25_000)));
    let done = replay(&folder, &["--json"]);
    assert_eq!(done.out.lines().count(), 1);
    assert!(done.out.starts_with('{') && done.out.ends_with("}\n"), "{}", done.out);
    // The engine's own list, as it prints itself: `Stats { packets: 0, duplicates: 0, …`.
    let stats = format!("{:?}", Stats::default());
    let (_, fields) = stats.split_once('{').unwrap();
    let names: Vec<&str> =
        fields.split(", ").filter_map(|field| field.split_once(": ")).map(|(name, _)| name.trim()).collect();
    assert!(names.contains(&"packets") && names.contains(&"warps"), "{names:?}");
    for name in names {
        let is_there =
            ["", "_ms", "_ppm"].iter().any(|unit| done.out.contains(&format!("\"{name}{unit}\":")));
        assert!(is_there, "{name} is missing: {}", done.out);
    }
    for key in ["cpu_mean_ns", "cpu_p50_ns", "cpu_p99_ns", "cpu_max_ns", "delay_mean_ms"] {
        done.value(key).parse::<f64>().unwrap();
    }
    assert_eq!((done.value("sent"), done.value("lost"), done.value("packets")), ("200", "20", "180"));
}

#[test]
fn what_the_network_did_is_what_the_engine_counts() {
    let mut rows = String::from_utf8(trace(300, |q| (q != 100 && q != 299).then_some(20_500))).unwrap();
    rows.push_str("50,1000.000,1030.000\n"); // again
    let folder = folder("counts", rows.as_bytes());
    let done = replay(&folder, &["--json"]);
    assert_eq!(done.value("lost"), "2");
    assert_eq!((done.value("repeated"), done.value("duplicates")), ("1", "1"));
    assert_eq!(done.value("missing"), "1", "nothing came after 299, so that nobody missed it");
    assert_eq!(done.value("refused"), "0");
}

#[test]
fn the_table_tells_the_same_to_people() {
    let folder = folder("table", &trace(300, |q| (q % 50 != 49).then_some(20_500)));
    let done = replay(&folder, &[]);
    assert!(done.out.contains("300 packets of PCMU, 6 lost (2.0 %), 0 twice"), "{}", done.out);
    for line in ["delay ", "concealed ", "speed ", "refused ", "clock ", "cost "] {
        assert!(done.out.lines().any(|l| l.starts_with(line)), "{line}: {}", done.out);
    }
}

#[test]
fn the_log_has_a_row_for_every_pull() {
    let folder = folder("log", &trace(100, |_| Some(20_500)));
    replay(&folder, &["--log", "log.csv"]);
    let log = String::from_utf8(folder.read("log.csv")).unwrap();
    let mut lines = log.lines();
    let columns = lines.next().unwrap().split(',').count();
    assert_eq!(columns, 10);
    let times: Vec<u64> = lines
        .map(|line| {
            assert_eq!(line.split(',').count(), columns, "{line}");
            line.split(',').next().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(times, (0..times.len() as u64).map(|i| i * 10).collect::<Vec<_>>());
    assert_eq!(times.len() * 80, wav(&folder.path("out.wav")).0.len());
}

#[test]
fn settings_come_from_the_file_then_the_environment_then_the_command_line() {
    let folder = folder("settings", &trace(100, |_| Some(20_500)));
    folder.write("c.toml", "[jitter]\nmin_ms = 30\ntarget_ms = 110\nmax_ms = 300\n");
    let more = ["--json", "--config", "c.toml", "--set", "jitter.min_ms=50"];
    let mut command = folder.command(&[&["replay"], &FILES[..], &more].concat());
    command.env("JITTER_BUFFER_MIN_MS", "40").env("JITTER_BUFFER_TARGET_MS", "120");
    let done = Done::of(command.output().unwrap());
    assert_eq!(done.value("jitter_min_ms"), "50.000", "{done:?}");
    assert_eq!(done.value("jitter_target_ms"), "120.000");
    assert_eq!(done.value("jitter_max_ms"), "300.000");
    assert!(done.value("delay_ms").parse::<f64>().unwrap() >= 49.0, "a floor of 50 ms is kept: {done:?}");
}

#[test]
fn every_codec_carries_the_voice() {
    let folder = folder("codecs", &trace(300, |_| Some(20_500)));
    let voice = Voice::from_wav(VOICE_WAV).unwrap();
    // Opus keeps what is heard, not the wave's shape.
    for (codec, alike) in [("pcmu", 0.99), ("PCMA", 0.99), ("g722", 0.98), ("opus", 0.9)] {
        let done = replay(&folder, &["--json", "--codec", codec]);
        assert_eq!(done.value("undecodable"), "0", "{codec}");
        let heard = wav(&folder.path("out.wav")).0;
        assert_eq!(heard.len(), 7_010 * 8, "{codec}: always 8 kHz");
        // 2 s in the middle, at the lag that fits best: the codecs' own delays are below 8 ms.
        let sent = &voice.samples()[3 * 8_000..5 * 8_000];
        let best = (230..310)
            .map(|lag| correlation(sent, &heard[3 * 8_000 + lag..5 * 8_000 + lag]))
            .fold(0.0, f64::max);
        assert!(best > alike, "{codec}: {best}");
    }
}

/// 1 for the same signal, whatever its level.
fn correlation(one: &[i16], other: &[i16]) -> f64 {
    let product =
        |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt().max(1.0)
}

#[test]
fn beyond_the_voice_there_is_silence() {
    let folder = Folder::new("short-voice");
    folder.write("t.csv", trace(200, |_| Some(20_500)));
    let voice: Vec<u8> = (0..800).flat_map(|i: i32| ((i * 37 % 4_000) as i16).to_le_bytes()).collect();
    let header = offhook_speech::voice::wav::header(8_000, 800);
    folder.write("v.wav", [&header[..], &voice].concat());
    replay(&folder, &[]);
    let heard = wav(&folder.path("out.wav")).0;
    assert!(heard[..2 * 8_000].iter().any(|sample| *sample != 0));
    assert!(heard[2 * 8_000..].iter().all(|sample| sample.unsigned_abs() < 10), "only the room is left");
}

#[test]
fn a_device_can_be_written_to() {
    let folder = folder("null", &trace(50, |_| Some(20_500)));
    let arguments = ["--trace", "t.csv", "--voice", "v.wav", "--wav", "/dev/null", "--log", "/dev/null"];
    let done = folder.run(&[&["replay"], &arguments[..]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(folder.names(), ["t.csv", "v.wav"]);
}
