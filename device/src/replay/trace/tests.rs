use super::*;
use proptest::prelude::*;

fn fault(text: &str) -> (u32, String) {
    let error = Trace::parse(text.as_bytes()).unwrap_err();
    (error.line, error.fault.to_string())
}

fn arrivals(trace: &Trace) -> Vec<(u64, u32)> {
    trace.arrivals().iter().map(|arrival| (arrival.at.as_micros(), arrival.packet)).collect()
}

#[test]
fn losses_duplicates_and_order_are_read() {
    let trace = Trace::parse(b"seq,send_ms,arrive_ms\n1,20.0,70.5\n0,0,60.25\n2,40,\n1,20.0,71\n4,80,70.5\n")
        .unwrap();
    assert_eq!(arrivals(&trace), [(60_250, 0), (70_500, 1), (70_500, 4), (71_000, 1)]);
    assert_eq!(
        (trace.packets(), trace.lost(), trace.repeated()),
        (5, 2, 1),
        "3 has no line and is lost, too"
    );
    assert_eq!(trace.length(), Span::from_millis(1_100));
}

#[test]
fn times_are_exact_to_the_microsecond() {
    let trace = Trace::parse(b"seq,send_ms,arrive_ms\n0,0,86399999.999\n1,0,0.001\n2,0,12345.678\n").unwrap();
    assert_eq!(arrivals(&trace), [(1, 1), (12_345_678, 2), (86_399_999_999, 0)]);
}

#[test]
fn line_ends_marks_and_blank_lines_do_not_matter() {
    let plain = Trace::parse(b"seq,send_ms,arrive_ms\n0,0,20\n1,20,40").unwrap();
    let other =
        Trace::parse(b"\xEF\xBB\xBFseq,send_ms,arrive_ms\r\n0, 0, 20\r\n\r\n1,20,40\r\n\r\n").unwrap();
    assert_eq!(plain, other);
}

#[test]
fn a_length_reaches_to_what_came_last() {
    let trace = Trace::parse(b"seq,send_ms,arrive_ms\n0,0,5000.001\n").unwrap();
    assert_eq!(trace.length(), Span::from_micros(6_000_001));
}

#[test]
fn each_fault_names_its_line_and_what_was_expected() {
    let head = "seq,send_ms,arrive_ms\n0,0.000,20.0\n";
    assert_eq!(
        fault("0,0.000,20.1\n"),
        (1, "the first line is \"0,0.000,20.1\"; expected \"seq,send_ms,arrive_ms\"".to_owned())
    );
    assert_eq!(fault("").0, 1);
    assert_eq!(
        fault("seq,send_ms,arrive_ms\n\n").1,
        "no packet at all; expected at least one line behind the header"
    );
    for (line, expected) in [
        ("1,20.0", "2 columns; expected 3"),
        ("1,20.0,40.0,x", "4 columns; expected 3"),
        ("-1,20.0,40.0", "seq is \"-1\"; expected a whole number from 0 to 4319999"),
        ("4320000,20.0,40.0", "seq is \"4320000\""),
        ("one,20.0,40.0", "seq is \"one\""),
        ("1,,40.0", "send_ms is \"\"; expected milliseconds"),
        (
            "1,20.0,later",
            "arrive_ms is \"later\"; expected milliseconds from 0 to 86400000, as in 41.250, or nothing",
        ),
        ("1,20.0,NaN", "arrive_ms is \"NaN\""),
        ("1,20.0,inf", "arrive_ms is \"inf\""),
        ("1,20.0,-0.5", "arrive_ms is \"-0.5\""),
        ("1,20.0,86400000.1", "arrive_ms is"),
    ] {
        let (at, text) = fault(&format!("{head}{line}\n2,40.0,60.0\n"));
        assert_eq!(at, 3, "{line}");
        assert!(text.starts_with(expected), "{line}: {text}");
    }
}

#[test]
fn something_that_is_no_text_is_told_with_its_line() {
    let error = Trace::parse(b"seq,send_ms,arrive_ms\n0,0,\xFF\xFE\n").unwrap_err();
    assert_eq!(error, TraceError { line: 2, fault: TraceFault::NotText });
    assert_eq!(Trace::parse(b"RIFF\xFF\xFF\xFF\xFFWAVE").unwrap_err().line, 1);
}

#[test]
fn what_is_shown_of_a_fault_is_short_and_on_one_line() {
    let (_, text) = fault(&format!("seq,send_ms,arrive_ms\n{}\u{7}x,0,0\n", "9".repeat(5)));
    assert!(text.contains("99999\\u{7}x"), "{text}");
    let (_, text) = fault(&format!("seq,send_ms,arrive_ms\n{},0,0\n", "9".repeat(500)));
    assert!(text.len() < 200 && text.contains('…'), "{text}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_trace_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300), headed: bool) {
        let mut text = if headed { format!("{HEADER}\n").into_bytes() } else { Vec::new() };
        text.extend(bytes);
        let _ = Trace::parse(&text);
    }

    #[test]
    fn what_is_written_is_what_is_read(rows in proptest::collection::vec((0u32..5000, 0u64..100_000_000, proptest::option::of(0u64..100_000_000)), 1..100)) {
        let rows = rows.into_iter().map(|(packet, sent, arrived)| Sent {
            packet,
            sent: Moment::from_micros(sent),
            arrived: arrived.map(Moment::from_micros),
        });
        let trace = Trace::new(rows.collect());
        let mut text = Vec::new();
        trace.write(&mut text).unwrap();
        prop_assert_eq!(Trace::parse(&text), Ok(trace));
    }
}
