//! Wyoming's events on the wire: a line of JSON, then data in JSON and a payload of bytes whose lengths the line
//! told.

use serde_json::{Map, Value, json};

/// Longest line, longest data and longest payload, in bytes.
const LONGEST_LINE: usize = 64 * 1024;
const LONGEST_PART: usize = 4 * 1024 * 1024;

/// An event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: Value,
    pub(crate) payload: Vec<u8>,
}

/// Bytes that are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadEvent;

impl Event {
    pub(crate) fn new(kind: &str, data: Value) -> Self {
        Self { kind: kind.to_owned(), data, payload: Vec::new() }
    }

    /// A text field of the data.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.data.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The event at the beginning of `bytes`, and how long it is; `None` when more must come.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, BadEvent> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            return if bytes.len() > LONGEST_LINE { Err(BadEvent) } else { Ok(None) };
        };
        let line: Value =
            serde_json::from_slice(bytes.get(..end).unwrap_or_default()).map_err(|_| BadEvent)?;
        let kind = line.get("type").and_then(Value::as_str).ok_or(BadEvent)?.to_owned();
        let length = |name: &str| match line.get(name).filter(|value| !value.is_null()) {
            None => Ok(0),
            Some(value) => match value.as_u64().and_then(|length| usize::try_from(length).ok()) {
                Some(length) if length <= LONGEST_PART => Ok(length),
                _ => Err(BadEvent),
            },
        };
        let (data_from, payload_from) = (end + 1, end + 1 + length("data_length")?);
        let whole = payload_from + length("payload_length")?;
        let Some(payload) = bytes.get(payload_from..whole) else { return Ok(None) };
        // What is in the line counts, and what is in the block counts more.
        let mut data = line.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        let block = bytes.get(data_from..payload_from).unwrap_or_default();
        if !block.is_empty() {
            data.extend(serde_json::from_slice::<Map<String, Value>>(block).map_err(|_| BadEvent)?);
        }
        Ok(Some((Self { kind, data: data.into(), payload: payload.to_vec() }, whole)))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let data = if self.data.is_null() { String::new() } else { self.data.to_string() };
        let line = json!({
            "type": self.kind, "version": "1.10.2",
            "data_length": data.len(), "payload_length": self.payload.len(),
        });
        [format!("{line}\n").as_bytes(), data.as_bytes(), &self.payload].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn data_is_taken_from_the_line_and_from_the_block() {
        let bytes = b"{\"type\":\"x\",\"data\":{\"a\":1,\"b\":1},\"data_length\":7,\"payload_length\":2}\n{\"b\":2}OKrest";
        let (event, length) = Event::parse(bytes).unwrap().unwrap();
        assert_eq!((event.data, event.payload.as_slice()), (json!({"a": 1, "b": 2}), &b"OK"[..]));
        assert_eq!(length, bytes.len() - 4);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for bad in [
            "no json\n",
            "{}\n",
            "{\"type\":\"x\",\"data_length\":-1}\n",
            "{\"type\":\"x\",\"data_length\":99999999999}\n",
        ] {
            assert_eq!(Event::parse(bad.as_bytes()), Err(BadEvent), "{bad}");
        }
        assert_eq!(Event::parse(&vec![b' '; LONGEST_LINE + 1]), Err(BadEvent));
    }

    proptest! {
        #[test]
        fn an_event_comes_back_whole_and_only_whole(kind in "[a-z-]{1,12}", text in ".{0,40}", payload in proptest::collection::vec(any::<u8>(), 0..60)) {
            let event = Event { kind, data: json!({"text": text}), payload };
            let bytes = event.to_bytes();
            for short in 0..bytes.len() {
                prop_assert_eq!(Event::parse(&bytes[..short]), Ok(None));
            }
            prop_assert_eq!(Event::parse(&bytes), Ok(Some((event, bytes.len()))));
        }
    }
}
