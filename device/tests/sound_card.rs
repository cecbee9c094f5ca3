//! D1: the sound card's side of the audio thread, with a card made up: a clock of its own, a rate and periods of its
//! own. Time is virtual.

use offhook::audio::sound::callback::{Plays, Records};
use offhook::audio::sound::card::{Microphone, Speaker};
use offhook::audio::sound::gauges::SoundGauges;
use offhook::audio::sound::{Change, Monitor, Sound, SoundSettings};
use offhook::rings::{self, SoundDesk};
use offhook_units::SampleRate;
use std::f64::consts::TAU;
use std::sync::Arc;

/// What a call is spoken in.
const CALL: SampleRate = SampleRate::HZ_16000;
/// Level of the tones here.
const PEAK: f64 = 8_000.0;
const TONE_HZ: f64 = 1_000.0;

/// A card: both ways at one rate and on one clock.
struct Card {
    rate: SampleRate,
    /// How fast its clock runs.
    ppm: f64,
    period: usize,
    plays: Plays,
    records: Records,
    /// When it calls next, s.
    due: f64,
    /// What it played, and how much it recorded.
    played: Vec<i16>,
    recorded: usize,
}

impl Card {
    fn call(&mut self) {
        let mut out = vec![0; self.period];
        self.plays.fill(&mut out, 1, |sample| sample);
        self.played.extend(out);
        let came: Vec<i16> = (0..self.period).map(|n| tone(self.recorded + n, self.rate)).collect();
        self.recorded += self.period;
        self.records.take(&came, 1, |sample| sample);
        self.due += self.period as f64 / (f64::from(self.rate.hz()) * (1.0 + self.ppm * 1e-6));
    }
}

fn tone(at: usize, rate: SampleRate) -> i16 {
    (PEAK * (at as f64 * TONE_HZ * TAU / f64::from(rate.hz())).sin()).round() as i16
}

/// The audio thread, a call to the handset in it, and the desk that cards come from.
struct House {
    sound: Sound,
    desk: SoundDesk,
    gauges: Arc<SoundGauges>,
    tick: u64,
    heard: usize,
    said: Vec<i16>,
    /// Whether the handset is in a call.
    talks: bool,
    /// Whether another call stands.
    overhears: bool,
}

impl House {
    fn new(settings: SoundSettings) -> Self {
        let (desk, ends) = rings::sound();
        let sound = Sound::new(ends, settings).expect("all rates are known");
        let gauges = Arc::new(SoundGauges::default());
        Self { sound, desk, gauges, tick: 0, heard: 0, said: Vec::new(), talks: true, overhears: false }
    }

    fn plug(&mut self, rate_hz: u32, ppm: f64, period: usize) -> Card {
        let rate = SampleRate::new(rate_hz).expect("a card's rate");
        for side in [&self.gauges.speaker, &self.gauges.microphone] {
            side.opens(period as u32);
        }
        let (writer, reader) = rings::card(rate);
        let speaker = Speaker::new(rate, writer, self.gauges.speaker.clone()).expect("a filter");
        let plays = Plays::new(reader, self.gauges.speaker.clone());
        let (writer, reader) = rings::card(rate);
        let microphone = Microphone::new(rate, reader, self.gauges.microphone.clone()).expect("a filter");
        let records = Records::new(writer, self.gauges.microphone.clone());
        self.send(Change::Speaker(Some(Box::new(speaker))));
        self.send(Change::Microphone(Some(Box::new(microphone))));
        let due = self.now() + 0.0037;
        Card { rate, ppm, period, plays, records, due, played: Vec::new(), recorded: 0 }
    }

    fn send(&mut self, change: Change) {
        self.desk.changes.push(change).expect("room");
    }

    fn now(&self) -> f64 {
        self.tick as f64 * 0.01
    }

    fn tick(&mut self) {
        let frames = CALL.frames_in_ms(10);
        let heard: Vec<i16> = (0..frames).map(|n| tone(self.heard + n, CALL)).collect();
        self.heard += frames;
        self.sound.begin();
        if self.talks {
            let mut said = vec![i16::MIN; frames];
            self.sound.talk(CALL, &heard, &mut said);
            self.said.extend(said);
        }
        if self.overhears {
            self.sound.overhear(CALL, &heard, &vec![0; frames]);
        }
        self.sound.end();
        self.tick += 1;
    }

    /// So much time passes; the audio thread is up to 4 ms late now and then.
    fn pass(&mut self, seconds: f64, card: &mut Card) {
        let end = self.now() + seconds;
        while self.now() < end {
            let late = if self.tick.is_multiple_of(7) { 0.004 } else { 0.0002 };
            while card.due < self.now() + late {
                card.call();
            }
            self.tick();
        }
    }
}

