//! Which page a request is for, and who may see it.

use super::browser;
use super::request::{Method, Request};
use super::response::{Kind, Response, Status};
use offhook_units::Pii;
use serde::Deserialize;

/// A part of the appliance that calls need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// Whether it can do its work.
    pub is_ready: bool,
    /// Why not, or what there is to say.
    pub why: String,
}

/// What can be done with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Press these telephone keys.
    Press(Pii<String>),
    /// Put the far end on hold.
    Hold,
    /// Take it up again.
    Resume,
    /// Have the far end call this number or address instead.
    Transfer(Pii<String>),
    /// Connect it with the far end of this other call.
    TransferToCall(u64),
    /// Hang up.
    HangUp,
}

/// Who makes the pages. Each method is asked at most once a request.
pub trait Pages {
    /// Every part that calls need.
    fn parts(&mut self) -> Vec<Part>;
    /// The metrics, in the text format of Prometheus.
    fn metrics(&mut self) -> String;
    /// All calls, as JSON.
    fn sessions(&mut self) -> String;
    /// One call, as JSON.
    fn session(&mut self, id: u64) -> Option<String>;
    /// Stops the device's voice in every call where it speaks; how many these were.
    fn hush(&mut self) -> usize;
    /// Places a call to a number or address, answered on our side with the named route; its number, or why not.
    fn place(&mut self, to: Pii<String>, answer: &str) -> Result<u64, String>;
    /// Does something with a call, or says why not; `None` where there is no such call.
    fn act(&mut self, id: u64, act: Act) -> Option<Result<(), String>>;
    /// The status page.
    fn status(&mut self) -> String;
}

/// Paths of calls begin with this.
const SESSIONS: &str = "/api/voice/sessions";

/// Answers a request. Where there is a token, everything but `/health` wants it.
pub fn answer(request: &Request, token: Option<&str>, pages: &mut dyn Pages) -> Response {
    let path = request.path.as_str();
    // Whoever watches the process only needs to know that it lives, and gets to know no more.
    if path == "/health" {
        return looked_at(request, || Response::line(Status::Ok, "alive"));
    }
    match token {
        Some(token) if !is_token(token, request.token.as_deref()) => {
            return Response::line(
                Status::Unauthorized,
                "send the token of http.token_file as \"Authorization: Bearer TOKEN\"",
            );
        }
        Some(_) => {}
        None => {
            if let Some(objection) = browser::objection(request) {
                return Response::line(Status::Forbidden, objection);
            }
        }
    }
    match path {
        "/" => looked_at(request, || Response::page(Kind::Html, pages.status())),
        "/ready" => looked_at(request, || readiness(pages)),
        "/metrics" => looked_at(request, || Response::page(Kind::Metrics, pages.metrics())),
        SESSIONS => looked_at(request, || Response::page(Kind::Json, pages.sessions())),
        "/api/voice/stop-tts" if request.method == Method::Post => stop(pages),
        "/api/voice/calls" if request.method == Method::Post => place(&request.body, pages),
        "/api/voice/calls" | "/api/voice/stop-tts" => {
            Response::line(Status::MethodNotAllowed, "this is done by POST")
        }
        _ => match path.strip_prefix(SESSIONS).and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => match rest.split_once('/') {
                Some((id, what)) => act(request, id, what, pages),
                None => looked_at(request, || session(rest, pages)),
            },
            None => Response::line(Status::NotFound, "no such page"),
        },
    }
}

/// What a call is placed with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    to: String,
    answer: String,
}

fn place(body: &[u8], pages: &mut dyn Pages) -> Response {
    let Ok(call) = serde_json::from_slice::<Call>(body) else {
        return Response::line(Status::BadRequest, "expected {\"to\": \"NUMBER\", \"answer\": \"echo\"}");
    };
    match pages.place(Pii::new(call.to), &call.answer) {
        Ok(id) => Response { status: Status::Accepted, kind: Kind::Json, body: format!("{{\"id\":{id}}}\n") },
        Err(why) => Response::line(Status::Conflict, &why),
    }
}

