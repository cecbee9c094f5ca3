//! `offhook run` as a process: its start, pages, reload and end.

// What goes wrong in a helper ends the test, as it should.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use support::{Done, Folder};

/// On ports that the system gives, without real-time wishes.
const BASE: &str =
    "[sip]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[audio]\npriority = 0\n";

/// What is waited for comes long before; a test that waits in vain shall fail.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service that runs; killed when the test fails in between.
struct Service {
    child: Child,
    out: BufReader<ChildStdout>,
    http: String,
}

impl Service {
    /// Starts one with `more` configuration, and waits until it says where it is.
    fn start(folder: &Folder, more: &str) -> Self {
        Self::start_with(folder, more, &[])
    }

    fn start_with(folder: &Folder, more: &str, variables: &[(&str, &str)]) -> Self {
        folder.write("c.toml", format!("{BASE}{more}"));
        let mut command = folder.command(&["run", "--config", "c.toml", "--guide"]);
        command.env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM").env_remove("CREDENTIALS_DIRECTORY");
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut guide = String::new();
        for _ in 0..3 {
            out.read_line(&mut guide).unwrap();
        }
        let (_, page) = guide.split_once("http://").unwrap_or_else(|| panic!("{guide}"));
        let http = page.split_once('/').unwrap().0.to_owned();
        assert!(guide.starts_with("Call sip:600@127.0.0.1:"), "{guide}");
        Self { child, out, http }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn ask(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.0\r\n\r\n"))
    }

    /// Asks for a page until it holds `text`.
    fn wait_for(&self, path: &str, text: &str) {
        self.wait_until(path, |page| page.contains(text));
    }

    /// Gets `path` until it shows what is waited for, within patience by the service's own clock.
    fn wait_until(&self, path: &str, mut is_there: impl FnMut(&str) -> bool) {
        let begun_s = self.uptime_s();
        loop {
            let page = self.get(path);
            if is_there(&page) {
                return;
            }
            assert!(self.uptime_s() - begun_s < PATIENCE.as_secs_f64(), "{path} still shows {page}");
            std::thread::yield_now();
        }
    }

    fn uptime_s(&self) -> f64 {
        let page = self.get("/metrics");
        let value = page.lines().find_map(|line| line.strip_prefix("offhook_uptime_seconds "));
        value.unwrap_or_else(|| panic!("{page}")).parse().unwrap()
    }

    /// Ends it, and gives what it had said.
    fn end(mut self, signal: &str) -> Done {
        self.signal(signal);
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Done { code: self.child.wait().unwrap().code().unwrap_or(-1), out, err }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn it_starts_shows_itself_and_ends_when_told() {
    let folder = Folder::new("run-life");
    let service = Service::start(&folder, "");
    assert!(service.get("/health").ends_with("\r\n\r\nalive\n"));
    service.wait_for("/ready", "speech: ready: ");
    let ready = service.get("/ready");
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n"), "{ready}");
    assert!(
        ready.contains("audio thread: ready: ") && ready.contains("trunk: ready: none is configured"),
        "{ready}"
    );
    assert!(service.get("/api/voice/sessions").ends_with("\r\n\r\n[]\n"));
    assert!(service.get("/api/voice/sessions/1").starts_with("HTTP/1.1 404 "));
    assert!(service.get("/").contains("0 of at most 50 calls"));
    let foreign = "POST /api/voice/stop-tts HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n";
    assert!(service.ask(foreign).starts_with("HTTP/1.1 403 "));
    let renamed = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(service.ask(renamed).starts_with("HTTP/1.1 403 "));
    for (answer, told) in [
        ("handset", "no route leads to the handset"),
        ("agent", "an agent does not call"),
        ("eko", "no call can be answered with eko; expected echo, tone or handset"),
    ] {
        let body = format!("{{\"to\":\"5\",\"answer\":\"{answer}\"}}");
        let length = body.len();
        let placed =
            service.ask(&format!("POST /api/voice/calls HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"));
        assert!(placed.starts_with("HTTP/1.1 409 ") && placed.contains(told), "{placed}");
    }
    // Listening in opens the speaker alone: a handset without a microphone would be called.
    let body = "{\"to\":\"5\",\"answer\":\"handset\"}";
    let call = format!("POST /api/voice/calls HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let speaker = "[sound]\nmonitor = \"caller\"\nspeaker = \"no such card\"\n";
    folder.write("c.toml", format!("{BASE}{speaker}"));
    service.wait_for("/ready", "sound: ");
    let placed = service.ask(&call);
    assert!(placed.contains("no route leads to the handset"), "{placed}");
    folder.write("c.toml", format!("{BASE}{speaker}[route]\n\"603\" = \"handset\"\n"));
    service.wait_for("/metrics", "offhook_reloads_total{outcome=\"done\"} 2\n");
    let placed = service.ask(&call);
    assert!(placed.starts_with("HTTP/1.1 409 ") && !placed.contains("no route leads"), "{placed}");
    let stop = service.ask("POST /api/voice/stop-tts HTTP/1.0\r\n\r\n");
    assert!(stop.starts_with("HTTP/1.1 409 "), "{stop}");
    let done = service.end("-TERM");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.err.contains("ready after ") && done.err.contains("stopped; no call was cut"), "{done:?}");
}

#[test]
fn a_changed_file_and_a_signal_reload_it_and_a_bad_file_changes_nothing() {
    let folder = Folder::new("run-reload");
    let service = Service::start(&folder, "");
    let reloads = |outcome: &str, count: u32| {
        service.wait_for("/metrics", &format!("offhook_reloads_total{{outcome=\"{outcome}\"}} {count}\n"));
    };
    folder.write("c.toml", format!("{BASE}[jitter]\nmin_ms = 60\n[calls]\nmax = 20\n"));
    reloads("done", 1);
    folder.write("c.toml", format!("{BASE}[jitter]\nmin_ms = 60\nmax_ms = 30\n"));
    reloads("refused", 1);
    service.signal("-HUP");
    reloads("refused", 2);
    folder.write("c.toml", BASE);
    reloads("done", 2);
    let done = service.end("-TERM");
    assert_eq!(done.code, 0, "{done:?}");
    for told in [
        "jitter.min_ms: 20 -> 60 (live now)",
        "calls.max: 50 -> 20 (needs a restart)",
        "calls.max: 20 -> 50 (live now)",
        "configuration: c.toml:9: max_ms 30 is below min_ms 60: the buffer could never start; expected 60 or more",
        "`offhook check c.toml` shows the lines themselves",
        "jitter.min_ms: 60 -> 20 (live now)",
    ] {
        assert!(done.err.contains(told), "{told}: {done:?}");
    }
}

#[test]
fn no_number_of_a_route_or_a_person_gets_into_the_log() {
    let folder = Folder::new("run-redacted");
    let service = Service::start(&folder, "[route]\n\"600\" = \"echo\"\n\"493055501\" = \"tone\"\n");
    let trunk = "[trunk]\nserver = \"127.0.0.1:9\"\nuser = \"493055502\"\n";
    for (reading, text) in [
        (
            "done",
            "[route]\n\"600\" = \"echo\"\n\"493055503\" = \"transfer sip:493055504@127.0.0.1\"\n".to_owned(),
        ),
        (
            "refused",
            "[route]\n\"4930 55505\" = \"echo\"\n\"493055506\" = \"transfer 4930-555 07\"\n".to_owned(),
        ),
        ("refused", "493055508 = \"echo\"\n\"a\nb493055509\" = 5\n".to_owned()),
        ("refused", format!("{trunk}auth_user = \"4930 55510\"\n")),
        ("refused", "[route]\n\"493055511\" = \"transfer 493055512\"\n".to_owned()),
        ("done", format!("{trunk}[speech]\ngreeting = \"Doctor 493055513\"\n")),
    ] {
        let metric = |page: &str| {
            let line = page.lines().find(|line| line.contains(&format!("{{outcome=\"{reading}\"}}")));
            line.unwrap().rsplit(' ').next().unwrap().parse::<u32>().unwrap()
        };
        let before = metric(&service.get("/metrics"));
        folder.write("c.toml", format!("{text}{BASE}"));
        service.wait_until("/metrics", |page| metric(page) != before);
    }
    let done = service.end("-TERM");
    for told in ["a line of [route] (", "configuration: c.toml:", "speech.greeting: [redacted] -> [redacted]"]
    {
        assert!(done.err.contains(told), "{told}: {done:?}");
    }
    for number in ["493055", "4930 55", "4930-55", "Doctor"] {
        assert!(!done.err.contains(number), "{number}: {done:?}");
    }
}

#[test]
fn the_first_route_to_an_agent_begins_it_without_a_restart() {
    let folder = Folder::new("run-first-agent");
    let routes = "[route]\n\"600\" = \"echo\"\n";
    let service = Service::start(&folder, routes);
    assert!(service.get("/ready").contains("speech: ready: no route leads to an agent"));
    let with_agent = |sections: &str| format!("{BASE}{sections}{routes}\"602\" = \"agent\"\n");
    let pauses = "[pauses]\ncomma_max_ms = 260\n[breaths]\nlevel_db = -40\n";
    folder.write("c.toml", with_agent(&format!("[chunks]\nmax_ms = 900\n{pauses}")));
    service.wait_for("/ready", "on the device");
    folder.write("c.toml", with_agent("[chunks]\nmax_ms = 800\n"));
    service.wait_for("/metrics", "offhook_reloads_total{outcome=\"done\"} 2\n");
    let done = service.end("-TERM");
    assert_eq!(done.code, 0, "{done:?}");
    for (key, values) in [
        ("chunks.max_ms", ["1000", "900", "800"]),
        ("pauses.comma_max_ms", ["200", "260", "200"]),
        ("breaths.level_db", ["-36", "-40", "-36"]),
    ] {
        let [before, with_it, after] = values;
        for told in [
            format!("{key}: {before} -> {with_it} (next call)"),
            format!("{key}: {with_it} -> {after} (needs a restart)"),
        ] {
            assert!(done.err.contains(&told), "{told}: {done:?}");
        }
    }
}

#[test]
fn v6_the_voice_on_the_device_is_the_one_that_is_wanted_or_its_fault_is_told() {
    let speaks =
        "device_voice = \"command\"\ndevice_command = [\"sh\", \"-c\", \"head -c 4000 /dev/zero\"]\n";
    let says =
        "device_voice = \"command\"\ndevice_command = [\"sh\", \"-c\", \"echo no such voice >&2; exit 3\"]\n";
    let fault = "speech.device_voice cannot be had, and another one speaks: the voice command \"sh\" failed: exit \
                 status: 3. no such voice; the voice on the device is flite slt";
    let floods = "device_voice = \"command\"\ndevice_command = [\"cat\", \"/dev/zero\"]\n";
    let endless = "speech.device_voice cannot be had, and another one speaks: the voice command \"cat\" gave more than 14 s \
                   of sound for one piece of text and was stopped: it must say the text that it is given once, and \
                   end; the voice on the device is flite slt";
    for (name, voice, told) in [
        ("run-voice-endless", floods, &*format!("speech: ready: {endless}")),
        ("run-voice-rms", "device_voice = \"rms\"\n", "speech: ready: the voice on the device is flite rms"),
        ("run-voice-command", speaks, "speech: ready: the voice on the device is sh"),
        ("run-voice-fault", says, &format!("speech: ready: {fault}")),
    ] {
        let folder = Folder::new(name);
        let service = Service::start(
            &folder,
            &format!("[speech]\n{voice}[route]\n\"600\" = \"echo\"\n\"602\" = \"agent\"\n"),
        );
        service.wait_for("/ready", "on the device");
        let ready = service.get("/ready");
        assert!(ready.contains(&format!("{told}\n")), "{ready}");
        assert_eq!(service.end("-TERM").code, 0);
    }
}

#[test]
fn the_log_goes_to_stderr_where_the_journals_variable_is_only_inherited() {
    let folder = Folder::new("run-log");
    let service = Service::start_with(&folder, "", &[("JOURNAL_STREAM", "1:1")]);
    let done = service.end("-TERM");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.err.contains("ready after "), "{done:?}");
}

#[test]
fn the_service_manager_is_told_of_readiness_life_and_end() {
    let folder = Folder::new("run-notify");
    let manager = UnixDatagram::bind(folder.path("n")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    // Relative to where the program runs: the whole path may be longer than a socket's name can be.
    let service = Service::start_with(&folder, "", &[("NOTIFY_SOCKET", "n")]);
    let told = || {
        let mut text = [0; 512];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    assert!(told().starts_with("READY=1\nSTATUS=takes calls on 127.0.0.1:"));
    assert_eq!(told(), "WATCHDOG=1\n", "the audio thread ticks");
    assert_eq!(service.end("-TERM").code, 0);
    while told() != "STOPPING=1\n" {}
}

#[test]
fn a_token_is_asked_for_where_one_is_set() {
    let folder = Folder::new("run-token");
    folder.write("token", "open sesame\n");
    let service = Service::start(&folder, "[log]\nformat = \"json\"\n");
    assert!(service.get("/metrics").starts_with("HTTP/1.1 200 "));
    drop(service);
    let more = "token_file = \"token\"\n";
    let folder_config = BASE.replace("[audio]", &format!("{more}[audio]"));
    folder.write("t.toml", folder_config);
    let mut child = folder
        .command(&["run", "--config", "t.toml", "--guide"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut guide = String::new();
    for _ in 0..3 {
        out.read_line(&mut guide).unwrap();
    }
    let http = guide.split_once("http://").unwrap().1.split_once('/').unwrap().0.to_owned();
    let service = Service { child, out, http };
    assert!(service.get("/metrics").starts_with("HTTP/1.1 401 "));
    let asked = service.ask("GET /metrics HTTP/1.0\r\nAuthorization: Bearer open sesame\r\n\r\n");
    assert!(asked.starts_with("HTTP/1.1 200 "), "{asked}");
    let done = service.end("-INT");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!done.err.contains("sesame"));
}

#[test]
fn what_keeps_it_from_starting_is_told_with_its_code() {
    let folder = Folder::new("run-fails");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http = format!("http.listen={}", taken.local_addr().unwrap());
    folder.write("empty", "\n");
    let trunk = ["--set", "trunk.server=192.0.2.1", "--set", "trunk.user=601"];
    for (more, code, told) in [
        (&["--set", "calls.max=0"][..], 78, "calls.max 0 is out of range"),
        (&["--set", "http.listen=0.0.0.0:0"], 78, "http.listen without http.token_file"),
        (&["--set", &http], 69, "HTTP on 127.0.0.1:"),
        (&["--set", "route.7=transfer 12"], 78, "a transfer to a number without trunk.server"),
        (&["--set", "route.7=transfer sip:@"], 78, "no call can go to \"transfer sip:@\""),
        (&["--set", "trunk.password_file=none"], 66, "none cannot be read: No such file"),
        (&["--set", "trunk.password_file=empty"], 65, "empty is empty; expected one line"),
    ] {
        let more = match told {
            "a transfer to a number without trunk.server" => more.to_vec(),
            _ => [&trunk[..], more].concat(),
        };
        let done = folder.run(
            &[&["run", "--set", "sip.listen=127.0.0.1:0", "--set", "audio.priority=0"], &more[..]].concat(),
        );
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.err.contains(told), "{done:?}");
    }
}

#[test]
fn every_metric_that_the_dashboard_names_is_exported() {
    let folder = Folder::new("run-dashboard");
    let service = Service::start(&folder, "[trunk]\nserver = \"127.0.0.1:9\"\nregister = false\n");
    let metrics = service.get("/metrics");
    let dashboard = include_str!("../../docs/grafana/offhook.json");
    let parsed: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let mut named = 0;
    for panel in parsed["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for word in words.filter(|word| word.starts_with("offhook_")) {
                let sample = |end| metrics.lines().any(|line| line.starts_with(&format!("{word}{end}")));
                assert!(sample(" ") || sample("{"), "{word} is not exported");
                named += 1;
            }
        }
    }
    assert!(named >= 20, "the dashboard names {named} metrics only");
    for part in ["audio", "trunk", "sip", "calls", "rtp", "playout", "agent", "sound"] {
        assert!(dashboard.contains(&format!("offhook_{part}_")), "the dashboard shows nothing of {part}");
    }
    assert_eq!(service.end("-TERM").code, 0);
}
