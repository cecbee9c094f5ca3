//! The lab over real sockets, in this process: what a client sees of the switches, and what the lab remembers.

use offhook_lab::{Faults, Lab, LabVoice, Options, Seen};
use serde_json::{Value, json};
use tungstenite::{Error, Message};

const VOICE: &str = "/v1/text-to-speech/v/multi-stream-input?output_format=ulaw_8000";
/// 60 ms a letter: 1.5 s of tones.
const SENTENCE: &str = "Twenty-five letters here.";

fn lab() -> Lab {
    Lab::start(Options { voice: LabVoice::Tones, ..Options::default() }).expect("the lab starts")
}

/// How a client's visit went.
#[derive(Debug, Default)]
struct Heard {
    bytes: usize,
    finals: usize,
    others: usize,
    close: Option<u16>,
    lost: bool,
}

/// Has one sentence spoken on a context, and listens until the end.
fn speak(lab: &Lab, query: &str) -> Result<Heard, Box<Error>> {
    let url = format!("ws://{}{VOICE}{query}", lab.addresses().http);
    let (mut socket, _) = tungstenite::connect(url).map_err(Box::new)?;
    for message in [
        json!({"text": " ", "context_id": "t1"}),
        json!({"text": SENTENCE, "context_id": "t1", "flush": true}),
        json!({"close_socket": true}),
    ] {
        // A lab that is gone already is the reader's news.
        let _ = socket.send(Message::text(message.to_string()));
    }
    let mut heard = Heard::default();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => match serde_json::from_str::<Value>(&text) {
                Ok(message) if message["isFinal"] == true => heard.finals += 1,
                // Base64 has four letters for three bytes.
                Ok(message) if message["audio"].is_string() => {
                    heard.bytes +=
                        message["audio"].as_str().unwrap_or_default().trim_end_matches('=').len() * 3 / 4;
                }
                _ => heard.others += 1,
            },
            Ok(Message::Close(frame)) => heard.close = frame.map(|frame| frame.code.into()),
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(heard),
            Err(_) => {
                heard.lost = true;
                return Ok(heard);
            }
        }
    }
}

/// What the lab remembers, once every visit is over.
fn seen(lab: &Lab) -> Seen {
    loop {
        let seen = lab.seen();
        if seen.open_at("/") == 0 {
            return seen;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_healthy_session_gives_all_its_audio_and_is_remembered() {
    let lab = lab();
    let heard = speak(&lab, "").unwrap();
    assert_eq!((heard.bytes, heard.finals, heard.close), (SENTENCE.len() * 480, 1, Some(1000)));
    let seen = seen(&lab);
    let visit = seen.at("multi-stream-input").next().unwrap();
    assert_eq!((visit.text().as_str(), visit.contexts.as_slice()), (SENTENCE, &["t1".to_owned()][..]));
    assert_eq!((visit.audio_out, visit.unheard), (heard.bytes as u64, 0));
    assert_eq!(visit.closed.as_ref().unwrap().1, "lab closed 1000");
}

#[test]
fn every_close_code_arrives_at_once_or_in_mid_sentence() {
    let lab = lab();
    for code in [1000, 1001, 1002, 1003, 1008, 1009, 1011, 1012, 1013, 4000, 4999] {
        let at_once = speak(&lab, &format!("&lab.close={code}")).unwrap();
        assert_eq!((at_once.bytes, at_once.close), (0, Some(code)));
    }
    let heard = speak(&lab, "&lab.close=1012&lab.after=600").unwrap();
    assert_eq!((heard.bytes, heard.finals, heard.close), (3 * 1600, 0, Some(1012)));
}

#[test]
fn a_killed_connection_has_no_close_and_half_a_sentence() {
    let lab = lab();
    let heard = speak(&lab, "&lab.kill&lab.after=400").unwrap();
    assert_eq!((heard.bytes, heard.finals, heard.close, heard.lost), (2 * 1600, 0, None, true));
    assert_eq!(seen(&lab).visits[0].audio_out, heard.bytes as u64);
}

#[test]
fn a_refusal_is_an_answer_of_http_and_ends_after_so_many_times() {
    let lab = lab();
    lab.set_fault("path=multi,refuse=503,times=2".parse().unwrap());
    for _ in 0..2 {
        let Err(error) = speak(&lab, "") else { panic!("not refused") };
        assert!(matches!(*error, Error::Http(answer) if answer.status() == 503));
    }
    assert_eq!(speak(&lab, "").unwrap().close, Some(1000));
    lab.set_fault(Faults { close: Some(1011), ..Faults::default() });
    assert_eq!(speak(&lab, "").unwrap().close, Some(1011));
    lab.clear_faults();
    assert_eq!(speak(&lab, "").unwrap().close, Some(1000));
}

#[test]
fn noise_and_odd_pieces_leave_the_audio_whole() {
    let lab = lab();
    let heard = speak(&lab, "&lab.noise&lab.garbage&lab.cut=333&lab.pace=0").unwrap();
    assert_eq!((heard.bytes, heard.finals), (SENTENCE.len() * 480, 1));
    // Two for each message: 37 pieces of audio, and the end.
    assert_eq!(heard.others, 2 * 38);
}

#[test]
fn a_mute_service_says_that_it_is_done_and_nothing_else() {
    let lab = lab();
    let heard = speak(&lab, "&lab.mute").unwrap();
    assert_eq!((heard.bytes, heard.finals, heard.close), (0, 1, Some(1000)));
}

#[test]
fn a_wrong_switch_is_no_session() {
    let lab = lab();
    let Err(error) = speak(&lab, "&lab.clos=1011") else { panic!("taken") };
    assert!(matches!(*error, Error::Http(answer) if answer.status() == 400));
}

#[test]
fn a_wrong_key_is_taken_and_thrown_out() {
    let lab = Lab::start(Options { voice: LabVoice::Tones, key: Some("k".to_owned()), ..Options::default() })
        .unwrap();
    assert_eq!(speak(&lab, "").unwrap().close, Some(1008));
}

#[test]
fn a_lab_that_stops_takes_its_connections_with_it() {
    let lab = lab();
    let url = format!("ws://{}{VOICE}", lab.addresses().http);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    let address = lab.addresses().http;
    lab.stop();
    assert!(socket.read().is_err());
    assert!(tungstenite::connect(format!("ws://{address}{VOICE}")).is_err());
}

#[test]
fn there_is_room_for_so_many_and_for_more_when_they_have_gone() {
    let lab = Lab::start(Options { voice: LabVoice::Tones, connections: 2, ..Options::default() }).unwrap();
    let url = format!("ws://{}{VOICE}", lab.addresses().http);
    let first = tungstenite::connect(&url).unwrap();
    let second = tungstenite::connect(&url).unwrap();
    assert!(tungstenite::connect(&url).is_err());
    drop((first, second));
    // Its thread ends soon after; a client that is turned away meanwhile tries again.
    while tungstenite::connect(&url).is_err() {
        std::thread::yield_now();
    }
}

#[test]
fn a_switch_that_does_nothing_at_the_path_of_its_own_request_is_refused() {
    let lab = lab();
    for (path, is_refused) in [("/v2/listen?lab.no_final", true), ("/v1/listen?lab.no_final", false)] {
        let url = format!("ws://{}{path}&encoding=mulaw&sample_rate=8000", lab.addresses().http);
        let refused = match tungstenite::connect(url) {
            Err(Error::Http(answer)) => answer.status() == 400,
            other => other.is_err(),
        };
        assert_eq!(refused, is_refused, "{path}");
    }
}
