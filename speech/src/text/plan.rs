//! A plan of speech: what to say in one go, and the rests between, with their breaths.

use super::boundary;
use super::{CueKind, End, PauseKind, PauseTable, Sentence, SpeechRate, is_speakable};
use crate::Random;
use crate::breath::{Breath, BreathKind, BreathLevel, BreathRule, Spoken};
use offhook_units::Span;

/// Silence at each side of a breath, so that it does not touch the words.
const MARGIN_MS: i64 = 30;
/// So much of a rest is made although the caller has waited for longer.
const LEAST_MS: i64 = 40;

/// One step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Speak this in one go.
    Speak(String),
    /// Then nothing, or a breath, for a while.
    Rest(Rest),
}

/// The time between the last sound of one phrase and the first of the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rest {
    /// What it stands for; `None` when only a tag asked for a breath here.
    pub kind: Option<PauseKind>,
    /// All of it, the breath included.
    pub length: Span,
    /// The breath in it.
    pub breath: Option<Breath>,
}

impl Rest {
    /// From the start of the rest to the start of its breath: a breath comes late, close to what it is for.
    pub fn before_breath(&self) -> Span {
        let breath = self.breath.map_or(Span::ZERO, |breath| breath.length);
        let spare = (self.length - breath).as_micros().max(0);
        Span::from_micros(spare - (spare * 2 / 5).clamp(0, 80_000))
    }

    /// What is left of it where the caller has heard nothing for so long: its breath all the same, and room for what is soft
    /// of the sounds around it.
    pub fn behind(self, silence: Span) -> Self {
        let least = self.breath.map_or(Span::from_millis(LEAST_MS), |breath| with_margins(breath.length));
        Self { length: (self.length - silence).max(least.min(self.length)), ..self }
    }
}

/// What a plan is made by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlanSettings {
    /// How long pauses are.
    pub pauses: PauseTable,
    /// When breaths come by themselves.
    pub breaths: BreathRule,
    /// How strong they are.
    pub breath_level: BreathLevel,
}

/// Plans the sentences of one answer, one after another.
#[derive(Clone, Debug)]
pub struct Planner {
    settings: PlanSettings,
    random: Random,
    spoken: Spoken,
    /// How the sentence before ended; `None` at the start of the answer.
    before: Option<End>,
}

/// A place inside of a sentence where speech rests.
#[derive(Debug)]
struct Place {
    at: usize,
    kind: Option<PauseKind>,
    breaths: Vec<BreathKind>,
}

impl Planner {
    /// At the start of an answer.
    pub fn new(settings: PlanSettings, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let spoken = Spoken::new(settings.breaths, &mut random);
        Self { settings, random, spoken, before: None }
    }

    /// Words that were not planned here stand before the next sentence, and end like this.
    pub fn follows(&mut self, end: End) {
        self.before.get_or_insert(end);
    }

    /// The steps of the next sentence, at the speech rate measured so far. The pause that the sentence
    /// before it leaves comes first, so that none stands at the end of the answer. Marks alone are nothing.
    pub fn plan(&mut self, sentence: &Sentence, rate: SpeechRate) -> Vec<Step> {
        let mut steps = Vec::new();
        if !sentence.is_speakable() && sentence.cues.is_empty() {
            return steps;
        }
        let mut from = 0;
        for place in places(sentence) {
            self.speak(sentence.text.get(from..place.at).unwrap_or_default(), &mut steps);
            from = place.at;
            if place.at == 0 {
                let next_chars = sentence.text.chars().count() as u32;
                self.rest_before(next_chars, &place.breaths, rate, &mut steps);
            } else {
                // Marks without a word between them make one pause, and none before the first or behind the last word.
                let follows = is_speakable(sentence.text.get(place.at..).unwrap_or_default());
                let kind = place.kind.filter(|_| follows && matches!(steps.last(), Some(Step::Speak(_))));
                self.rest(kind, None, &place.breaths, rate, &mut steps);
            }
        }
        self.speak(sentence.text.get(from..).unwrap_or_default(), &mut steps);
        // A breath alone takes the pause before it.
        self.before = Some(if sentence.is_speakable() { sentence.end } else { End::Cut });
        steps
    }

    fn speak(&mut self, text: &str, steps: &mut Vec<Step>) {
        let text = text.trim();
        if is_speakable(text) {
            self.spoken.add(text.chars().count() as u32);
            steps.push(Step::Speak(text.to_owned()));
        }
    }