/// What is pressed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    keys: String,
}

/// Who gets a call.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Heir {
    To(String),
    Call(u64),
}

impl From<Heir> for Act {
    fn from(heir: Heir) -> Self {
        match heir {
            Heir::To(to) => Self::Transfer(Pii::new(to)),
            Heir::Call(other) => Self::TransferToCall(other),
        }
    }
}

fn act(request: &Request, id: &str, what: &str, pages: &mut dyn Pages) -> Response {
    let body = &request.body;
    let (act, expected) = match what {
        "keys" => {
            let keys = serde_json::from_slice(body).map(|Keys { keys }| Act::Press(Pii::new(keys)));
            (keys, "{\"keys\": \"12#\"}")
        }
        "transfer" => {
            (serde_json::from_slice(body).map(Heir::into), "{\"to\": \"NUMBER\"} or {\"call\": ID}")
        }
        "hold" => (Ok(Act::Hold), ""),
        "resume" => (Ok(Act::Resume), ""),
        "hang-up" => (Ok(Act::HangUp), ""),
        _ => return Response::line(Status::NotFound, "no such page"),
    };
    if request.method != Method::Post {
        return Response::line(Status::MethodNotAllowed, "this is done by POST");
    }
    let Ok(act) = act else {
        return Response::line(Status::BadRequest, &format!("expected {expected}"));
    };
    match id.parse().ok().and_then(|id| pages.act(id, act)) {
        Some(Ok(())) => Response { status: Status::Accepted, kind: Kind::Json, body: "{}\n".into() },
        Some(Err(why)) => Response::line(Status::Conflict, &why),
        None => Response::line(Status::NotFound, "no such call"),
    }
}

/// A page that is only looked at.
fn looked_at(request: &Request, page: impl FnOnce() -> Response) -> Response {
    match request.method {
        Method::Get | Method::Head => page(),
        Method::Post => Response::line(Status::MethodNotAllowed, "this is only to be looked at"),
    }
}

