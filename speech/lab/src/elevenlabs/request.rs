//! The HTTP stream: one text, raw audio in the format that was asked for, or JSON lines with alignments.

use super::{Settings, alignment, format_of};
use crate::answer::{Answer, Piece, Source};
use crate::faults::{Faults, Keys};
use crate::http::Request;
use crate::seen::Page;
use crate::speak::{Speaker, Track};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_units::Moment;
use serde_json::{Value, json};
use std::sync::Arc;

/// The audio of one request.
#[derive(Debug)]
pub(crate) struct Stream {
    track: Track,
    timestamps: bool,
    keys: Keys,
    sync_alignment: bool,
}

/// Answers `POST /v1/text-to-speech/{voice}[/stream[/with-timestamps]]`.
pub(crate) fn stream(
    now: Moment,
    request: &Request,
    speaker: &Arc<Speaker>,
    faults: &Faults,
    page: &Page,
    key_fits: bool,
) -> Answer {
    if !key_fits {
        return refusal(401, "invalid_api_key", "Invalid API key");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return refusal(422, "invalid_json", "The body must be JSON");
    };
    let Some(text) = body.get("text").and_then(Value::as_str) else {
        return refusal(422, "missing_text", "The body must have the field text");
    };
    let Some(format) = format_of(request) else {
        return refusal(400, "unsupported_output_format", "The lab makes pcm_*, ulaw_8000 and alaw_8000");
    };
    page.message("request");
    page.text("", text);
    let mut track = Track::new(speaker, format, faults);
    track.say(now, text);
    let timestamps = request.path.ends_with("/with-timestamps");
    let sync_alignment = Settings::of(request, faults).sync_alignment;
    let kind = if timestamps { "application/json" } else { "audio/basic" };
    Answer::Stream(kind, Box::new(Stream { track, timestamps, keys: faults.keys, sync_alignment }))
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"detail": {"status": code, "message": message}}))
}

impl Source for Stream {
    fn due(&self) -> Option<Moment> {
        self.track.due()
    }

    fn next(&mut self, now: Moment) -> Option<Piece> {
        let chunk = self.track.next(now)?;
        let units = chunk.us;
        let audio_bytes = chunk.audio.len();
        if !self.timestamps {
            return Some(Piece { bytes: chunk.audio, units, audio_bytes });
        }
        let letters = chunk.aligned(self.sync_alignment);
        let times = letters.map_or(Value::Null, |letters| seconds(&alignment(letters, self.keys)));
        let line = json!({
            "audio_base64": STANDARD.encode(&chunk.audio), "alignment": times, "normalized_alignment": times,
        });
        Some(Piece { bytes: format!("{line}\n").into_bytes(), units, audio_bytes })
    }

    fn error(&self, code: &str) -> Option<Vec<u8>> {
        let line = json!({"detail": {"status": code, "message": "The lab was told to fail."}});
        // Raw audio has no place for an error: the stream just ends.
        self.timestamps.then(|| format!("{line}\n").into_bytes())
    }

    fn ending(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// The names and units of the HTTP interface.
fn seconds(alignment: &Value) -> Value {
    let list = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| alignment.get(*name)).and_then(Value::as_array);
        found.into_iter().flatten().filter_map(Value::as_f64).map(|ms| ms / 1000.0).collect::<Vec<_>>()
    };
    let starts = list(["charStartTimesMs", "charsStartTimesMs"]);
    let lengths = list(["charDurationsMs", "charsDurationsMs"]);
    let ends: Vec<f64> = starts.iter().zip(lengths).map(|(start, length)| start + length).collect();
    json!({
        "characters": alignment.get("chars"),
        "character_start_times_seconds": starts,
        "character_end_times_seconds": ends,
    })
}