    /// The rest between the sentence before and the next one.
    fn rest_before(&mut self, next_chars: u32, tags: &[BreathKind], rate: SpeechRate, steps: &mut Vec<Step>) {
        let kind = self.before.and_then(pause_after);
        let natural = match self.before {
            None | Some(End::Cut) => None,
            Some(End::Clause) => self.spoken.within_sentence(),
            Some(_) if next_chars > 0 => self.spoken.between_sentences(next_chars),
            Some(_) => None,
        };
        self.rest(kind, natural, tags, rate, steps);
    }

    /// A rest of this kind with the breaths that tags asked for; without any, the `natural` one if it fits.
    fn rest(
        &mut self,
        kind: Option<PauseKind>,
        natural: Option<BreathKind>,
        tags: &[BreathKind],
        rate: SpeechRate,
        steps: &mut Vec<Step>,
    ) {
        let pause = kind.map_or(Span::ZERO, |kind| self.settings.pauses.draw(kind, rate, &mut self.random));
        let natural = match (natural, kind) {
            (None, Some(PauseKind::Comma)) => self.spoken.within_sentence(),
            (natural, _) => natural,
        };
        let Some((&first, more)) = tags.split_first() else {
            let room = pause - with_margins(Span::ZERO);
            let fits = |kind: &BreathKind| room.as_millis_f32() >= kind.length_ms().0;
            let breath = natural.filter(fits).map(|kind| self.breath(kind, room));
            if pause > Span::ZERO {
                steps.push(Step::Rest(Rest { kind, length: pause, breath }));
            }
            return;
        };
        // A breath that was asked for is taken in full: the pause grows to hold it.
        let breath = self.breath(first, Span::from_millis(300));
        let length = pause.max(with_margins(breath.length));
        steps.push(Step::Rest(Rest { kind, length, breath: Some(breath) }));
        for &tag in more {
            let breath = self.breath(tag, Span::from_millis(300));
            let length = with_margins(breath.length);
            steps.push(Step::Rest(Rest { kind: None, length, breath: Some(breath) }));
        }
    }

    fn breath(&mut self, kind: BreathKind, longest: Span) -> Breath {
        self.spoken.breathed(&mut self.random);
        Breath::drawn(kind, self.settings.breath_level, longest, &mut self.random)
    }
}

/// What a breath of this length needs.
fn with_margins(breath: Span) -> Span {
    breath + Span::from_millis(2 * MARGIN_MS)
}

/// The pause that a sentence leaves behind it.
const fn pause_after(end: End) -> Option<PauseKind> {
    match end {
        End::FullStop => Some(PauseKind::FullStop),
        End::Question => Some(PauseKind::Question),
        End::Exclamation | End::Ellipsis | End::Line => Some(PauseKind::Sentence),
        End::Clause => Some(PauseKind::Comma),
        End::Cut => None,
    }
}

/// Where the sentence rests, in order: first its start, then commas and cues.
fn places(sentence: &Sentence) -> Vec<Place> {
    let text = &sentence.text;
    let mut places = vec![Place { at: 0, kind: None, breaths: Vec::new() }];
    for (at, c) in text.char_indices() {
        let before = text.get(..at).unwrap_or_default();
        let core = before.trim_end().trim_end_matches(boundary::is_closer);
        let spaced = before.ends_with(' ') && (core.ends_with(boundary::is_clause_mark) || trails_off(core));
        let wide = core.ends_with(boundary::is_wide_clause_mark) && !boundary::is_closer(c) && c != ' ';
        if at > 0 && (spaced || wide) {
            places.push(Place { at, kind: Some(PauseKind::Comma), breaths: Vec::new() });
        }
    }
    for cue in &sentence.cues {
        let index = places.partition_point(|place| place.at < cue.at);
        if places.get(index).is_none_or(|place| place.at != cue.at) {
            places.insert(index, Place { at: cue.at, kind: None, breaths: Vec::new() });
        }
        if let Some(place) = places.get_mut(index) {
            match cue.kind {
                CueKind::Breath(kind) => place.breaths.push(kind),
                CueKind::Emphasis if place.at > 0 => place.kind = Some(PauseKind::Emphasis),
                // The sentence pause that stands there already is the longer one.
                CueKind::Emphasis => {}
            }
        }
    }
    places
}

