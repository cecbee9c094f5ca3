//! Any bytes as a stream of events, and as an HTTP response: read the same however they are cut, or refused in the same
//! way, and never grown beyond what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_speech::wire::http::{HttpEvent, HttpParser};
use offhook_speech::wire::sse::{SseEvent, SseParser};

fuzz_target!(|bytes: &[u8]| {
    let [piece, bytes @ ..] = bytes else { return };
    let piece = usize::from(*piece).max(1);
    let whole = events(bytes, bytes.len().max(1));
    assert_eq!(whole, events(bytes, piece), "where a stream is cut makes no difference");
    // A byte that is no UTF-8 becomes a character of three.
    let size: usize = whole.iter().flatten().map(|event| event.data.len()).sum();
    assert!(size <= 3 * bytes.len());
    let whole = body(bytes, bytes.len().max(1));
    assert_eq!(whole, body(bytes, piece), "where a response is cut makes no difference");
    assert!(whole.1.len() <= bytes.len());
});

fn events(bytes: &[u8], piece: usize) -> Option<Vec<SseEvent>> {
    let (mut parser, mut events) = (SseParser::new(), Vec::new());
    bytes.chunks(piece).try_for_each(|part| parser.put(part, &mut events)).ok().map(|()| events)
}

/// Its status, its body as far as it could be read, and whether it ended well.
fn body(bytes: &[u8], piece: usize) -> (Option<u16>, Vec<u8>, bool) {
    let (mut parser, mut events) = (HttpParser::new(), Vec::new());
    let read = bytes.chunks(piece).try_for_each(|part| parser.put(part, &mut events));
    let read = read.and_then(|()| parser.finish(&mut events));
    let (mut status, mut body) = (None, Vec::new());
    for event in events {
        match event {
            HttpEvent::Head(head) => status = Some(head.status),
            HttpEvent::Body(part) => body.extend(part),
            HttpEvent::End => {}
        }
    }
    (status, body, read.is_ok())
}
