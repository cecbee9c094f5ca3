//! A voice that is a command: text in on stdin or as an argument, PCM or WAV out on stdout. One process for
//! each piece of text. The only file of this crate that starts processes and threads: a thread reads the
//! command's stdout, so that a command that hangs can be stopped all the same.

use super::wav::PcmStream;
use super::{Sink, Spoke, Voice, VoiceError, check_length};
use crate::text::is_speakable;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a waiting voice asks whether it shall stop.
const ASK_EVERY_MS: u32 = 20;

/// The longest sound of a text, in milliseconds: so much, and so much for each of its characters. No voice is as slow,
/// and no number, sign or pause as long; a command that goes on beyond it does not speak.
const SOUND_MOST_MS: u64 = 10_000;
const SOUND_MOST_MS_A_CHARACTER: u64 = 1_000;

/// What stands for the text among the arguments.
pub const TEXT_ARGUMENT: &str = "{text}";

/// What the command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A WAV file.
    Wav,
    /// Mono 16-bit little-endian PCM without a header.
    Raw,
}

/// A command that speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSettings {
    /// The program: a path, or a name to look for in `PATH`.
    pub program: String,
    /// Its arguments. Where one of them is `{text}` the text stands there; otherwise it goes to stdin.
    pub args: Vec<String>,
    /// What it writes.
    pub output: Output,
    /// Samples a second of what it writes.
    pub rate_hz: u32,
    /// Longest wait for its next audio, in milliseconds.
    pub patience_ms: u32,
    /// Characters of text a second that it speaks when not hurried.
    pub normal_chars_per_s: f32,
}

impl CommandSettings {
    /// espeak-ng with its English voice.
    pub fn espeak_ng() -> Self {
        Self {
            program: "espeak-ng".to_owned(),
            args: ["-v", "en-us", "--stdin", "--stdout"].map(str::to_owned).to_vec(),
            output: Output::Wav,
            rate_hz: 22_050,
            patience_ms: 5_000,
            normal_chars_per_s: 16.0,
        }
    }

    /// Any other, which may have to load a network first: on a small board that takes seconds.
    pub const fn other(program: String, args: Vec<String>, output: Output, rate_hz: u32) -> Self {
        Self { program, args, output, rate_hz, patience_ms: 15_000, normal_chars_per_s: 15.0 }
    }
}

/// The voice.
#[derive(Debug)]
pub struct Command {
    settings: CommandSettings,
}

impl Command {
    /// A voice by `settings`.
    ///
    /// # Errors
    /// [`VoiceError::CommandMissing`] when there is no such program.
    pub fn open(settings: CommandSettings) -> Result<Self, VoiceError> {
        if is_there(&settings.program) {
            return Ok(Self { settings });
        }
        Err(VoiceError::CommandMissing { program: settings.program, detail: "no such file".to_owned() })
    }

    fn start(&self, text: &str) -> Result<Running, VoiceError> {
        let settings = &self.settings;
        let by_argument = settings.args.iter().any(|arg| arg == TEXT_ARGUMENT);
        let mut command = std::process::Command::new(&settings.program);
        command
            .args(settings.args.iter().map(|arg| if arg == TEXT_ARGUMENT { text } else { arg }))
            .stdin(if by_argument { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: what the command starts is stopped with it.
            .process_group(0);
        let missing = |error: std::io::Error| VoiceError::CommandMissing {
            program: settings.program.clone(),
            detail: error.to_string(),
        };
        let mut child = command.spawn().map_err(missing)?;
        // Cannot block: `check_length` keeps the text below what a pipe holds. A command that does not read
        // it fails by itself, and says why better than we could.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(text.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
        }
        let (sender, audio) = sync_channel(8);
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let out = std::thread::spawn(move || stdout.map_or((), |pipe| pump(pipe, &sender)));
        let err = std::thread::spawn(move || stderr.map_or_else(String::new, last_line));
        Ok(Running { child, audio: Some(audio), out: Some(out), err: Some(err) })
    }

    fn failed(&self, detail: String) -> VoiceError {
        VoiceError::CommandFailed { program: self.settings.program.clone(), detail }
    }
}

impl Voice for Command {
    fn name(&self) -> &str {
        &self.settings.program
    }

