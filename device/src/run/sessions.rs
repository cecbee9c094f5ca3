//! The calls, as JSON.

use crate::replay::JsonLine;
use crate::trunk::figures::{CallFigures, CallState};
use offhook_units::Span;

/// All of them.
pub(super) fn list(calls: &[CallState]) -> String {
    let calls: Vec<String> = calls.iter().map(|call| one(call).to_string()).collect();
    format!("[{}]\n", calls.join(",\n"))
}

/// One of them, with everything that is counted,
/// and the stages of its last answer where it is a conversation.
pub(super) fn detail(call: &CallState, stages: impl Iterator<Item = (&'static str, Span)>) -> String {
    let mut line = one(call);
    for (stage, took) in stages {
        line.decimal(&format!("answer_{stage}_ms"), millis(took));
    }
    if let Some(figures) = &call.figures {
        counters(&mut line, figures);
    }
    format!("{line}\n")
}

fn one(call: &CallState) -> JsonLine {
    let mut line = JsonLine::default();
    line.whole("id", call.call.0);
    line.text("route", call.route);
    line.text("way", if call.ours { "out" } else { "in" });
    line.decimal("age_s", f64::from(call.age.as_millis_f32()) / 1e3);
    let Some(figures) = &call.figures else {
        line.text("state", "ringing");
        return line;
    };
    line.text("state", if figures.held { "held" } else { "up" });
    line.text("codec", figures.codec.name());
    line.text("media", if figures.encrypted { "srtp" } else { "rtp" });
    line.decimal("delay_ms", millis(figures.playout.delay));
    line.decimal("target_ms", millis(figures.playout.target));
    match figures.playout.drift {
        Some(drift) => line.decimal("drift_ppm", drift.0.into()),
        None => line.null("drift_ppm"),
    }
    match &figures.reception {
        Some(reception) => {
            line.decimal("mos", f64::from(reception.metrics.mos_listening_10) / 10.0);
            line.decimal("jitter_ms", millis(reception.jitter));
            line.decimal("lost_packets", reception.lost as f64);
            line.decimal("round_trip_ms", reception.round_trip.map_or(f64::NAN, millis));
        }
        None => line.null("mos"),
    }
    line
}

fn counters(line: &mut JsonLine, figures: &CallFigures) {
    let stats = &figures.playout;
    line.decimal("held_ms", millis(stats.held));
    for (name, count) in [
        ("packets", stats.packets),
        ("played", stats.played),
        ("duplicates", stats.duplicates),
        ("late", stats.late),
        ("missing", stats.missing),
        ("overrun", stats.overrun),
        ("undecodable", stats.undecodable),
        ("restarts", stats.restarts),
        ("underruns", stats.underruns),
        ("ticks", stats.ticks),
        ("warps", stats.warps),
        ("packets_sent", figures.media.sent),
        ("packets_unsent", figures.media.unsent),
        ("ring_full", figures.media.ring_full),
        ("packets_read_late", figures.media.read_late),
        ("packets_made", figures.said.payloads),
        ("packets_unfetched", figures.said.lost),
        ("talk_unfetched", figures.said.talk_lost),
        ("datagrams_dropped", figures.drops.all_dropped()),
        ("keys", figures.media.keys),
    ] {
        line.whole(name, count);
    }
    let ms = |frames: u64| frames as f64 * 1e3 / f64::from(figures.codec.sample_rate().hz());
    for (name, frames) in [
        ("voice_ms", stats.voice_frames),
        ("extrapolated_ms", stats.extrapolated_frames),
        ("bridged_ms", stats.bridged_frames),
        ("recovered_ms", stats.recovered_frames),
        ("noise_ms", stats.noise_frames),
        ("silent_ms", stats.silent_frames),
        ("squeezed_ms", stats.squeezed_frames),
        ("stretched_ms", stats.stretched_frames),
        ("hurried_ms", stats.hurried_frames),
    ] {
        line.decimal(name, ms(frames));
    }
}

fn millis(span: Span) -> f64 {
    f64::from(span.as_millis_f32())
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_engine::Stats;
    use offhook_sip_rtp::sip::agent::CallId;
    use std::collections::BTreeSet;

    #[test]
    fn each_figure_of_a_call_has_a_name_of_its_own() {
        let figures = CallFigures::of_playout(Stats { voice_frames: 8_000, ..Stats::default() });
        let (call, age) = (CallId(7), Span::from_millis(1_500));
        let call = CallState { call, route: "agent", ours: false, age, figures: Some(Box::new(figures)) };
        let stages = [("hearing", Span::from_millis(300)), ("voice", Span::from_millis(90))];
        let text = detail(&call, stages.into_iter());
        let names: Vec<&str> = text
            .split(',')
            .filter_map(|part| part.trim_start_matches('{').split_once(':'))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{text}");
        assert!(
            text.contains("\"answer_voice_ms\":90.000") && text.contains("\"voice_ms\":1000.000"),
            "{text}"
        );
    }
}
