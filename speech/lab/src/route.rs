//! Which path leads to which protocol.

use crate::answer::Answer;
use crate::control;
use crate::deepgram::{self, Aura, Flux, Listen};
use crate::elevenlabs::{self, Multi, Settings, Setup, Single};
use crate::faults::Faults;
use crate::http::Request;
use crate::openai::{self, Realtime};
use crate::seen::Page;
use crate::server::Shared;
use crate::session::Session;
use crate::truevoice::Conversation;
use offhook_units::Moment;
use serde_json::json;
use std::sync::Arc;

/// What is at the other end of a path.
pub(crate) enum Route {
    Socket(Box<dyn Session>),
    Answer(Answer),
}

/// Where `request` leads.
pub(crate) fn route(now: Moment, request: &Request, shared: &Shared, faults: &Faults, page: &Page) -> Route {
    let socket = request.websocket_key().is_some();
    let path: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
    match (socket, request.method.as_str(), path.as_slice()) {
        (true, _, ["v1", "text-to-speech", _, "stream-input"]) => {
            Route::Socket(Box::new(Single::new(elevenlabs_setup(request, shared, faults, page))))
        }
        (true, _, ["v1", "text-to-speech", _, "multi-stream-input"]) => {
            Route::Socket(Box::new(Multi::new(elevenlabs_setup(request, shared, faults, page))))
        }
        (true, _, ["v1", "listen"]) => {
            by_deepgram(request, shared, socket_of(Listen::new(request, &shared.script, faults, page)))
        }
        (true, _, ["v2", "listen"]) => {
            by_deepgram(request, shared, socket_of(Flux::new(request, &shared.script, faults, page)))
        }
        (true, _, ["v1", "speak"]) => {
            by_deepgram(request, shared, socket_of(Aura::new(request, &shared.speaker, faults, page)))
        }
        (false, "POST", ["v1", "speak"]) => {
            let answer = deepgram::speak(now, request, &shared.speaker, faults, page);
            by_deepgram(request, shared, answer.map(Route::Answer))
        }
        (true, _, ["v1", "realtime"]) if shared.key_fits(request.authorization()) => {
            let model = request.field("model").unwrap_or_else(|| "lab".to_owned());
            let session = Realtime::new(model, &shared.speaker, &shared.script, faults, page);
            Route::Socket(Box::new(session))
        }
        (true, _, ["v1", "realtime"]) => {
            let error =
                json!({"type": "invalid_request_error", "code": "invalid_api_key", "message": "Wrong key."});
            Route::Answer(Answer::json(401, &json!({"error": error})))
        }
        (true, _, ["ws", "conversation"])
            if shared.key_fits(request.authorization().or(request.header("x-api-key"))) =>
        {
            Route::Socket(Box::new(Conversation::new(&shared.speaker, &shared.script, faults, page)))
        }
        (true, _, ["ws", "conversation"]) => {
            Route::Answer(Answer::json(401, &json!({"type": "error", "code": "invalid_api_key"})))
        }
        (false, "POST", ["v1", "text-to-speech", _, ..]) => {
            let fits = shared.key_fits(request.header("xi-api-key"));
            Route::Answer(elevenlabs::stream(now, request, &shared.speaker, faults, page, fits))
        }
        (false, "POST", ["v1", "chat", "completions"] | ["chat", "completions"]) => {
            let fits = shared.key_fits(request.authorization());
            Route::Answer(openai::chat(now, request, &shared.script, faults, page, fits))
        }
        (false, "GET", ["v1", "models"]) => {
            let models = json!([{"id": "lab", "object": "model", "created": 1, "owned_by": "lab"}]);
            Route::Answer(Answer::json(200, &json!({"object": "list", "data": models})))
        }
        (false, _, ["lab", rest @ ..]) => Route::Answer(control::answer(request, rest, shared)),
        (
            false,
            _,
            ["v1", "text-to-speech", _, "stream-input" | "multi-stream-input"]
            | ["v1" | "v2", "listen"]
            | ["v1", "speak" | "realtime"]
            | ["ws", "conversation"],
        ) => Route::Answer(upgrade_required()),
        _ => Route::Answer(Answer::json(
            404,
            &json!({"error": {"message": "the lab has nothing here", "code": "not_found"}}),
        )),
    }
}

/// For who takes a WebSocket's path for a page (RFC 9110 section 15.5.22).
fn upgrade_required() -> Answer {
    let message = "this is a WebSocket: connect with ws:// or wss://";
    let body = json!({"error": {"message": message, "code": "upgrade_required"}});
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("upgrade", "websocket".to_owned()),
        ("connection", "upgrade".to_owned()),
    ];
    Answer::Whole { status: 426, headers, body: format!("{body}\n").into_bytes() }
}

fn elevenlabs_setup(request: &Request, shared: &Shared, faults: &Faults, page: &Page) -> Setup {
    Setup {
        settings: Settings::of(request, faults),
        speaker: Arc::clone(&shared.speaker),
        faults: faults.clone(),
        page: page.clone(),
        wrong_key: !shared.key_fits(request.header("xi-api-key")),
    }
}

fn socket_of(session: Option<impl Session + 'static>) -> Result<Route, &'static str> {
    let session = session.ok_or("The lab takes linear16, mulaw and alaw, with a sample_rate.")?;
    Ok(Route::Socket(Box::new(session)))
}

/// Deepgram refuses a wrong key and a wrong query at once, with headers that say why.
fn by_deepgram(request: &Request, shared: &Shared, route: Result<Route, &'static str>) -> Route {
    let refusal = |status, code: &str, message: &str| {
        let body = json!({"err_code": code, "err_msg": message, "request_id": "lab"});
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("dg-request-id", "lab".to_owned()),
            ("dg-error", message.to_owned()),
        ];
        Route::Answer(Answer::Whole { status, headers, body: body.to_string().into_bytes() })
    };
    let by_protocol = request
        .header("sec-websocket-protocol")
        .and_then(|text| text.split_once(','))
        .map(|(_, key)| key.trim());
    if !shared.key_fits(request.authorization().or(by_protocol)) {
        return refusal(401, "INVALID_AUTH", "Invalid credentials.");
    }
    route.unwrap_or_else(|message| refusal(400, "Bad Request", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Book;
    use crate::server::{Lab, Options};
    use crate::speak::LabVoice;

    #[test]
    fn who_takes_a_websocket_for_a_page_is_told_what_it_is() {
        let options = Options { voice: LabVoice::Tones, https_port: None, ..Options::default() };
        let lab = Lab::start(options).unwrap();
        let page = Book::default().open(Moment::ZERO, "", "", false);
        let status = |path: &str| {
            let request = Request { method: "GET".to_owned(), path: path.to_owned(), ..Request::default() };
            match route(Moment::ZERO, &request, &lab.shared, &Faults::default(), &page) {
                Route::Answer(Answer::Whole { status, headers, body }) => {
                    let told = String::from_utf8(body).unwrap().contains("connect with ws://");
                    (status, told && headers.contains(&("upgrade", "websocket".to_owned())))
                }
                _ => (0, false),
            }
        };
        for path in [
            "/v1/text-to-speech/v/multi-stream-input",
            "/v1/text-to-speech/v/stream-input",
            "/v1/listen",
            "/v2/listen",
            "/v1/speak",
            "/v1/realtime",
            "/ws/conversation",
        ] {
            assert_eq!(status(path), (426, true), "{path}");
        }
        assert_eq!(status("/v1/nothing"), (404, false));
    }
}
