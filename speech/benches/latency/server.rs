//! The services that the bench measures against: as little of each as its client needs, a thread for each connection,
//! and a note of when each byte went out and came in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Message, WebSocket, accept_hdr};

/// Samples of a frame of speech, each one word: 100 ms at 8 kHz.
pub(crate) const FRAME: usize = 800;
/// Frames that a call is sent, and how long apart.
pub(crate) const FRAMES: usize = 40;
const FRAME_GAP: Duration = Duration::from_millis(50);
/// Sentences that the model writes in a call, and how long apart.
pub(crate) const SENTENCES: usize = 15;
const SENTENCE_GAP: Duration = Duration::from_millis(60);

/// How far apart a chorus is.
const CHORUS_GAP: Duration = Duration::from_millis(100);

type Said = Vec<(String, Instant)>;

/// When what happened, for each call. Of calls from `in_chorus` on all models write in the same moment.
pub(crate) struct Times {
    calls: Vec<Mutex<Call>>,
    in_chorus: usize,
    origin: Instant,
}

#[derive(Default)]
struct Call {
    frames: Vec<Instant>,
    tokens: Said,
    texts: Said,
}

impl Times {
    pub(crate) fn new(calls: usize, in_chorus: usize) -> Self {
        Self { calls: (0..calls).map(|_| Mutex::default()).collect(), in_chorus, origin: Instant::now() }
    }

    /// When each frame went out.
    pub(crate) fn frames(&self, call: usize) -> Vec<Instant> {
        self.calls[call].lock().unwrap().frames.clone()
    }

    /// When the token that completes a sentence went out.
    pub(crate) fn tokens(&self, call: usize) -> Said {
        self.calls[call].lock().unwrap().tokens.clone()
    }

    /// When a sentence came in at the voice.
    pub(crate) fn texts(&self, call: usize) -> Said {
        self.calls[call].lock().unwrap().texts.clone()
    }

    /// Until the next moment in which the models of a chorus write.
    fn to_the_beat(&self) -> Duration {
        let past = self.origin.elapsed().as_micros() % CHORUS_GAP.as_micros();
        CHORUS_GAP - Duration::from_micros(u64::try_from(past).unwrap_or(0))
    }

    fn note(&self, call: usize, note: impl FnOnce(&mut Call)) {
        if let Some(call) = self.calls.get(call) {
            note(&mut call.lock().unwrap());
        }
    }
}

/// Opens the door.
pub(crate) fn serve(times: &Arc<Times>) -> SocketAddr {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = door.local_addr().unwrap();
    let times = Arc::clone(times);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = door.accept() {
            let times = Arc::clone(&times);
            std::thread::spawn(move || receive(stream, &times));
        }
    });
    address
}

fn receive(stream: TcpStream, times: &Times) {
    let _ = stream.set_nodelay(true);
    let mut start = [0; 4];
    if !matches!(stream.peek(&mut start), Ok(4)) {
        return;
    }
    if &start == b"POST" {
        return think(stream, times);
    }
    let mut path = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        request.uri().path().clone_into(&mut path);
        Ok(response)
    };
    let Ok(socket) = accept_hdr(stream, look) else { return };
    let voice =
        path.split_once("text-to-speech/v").and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
    match voice {
        Some(call) => speak(socket, call, times),
        None => listen(socket),
    }
}

/// `multi-stream-input`: a frame for each word of the first text that is longer than a sentence; the others are noted and
/// said in no time, since a voice that says nothing is given up, and is not written to while too much is unsaid.
fn speak(mut socket: WebSocket<TcpStream>, call: usize, times: &Times) {
    while let Ok(message) = socket.read() {
        let came = Instant::now();
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        let text = message["text"].as_str().unwrap_or_default().trim().to_owned();
        if message["flush"] != true {
            continue;
        }
        if text.split(' ').count() < FRAMES {
            if socket.send(Message::text(said(&text, &message["context_id"]))).is_err() {
                return;
            }
            times.note(call, |call| call.texts.push((text, came)));
            continue;
        }
        let audio = STANDARD.encode([0x10; FRAME]);
        let chars = json!({"chars": ["w", "o", "r", "d", " "], "charStartTimesMs": [0, 20, 40, 60, 80], "charDurationsMs": [20, 20, 20, 20, 20]});
        let frame =
            json!({"audio": audio, "contextId": message["context_id"], "alignment": chars}).to_string();
        for _ in 0..FRAMES {
            times.note(call, |call| call.frames.push(Instant::now()));
            if socket.send(Message::text(frame.clone())).is_err() {
                return;
            }
            std::thread::sleep(FRAME_GAP);
        }
    }
}

/// All of a text in one frame, a millisecond a letter.
fn said(text: &str, context: &Value) -> String {
    let chars: Vec<String> = text.chars().map(String::from).collect();
    let audio = STANDARD.encode(vec![0x10; chars.len() * FRAME / 100]);
    let starts: Vec<usize> = (0..chars.len()).collect();
    let lengths = vec![1; chars.len()];
    let alignment = json!({"chars": chars, "charStartTimesMs": starts, "charDurationsMs": lengths});
    json!({"audio": audio, "contextId": context, "alignment": alignment}).to_string()
}

/// `listen`: somebody has said something, as soon as the caller is there.
fn listen(mut socket: WebSocket<TcpStream>) {
    let said = json!({"type": "Results", "is_final": true, "speech_final": true, "channel": {"alternatives": [{"transcript": "Tell me all of it."}]}});
    let _ = socket.send(Message::text(said.to_string()));
    while socket.read().is_ok() {}
}

/// Chat completions: one sentence after the other, each completed by the token that begins the next one.
fn think(mut stream: TcpStream, times: &Times) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    let body = loop {
        let Ok(count) = stream.read(&mut part) else { return };
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        match text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok()) {
            Some(body) => break body,
            None if count == 0 => return,
            None => {}
        }
    };
    let model = body["model"].as_str().unwrap_or_default();
    let Some(call) = model.strip_prefix('v').and_then(|number| number.parse::<usize>().ok()) else { return };
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    let mut token = |text: &str| {
        let data = json!({"choices": [{"delta": {"content": text}}]});
        stream.write_all(format!("data: {data}\n\n").as_bytes()).is_ok()
    };
    if call < times.in_chorus {
        std::thread::sleep(SENTENCE_GAP * u32::try_from(call % 50).unwrap_or(0) / 50);
    }
    for number in 0..SENTENCES {
        std::thread::sleep(SENTENCE_GAP);
        let sentence = format!("This is sentence number {number} of them all.");
        if !token(&sentence) {
            return;
        }
        let wait = if call < times.in_chorus { Duration::from_millis(5) } else { times.to_the_beat() };
        std::thread::sleep(wait);
        times.note(call, |call| call.tokens.push((sentence, Instant::now())));
        if !token(" And") || !token(" so on. ") {
            return;
        }
    }
    let _ = stream.write_all(b"data: [DONE]\n\n");
}
