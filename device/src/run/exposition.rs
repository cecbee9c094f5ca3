//! The metrics, in the text format of Prometheus.

use super::book::{Book, FATES, OPERATIONS};
use crate::audio::gauges::LATENESS_EDGES_US;
use crate::audio::sound::gauges::SideGauges;
use crate::http::metrics::{Exposition, Type, label};
use crate::sound::Way;
use offhook_sip_rtp::media::stream::Dropped;
use offhook_units::Moment;
use std::fmt::Display;
use std::sync::atomic::Ordering::Relaxed;

/// Everything that is known at `now`.
pub(super) fn metrics(book: &Book, now: Moment) -> String {
    let mut to = Exposition::default();
    process(&mut to, book, now);
    audio(&mut to, book);
    trunk(&mut to, book);
    calls(&mut to, book);
    playout(&mut to, book);
    book.talk.write(&mut to);
    sound(&mut to, book);
    to.finish()
}

/// The sound card, which may be none.
fn sound(to: &mut Exposition, book: &Book) {
    let gauges = &book.sound.gauges;
    let sides = [(Way::Speaker, &gauges.speaker), (Way::Microphone, &gauges.microphone)];
    let labels = sides.map(|(way, _)| format!("way=\"{}\"", way.name()));
    let mut both = |name, kind, help, value: fn(&SideGauges) -> f64| {
        let values = sides.map(|(_, side)| value(side));
        let rows: Vec<(&str, &dyn Display)> =
            labels.iter().map(String::as_str).zip(values.iter().map(|value| value as &dyn Display)).collect();
        to.metric(name, kind, help, &rows);
    };
    both("offhook_sound_up", Type::Gauge, "1 while the sound card is open.", |side| {
        f64::from(u8::from(side.is_up()))
    });
    let help = "Times that the sound card was opened.";
    both("offhook_sound_opened_total", Type::Counter, help, |side| side.times_opened() as f64);
    let help = "Times that sound was missing or found no room, in the card or before it.";
    both("offhook_sound_xruns_total", Type::Counter, help, |side| side.xruns() as f64);
    let help = "How fast the card's clock runs against ours, parts per million.";
    both("offhook_sound_drift_ppm", Type::Gauge, help, |side| f64::from(side.drift().0));
    let help = "Sound between the audio thread and the card.";
    both("offhook_sound_held_seconds", Type::Gauge, help, |side| side.held().as_micros() as f64 / 1e6);
    let refused = gauges.refused.load(Relaxed);
    counter(to, "offhook_sound_refused_total", "Calls that the handset could not take.", refused);
}

/// A counter with one value.
pub(super) fn counter(to: &mut Exposition, name: &str, help: &str, value: u64) {
    to.metric(name, Type::Counter, help, &[("", &value)]);
}

fn gauge(to: &mut Exposition, name: &str, help: &str, value: impl Display) {
    to.metric(name, Type::Gauge, help, &[("", &value)]);
}

/// A counter with a value for each word of one label.
pub(super) fn by<N: Display>(to: &mut Exposition, name: &str, help: &str, key: &str, values: &[(&str, N)]) {
    let labels: Vec<String> = values.iter().map(|(word, _)| format!("{key}=\"{}\"", label(word))).collect();
    let values: Vec<(&str, &dyn Display)> = labels
        .iter()
        .map(String::as_str)
        .zip(values.iter().map(|(_, value)| value as &dyn Display))
        .collect();
    to.metric(name, Type::Counter, help, &values);
}

fn process(to: &mut Exposition, book: &Book, now: Moment) {
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    to.metric("offhook_build_info", Type::Gauge, "Which offhook this is.", &[(&version, &1)]);
    let uptime = f64::from(book.age(now).as_millis_f32()) / 1e3;
    gauge(to, "offhook_uptime_seconds", "Since the start.", uptime);
    gauge(to, "offhook_draining", "1 while no new calls are taken.", u8::from(book.is_ending));
    let values = [("done", book.reloads), ("refused", book.reloads_failed)];
    by(to, "offhook_reloads_total", "Readings of a changed configuration.", "outcome", &values);
}