    fn rate_hz(&self) -> u32 {
        self.settings.rate_hz
    }

    fn normal_chars_per_s(&self) -> f32 {
        self.settings.normal_chars_per_s
    }

    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        check_length(text)?;
        if !is_speakable(text) || text.contains('\0') {
            return Err(VoiceError::Unspeakable);
        }
        let running = self.start(text)?;
        let mut stream = match self.settings.output {
            Output::Wav => PcmStream::wav(self.settings.rate_hz),
            Output::Raw => PcmStream::raw(self.settings.rate_hz),
        };
        let most_ms = SOUND_MOST_MS + SOUND_MOST_MS_A_CHARACTER * text.chars().count() as u64;
        let most = most_ms * u64::from(self.settings.rate_hz) / 1000;
        let (mut samples, mut waited_ms, mut given) = (Vec::new(), 0, 0);
        loop {
            match running.next() {
                Ok(bytes) => {
                    waited_ms = 0;
                    samples.clear();
                    stream.put(&bytes, &mut samples)?;
                    given += samples.len() as u64;
                    if given > most {
                        let program = self.settings.program.clone();
                        return Err(VoiceError::CommandEndless { program, most_ms });
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    samples.clear();
                    waited_ms += ASK_EVERY_MS;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if sink(&samples) == ControlFlow::Break(()) {
                return Ok(Spoke::Stopped);
            }
            if waited_ms >= self.settings.patience_ms {
                return Err(VoiceError::CommandSilent { program: self.settings.program.clone(), waited_ms });
            }
        }
        match running.finish(self.settings.patience_ms) {
            Some((status, _)) if status.success() && given > 0 => Ok(Spoke::All),
            Some((status, said)) if status.success() => Err(self.failed(format!("it gave no audio. {said}"))),
            Some((status, said)) => Err(self.failed(format!("{status}. {said}"))),
            None => Err(self.failed("it closed its output and did not end".to_owned())),
        }
    }
}

/// A process at work. Dropped, it is killed with all that it started.
struct Running {
    child: Child,
    audio: Option<Receiver<Vec<u8>>>,
    out: Option<JoinHandle<()>>,
    err: Option<JoinHandle<String>>,
}

impl Running {
    /// The next audio, or a time-out after [`ASK_EVERY_MS`].
    fn next(&self) -> Result<Vec<u8>, RecvTimeoutError> {
        let audio = self.audio.as_ref().ok_or(RecvTimeoutError::Disconnected)?;
        audio.recv_timeout(Duration::from_millis(u64::from(ASK_EVERY_MS)))
    }

    /// Its status and the last line of its stderr, once it has ended; `None` when it does not.
    fn finish(mut self, patience_ms: u32) -> Option<(ExitStatus, String)> {
        for _ in 0..=patience_ms / ASK_EVERY_MS {
            if let Ok(Some(status)) = self.child.try_wait() {
                let said = self.err.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
                return Some((status, said));
            }
            std::thread::sleep(Duration::from_millis(u64::from(ASK_EVERY_MS)));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A reader that waits for room must not keep the pipe open.
        self.audio = None;
        // Only while it has not been waited for: its number is nobody else's until then.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if let Some(thread) = self.out.take() {
            let _ = thread.join();
        }
    }
}

fn pump(mut pipe: impl Read, sender: &SyncSender<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut bytes) {
        if sender.send(bytes.get(..count).unwrap_or_default().to_vec()).is_err() {
            return;
        }
    }
}

/// The last line that is not empty, of any amount of text.
fn last_line(mut pipe: impl Read) -> String {
    const KEPT: usize = 2_000;
    let mut tail = Vec::new();
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = pipe.read(&mut bytes) {
        tail.extend_from_slice(bytes.get(..count).unwrap_or_default());
        let excess = tail.len().saturating_sub(KEPT);
        tail.drain(..excess);
    }
    let text = String::from_utf8_lossy(&tail);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return std::path::Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !program.is_empty() && std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests;