/// The mean frequency of a tone, by the places where it goes up through zero.
fn hz(sound: &[i16], rate: SampleRate) -> f64 {
    let ups: Vec<f64> = sound
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] < 0 && pair[1] >= 0)
        .map(|(at, pair)| {
            at as f64 + f64::from(-pair[0]) / f64::from(i32::from(pair[1]) - i32::from(pair[0]))
        })
        .collect();
    (ups.len() - 1) as f64 * f64::from(rate.hz()) / (ups[ups.len() - 1] - ups[0])
}

/// The level of each 10 ms, as a peak.
fn levels(sound: &[i16], rate: SampleRate) -> Vec<f64> {
    let power = |piece: &[i16]| piece.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / piece.len() as f64;
    sound.chunks_exact(rate.frames_in_ms(10)).map(|piece| (2.0 * power(piece)).sqrt()).collect()
}

/// Panics unless it is one tone of an even level, without a hole or a click.
fn assert_smooth(sound: &[i16], rate: SampleRate, peak: f64, what: &str) {
    for (at, level) in levels(sound, rate).iter().enumerate() {
        assert!((level / peak - 1.0).abs() < 0.03, "{what}: level {level} after {} ms", at * 10);
    }
    let steepest = peak * TONE_HZ * TAU / f64::from(rate.hz()) * 1.02 + 2.0;
    for (at, pair) in sound.windows(2).enumerate() {
        let step = f64::from((i32::from(pair[1]) - i32::from(pair[0])).abs());
        assert!(step <= steepest, "{what}: a step of {step} at sample {at}");
    }
}

fn xruns(house: &House) -> u64 {
    house.gauges.speaker.xruns() + house.gauges.microphone.xruns()
}

#[test]
fn a_tone_passes_both_ways_whole_and_in_tune_whatever_the_cards_clock_rate_and_period() {
    for (rate_hz, period) in [(48_000, 480), (44_100, 1_024), (48_000, 1_920), (16_000, 160), (96_000, 441)] {
        for ppm in [-200.0, 200.0] {
            let what = format!("{rate_hz} Hz by {period}, {ppm} ppm");
            let mut house = House::new(SoundSettings::default());
            let mut card = house.plug(rate_hz, ppm, period);
            house.pass(12.0, &mut card);
            assert_eq!(xruns(&house), 0, "{what}");
            // On the card's own clock the far end's tone is off by the drift; on ours, the card's is.
            let played = &card.played[card.rate.frames_in_ms(2_000)..];
            assert_smooth(played, card.rate, PEAK, &what);
            let error = (hz(played, card.rate) / TONE_HZ * (1.0 + ppm * 1e-6) - 1.0) * 1e6;
            assert!(error.abs() < 400.0, "{what}: played {error} ppm off");
            let said = &house.said[CALL.frames_in_ms(2_000)..];
            assert_smooth(said, CALL, PEAK, &what);
            let error = (hz(said, CALL) / TONE_HZ / (1.0 + ppm * 1e-6) - 1.0) * 1e6;
            assert!(error.abs() < 400.0, "{what}: said {error} ppm off");
        }
    }
}

#[test]
fn the_cards_drift_is_known_after_some_minutes() {
    let mut house = House::new(SoundSettings::default());
    let mut card = house.plug(48_000, 150.0, 1_024);
    house.talks = false;
    house.pass(420.0, &mut card);
    for side in [&house.gauges.speaker, &house.gauges.microphone] {
        assert!((side.drift().0 - 150.0).abs() < 60.0, "{} ppm", side.drift().0);
        assert!(side.held().as_micros() > 5_000 && side.held().as_micros() < 60_000, "{:?}", side.held());
    }
    assert_eq!(xruns(&house), 0);
}

#[test]
fn a_lost_card_is_silence_and_its_successor_is_heard_in_the_same_call() {
    let mut house = House::new(SoundSettings::default());
    let mut card = house.plug(48_000, 20.0, 480);
    house.pass(3.0, &mut card);
    house.send(Change::Speaker(None));
    house.send(Change::Microphone(None));
    let before = house.said.len();
    (0..100).for_each(|_| house.tick());
    assert!(house.said[before + CALL.frames_in_ms(10)..].iter().all(|sample| *sample == 0));
    let back: Vec<Change> = std::iter::from_fn(|| house.desk.retired.pop().ok()).collect();
    assert!(back.iter().any(|old| matches!(old, Change::Speaker(Some(_)))), "{back:?}");
    assert!(back.iter().any(|old| matches!(old, Change::Microphone(Some(_)))), "{back:?}");
    let mut card = house.plug(44_100, -80.0, 1_024);
    let before = house.said.len();
    house.pass(3.0, &mut card);
    assert_smooth(&card.played[card.rate.frames_in_ms(300)..], card.rate, PEAK, "played again");
    assert_smooth(&house.said[before + CALL.frames_in_ms(300)..], CALL, PEAK, "said again");
}