fn audio(to: &mut Exposition, book: &Book) {
    let ticks = book.ticks();
    let seconds = |us: u64| us as f64 / 1e6;
    counter(to, "offhook_audio_ticks_total", "Ticks of 10 ms.", ticks.ticks);
    counter(to, "offhook_audio_late_ticks_total", "Wake-ups over 2 ms late.", ticks.late);
    counter(to, "offhook_audio_caught_up_ticks_total", "Ticks that ran behind another.", ticks.caught_up);
    counter(to, "offhook_audio_given_up_ticks_total", "Ticks that never ran.", ticks.given_up);
    gauge(to, "offhook_audio_lines", "Calls that the audio thread serves.", ticks.lines);
    counter(to, "offhook_audio_no_room_total", "Calls sent back for want of a place.", ticks.no_room);
    let busy = seconds(ticks.busy_us);
    to.metric("offhook_audio_busy_seconds_total", Type::Counter, "Time spent in ticks.", &[("", &busy)]);
    let worst = seconds(ticks.worst_lateness_us);
    gauge(to, "offhook_audio_worst_lateness_seconds", "The latest wake-up since the start.", worst);
    to.histogram(
        "offhook_audio_tick_lateness_seconds",
        "How late the audio thread woke.",
        &LATENESS_EDGES_US.map(seconds),
        &ticks.lateness,
        seconds(ticks.lateness_sum_us),
    );
}

fn trunk(to: &mut Exposition, book: &Book) {
    let labels: Vec<String> =
        book.trunks.iter().map(|trunk| format!("server=\"{}\"", label(&trunk.server))).collect();
    let ups: Vec<u8> = book.trunks.iter().map(|trunk| u8::from(trunk.up)).collect();
    let up: Vec<(&str, &dyn Display)> =
        labels.iter().map(String::as_str).zip(ups.iter().map(|up| up as &dyn Display)).collect();
    to.metric("offhook_trunk_up", Type::Gauge, "1 while the trunk can carry calls.", &up);
    let downs: Vec<(&str, u64)> = book.trunks.iter().map(|trunk| (&*trunk.server, trunk.downs)).collect();
    by(to, "offhook_trunk_downs_total", "Times that the trunk went down.", "server", &downs);
    let counters = book.snapshot.counters;
    let messages = [("in", counters.messages_in), ("out", counters.messages_out)];
    by(to, "offhook_sip_messages_total", "SIP messages.", "way", &messages);
    let agent = counters.agent;
    let bad = [
        ("stranger", counters.turned_away),
        ("unexpected", agent.unexpected),
        ("malformed_answered", agent.malformed_answered),
        ("malformed_dropped", agent.malformed_dropped),
        ("unknown_dialog", agent.unknown_dialog),
        ("stray_ack", agent.stray_acks),
        ("stray_response", counters.transactions.stray_responses),
        ("merged", counters.transactions.merged),
        ("unsendable", counters.unsendable),
    ];
    by(to, "offhook_sip_refused_total", "SIP messages that led to nothing.", "why", &bad);
    counter(
        to,
        "offhook_sip_repeated_total",
        "Requests that came again.",
        counters.transactions.repeated_requests,
    );
    gauge(to, "offhook_sip_connections", "Stream connections that stand.", counters.connections);
    counter(
        to,
        "offhook_sip_connections_refused_total",
        "Stream connections turned away for want of room.",
        counters.connections_refused,
    );
    counter(to, "offhook_trunk_reports_lost_total", "Log lines that found no room.", counters.reports_lost);
}

