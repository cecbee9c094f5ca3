//! Commands that behave and commands that do not, all of them small shell scripts.

use super::*;

fn shell(script: &str, output: Output) -> Command {
    Command::open(CommandSettings {
        program: "sh".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned()],
        output,
        rate_hz: 16_000,
        patience_ms: 2_000,
        normal_chars_per_s: 15.0,
    })
    .expect("every test machine has a shell")
}

fn speak(voice: &mut Command, text: &str) -> (Result<Spoke, VoiceError>, Vec<i16>) {
    let mut all = Vec::new();
    let result = voice.speak(text, &mut |samples| {
        all.extend_from_slice(samples);
        ControlFlow::Continue(())
    });
    (result, all)
}

#[test]
fn the_text_goes_to_stdin_and_pcm_comes_back() {
    // The bytes of the text are the audio: "ab" is one sample.
    let (result, samples) = speak(&mut shell("cat", Output::Raw), "abc");
    assert_eq!(result, Ok(Spoke::All));
    assert_eq!(samples, [i16::from_le_bytes(*b"ab"), i16::from_le_bytes(*b"c\n")]);
}

#[test]
fn the_text_can_be_an_argument_and_is_no_shell_input() {
    let mut voice = shell("printf %s \"$1\"", Output::Raw);
    voice.settings.args.extend(["sh".to_owned(), TEXT_ARGUMENT.to_owned()]);
    let (result, samples) = speak(&mut voice, "$(exit 1); 'x'");
    assert_eq!(result, Ok(Spoke::All));
    let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(bytes, b"$(exit 1); 'x'");
}

#[test]
fn a_command_that_hangs_is_stopped_at_once_with_all_it_started() {
    // If it were not stopped with all of its group, the pipe would stay open and this test last 100 s.
    let mut voice = shell("printf abcd; sleep 100 & sleep 100", Output::Raw);
    let mut asked = 0;
    let result = voice.speak("hang", &mut |_| {
        asked += 1;
        if asked > 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(result, Ok(Spoke::Stopped));
}

#[test]
fn a_command_that_floods_is_stopped_when_the_sink_breaks_off() {
    let mut voice = shell("cat /dev/zero", Output::Raw);
    let mut got = 0;
    let result = voice.speak("flood", &mut |samples| {
        got += samples.len();
        if got > 100_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(result, Ok(Spoke::Stopped));
    assert!(got < 110_000, "{got} samples after the break");
}

#[test]
fn sound_without_an_end_has_its_limit_by_the_length_of_the_text() {
    for (text, most_s) in [("One.", 14), ("One, two, three.", 26)] {
        let (result, samples) = speak(&mut shell("cat /dev/zero", Output::Raw), text);
        let error = VoiceError::CommandEndless { program: "sh".to_owned(), most_ms: most_s * 1000 };
        assert_eq!(result, Err(error));
        let most = most_s as usize * 16_000;
        // What came in one piece with the last of it is not given.
        assert!((most - 2_048..=most).contains(&samples.len()), "{} of {most}", samples.len());
    }
}

#[test]
fn a_wav_file_where_raw_audio_is_expected_is_told_and_not_spoken() {
    let (result, samples) =
        speak(&mut shell("printf RIFF; sleep 0.05; printf '....WAVEfmt '", Output::Raw), "x");
    let message = result.unwrap_err().to_string();
    assert!(message.contains("device_output") && samples.is_empty(), "{message}");
}

#[test]
fn silence_has_its_limit() {
    let mut voice = shell("sleep 100", Output::Raw);
    voice.settings.patience_ms = 60;
    let expected = VoiceError::CommandSilent { program: "sh".to_owned(), waited_ms: 60 };
    assert_eq!(speak(&mut voice, "x").0, Err(expected));
}

#[test]
fn failures_say_what_the_command_said() {
    let (result, _) = speak(&mut shell("echo first >&2; echo no such voice >&2; exit 3", Output::Raw), "x");
    let message = result.unwrap_err().to_string();
    assert!(message.contains("exit status: 3") && message.ends_with("no such voice"), "{message}");
    let (result, _) = speak(&mut shell("true", Output::Raw), "x");
    assert!(result.unwrap_err().to_string().contains("it gave no audio"));
    let (result, _) = speak(&mut shell("echo this is text", Output::Wav), "x");
    assert_eq!(result, Err(VoiceError::BadAudio(crate::voice::wav::BadAudio::NotWav)));
}

#[test]
fn a_missing_command_is_named_before_any_text() {
    let settings =
        CommandSettings { program: "no-such-voice-here".to_owned(), ..CommandSettings::espeak_ng() };
    let message = Command::open(settings).unwrap_err().to_string();
    assert!(message.contains("no-such-voice-here"), "{message}");
}

#[test]
fn what_cannot_be_spoken_starts_no_process() {
    let mut voice = shell("exit 1", Output::Raw);
    assert_eq!(speak(&mut voice, "...").0, Err(VoiceError::Unspeakable));
    assert_eq!(speak(&mut voice, "a\0b").0, Err(VoiceError::Unspeakable));
    assert!(matches!(
        speak(&mut voice, &"a".repeat(20_000)).0,
        Err(VoiceError::TooLong { bytes: 20_000, .. })
    ));
}

/// `scripts/setup` installs it.
#[test]
fn espeak_ng_speaks() {
    let mut voice = Command::open(CommandSettings::espeak_ng()).unwrap_or_else(|error| panic!("{error}"));
    let (result, samples) = speak(&mut voice, "Hello there, this is a test.");
    assert_eq!(result, Ok(Spoke::All));
    assert!(
        samples.len() > 22_050 / 2 && samples.iter().any(|x| x.abs() > 3_000),
        "{} samples",
        samples.len()
    );
}
