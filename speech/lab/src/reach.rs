//! Which switches do something where. Those of the whole connection (`kill`, `refuse`, `mute`...) do so everywhere and
//! are not judged.

use crate::faults::{Faults, Keys, Way};

/// A path with its way, and the switches that its protocol has of its own. `VOICE` is anything.
const PLACES: [(&str, Way, &[&str]); 11] = [
    (
        "/v1/text-to-speech/VOICE/multi-stream-input",
        Way::Socket,
        &["pace", "cut", "first_ms", "late", "contexts", "no_final", "idle_ms", "keys"],
    ),
    (
        "/v1/text-to-speech/VOICE/stream-input",
        Way::Socket,
        &["pace", "cut", "first_ms", "no_final", "idle_ms", "keys"],
    ),
    (
        "/v1/text-to-speech/VOICE/stream/with-timestamps",
        Way::Http,
        &["pace", "cut", "first_ms", "keys", "split"],
    ),
    ("/v1/listen", Way::Socket, &["no_final", "utterance_end", "idle_ms"]),
    ("/v2/listen", Way::Socket, &["idle_ms"]),
    ("/v1/speak", Way::Socket, &["pace", "cut", "first_ms", "late"]),
    ("/v1/speak", Way::Http, &["pace", "cut", "first_ms", "split"]),
    ("/v1/chat/completions", Way::Http, &["first_ms", "token_ms", "split", "reasoning", "no_done"]),
    ("/v1/realtime", Way::Socket, &["pace", "cut", "first_ms", "late"]),
    ("/ws/conversation", Way::Socket, &["pace", "cut", "first_ms", "token_ms", "late"]),
    ("wyoming", Way::Socket, &["pace", "cut", "first_ms"]),
];

/// A switch that does nothing on any of the paths that `faults` are for.
pub(crate) fn in_vain(faults: &Faults) -> Option<&'static str> {
    let holds =
        |path: &str, way| path.contains(&faults.path) && faults.way.is_none_or(|wanted| wanted == way);
    first_in_vain(faults, holds)
}

/// A switch that does nothing for a request.
pub(crate) fn in_vain_at(faults: &Faults, path: &str, way: Way) -> Option<&'static str> {
    let tail = |place: &'static str| place.split("VOICE").last().unwrap_or(place);
    first_in_vain(faults, |place, its_way| path.ends_with(tail(place)) && its_way == way)
}

/// Nothing is in vain where no place is known.
fn first_in_vain(faults: &Faults, fits: impl Fn(&'static str, Way) -> bool) -> Option<&'static str> {
    let known: Vec<&[&str]> =
        PLACES.iter().filter(|(path, way, _)| fits(path, *way)).map(|(_, _, known)| *known).collect();
    if known.is_empty() {
        return None;
    }
    set_of_some(faults).find(|name| !known.iter().any(|known| known.contains(name)))
}

/// Which of the switches that only some protocols have are set.
fn set_of_some(faults: &Faults) -> impl Iterator<Item = &'static str> {
    [
        ("pace", faults.pace.is_some()),
        ("cut", faults.cut.is_some()),
        ("first_ms", faults.first_ms.is_some()),
        ("token_ms", faults.token_ms.is_some()),
        ("late", faults.late > 0),
        ("contexts", faults.contexts.is_some()),
        ("no_final", faults.no_final),
        ("utterance_end", faults.utterance_end.is_some()),
        ("idle_ms", faults.idle_ms.is_some()),
        ("split", faults.split.is_some()),
        ("keys", faults.keys != Keys::Camel),
        ("reasoning", faults.reasoning),
        ("no_done", faults.no_done),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
}