/// Compared without telling by the time it takes how much of it was right.
fn is_token(token: &str, given: Option<&str>) -> bool {
    let given = given.unwrap_or_default();
    let differs = token.bytes().zip(given.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    differs == 0 && token.len() == given.len()
}

fn readiness(pages: &mut dyn Pages) -> Response {
    let mut parts = pages.parts();
    parts.sort_by_key(|part| part.is_ready);
    let is_ready = parts.iter().all(|part| part.is_ready);
    let word = |part: &Part| if part.is_ready { "ready" } else { "not ready" };
    let body = parts.iter().map(|part| format!("{}: {}: {}\n", part.name, word(part), part.why)).collect();
    let status = if is_ready { Status::Ok } else { Status::Unavailable };
    Response { status, kind: Kind::Text, body }
}

fn session(id: &str, pages: &mut dyn Pages) -> Response {
    match id.parse().ok().and_then(|id| pages.session(id)) {
        Some(body) => Response::page(Kind::Json, body),
        None => Response::line(Status::NotFound, "no such call"),
    }
}

fn stop(pages: &mut dyn Pages) -> Response {
    match pages.hush() {
        0 => Response::line(Status::Conflict, "nothing is being said in any call"),
        calls => Response::page(Kind::Json, format!("{{\"stopped\":{calls}}}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Made {
        trunk: Option<Part>,
        speaking: usize,
        done: Vec<Act>,
    }

    impl Pages for Made {
        fn parts(&mut self) -> Vec<Part> {
            let audio = Part { name: "audio", is_ready: true, why: "ticks".into() };
            [audio].into_iter().chain(self.trunk.clone()).collect()
        }
        fn metrics(&mut self) -> String {
            "up 1\n".into()
        }
        fn sessions(&mut self) -> String {
            "[]".into()
        }
        fn session(&mut self, id: u64) -> Option<String> {
            (id == 7).then(|| "{}".into())
        }
        fn hush(&mut self) -> usize {
            std::mem::take(&mut self.speaking)
        }
        fn place(&mut self, to: Pii<String>, answer: &str) -> Result<u64, String> {
            if to.reveal() == "600" { Ok(9) } else { Err(format!("no {answer}")) }
        }
        fn act(&mut self, id: u64, act: Act) -> Option<Result<(), String>> {
            self.done.push(act.clone());
            (id == 7)
                .then(|| if act == Act::Press(Pii::new("x".into())) { Err("no key".into()) } else { Ok(()) })
        }
        fn status(&mut self) -> String {
            "<html>".into()
        }
    }

    fn ask(
        method: Method,
        path: &str,
        given: Option<&str>,
        token: Option<&str>,
        pages: &mut Made,
    ) -> Response {
        answer(&Request { token: given.map(str::to_owned), ..request(method, path) }, token, pages)
    }

    fn request(method: Method, path: &str) -> Request {
        let path = path.to_owned();
        Request { method, path, host: None, origin: None, token: None, body: vec![], keep_alive: true }
    }

    fn get(path: &str) -> Response {
        ask(Method::Get, path, None, None, &mut Made::default())
    }

    #[test]
    fn each_path_has_its_page() {
        for (path, kind, body) in [
            ("/", Kind::Html, "<html>"),
            ("/health", Kind::Text, "alive\n"),
            ("/ready", Kind::Text, "audio: ready: ticks\n"),
            ("/metrics", Kind::Metrics, "up 1\n"),
            ("/api/voice/sessions", Kind::Json, "[]"),
            ("/api/voice/sessions/7", Kind::Json, "{}"),
        ] {
            assert_eq!(get(path), Response::page(kind, body.into()), "{path}");
        }
        for path in ["/x", "/api/voice/sessions/8", "/api/voice/sessions/x", "/api/voice/sessionsx", ""] {
            assert_eq!(get(path).status, Status::NotFound, "{path}");
        }
    }

    #[test]
    fn what_is_not_ready_is_named_with_its_reason() {
        let trunk = Part { name: "trunk", is_ready: false, why: "registration failed".into() };
        let mut pages = Made { trunk: Some(trunk), ..Made::default() };
        let response = ask(Method::Get, "/ready", None, None, &mut pages);
        assert_eq!(response.status, Status::Unavailable);
        assert_eq!(response.body, "trunk: not ready: registration failed\naudio: ready: ticks\n");
    }

    #[test]
    fn the_voice_stops_by_post_and_only_where_it_speaks() {
        let mut pages = Made { speaking: 2, ..Made::default() };
        let path = "/api/voice/stop-tts";
        assert_eq!(ask(Method::Get, path, None, None, &mut pages).status, Status::MethodNotAllowed);
        assert_eq!(ask(Method::Post, path, None, None, &mut pages).body, "{\"stopped\":2}\n");
        assert_eq!(ask(Method::Post, path, None, None, &mut pages).status, Status::Conflict);
        assert_eq!(ask(Method::Post, "/metrics", None, None, &mut pages).status, Status::MethodNotAllowed);
    }

    fn post(path: &str, body: &str) -> (Status, String) {
        let request = Request { body: body.into(), ..request(Method::Post, path) };
        let response = answer(&request, None, &mut Made::default());
        (response.status, response.body)
    }

    #[test]
    fn keys_are_pressed_in_the_call_that_the_path_names() {
        let press = |id: &str, body: &str| post(&format!("/api/voice/sessions/{id}/keys"), body).0;
        assert_eq!(press("7", "{\"keys\":\"1#\"}"), Status::Accepted);
        assert_eq!(press("7", "{\"keys\":\"x\"}"), Status::Conflict);
        for nobody in ["8", "", "7/7", "-7"] {
            assert_eq!(press(nobody, "{\"keys\":\"1#\"}"), Status::NotFound, "{nobody}");
        }
        for bad in ["", "{}", "{\"keys\":5}", "{\"keys\":\"1\",\"x\":1}"] {
            assert_eq!(press("7", bad), Status::BadRequest, "{bad}");
        }
        assert_eq!(get("/api/voice/sessions/7/keys").status, Status::MethodNotAllowed);
    }

    #[test]
    fn a_call_is_held_resumed_handed_on_and_hung_up_by_its_path() {
        let mut pages = Made::default();
        let mut done = |what: &str, body: &str| {
            let path = format!("/api/voice/sessions/7/{what}");
            let request = Request { body: body.into(), ..request(Method::Post, &path) };
            (answer(&request, None, &mut pages).status, pages.done.pop())
        };
        for (what, body, act) in [
            ("hold", "", Act::Hold),
            ("resume", "{}", Act::Resume),
            ("hang-up", "", Act::HangUp),
            ("transfer", "{\"to\":\"600\"}", Act::Transfer(Pii::new("600".into()))),
            ("transfer", "{\"call\":9}", Act::TransferToCall(9)),
        ] {
            assert_eq!(done(what, body), (Status::Accepted, Some(act)), "{what}");
        }
        for bad in ["", "{}", "{\"to\":5}", "{\"to\":\"600\",\"call\":9}", "{\"call\":-1}", "{\"x\":1}"] {
            assert_eq!(done("transfer", bad), (Status::BadRequest, None), "{bad}");
        }
        assert_eq!(done("fly", ""), (Status::NotFound, None));
        for what in ["hold", "resume", "hang-up", "transfer"] {
            let path = format!("/api/voice/sessions/7/{what}");
            assert_eq!(get(&path).status, Status::MethodNotAllowed, "{what}");
            assert_eq!(
                ask(Method::Post, &path, None, Some("secret"), &mut pages).status,
                Status::Unauthorized
            );
        }
        assert_eq!(pages.done, []);
    }

    #[test]
    fn a_call_is_placed_by_what_the_body_says() {
        let place = |body: &str| post("/api/voice/calls", body);
        assert_eq!(place("{\"to\":\"600\",\"answer\":\"echo\"}"), (Status::Accepted, "{\"id\":9}\n".into()));
        assert_eq!(place("{\"to\":\"1\",\"answer\":\"x\"}"), (Status::Conflict, "no x\n".into()));
        for bad in ["", "{}", "[1]", "{\"to\":\"600\"}", "{\"to\":\"600\",\"answer\":\"echo\",\"x\":1}"] {
            assert_eq!(place(bad).0, Status::BadRequest, "{bad}");
        }
        assert_eq!(get("/api/voice/calls").status, Status::MethodNotAllowed);
    }

    #[test]
    fn with_a_token_only_health_is_open() {
        let mut pages = Made::default();
        let mut status = |path: &str, given| ask(Method::Get, path, given, Some("secret"), &mut pages).status;
        assert_eq!(status("/health", None), Status::Ok);
        for path in ["/", "/ready", "/metrics", "/api/voice/sessions", "/none"] {
            for wrong in [None, Some(""), Some("secre"), Some("secrets"), Some("Secret")] {
                assert_eq!(status(path, wrong), Status::Unauthorized, "{path} {wrong:?}");
            }
        }
        assert_eq!(status("/metrics", Some("secret")), Status::Ok);
        assert_eq!(status("/none", Some("secret")), Status::NotFound);
    }

    #[test]
    fn without_a_token_no_page_of_another_site_gets_anything() {
        let path = "/api/voice/stop-tts";
        let foreign = Request { origin: Some("http://evil.example".into()), ..request(Method::Post, path) };
        let renamed = Request { host: Some("evil.example".into()), ..request(Method::Get, "/metrics") };
        let mut pages = Made { speaking: 1, ..Made::default() };
        for asked in [&foreign, &renamed] {
            assert_eq!(answer(asked, None, &mut pages).status, Status::Forbidden);
        }
        assert_eq!(pages.speaking, 1, "nothing was stopped");
        let alive = Request { path: "/health".into(), ..renamed.clone() };
        assert_eq!(answer(&alive, None, &mut pages).status, Status::Ok);
        // No page can bring the token: whoever brings it may ask under any name.
        for asked in [foreign, renamed] {
            let asked = Request { token: Some("secret".into()), ..asked };
            assert_eq!(answer(&asked, Some("secret"), &mut pages).status, Status::Ok);
        }
    }
}
