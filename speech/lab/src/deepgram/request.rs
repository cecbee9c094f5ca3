//! `POST /v1/speak`: one text, raw audio as it is made.

use crate::answer::{Answer, Piece, Source};
use crate::faults::Faults;
use crate::http::Request;
use crate::seen::Page;
use crate::speak::{Format, Speaker, Track};
use offhook_units::Moment;
use serde_json::Value;
use std::sync::Arc;

/// The audio of one request.
#[derive(Debug)]
struct Stream(Track);

/// Answers the request; the error says what is wrong with it.
pub(crate) fn speak(
    now: Moment,
    request: &Request,
    speaker: &Arc<Speaker>,
    faults: &Faults,
    page: &Page,
) -> Result<Answer, &'static str> {
    // The vendor puts audio into a container unless told not to, and speaks MP3 unless told otherwise.
    if request.field("container").as_deref() != Some("none") {
        return Err("The lab makes no container; ask for container=none.");
    }
    let rate_hz = request.number("sample_rate").unwrap_or(0);
    let Some(format) = request.field("encoding").and_then(|name| Format::by_deepgram(&name, rate_hz)) else {
        return Err("The lab takes linear16, mulaw and alaw, with a sample_rate.");
    };
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(text) = body.get("text").and_then(Value::as_str).filter(|text| !text.trim().is_empty()) else {
        return Err("The body must be JSON with the field text.");
    };
    page.message("request");
    page.text("", text);
    let mut track = Track::new(speaker, format, faults);
    track.say(now, text);
    Ok(Answer::Stream("audio/basic", Box::new(Stream(track))))
}

impl Source for Stream {
    fn due(&self) -> Option<Moment> {
        self.0.due()
    }

    fn next(&mut self, now: Moment) -> Option<Piece> {
        let chunk = self.0.next(now)?;
        let audio_bytes = chunk.audio.len();
        Some(Piece { bytes: chunk.audio, units: chunk.us, audio_bytes })
    }

    fn error(&self, _code: &str) -> Option<Vec<u8>> {
        // Raw audio has no place for an error: the stream just ends.
        None
    }

    fn ending(&mut self) -> Vec<u8> {
        Vec::new()
    }
}