#[test]
fn a_card_that_stumbles_costs_one_gap_which_is_counted() {
    let mut house = House::new(SoundSettings::default());
    let mut card = house.plug(48_000, 0.0, 480);
    house.pass(5.0, &mut card);
    assert_eq!(xruns(&house), 0);
    // The card calls out of turn, for more than was held back for that.
    let due = card.due;
    (0..5).for_each(|_| card.call());
    card.due = due;
    let before = card.played.len();
    house.pass(5.0, &mut card);
    let counted = house.gauges.speaker.xruns();
    assert!((1..=5).contains(&counted), "{counted}");
    assert_smooth(&card.played[before + card.rate.frames_in_ms(200)..], card.rate, PEAK, "after the gap");
    house.pass(5.0, &mut card);
    assert_eq!(house.gauges.speaker.xruns(), counted);
}

#[test]
fn an_audio_thread_that_stands_still_is_survived() {
    let mut house = House::new(SoundSettings::default());
    let mut card = house.plug(48_000, 0.0, 480);
    house.pass(5.0, &mut card);
    (0..30).for_each(|_| card.call());
    assert!(xruns(&house) > 0);
    house.pass(6.0, &mut card);
    let (played, said) = (card.played.len(), house.said.len());
    house.pass(3.0, &mut card);
    assert_smooth(&card.played[played..], card.rate, PEAK, "played");
    assert_smooth(&house.said[said..], CALL, PEAK, "said");
    assert!(house.gauges.microphone.held().as_micros() < 80_000, "what waited is not kept for ever");
}

#[test]
fn levels_and_mutes_act_and_do_not_click() {
    let mut house = House::new(SoundSettings::default());
    let mut card = house.plug(48_000, 0.0, 480);
    house.pass(3.0, &mut card);
    let steps: [(f32, f32); 4] =
        [(-12.0, 6.0), (f32::NEG_INFINITY, 0.0), (6.0, f32::NEG_INFINITY), (0.0, 0.0)];
    for (speaker_db, microphone_db) in steps {
        house.sound.set(SoundSettings { speaker_db, microphone_db, ..SoundSettings::default() });
        let (played, said) = (card.played.len(), house.said.len());
        house.pass(2.0, &mut card);
        for (sound, rate, db) in
            [(&card.played[played..], card.rate, speaker_db), (&house.said[said..], CALL, microphone_db)]
        {
            let wanted = PEAK * 10_f64.powf(f64::from(db) / 20.0);
            let last = *levels(sound, rate).last().expect("there is sound");
            assert!((last - wanted).abs() < 0.02 * wanted + 1.0, "{db} dB: {last} instead of {wanted}");
            let steepest = 1.1 * 2.0 * PEAK * TONE_HZ * TAU / f64::from(rate.hz());
            let step = sound.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
            assert!(f64::from(step.unwrap_or(0)) < steepest, "{db} dB: a step of {step:?}");
        }
    }
}

#[test]
fn other_calls_are_heard_where_asked_for_and_duck_under_the_handsets() {
    let level = |card: &Card| *levels(&card.played, card.rate).last().expect("there is sound");
    let settings = SoundSettings { duck_db: 20.0, ..SoundSettings::default() };
    let mut house = House::new(settings);
    let mut card = house.plug(48_000, 0.0, 480);
    (house.talks, house.overhears) = (false, true);
    house.pass(1.0, &mut card);
    assert!(level(&card) < 1.0, "nobody listens in unless told to");
    house.sound.set(SoundSettings { monitor: Monitor::Caller, ..settings });
    house.pass(1.0, &mut card);
    assert!((level(&card) - PEAK).abs() < 0.02 * PEAK, "{}", level(&card));
    // Both sound at once and in phase: what the handset brings, and a tenth of the other.
    house.talks = true;
    house.pass(1.0, &mut card);
    assert!((level(&card) - 1.1 * PEAK).abs() < 0.02 * PEAK, "{}", level(&card));
    house.talks = false;
    house.pass(1.0, &mut card);
    assert!((level(&card) - PEAK).abs() < 0.02 * PEAK, "{}", level(&card));
}

#[test]
fn without_a_card_a_call_to_the_handset_is_silence() {
    let mut house = House::new(SoundSettings::default());
    (0..50).for_each(|_| house.tick());
    assert!(house.said.iter().all(|sample| *sample == 0));
}