fn calls(to: &mut Exposition, book: &Book) {
    let counters = book.snapshot.counters;
    gauge(to, "offhook_calls", "Calls that stand or ring.", book.snapshot.calls.len());
    gauge(to, "offhook_calls_max", "Calls that there may be.", book.places);
    let began = [("in", counters.calls_in), ("out", counters.calls_out)];
    by(to, "offhook_calls_total", "Calls that began.", "way", &began);
    counter(to, "offhook_calls_answered_total", "Calls that were answered.", counters.answered);
    counter(to, "offhook_calls_ended_total", "Calls that are over.", counters.ended);
    let refused = [
        ("no_route", counters.no_route),
        ("no_media", counters.no_media),
        ("absent", counters.absent),
        ("busy", counters.busy),
        ("full", counters.agent.refused_full + counters.transactions.refused_full),
        ("unproven", counters.agent.refused_unproven),
        ("no_common_media", counters.agent.refused_media),
    ];
    by(to, "offhook_calls_refused_total", "Calls that were refused.", "why", &refused);
    counter(to, "offhook_calls_silent_total", "Calls ended as their RTP stopped.", counters.silent);
    book.lengths.write(to, "offhook_call_length_seconds", "How long calls were.");
}

fn playout(to: &mut Exposition, book: &Book) {
    let sums = book.sums();
    counter(to, "offhook_rtp_received_total", "Packets of voice that reached a buffer.", sums.packets);
    counter(to, "offhook_rtp_sent_total", "Packets handed to a socket.", sums.sent);
    counter(
        to,
        "offhook_rtp_ring_full_total",
        "Packets that the audio thread had no room for.",
        sums.ring_full,
    );
    let help = "Packets that were here in time for a tick and that the trunk's thread read behind it.";
    counter(to, "offhook_rtp_read_late_total", help, sums.read_late);
    let help = "Packets that the audio thread made and the trunk's did not fetch in time.";
    counter(to, "offhook_rtp_unfetched_total", help, sums.unfetched);
    let help = "Seconds of callers that the speech thread did not fetch in time.";
    to.metric("offhook_agent_unfetched_seconds_total", Type::Counter, help, &[("", &sums.unheard)]);
    let help = "Events of calls, as the end of a turn, that the speech thread did not fetch in time.";
    counter(to, "offhook_agent_unfetched_events_total", help, sums.untold);
    let fates: Vec<(&str, u64)> = FATES.into_iter().zip(sums.fates).collect();
    by(to, "offhook_playout_packets_total", "What became of packets.", "fate", &fates);
    let operations: Vec<(&str, f64)> = OPERATIONS.into_iter().zip(sums.operations).collect();
    by(to, "offhook_playout_seconds_total", "How sound was made, in its seconds.", "operation", &operations);
    counter(to, "offhook_playout_warps_total", "Changes of speed.", sums.warps);
    let help = "Of squeezed and stretched sound, the seconds beyond the usual limit of speed.";
    to.metric("offhook_playout_hurried_seconds_total", Type::Counter, help, &[("", &sums.hurried)]);
    counter(to, "offhook_playout_underruns_total", "Buffers that ran dry in a voice.", sums.underruns);
    counter(to, "offhook_playout_restarts_total", "Senders that started anew.", sums.restarts);
    let dropped: Vec<(&str, u64)> =
        Dropped::ALL.iter().zip(sums.dropped).map(|((_, name), count)| (*name, count)).collect();
    by(to, "offhook_rtp_dropped_total", "Datagrams turned away at the door.", "why", &dropped);
    counter(to, "offhook_keys_total", "Telephone keys heard.", sums.keys);
    book.delays.write(
        to,
        "offhook_playout_delay_seconds",
        "How long what is heard was held back, looked at each second of each call.",
    );
    let help = "Packets of ours that never reached the peers, by their reports.";
    counter(to, "offhook_peer_lost_total", help, sums.lost_there);
    let help =
        "How unevenly our packets reach the peer, by its last report, looked at each second of each call.";
    book.jitter_there.write(to, "offhook_peer_jitter_seconds", help);
    let help = "The way to the peer and back, looked at each second of each call.";
    book.round_trips.write(to, "offhook_round_trip_seconds", help);
}
