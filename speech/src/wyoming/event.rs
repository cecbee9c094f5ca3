//! Wyoming's events, written and read. Both forms of data are read: within the line, and behind it.

use serde_json::{Map, Value};

/// The longest line; the protocol's own reader takes no longer one.
const LINE_MAX: usize = 64 * 1024;
/// The most JSON behind a line: a description of every voice of piper is a tenth of it.
const DATA_MAX: usize = 1 << 20;
/// The most audio in one event: a minute at 48 kHz.
const PAYLOAD_MAX: usize = 6 << 20;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) data: Map<String, Value>,
    pub(super) payload: Vec<u8>,
}

impl Event {
    pub(super) fn text(&self, name: &str) -> &str {
        self.data.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.data.get(name)?.as_u64()?.try_into().ok()
    }
}

/// What came is no event, or one that nobody could hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadEvent;

/// An event as bytes, its data behind the line as the protocol's own writer does.
pub(super) fn encode(kind: &str, data: &Value, payload: &[u8]) -> Vec<u8> {
    let data = data.to_string();
    let head = serde_json::json!({"type": kind, "data_length": data.len(), "payload_length": payload.len()});
    let mut bytes = head.to_string().into_bytes();
    bytes.push(b'\n');
    bytes.extend_from_slice(data.as_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[derive(Debug)]
struct Head {
    kind: String,
    data: Map<String, Value>,
    data_length: usize,
    payload_length: usize,
}

/// Reads events out of bytes that come in any pieces.
#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    /// So many bytes were looked at in search of a line's end.
    seen: usize,
    head: Option<Head>,
}

impl Reader {
    /// The next bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole event.
    pub(super) fn next(&mut self) -> Result<Option<Event>, BadEvent> {
        if self.head.is_none() {
            self.head = self.line()?;
        }
        let Some(head) = self.head.take() else { return Ok(None) };
        let whole = head.data_length + head.payload_length;
        if self.bytes.len() < whole {
            self.head = Some(head);
            return Ok(None);
        }
        let mut body = self.bytes.drain(..whole);
        let more: Vec<u8> = body.by_ref().take(head.data_length).collect();
        let payload = body.collect();
        let mut data = head.data;
        if !more.is_empty() {
            data.extend(serde_json::from_slice::<Map<String, Value>>(&more).map_err(|_| BadEvent)?);
        }
        Ok(Some(Event { kind: head.kind, data, payload }))
    }

    fn line(&mut self) -> Result<Option<Head>, BadEvent> {
        let unseen = self.bytes.get(self.seen..).unwrap_or_default();
        let Some(end) = unseen.iter().position(|&byte| byte == b'\n') else {
            self.seen = self.bytes.len();
            return if self.seen > LINE_MAX { Err(BadEvent) } else { Ok(None) };
        };
        let line: Vec<u8> = self.bytes.drain(..=self.seen + end).collect();
        self.seen = 0;
        let line: Value = serde_json::from_slice(&line).map_err(|_| BadEvent)?;
        let length = |name: &str, most: usize| match line.get(name) {
            None | Some(Value::Null) => Ok(0),
            Some(length) => {
                let length = length.as_u64().and_then(|length| usize::try_from(length).ok());
                length.filter(|length| *length <= most).ok_or(BadEvent)
            }
        };
        Ok(Some(Head {
            kind: line.get("type").and_then(Value::as_str).ok_or(BadEvent)?.to_owned(),
            data: line.get("data").and_then(Value::as_object).cloned().unwrap_or_default(),
            data_length: length("data_length", DATA_MAX)?,
            payload_length: length("payload_length", PAYLOAD_MAX)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(bytes: &[u8], step: usize) -> Result<Vec<Event>, BadEvent> {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        for part in bytes.chunks(step) {
            reader.put(part);
            while let Some(event) = reader.next()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    #[test]
    fn data_is_read_from_the_line_and_from_behind_it() {
        let within = b"{\"type\":\"transcript\",\"data\":{\"text\":\"yes\"},\"more\":1}\n";
        let mut both = within.to_vec();
        both.extend(encode("transcript", &json!({"text": "no"}), &[]));
        both.extend(b"{\"type\":\"transcript\",\"data\":{\"a\":1},\"data_length\":13}\n{\"text\":\"so\"}");
        for step in [1, 7, 1000] {
            let events = read(&both, step).unwrap();
            let texts: Vec<&str> = events.iter().map(|event| event.text("text")).collect();
            assert_eq!(texts, ["yes", "no", "so"]);
            assert_eq!(events.last().unwrap().number("a"), Some(1));
        }
    }

    #[test]
    fn what_nobody_could_hold_and_what_is_no_event_is_refused() {
        for bad in [
            &b"nonsense\n"[..],
            b"[]\n",
            b"{\"data\":{}}\n",
            b"{\"type\":\"x\",\"payload_length\":99999999999}\n",
            b"{\"type\":\"x\",\"data_length\":-1}\n",
            b"{\"type\":\"x\",\"data_length\":2}\n[]",
        ] {
            assert_eq!(read(bad, 5), Err(BadEvent), "{:?}", String::from_utf8_lossy(bad));
        }
        assert_eq!(read(&vec![b' '; LINE_MAX + 2], 4096), Err(BadEvent));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(
            events in prop::collection::vec(("[a-z-]{1,12}", "\\PC{0,20}", prop::collection::vec(any::<u8>(), 0..80)), 0..6),
            step in 1usize..200,
        ) {
            let bytes: Vec<u8> =
                events.iter().flat_map(|(kind, text, payload)| encode(kind, &json!({"text": text}), payload)).collect();
            let read = read(&bytes, step).unwrap();
            prop_assert_eq!(read.len(), events.len());
            for (event, (kind, text, payload)) in read.iter().zip(&events) {
                prop_assert_eq!((&event.kind, event.text("text"), &event.payload), (kind, text.as_str(), payload));
            }
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..50) {
            let _ = read(&bytes, step);
        }
    }
}
