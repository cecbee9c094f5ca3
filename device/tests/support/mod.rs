//! What the tests of the command line share: a folder of their own, and the program run in it.

// Each test program uses some of it. What goes wrong here ends the test, as it should.
#![allow(dead_code, clippy::unwrap_used)]

use offhook::replay::{Sent, Trace};
use offhook_units::Moment;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that goes when the test is over.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// All names in it, hidden ones too, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program, to be run in this folder, away from the settings of whoever runs the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(arguments).current_dir(&self.0);
        for variable in [
            "JITTER_BUFFER_MIN_MS",
            "JITTER_BUFFER_MAX_MS",
            "JITTER_BUFFER_TARGET_MS",
            "PLAYBACK_SPEED_ADJUSTMENT_MAX",
            "CHUNK_SIZE_MIN_MS",
            "CHUNK_SIZE_MAX_MS",
            "CHUNK_SIZE_DEFAULT_MS",
            "TRUEVOICE_API_URL",
            "TRUEVOICE_API_KEY",
            "TRUEVOICE_WS_URL",
        ] {
            command.env_remove(variable);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The value of `key` in a line of JSON, as it is written.
    pub(crate) fn value(&self, key: &str) -> &str {
        let (_, rest) =
            self.out.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key}: {self:?}"));
        rest.split([',', '}']).next().unwrap()
    }
}

/// A trace of `packets` packets; `arrives` says when number q comes, in µs after it was sent.
pub(crate) fn trace(packets: u32, arrives: impl Fn(u32) -> Option<u64>) -> Vec<u8> {
    let rows = (0..packets).map(|packet| {
        let sent = u64::from(packet) * 20_000;
        let arrived = arrives(packet).map(|way| Moment::from_micros(sent + way));
        Sent { packet, sent: Moment::from_micros(sent), arrived }
    });
    let mut text = Vec::new();
    Trace::new(rows.collect()).write(&mut text).unwrap();
    text
}

/// The samples of a WAV file, read by somebody else's reader, and what it says of itself.
pub(crate) fn wav(path: &Path) -> (Vec<i16>, hound::WavSpec) {
    let reader = hound::WavReader::open(path).unwrap();
    let spec = reader.spec();
    (reader.into_samples().map(Result::unwrap).collect(), spec)
}
