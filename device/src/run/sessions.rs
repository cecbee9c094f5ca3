//! The calls, as JSON.

use crate::audio::gauges::LineGauges;
use crate::replay::JsonLine;
use crate::trunk::figures::{CallFigures, CallState, PeerFigures};
use offhook_sip_rtp::media::rtcp::VoipMetrics;
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
        peer(&mut line, figures);
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
    let state = match &call.figures {
        Some(figures) if call.answered && figures.held => "held",
        Some(_) if call.answered => "up",
        // It may be heard already: early media.
        _ => "ringing",
    };
    line.text("state", state);
    let Some(figures) = &call.figures else { return line };
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
            line.decimal("mos", mos(&reception.metrics));
            line.decimal("jitter_ms", millis(reception.jitter));
            line.decimal("lost_packets", reception.lost as f64);
        }
        None => line.null("mos"),
    }
    line.decimal("round_trip_ms", figures.round_trip.map_or(f64::NAN, millis));
    line
}

/// 127 is "unavailable" (RFC 3611 4.7.5).
fn mos(metrics: &VoipMetrics) -> f64 {
    match metrics.mos_listening_10 {
        127 => f64::NAN,
        score => f64::from(score) / 10.0,
    }
}

/// What the other side hears of us, as it told last.
fn peer(line: &mut JsonLine, figures: &CallFigures) {
    line.whole("peer_reports", figures.reports.received);
    line.whole("peer_reports_refused", figures.reports.malformed + figures.reports.foreign);
    let Some(PeerFigures { report, age }) = &figures.peer else { return };
    line.decimal("peer_report_age_s", millis(*age) / 1e3);
    line.decimal("peer_lost_percent", f64::from(report.fraction_lost) * 100.0);
    line.decimal("peer_lost_packets", report.lost.into());
    line.decimal("peer_jitter_ms", millis(report.jitter));
    if let Some(metrics) = &report.metrics {
        line.decimal("peer_discarded_percent", f64::from(metrics.discard_rate) / 2.56);
        line.decimal("peer_mos", mos(metrics));
    }
}

fn counters(line: &mut JsonLine, figures: &CallFigures) {
    let stats = &figures.playout;
    line.decimal("held_ms", millis(stats.held));
    line.decimal("talk_unfetched_ms", millis(figures.said.unfetched.sound));
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
        ("talk_events_unfetched", figures.said.unfetched.events),
        ("datagrams_dropped", figures.drops.all_dropped()),
        ("keys", figures.media.keys),
    ] {
        line.whole(name, count);
    }
    let ms = |frames: u64| frames as f64 * 1e3 / f64::from(LineGauges::RATE.hz());
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
    use offhook_sip_rtp::media::rtcp::{DelayLimits, RemoteReport};
    use offhook_sip_rtp::sip::agent::CallId;
    use offhook_units::{Moment, Ssrc};
    use std::collections::BTreeSet;

    #[test]
    fn each_figure_of_a_call_has_a_name_of_its_own() {
        let mut figures = CallFigures::of_playout(Stats { voice_frames: 48_000, ..Stats::default() });
        figures.peer = Some(PeerFigures { report: report(Some(metrics())), age: Span::ZERO });
        let (call, age) = (CallId(7), Span::from_millis(1_500));
        let call = CallState {
            call,
            route: "agent",
            ours: false,
            age,
            answered: false,
            figures: Some(Box::new(figures)),
        };
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

    #[test]
    fn a_call_that_is_heard_before_it_is_answered_rings() {
        let mut figures = Box::new(CallFigures::of_playout(Stats::default()));
        let mut state = |answered, held| {
            figures.held = held;
            let (call, age, figures) = (CallId(7), Span::ZERO, Some(figures.clone()));
            one(&CallState { call, route: "tone", ours: false, age, answered, figures }).to_string()
        };
        assert!(state(false, false).contains(r#""state":"ringing","codec":"#));
        assert!(state(true, false).contains(r#""state":"up""#));
        assert!(state(true, true).contains(r#""state":"held""#));
    }

    fn report(metrics: Option<VoipMetrics>) -> RemoteReport {
        let (at, jitter) = (Moment::ZERO, Span::from_millis(7));
        RemoteReport { at, fraction_lost: 0.125, lost: 40, jitter, metrics }
    }

    fn metrics() -> VoipMetrics {
        VoipMetrics {
            ssrc: Ssrc(1),
            loss_rate: 0,
            discard_rate: 0,
            burst_density: 0,
            gap_density: 0,
            burst_ms: 0,
            gap_ms: 0,
            round_trip_ms: 0,
            end_system_ms: 0,
            signal_dbm0: 127,
            noise_dbm0: 127,
            echo_return_loss_db: 127,
            gmin: 16,
            rating: 93,
            external_rating: 127,
            mos_listening_10: 44,
            mos_conversation_10: 44,
            receiver_config: 0,
            buffer: DelayLimits::default(),
        }
    }

    #[test]
    fn what_the_other_side_loses_is_shown_once_it_told() {
        let mut figures = CallFigures::of_playout(Stats::default());
        let show = |figures: &CallFigures| {
            let mut line = JsonLine::default();
            peer(&mut line, figures);
            line.to_string()
        };
        assert_eq!(show(&figures), r#"{"peer_reports":0,"peer_reports_refused":0}"#);
        figures.reports.received = 3;
        figures.peer = Some(PeerFigures { report: report(None), age: Span::from_millis(1_500) });
        let basic = concat!(
            r#"{"peer_reports":3,"peer_reports_refused":0,"peer_report_age_s":1.500,"peer_lost_percent":12.500,"#,
            r#""peer_lost_packets":40.000,"peer_jitter_ms":7.000"#,
        );
        assert_eq!(show(&figures), format!("{basic}}}"));
        let metrics = VoipMetrics { discard_rate: 64, mos_listening_10: 127, ..metrics() };
        figures.peer = Some(PeerFigures { report: report(Some(metrics)), age: Span::from_millis(1_500) });
        assert_eq!(show(&figures), format!(r#"{basic},"peer_discarded_percent":25.000,"peer_mos":null}}"#));
    }
}