fn trails_off(core: &str) -> bool {
    core.ends_with('…') || core.ends_with("..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Splitter;

    /// The plan in short: words as they are, `(kind ms)` or `(kind breath ms)` for rests.
    fn plan(text: &str) -> Vec<Step> {
        let sentences = Splitter::of_whole().all(text);
        let mut planner = Planner::new(PlanSettings::default(), 4);
        sentences.iter().flat_map(|sentence| planner.plan(sentence, SpeechRate::NORMAL)).collect()
    }

    fn short(steps: &[Step]) -> String {
        let words = steps.iter().map(|step| match step {
            Step::Speak(text) => text.clone(),
            Step::Rest(Rest { kind, breath, .. }) => {
                let names = [kind.map(PauseKind::name), breath.map(|b| b.kind.name())];
                format!("({})", names.into_iter().flatten().collect::<Vec<_>>().join(" + "))
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_mark_has_its_pause_and_the_end_has_none() {
        assert_eq!(
            short(&plan("Well, yes. Is it? Go! Item one\n\nSo... maybe (here), it is *very* late.")),
            "Well, (comma) yes. (full stop) Is it? (question) Go! (sentence) Item one (sentence) So... (comma) maybe \
             (here), (comma) it is (emphasis) very late."
        );
        assert_eq!(
            short(&plan("— Well, , yes. … so it is, — no. One, [sigh] — two, , *three*.")),
            "Well, (comma) yes. (full stop) so it is, (comma) no. (full stop) One, (comma + sigh) two, (comma) three."
        );
        assert_eq!(
            short(&plan("… One. … Two! [sigh] … Three[sigh]. Five. [sigh]... Four — … ... ?")),
            "One. (full stop) Two! (sentence + sigh) Three. (full stop + sigh) Five. (full stop + sigh) Four —"
        );
        assert_eq!(short(&plan("你好，世界。再见")), "你好， (comma) 世界。 (full stop) 再见");
    }

    #[test]
    fn a_tag_breathes_in_the_pause_or_makes_one() {
        assert_eq!(
            short(&plan(
                "[sigh] One. [breath] Two and [breath type=\"quick\"] three, [sigh] four.[breath][sigh]"
            )),
            "(sigh) One. (full stop + normal) Two and (quick) three, (comma + sigh) four. (full stop + normal) (sigh)"
        );
        for step in plan("One, [sigh] two. [breath type=\"deep\"] Three [breath] four.") {
            if let Step::Rest(rest) = step {
                let breath = rest.breath.expect("each of these rests has one");
                assert!(rest.length >= breath.length + Span::from_millis(60), "{rest:?}");
                assert!(rest.before_breath() >= Span::from_millis(30), "{rest:?}");
                assert!(
                    rest.length - rest.before_breath() - breath.length >= Span::from_millis(20),
                    "{rest:?}"
                );
            }
        }
    }

    #[test]
    fn of_a_rest_that_was_waited_for_its_breath_is_left() {
        for step in plan("One, two. [breath] Three. Four.") {
            let Step::Rest(rest) = step else { continue };
            let least = rest.breath.map_or(40, |breath| breath.length.as_micros() / 1000 + 60);
            for (waited, left) in [(0, rest.length), (10_000, Span::from_millis(least))] {
                let behind = rest.behind(Span::from_millis(waited));
                assert!(
                    (behind.length - left).as_micros().abs() <= 1_000,
                    "{rest:?} after {waited} ms: {behind:?}"
                );
                assert_eq!((behind.kind, behind.breath), (rest.kind, rest.breath));
            }
            let short = Rest { length: Span::from_millis(7), kind: rest.kind, breath: None };
            assert_eq!(short.behind(Span::ZERO), short);
            assert_eq!(short.behind(Span::from_millis(600)), short);
        }
    }

    #[test]
    fn long_speech_breathes_by_itself_and_short_exchanges_do_not() {
        let long = "This sentence goes on for a while so that the one who speaks it needs air. ".repeat(6);
        let breaths = short(&plan(&long)).matches('+').count();
        assert!((2..=5).contains(&breaths), "{breaths} breaths in six sentences: {}", short(&plan(&long)));
        assert!(!short(&plan("Yes. Of course. What is your name? Thank you.")).contains('+'));
    }

    #[test]
    fn a_natural_breath_never_lengthens_its_pause() {
        let long = "This one goes on, and on, and on again, for such a while that air is needed, and more. "
            .repeat(40);
        let mut seen = 0;
        for step in plan(&long) {
            let Step::Rest(Rest { kind: Some(kind), length, breath: Some(_) }) = step else { continue };
            let range = PauseTable::default().range(kind);
            let ms = length.as_millis_f32();
            assert!(ms >= range.low_ms() as f32 - 0.01 && ms <= range.high_ms() as f32, "{kind} {ms}");
            seen += 1;
        }
        assert!(seen > 10, "only {seen} breaths");
    }

    #[test]
    fn one_seed_gives_one_plan() {
        let text = "One, two. Three? Four! Five.";
        assert_eq!(plan(text), plan(text));
    }
}
