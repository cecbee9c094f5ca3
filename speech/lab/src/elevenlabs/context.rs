//! One stream of generation: text is kept back until there is enough of it, or somebody says that it is all.

use super::Settings;
use crate::faults::Faults;
use crate::speak::{Chunk, Format, Speaker, Track};
use offhook_units::Moment;
use serde_json::Value;
use std::sync::Arc;

/// Characters that are kept back before the first, second... generation.
const SCHEDULE: [u64; 4] = [120, 160, 250, 290];
/// Characters that `try_trigger_generation` needs.
const TRIGGER: usize = 50;

/// The stream.
#[derive(Debug)]
pub(crate) struct Context {
    /// The voice settings of its first message.
    voice_settings: Option<Value>,
    schedule: Vec<u64>,
    generations: usize,
    auto_mode: bool,
    kept: String,
    track: Track,
}

impl Context {
    /// As its first message makes it.
    pub(crate) fn new(
        first: &Value,
        settings: &Settings,
        format: Format,
        speaker: &Arc<Speaker>,
        faults: &Faults,
    ) -> Self {
        let config = first.get("generation_config").or_else(|| first.get("generator_config"));
        let asked = config.and_then(|config| config.get("chunk_length_schedule")).and_then(Value::as_array);
        let schedule: Vec<u64> = asked.into_iter().flatten().filter_map(Value::as_u64).collect();
        Self {
            voice_settings: first.get("voice_settings").cloned(),
            schedule: if schedule.is_empty() { SCHEDULE.to_vec() } else { schedule },
            generations: 0,
            auto_mode: settings.auto_mode,
            kept: String::new(),
            track: Track::new(speaker, format, faults),
        }
    }

    /// Whether a later message may carry what it carries: the voice settings of the first message, or none.
    pub(crate) fn allows(&self, later: &Value) -> bool {
        later
            .get("voice_settings")
            .is_none_or(|given| given.is_null() || Some(given) == self.voice_settings.as_ref())
    }

    /// Takes text; `flush` wants all of it spoken now, `trigger` as soon as it is worth it.
    pub(crate) fn take(&mut self, now: Moment, text: &str, flush: bool, trigger: bool) {
        self.kept.push_str(text);
        let length = self.kept.chars().count();
        let scheduled = self.schedule.get(self.generations).or(self.schedule.last()).copied().unwrap_or(0);
        let now_or_soon = flush || self.auto_mode || (trigger && length >= TRIGGER);
        if now_or_soon || length as u64 >= scheduled {
            self.generate(now);
        }
    }

    fn generate(&mut self, now: Moment) {
        let text = std::mem::take(&mut self.kept);
        if !text.trim().is_empty() {
            self.generations += 1;
            self.track.say(now, &text);
        }
    }

    /// Whether everything that was generated has gone out.
    pub(crate) fn is_done(&self) -> bool {
        self.track.is_idle()
    }

    pub(crate) fn due(&self) -> Option<Moment> {
        self.track.due()
    }

    pub(crate) fn next(&mut self, now: Moment) -> Option<Chunk> {
        self.track.next(now)
    }
}
