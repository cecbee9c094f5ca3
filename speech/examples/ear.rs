//! What the ear tells of a sound: `ear TEXT FILE.wav [TEXT FILE.wav ...]`. A line of JSON for each: whether it is surely that
//! text, so many of its characters were heard, and whether these are all of it. `tests/sdk/check_piper.py` runs it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that tells")]

use offhook_speech::ear::Ear;
use offhook_speech::voice::wav::PcmStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(mut ear) = Ear::open() else {
        eprintln!("ear: flite is not installed");
        return ExitCode::FAILURE;
    };
    for pair in arguments.chunks(2) {
        let [text, file] = pair else {
            eprintln!("usage: ear TEXT FILE.wav [TEXT FILE.wav ...]");
            return ExitCode::from(2);
        };
        let (mut samples, rate_hz) = (Vec::new(), 22_050);
        let read = std::fs::read(file).map_err(|error| error.to_string());
        let put =
            |bytes: Vec<u8>| PcmStream::wav(rate_hz).put(&bytes, &mut samples).map_err(|e| e.to_string());
        if let Err(error) = read.and_then(put) {
            eprintln!("ear: {file}: {error}");
            return ExitCode::FAILURE;
        }
        let came = ear.place(text, &samples, rate_hz).unwrap_or_default();
        let is_all = came.is_all_of(text).unwrap_or(false);
        let heard = came.surely_reached().unwrap_or(0);
        println!("{{\"sure\": {}, \"heard\": {heard}, \"all\": {is_all}}}", came.is_sure);
    }
    ExitCode::SUCCESS
}
