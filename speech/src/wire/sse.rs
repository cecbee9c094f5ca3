//! Server-sent events (HTML standard, 9.2), fed with bytes that may be cut anywhere, also inside of a character.

/// Longer lines are given up: no token of a language model comes near it.
const LINE_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The value of its last `event:` field; empty when there was none.
    pub name: String,
    /// Its `data:` lines, joined by line feeds.
    pub data: String,
}

/// A line or an event beyond all measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseTooLong;

/// The parser of one stream. An event that is not closed by an empty line at the end of the stream is dropped, as the
/// standard asks.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    after_cr: bool,
    begun: bool,
    /// The value of an `error:` field, which older llama.cpp servers send in place of an event.
    error: Option<String>,
}

impl SseParser {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; completed events are appended to `events`.
    ///
    /// # Errors
    /// [`SseTooLong`]; the stream is of no use any more.
    pub fn put(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseTooLong> {
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => self.end_line(events)?,
                _ if self.line.len() >= LINE_MAX => return Err(SseTooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) -> Result<(), SseTooLong> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let line = if self.begun { &*text } else { text.trim_start_matches('\u{FEFF}') };
        self.begun = true;
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                events.push(event);
            } else if let Some(error) = self.error.take() {
                events.push(SseEvent { name: "error".to_owned(), data: error });
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.event.data.len() + value.len() > LINE_MAX {
                    return Err(SseTooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            "error" => self.error = Some(value.to_owned()),
            // "id", "retry", comments (an empty field name) and whatever comes later.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let (mut parser, mut events) = (SseParser::new(), Vec::new());
        for piece in pieces {
            parser.put(piece, &mut events).unwrap();
        }
        events
    }

    fn data(pieces: &[&[u8]]) -> Vec<String> {
        parse(pieces).into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        assert_eq!(
            data(&[b"data: a\n\ndata: b\r\n\r\ndata:c\r\rdata: d\r", b"\n", b"\r\n"]),
            ["a", "b", "c", "d"]
        );
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let text = "data: Grüße, 你好 👋\n\n".as_bytes();
        for cut in 0..text.len() {
            assert_eq!(data(&[&text[..cut], &text[cut..]]), ["Grüße, 你好 👋"]);
        }
    }

    #[test]
    fn comments_and_unknown_fields_are_passed_over_and_lines_are_joined() {
        let events = parse(&[b": ping\n\nid: 7\nevent: x\ndata: a\ndata:  b\nwhat\n\n\n"]);
        assert_eq!(events, [SseEvent { name: "x".to_owned(), data: "a\n b".to_owned() }]);
        assert_eq!(data(&[b"data\n\n"]), [""], "a field without a colon has an empty value");
        assert!(data(&[b"data: unfinished"]).is_empty());
    }

    #[test]
    fn an_error_field_of_older_servers_is_an_event() {
        let events = parse(&[b"error: {\"message\":\"x\"}\n\n"]);
        assert_eq!(events, [SseEvent { name: "error".to_owned(), data: "{\"message\":\"x\"}".to_owned() }]);
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        let megabyte = vec![b'x'; 1 << 20];
        assert_eq!(parser.put(&megabyte, &mut events), Ok(()));
        assert_eq!(parser.put(b"x", &mut events), Err(SseTooLong));
    }

    proptest! {
        #[test]
        fn how_the_stream_is_cut_changes_nothing(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(0usize..200, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(parse(&pieces), parse(&[&bytes]));
        }
    }
}
