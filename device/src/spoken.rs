//! Pauses, breaths and the voice of the configuration, as speech takes them.

use crate::clock::Clock;
use offhook_config::{Breaths, DeviceCommand, DeviceVoice, FliteVoice as Flite, Pauses, Range};
use offhook_speech::breath::{BreathLevel, BreathRule};
use offhook_speech::text::{BadPauseRange, PauseRange, PauseTable, PlanSettings};
use offhook_speech::voice::command::{CommandSettings, Output};
use offhook_speech::voice::flite::{FliteSettings, FliteVoice};
use offhook_speech::voice::{self, Spoke, Voice, VoiceChoice, VoiceError};
use offhook_units::Span;
use std::ops::ControlFlow;

/// What a voice must be able to say,
const TRIAL: &str = "One.";
/// and within which time: a network may have to be loaded for it, and no call is taken meanwhile.
const TRIAL_MOST: Span = Span::from_millis(30_000);

/// The voice that is wanted on the device, once it has shown that it speaks.
///
/// # Errors
/// [`VoiceError`]: it is not there, or does not speak, or does not come to an end.
pub fn tried_voice(wanted: &DeviceVoice, clock: Clock) -> Result<Box<dyn Voice>, VoiceError> {
    tried_within(TRIAL_MOST, wanted, clock)
}

fn tried_within(most: Span, wanted: &DeviceVoice, clock: Clock) -> Result<Box<dyn Voice>, VoiceError> {
    let mut voice = voice(wanted)?;
    // What is there of itself need not be able to say it.
    if *wanted == DeviceVoice::Auto {
        return Ok(voice);
    }
    let until = clock.now() + most;
    let in_time = |_: &[i16]| match clock.now() < until {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    match voice.speak(TRIAL, &mut { in_time })? {
        Spoke::All => Ok(voice),
        Spoke::Stopped => {
            let waited_ms = most.as_micros().unsigned_abs() / 1000;
            Err(VoiceError::Slow { voice: voice.name().to_owned(), waited_ms })
        }
    }
}

/// The voice that is wanted on the device.
///
/// # Errors
/// [`VoiceError`]: it is not there.
pub fn voice(wanted: &DeviceVoice) -> Result<Box<dyn Voice>, VoiceError> {
    let flite = |voice| VoiceChoice::Flite(FliteSettings { voice, ..FliteSettings::default() });
    let choice = match wanted {
        DeviceVoice::Auto => VoiceChoice::AnyOrPrompts,
        DeviceVoice::Flite(Flite::Slt) => flite(FliteVoice::Slt),
        DeviceVoice::Flite(Flite::Rms) => flite(FliteVoice::Rms),
        DeviceVoice::Flite(Flite::Kal16) => flite(FliteVoice::Kal16),
        DeviceVoice::EspeakNg => VoiceChoice::Command(CommandSettings::espeak_ng()),
        DeviceVoice::Command(DeviceCommand { program, arguments, is_wav, rate_hz }) => {
            let output = if *is_wav { Output::Wav } else { Output::Raw };
            let (program, arguments) = (program.clone(), arguments.clone());
            VoiceChoice::Command(CommandSettings::other(program, arguments, output, *rate_hz))
        }
    };
    voice::open(&choice)
}

/// The plan that these make.
///
/// # Errors
/// A range that cannot be; the configuration lets none pass.
pub fn plan(pauses: Pauses, breaths: Breaths) -> Result<PlanSettings, BadPauseRange> {
    let range = |Range { least, most }: Range| PauseRange::new(least.into(), most.into());
    Ok(PlanSettings {
        pauses: PauseTable {
            sentence: range(pauses.sentence)?,
            comma: range(pauses.comma)?,
            full_stop: range(pauses.full_stop)?,
            question: range(pauses.question)?,
            emphasis: range(pauses.emphasis)?,
        },
        breaths: BreathRule {
            automatic: breaths.automatic,
            least_chars: breaths.after_chars.least.into(),
            most_chars: breaths.after_chars.most.into(),
            ..BreathRule::default()
        },
        breath_level: BreathLevel { level_db: breaths.level_db.into(), ..BreathLevel::default() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_config::Config;

    fn of(text: &str) -> PlanSettings {
        let Config { pauses, breaths, .. } = Config::from_toml(text, "test").unwrap();
        plan(pauses, breaths).unwrap()
    }

    #[test]
    fn v6_a_command_that_never_ends_is_tried_for_so_long_and_no_longer() {
        let shell = |script: &str| {
            let arguments = ["-c", script].map(str::to_owned).to_vec();
            DeviceVoice::Command(DeviceCommand {
                program: "sh".to_owned(),
                arguments,
                is_wav: false,
                rate_hz: 8_000,
            })
        };
        let tried = |script, most_ms| {
            let error = tried_within(Span::from_millis(most_ms), &shell(script), Clock::start()).map(|_| ());
            error.map_err(|error| error.to_string())
        };
        assert_eq!(tried("head -c 4000 /dev/zero", 10_000), Ok(()));
        // So little at a time that the length of the sound alone would stop it only after minutes.
        let slow = tried("while sleep 0.01; do printf ab; done", 300).unwrap_err();
        assert!(slow.contains("\"sh\" had not said one word after 300 ms"), "{slow}");
        let endless = tried("cat /dev/zero", 10_000).unwrap_err();
        assert!(endless.contains("more than 14 s of sound"), "{endless}");
    }

    #[test]
    fn c3_c4_the_configurations_defaults_are_the_plans_and_every_key_reaches_it() {
        assert_eq!(of(""), PlanSettings::default());
        let range = |low, high| PauseRange::new(low, high).unwrap();
        let changed = of(
            "[pauses]\nfull_stop_min_ms = 1\nfull_stop_max_ms = 2\nquestion_min_ms = 3\nquestion_max_ms = 4\n\
            sentence_min_ms = 5\nsentence_max_ms = 6\ncomma_min_ms = 7\ncomma_max_ms = 8\nemphasis_min_ms = 9\n\
            emphasis_max_ms = 10\n[breaths]\nautomatic = false\nlevel_db = -50\nafter_min_chars = 30\nafter_max_chars = 40\n",
        );
        let pauses = PauseTable {
            full_stop: range(1, 2),
            question: range(3, 4),
            sentence: range(5, 6),
            comma: range(7, 8),
            emphasis: range(9, 10),
        };
        assert_eq!(changed.pauses, pauses);
        let rule = BreathRule { automatic: false, least_chars: 30, most_chars: 40, ..BreathRule::default() };
        assert_eq!((changed.breaths, changed.breath_level.level_db), (rule, -50.0));
    }
}
