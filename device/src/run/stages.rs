//! How long an answer took, stage by stage: from the end of what the caller said to the packet in which the answer
//! begins.
//!
//! ```text
//! Silent ─hearing─ Asked ─model─ FirstWords ─sentence─ TextSent ─voice─ FirstAudio ─laying─ Laid ─packet─ Packed
//!    └───────────────────────────────────────── answer ─────────────────────────────────────────────────────┘
//! ```

use crate::http::metrics::{Exposition, Histogram};
use offhook_units::{Moment, Span};

/// Upper edges of the histograms, seconds: the device's own stages take milliseconds, the services' up to seconds.
const EDGES: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// What is reached on the way to an answer, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The caller had fallen silent.
    Silent,
    /// The language model was asked.
    Asked,
    /// Its first words were there.
    FirstWords,
    /// The first words that make a phrase went to a voice.
    TextSent,
    /// The first of its sound was there.
    FirstAudio,
    /// It was laid down for the audio thread.
    Laid,
    /// The packet that it stands in was made.
    Packed,
}

const STEPS: usize = 7;

/// The stages between the steps, and their label in metrics.
const STAGES: [(&str, Step, Step); STEPS - 1] = [
    ("hearing", Step::Silent, Step::Asked),
    ("model", Step::Asked, Step::FirstWords),
    ("sentence", Step::FirstWords, Step::TextSent),
    ("voice", Step::TextSent, Step::FirstAudio),
    ("laying", Step::FirstAudio, Step::Laid),
    ("packet", Step::Laid, Step::Packed),
];

/// One call's way to its present answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    at: [Option<Moment>; STEPS],
    /// When the caller last fell silent, while that belongs to no question yet.
    silent: Option<Moment>,
    /// Asked before the device's own ear was sure that the caller had fallen silent.
    awaits_silence: bool,
}

impl Answer {
    /// The caller speaks: the silence before was a pause.
    pub(super) const fn speaks(&mut self) {
        self.silent = None;
        self.awaits_silence = false;
    }

    /// A turn begins; one that no question asked for starts anew.
    pub(super) fn begins(&mut self) {
        if self.when(Step::TextSent).is_some() {
            self.at = [None; STEPS];
        }
    }

    /// A step is reached.
    pub(super) fn reach(&mut self, step: Step, at: Moment) {
        match step {
            Step::Silent if self.awaits_silence => {
                self.awaits_silence = false;
                // Recognition may be quicker than the ear, which then finds the silence behind the question.
                let at = self.when(Step::Asked).map_or(at, |asked| asked.min(at));
                self.set(Step::Silent, at);
            }
            Step::Silent => self.silent = Some(at),
            Step::Asked => {
                self.at = [None; STEPS];
                self.awaits_silence = self.silent.is_none();
                if let Some(silent) = self.silent.take() {
                    self.set(Step::Silent, silent);
                }
                self.set(Step::Asked, at);
            }
            _ => self.set(step, at),
        }
    }

    /// The stages that are known, in order.
    pub(super) fn stages(&self) -> impl Iterator<Item = (&'static str, Span)> {
        STAGES.iter().filter_map(|(name, from, to)| Some((*name, self.between(*from, *to)?)))
    }

    /// From the caller's last word to the answer's first.
    pub(super) fn whole(&self) -> Option<Span> {
        self.between(Step::Silent, Step::Packed)
    }

    fn between(&self, from: Step, to: Step) -> Option<Span> {
        Some(self.when(to)?.since(self.when(from)?))
    }

    fn when(&self, step: Step) -> Option<Moment> {
        self.at.get(step as usize).copied().flatten()
    }

    /// The first time counts.
    fn set(&mut self, step: Step, at: Moment) {
        if let Some(place) = self.at.get_mut(step as usize) {
            place.get_or_insert(at);
        }
    }
}

/// All calls' answers.
#[derive(Debug)]
pub(super) struct Stages {
    /// In the order of [`STAGES`].
    stages: [Histogram<{ EDGES.len() }>; STAGES.len()],
    answers: Histogram<{ EDGES.len() }>,
}

impl Default for Stages {
    fn default() -> Self {
        Self { stages: std::array::from_fn(|_| Histogram::new(EDGES)), answers: Histogram::new(EDGES) }
    }
}

impl Stages {
    /// Counts what `after` knows and `before`, the same answer a step ago, did not.
    pub(super) fn count(&mut self, before: &Answer, after: &Answer) {
        for ((_, from, to), stage) in STAGES.iter().zip(&mut self.stages) {
            count(stage, before.between(*from, *to), after.between(*from, *to));
        }
        count(&mut self.answers, before.whole(), after.whole());
    }

