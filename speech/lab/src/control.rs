//! `/lab/...`: how tests and people set the switches and the script, and read what was seen.

use crate::answer::Answer;
use crate::faults::{Faults, SWITCHES};
use crate::http::Request;
use crate::server::Shared;
use serde_json::{Map, Value, json};

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

/// What callers say next, and what the model answers next.
fn script(body: &str, shared: &Shared) -> Answer {
    match lines(body) {
        Some((utterances, replies)) => done(|| shared.script.add(utterances, replies)),
        None => {
            let expected =
                "expected {\"utterances\": [TEXT, ...], \"replies\": [TEXT, ...]}, or one of the two";
            Answer::json(400, &json!({"error": expected}))
        }
    }
}

/// The two lists of a script; `None` for anything else, which somebody would wait for in vain.
fn lines(body: &str) -> Option<(Vec<String>, Vec<String>)> {
    let lines: Map<String, Value> = serde_json::from_str(body).ok()?;
    if lines.is_empty() || lines.keys().any(|name| !["utterances", "replies"].contains(&name.as_str())) {
        return None;
    }
    let texts = |name: &str| match lines.get(name) {
        None => Some(Vec::new()),
        Some(list) => list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
    };
    Some((texts("utterances")?, texts("replies")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_two_lists_of_texts_or_one_and_nothing_else() {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let both = r#"{"utterances": ["a", "b"], "replies": ["c"]}"#;
        assert_eq!(lines(both), Some((owned(&["a", "b"]), owned(&["c"]))));
        assert_eq!(lines(r#"{"replies": ["c"]}"#), Some((vec![], owned(&["c"]))));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"utterences": ["x"]}"#,
            r#"{"utterances": "x"}"#,
            r#"{"utterances": [1]}"#,
            r#"{"utterances": ["x"], "repies": ["y"]}"#,
        ] {
            assert_eq!(lines(wrong), None, "{wrong}");
        }
    }
}
