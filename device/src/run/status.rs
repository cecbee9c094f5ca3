//! The status page: plain, without a script, fit for a telephone's browser.

use super::book::Book;
use crate::audio::gauges::LineGauges;
use crate::http::router::Part;
use crate::trunk::figures::CallState;
use offhook_sip_rtp::sip::guard::Stranger;
use offhook_units::Moment;
use std::fmt::Write;

/// Of those who are turned away so many are shown, the most persistent ones.
const MOST_STRANGERS: usize = 8;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"2\"><title>offhook</title>\
<style>body{font:16px/1.4 sans-serif;margin:1em auto;max-width:60em;padding:0 1em}table{border-collapse:collapse;\
width:100%}td,th{text-align:left;padding:.2em .6em;border-bottom:1px solid #ccc}.bad{color:#a00}.good{color:#070}\
</style><h1>offhook</h1>";

/// The page.
pub(super) fn page(book: &Book, now: Moment, parts: &[Part]) -> String {
    let mut page = HEAD.to_owned();
    let minutes = book.age(now).as_micros() / 60_000_000;
    let calls = &book.snapshot.calls;
    // Writing to a string does not fail.
    let _ =
        write!(page, "<p>{} of at most {} calls; up for {minutes} min.</p><table>", calls.len(), book.places);
    for Part { name, is_ready, why } in parts {
        let class = if *is_ready { "good" } else { "bad" };
        let _ = write!(page, "<tr><th>{name}<td class=\"{class}\">{}", escape(why));
    }
    page.push_str("</table><h2>Calls</h2>");
    if calls.is_empty() {
        page.push_str("<p>None.</p>");
    } else {
        page.push_str(
            "<table><tr><th>call<th>route<th>for<th>codec<th>delay<th>lost<th>concealed<th>quality (1 to 5)",
        );
        calls.iter().for_each(|call| row(&mut page, call));
        page.push_str("</table>");
    }
    strangers(&mut page, &book.snapshot.strangers);
    page.push_str("<p><a href=\"/metrics\">metrics</a> · <a href=\"/api/voice/sessions\">sessions</a> · <a href=\"/ready\">readiness</a></p>");
    page
}

fn row(page: &mut String, call: &CallState) {
    let seconds = call.age.as_micros() / 1_000_000;
    let link = format!("<a href=\"/api/voice/sessions/{0}\">{0}</a>", call.call.0);
    let _ = write!(page, "<tr><td>{link}<td>{}<td>{}:{:02}", call.route, seconds / 60, seconds % 60);
    let Some(figures) = &call.figures else {
        page.push_str("<td colspan=\"5\">ringing");
        return;
    };
    let stats = &figures.playout;
    let concealed = stats.extrapolated_frames + stats.bridged_frames + stats.recovered_frames;
    let concealed_ms = concealed * 1000 / u64::from(LineGauges::RATE.hz());
    let delay_ms = stats.delay.as_millis_f32();
    let _ =
        write!(page, "<td>{}<td>{delay_ms:.0} ms<td>{}<td>{concealed_ms} ms", figures.codec, stats.missing);
    let mos = figures.reception.as_ref().map(|reception| reception.metrics.mos_listening_10);
    // 127 is "unavailable" (RFC 3611 4.7.5).
    match mos.filter(|mos| *mos != 127) {
        Some(mos) => {
            let _ = write!(page, "<td>{}.{}", mos / 10, mos % 10);
        }
        None => page.push_str("<td>-"),
    }
}

/// Who calls in vain: most often an exchange that is not in the configuration yet.
fn strangers(page: &mut String, strangers: &[Stranger]) {
    if strangers.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Turned away</h2><p>They are neither a trunk nor in sip.networks, and got no answer.</p>",
    );
    page.push_str("<table><tr><th>address<th>messages");
    for Stranger { addr, messages } in strangers.iter().take(MOST_STRANGERS) {
        let _ = write!(page, "<tr><td>{addr}<td>{messages}");
    }
    page.push_str("</table>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::gauges::TickGauges;
    use std::sync::Arc;

    #[test]
    fn who_calls_in_vain_is_shown() {
        let mut book = Book::new(Moment::ZERO, Arc::new(TickGauges::default()), 50, Vec::new());
        let told = |book: &Book| page(book, Moment::ZERO, &[]);
        assert!(!told(&book).contains("Turned away"));
        let stranger = |last| Stranger { addr: [192, 0, 2, last].into(), messages: u64::from(last) };
        book.snapshot.strangers = (1..=9).rev().map(stranger).collect();
        let told = told(&book);
        assert!(told.contains("<tr><td>192.0.2.9<td>9") && !told.contains("192.0.2.1<"), "{told}");
    }
}