    /// Writes its metrics.
    pub(super) fn write(&self, to: &mut Exposition) {
        let stages: Vec<(&str, &Histogram<{ EDGES.len() }>)> =
            STAGES.iter().map(|(name, ..)| *name).zip(&self.stages).collect();
        let help = "How long each stage on the way to an answer took.";
        Histogram::write_by(to, "offhook_agent_stage_seconds", help, "stage", &stages);
        let help = "From the end of what the caller said to the packet in which the answer begins.";
        self.answers.write(to, "offhook_agent_answer_seconds", help);
    }
}

fn count<const EDGES: usize>(to: &mut Histogram<EDGES>, before: Option<Span>, after: Option<Span>) {
    if let Some(took) = after.filter(|_| before.is_none()) {
        to.add(f64::from(took.as_millis_f32()) / 1e3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    fn reach(answer: &mut Answer, steps: &[(Step, u64)]) {
        steps.iter().for_each(|(step, ms)| answer.reach(*step, at(*ms)));
    }

    const REST: [(Step, u64); 5] = [
        (Step::FirstWords, 1_500),
        (Step::TextSent, 1_550),
        (Step::FirstAudio, 1_700),
        (Step::Laid, 1_702),
        (Step::Packed, 1_720),
    ];

    fn told(answer: &Answer) -> Vec<(&'static str, i64)> {
        answer.stages().map(|(name, took)| (name, took.as_micros() / 1000)).collect()
    }

    #[test]
    fn each_stage_is_the_time_between_its_two_steps() {
        let mut answer = Answer::default();
        reach(&mut answer, &[(Step::Silent, 1_000), (Step::Asked, 1_300)]);
        reach(&mut answer, &REST);
        let all = [
            ("hearing", 300),
            ("model", 200),
            ("sentence", 50),
            ("voice", 150),
            ("laying", 2),
            ("packet", 18),
        ];
        assert_eq!(told(&answer), all);
        assert_eq!(answer.whole(), Some(Span::from_millis(720)));
    }

    #[test]
    fn a_pause_of_the_caller_is_not_the_end_of_the_turn() {
        let mut answer = Answer::default();
        reach(&mut answer, &[(Step::Silent, 200)]);
        answer.speaks();
        reach(&mut answer, &[(Step::Asked, 1_300)]);
        assert_eq!(told(&answer), []);
        // The ear is sure only now, and tells when it was.
        reach(&mut answer, &[(Step::Silent, 1_000)]);
        assert_eq!(told(&answer), [("hearing", 300)]);
    }

    #[test]
    fn recognition_that_is_ahead_of_the_ear_took_no_time() {
        let mut answer = Answer::default();
        reach(&mut answer, &[(Step::Asked, 1_300), (Step::Silent, 1_340)]);
        assert_eq!(told(&answer), [("hearing", 0)]);
    }

    #[test]
    fn a_greeting_has_no_question_and_the_next_turn_nothing_of_the_last_one() {
        let mut answer = Answer::default();
        answer.begins();
        reach(&mut answer, &REST);
        assert_eq!(told(&answer).len(), 4, "from the first words on");
        answer.begins();
        assert_eq!(told(&answer), []);
        reach(&mut answer, &[(Step::Asked, 3_000)]);
        answer.begins();
        reach(&mut answer, &[(Step::FirstWords, 3_100)]);
        assert_eq!(told(&answer), [("model", 100)]);
    }

    #[test]
    fn each_stage_is_counted_once() {
        let (mut stages, mut answer) = (Stages::default(), Answer::default());
        for (step, ms) in
            [(Step::Asked, 1_300)].iter().chain(&REST).chain(&[(Step::Silent, 1_000), (Step::Packed, 9_000)])
        {
            let before = answer.clone();
            answer.reach(*step, at(*ms));
            stages.count(&before, &answer);
        }
        let mut text = Exposition::default();
        stages.write(&mut text);
        let text = text.finish();
        for line in [
            "offhook_agent_stage_seconds_count{stage=\"hearing\"} 1",
            "offhook_agent_stage_seconds_bucket{stage=\"laying\",le=\"0.001\"} 0",
            "offhook_agent_stage_seconds_bucket{stage=\"laying\",le=\"0.0025\"} 1",
            "offhook_agent_stage_seconds_count{stage=\"packet\"} 1",
            "offhook_agent_answer_seconds_sum 0.72",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
