//! The voice of last resort: some sentences that are built into the program. It says those and no others, so that a
//! caller is greeted and told what is the matter even where nothing else can speak. `assets/README.md` tells how they
//! were made.

use super::{Sink, Spoke, Voice, VoiceError};
use crate::wire::audio::{AudioDecoder, AudioFormat};

/// What can be said, and its sound: G.711 µ-law at 8 kHz.
const PROMPTS: [(&str, &[u8]); 8] = [
    ("Hello.", include_bytes!("../../assets/hello.ulaw")),
    ("How can I help you?", include_bytes!("../../assets/help.ulaw")),
    ("I am sorry, I cannot answer that just now.", include_bytes!("../../assets/sorry.ulaw")),
    ("Please try again in a moment.", include_bytes!("../../assets/again.ulaw")),
    ("One moment, please.", include_bytes!("../../assets/moment.ulaw")),
    ("Could you say that again, please?", include_bytes!("../../assets/repeat.ulaw")),
    ("Thank you for calling.", include_bytes!("../../assets/thanks.ulaw")),
    ("Goodbye.", include_bytes!("../../assets/goodbye.ulaw")),
];
/// Handed over at a time: 100 ms.
const PIECE: usize = 800;

/// The voice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompts;

/// Letters alone: how a sentence is written does not matter.
fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// The sound of the prompt that `text` begins with, and what of the text is left.
fn first(text: &str) -> Option<(&'static [u8], &str)> {
    PROMPTS.iter().find_map(|(prompt, sound)| {
        let mut wanted = letters(prompt).peekable();
        let mut end = 0;
        for (at, c) in text.char_indices() {
            if wanted.peek().is_none() {
                break;
            }
            end = at + c.len_utf8();
            let fits = |c: char| c.to_lowercase().all(|c| wanted.next() == Some(c));
            if c.is_alphanumeric() && !Some(c).is_some_and(fits) {
                return None;
            }
        }
        let rest = text.get(end..)?;
        // "Hello" is no prompt for "Helloween".
        let ends = wanted.peek().is_none() && !rest.starts_with(char::is_alphanumeric);
        ends.then_some((*sound, rest))
    })
}

impl Voice for Prompts {
    fn name(&self) -> &str {
        "the prompts that are built in"
    }

    fn rate_hz(&self) -> u32 {
        8_000
    }

    fn normal_chars_per_s(&self) -> f32 {
        14.0
    }

    fn says_parts(&self) -> bool {
        false
    }

    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        let (mut sounds, mut rest) = (Vec::new(), text);
        while letters(rest).next().is_some() {
            let (sound, after) = first(rest).ok_or(VoiceError::Unspeakable)?;
            sounds.push(sound);
            rest = after;
        }
        let mut decoder = AudioDecoder::new(AudioFormat::Mulaw8k);
        for piece in sounds.iter().flat_map(|sound| sound.chunks(PIECE)) {
            let mut samples = Vec::with_capacity(PIECE);
            decoder.put(piece, &mut samples);
            if sink(&samples).is_break() {
                return Ok(Spoke::Stopped);
            }
        }
        Ok(Spoke::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ops::ControlFlow;

    fn say(text: &str) -> Result<usize, VoiceError> {
        let mut count = 0;
        Prompts.speak(text, &mut |samples| {
            count += samples.len();
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    #[test]
    fn v6_each_prompt_is_heard_however_it_is_written_and_several_at_once() {
        for (text, sound) in PROMPTS {
            assert_eq!(say(text), Ok(sound.len()));
            assert_eq!(say(&text.to_uppercase().replace('.', "!")), Ok(sound.len()));
            // None is shorter than a word or longer than a sentence, and none is silent.
            assert!((4_000..40_000).contains(&sound.len()), "{text}");
            let mut samples = Vec::new();
            AudioDecoder::new(AudioFormat::Mulaw8k).put(sound, &mut samples);
            let power: f64 =
                samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64;
            let level_db = 10.0 * (power / 32_768.0f64.powi(2)).log10();
            assert!((-32.0..-20.0).contains(&level_db), "{text}: {level_db}");
        }
        let both = PROMPTS[0].1.len() + PROMPTS[1].1.len();
        assert_eq!(say("Hello. How can I help you?"), Ok(both));
    }

    #[test]
    fn v6_what_is_no_prompt_is_not_said_in_part() {
        for text in ["Helloween.", "Hello. It is five o'clock.", "Good", "How can I help"] {
            assert_eq!(say(text), Err(VoiceError::Unspeakable), "{text}");
        }
        assert_eq!(say("..."), Ok(0));
    }

    #[test]
    fn it_stops_at_once() {
        let mut count = 0;
        let outcome = Prompts.speak("Thank you for calling.", &mut |_| {
            count += 1;
            ControlFlow::Break(())
        });
        assert_eq!((outcome, count), (Ok(Spoke::Stopped), 1));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,60}") {
            let _ = say(&text);
        }
    }
}
