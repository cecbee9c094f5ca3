//! `/lab/...`: how tests and people set the switches and the script, and read what was seen.

use crate::answer::Answer;
use crate::faults::{Faults, SWITCHES};
use crate::http::Request;
use crate::server::Shared;
use serde_json::{Value, json};

/// Answers a request below `/lab`.
pub(crate) fn answer(request: &Request, path: &[&str], shared: &Shared) -> Answer {
    let body = String::from_utf8_lossy(&request.body);
    match (request.method.as_str(), path) {
        ("GET", []) => index(shared),
        ("GET", ["seen"]) => Answer::json(200, &shared.book.all().to_json()),
        ("DELETE", ["seen"]) | ("POST", ["seen", "forget"]) => done(|| shared.book.forget()),
        ("GET", ["certificate"]) => match shared.authority_pem() {
            Some(pem) => Answer::text(200, "application/x-pem-file", pem),
            None => Answer::json(404, &json!({"error": "TLS is off"})),
        },
        ("POST", ["faults"]) => match body.parse::<Faults>() {
            Ok(faults) => done(|| shared.add_faults(faults)),
            Err(error) => Answer::json(400, &json!({"error": error.to_string()})),
        },
        ("DELETE", ["faults"]) | ("POST", ["faults", "clear"]) => done(|| shared.clear_faults()),
        ("POST", ["script"]) => script(&body, shared),
        ("DELETE", ["script"]) => done(|| shared.script.forget()),
        _ => Answer::json(
            404,
            &json!({"error": "known: /lab, /lab/seen, /lab/faults, /lab/script, /lab/certificate"}),
        ),
    }
}

fn done(change: impl FnOnce()) -> Answer {
    change();
    Answer::json(200, &json!({"done": true}))
}

fn index(shared: &Shared) -> Answer {
    let switches: Vec<Value> =
        SWITCHES.iter().map(|(name, does)| json!({"switch": name, "does": does})).collect();
    Answer::json(
        200,
        &json!({
            "voice": shared.speaker.name(),
            "model": "scripted; it does not think",
            "recogniser": "speech times by energy, keys by DTMF; words only from the script",
            "faults": shared.faults_set(),
            "switches": switches,
        }),
    )
}

/// `{"utterances": [...], "replies": [...]}`: what callers say next, and what the model answers next.
fn script(body: &str, shared: &Shared) -> Answer {
    let Ok(lines) = serde_json::from_str::<Value>(body) else {
        return Answer::json(400, &json!({"error": "expected {\"utterances\": [...], \"replies\": [...]}"}));
    };
    let texts = |name: &str| {
        let list = lines.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    done(|| shared.script.add(texts("utterances"), texts("replies")))
}
