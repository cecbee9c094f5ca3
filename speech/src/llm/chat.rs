//! Chat completions, streamed: one request an answer, its words as they come. Cancelling closes the connection, which
//! is the only cancel that the protocol has.

use super::Role;
use super::read::{Piece, piece};
use super::thoughts::Thoughts;
use crate::failure::{Fault, Passing};
use crate::transport::{Closed, ConnId, FromNet, Part, Request, ToNet};
use crate::wire::sse::SseParser;
use crate::wire::url::{Scheme, Url};
use offhook_units::{Moment, Pii, Span};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Where the model is and how it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatSettings {
    /// The base address with its version: `https://api.openai.com/v1`, `http://host:11434/v1`.
    pub base: Url,
    /// The key, if there is one.
    pub key: Option<Pii<String>>,
    /// Which model. There is no default: each server has its own.
    pub model: String,
    /// How long the first word may take. A local server may have to load its model.
    pub first_word_ms: u32,
}

/// Between two pieces of an answer.
const GAP: Span = Span::from_millis(8_000);

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatOutput {
    /// For the network.
    Net(ToNet),
    /// For who asked.
    Event(ChatEvent),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatEvent {
    /// The next words.
    Text(String),
    /// The answer is complete.
    Finished,
    /// It broke off; what came is all there is.
    Failed(Fault),
}

#[derive(Debug)]
struct Running {
    conn: ConnId,
    parser: SseParser,
    thoughts: Thoughts,
    /// When patience ends.
    due: Moment,
}

/// The machine. Calling order: [`Chat::ask`]; then events until one of them is the last. A new question cancels the
/// one before it.
#[derive(Debug)]
pub struct Chat {
    settings: ChatSettings,
    last: ConnId,
    running: Option<Running>,
    out: VecDeque<ChatOutput>,
}

impl Chat {
    /// With nothing asked yet.
    pub const fn new(settings: ChatSettings) -> Self {
        Self { settings, last: ConnId::none(Part::Mind), running: None, out: VecDeque::new() }
    }

    /// Asks for the next thing that the assistant says.
    pub fn ask(&mut self, now: Moment, messages: &[(Role, String)]) {
        self.cancel();
        let messages: Vec<Value> = messages
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(role, text)| json!({"role": role.name(), "content": text}))
            .collect();
        // How long an answer may be is the conversation's to say: a limit of the server's ends it within a word.
        let body = json!({"model": self.settings.model, "messages": messages, "stream": true});
        let url = self.settings.base.with_scheme(Scheme::Http, Scheme::Https).join("chat/completions");
        let mut request = Request::post_json(url, body.to_string())
            .header("Accept", &Pii::new("text/event-stream".to_owned()));
        if let Some(key) = &self.settings.key {
            request = request.header("Authorization", &Pii::new(format!("Bearer {}", key.reveal())));
        }
        self.last = self.last.next();
        let due = now + Span::from_millis(i64::from(self.settings.first_word_ms));
        self.running =
            Some(Running { conn: self.last, parser: SseParser::new(), thoughts: Thoughts::default(), due });
        self.out.push_back(ChatOutput::Net(ToNet::Open(self.last, request)));
    }

    /// Nobody wants the answer any more. Nothing of it comes out after this.
    pub fn cancel(&mut self) {
        if let Some(running) = self.running.take() {
            self.out.push_back(ChatOutput::Net(ToNet::Close(running.conn)));
        }
        self.out.retain(|output| matches!(output, ChatOutput::Net(_)));
    }

    /// Whether an answer is on its way.
    pub const fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Takes what came for a connection.
    pub fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if self.running.as_ref().is_none_or(|running| running.conn != conn) {
            return;
        }
        match message {
            FromNet::Opened | FromNet::Text(_) => {}
            FromNet::Binary(bytes) => self.bytes(now, &bytes),
            FromNet::Closed(closed) => {
                self.rest();
                self.running = None;
                self.event(match closed {
                    // An end without `[DONE]` or a reason to finish is a failure of the server.
                    Closed::Done { .. } => ChatEvent::Failed(Fault::Passing(Passing::Inside)),
                    failed => ChatEvent::Failed(Fault::of_close(&failed)),
                });
            }
        }
    }

    /// The time has come that [`Chat::poll_timeout`] gave.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.running.as_ref().is_some_and(|running| now >= running.due) {
            self.end(ChatEvent::Failed(Fault::Passing(Passing::Silent)));
        }
    }

    /// When [`Chat::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.running.as_ref().map(|running| running.due)
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<ChatOutput> {
        self.out.pop_front()
    }

    fn bytes(&mut self, now: Moment, bytes: &[u8]) {
        let Some(running) = &mut self.running else { return };
        let mut events = Vec::new();
        let outcome = running.parser.put(bytes, &mut events);
        for event in events {
            match piece(&event.name, &event.data) {
                Piece::Text { text, is_last } => {
                    self.text(now, &text);
                    // Nothing to speak follows, and some servers leave the connection open behind it.
                    if is_last {
                        return self.end(ChatEvent::Finished);
                    }
                }
                Piece::Done => return self.end(ChatEvent::Finished),
                Piece::Error(text) => {
                    let fault = Fault::of_name(&text).unwrap_or(Fault::Passing(Passing::Inside));
                    return self.end(ChatEvent::Failed(fault));
                }
                Piece::Nothing => {}
            }
        }
        if outcome.is_err() {
            self.end(ChatEvent::Failed(Fault::Passing(Passing::Inside)));
        }
    }

    /// Words of the model; its thoughts among them do not come out.
    fn text(&mut self, now: Moment, text: &str) {
        let Some(running) = &mut self.running else { return };
        let text = running.thoughts.put(text);
        if !text.is_empty() {
            running.due = now + GAP;
            self.event(ChatEvent::Text(text));
        }
    }

    /// No more words come: what looked like the beginning of a mark was none.
    fn rest(&mut self) {
        let rest = self.running.as_mut().map(|running| running.thoughts.finish()).unwrap_or_default();
        if !rest.is_empty() {
            self.event(ChatEvent::Text(rest));
        }
    }

    fn end(&mut self, event: ChatEvent) {
        self.rest();
        if let Some(running) = self.running.take() {
            self.out.push_back(ChatOutput::Net(ToNet::Close(running.conn)));
        }
        self.event(event);
    }

    fn event(&mut self, event: ChatEvent) {
        self.out.push_back(ChatOutput::Event(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Fatal;
    use crate::transport::{Lost, RequestKind};

    const CONN: ConnId = ConnId { part: Part::Mind, number: 1 };

    fn chat() -> Chat {
        let base = Url::parse("http://127.0.0.1:11434/v1/").unwrap();
        let key = Some(Pii::new("k".to_owned()));
        let settings = ChatSettings { base, key, model: "m".to_owned(), first_word_ms: 4_000 };
        Chat::new(settings)
    }

    fn asked() -> Chat {
        let mut chat = chat();
        chat.ask(Moment::ZERO, &[(Role::System, "Be kind.".to_owned()), (Role::User, "Hi".to_owned())]);
        chat
    }

    fn events(chat: &mut Chat) -> Vec<ChatEvent> {
        let all = std::iter::from_fn(|| chat.poll_output());
        all.filter_map(|output| if let ChatOutput::Event(event) = output { Some(event) } else { None })
            .collect()
    }

    fn feed(chat: &mut Chat, bytes: &[u8]) {
        chat.handle_net(Moment::ZERO, CONN, FromNet::Binary(bytes.to_vec()));
    }

    fn delta(text: &str) -> String {
        format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}))
    }

    fn end(chat: &mut Chat, closed: Closed) {
        chat.handle_net(Moment::ZERO, CONN, FromNet::Closed(closed));
    }

    #[test]
    fn v4_the_question_goes_out_as_the_protocol_asks_and_offers_no_tools() {
        let mut chat = asked();
        let Some(ChatOutput::Net(ToNet::Open(CONN, request))) = chat.poll_output() else {
            panic!("no request")
        };
        assert_eq!(request.url.to_string(), "http://127.0.0.1:11434/v1/chat/completions");
        let RequestKind::Post(body) = request.kind else { panic!("no post") };
        let body: Value = serde_json::from_str(&body).unwrap();
        let messages = json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]);
        assert_eq!(body, json!({"model": "m", "messages": messages, "stream": true}));
    }

    #[test]
    fn v4_words_come_as_they_arrive_and_the_end_is_told_once() {
        let mut chat = asked();
        let text = format!(": ping\n\n{}{}data: [DONE]\n\n", delta("Grüß "), delta("Gott."));
        for byte in text.bytes() {
            feed(&mut chat, &[byte]);
        }
        end(&mut chat, Closed::Done { code: 200, reason: String::new() });
        let text = |text: &str| ChatEvent::Text(text.to_owned());
        assert_eq!(events(&mut chat), [text("Grüß "), text("Gott."), ChatEvent::Finished]);
        assert!(!chat.is_busy() && chat.poll_timeout().is_none());
    }

    #[test]
    fn thoughts_in_the_text_are_never_spoken_and_give_the_model_no_more_time() {
        let mut chat = asked();
        for piece in ["<th", "ink>The caller", " seems odd.</thi", "nk>\n\nYes", ". 5 <"] {
            feed(&mut chat, delta(piece).as_bytes());
        }
        feed(&mut chat, b"data: [DONE]\n\n");
        let events = events(&mut chat);
        let said = events.iter().map(|event| if let ChatEvent::Text(text) = event { text } else { "" });
        assert_eq!(said.collect::<String>(), "\n\nYes. 5 <");
        assert_eq!(events.last(), Some(&ChatEvent::Finished));

        let mut chat = asked();
        let thought = FromNet::Binary(delta("<think>Well").into_bytes());
        chat.handle_net(Moment::from_millis(3_000), CONN, thought);
        assert_eq!(chat.poll_timeout(), Some(Moment::from_millis(4_000)));
    }

    #[test]
    fn an_end_without_a_reason_is_a_failure() {
        let mut chat = asked();
        feed(&mut chat, delta("Half an").as_bytes());
        end(&mut chat, Closed::Done { code: 200, reason: String::new() });
        let failed = ChatEvent::Failed(Fault::Passing(Passing::Inside));
        assert_eq!(events(&mut chat), [ChatEvent::Text("Half an".to_owned()), failed]);
    }

    #[test]
    fn an_answer_is_over_with_its_reason_whatever_becomes_of_the_connection() {
        for last in [delta("Bye."), String::new()] {
            let mut chat = asked();
            let reason =
                "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}\n\n";
            feed(&mut chat, format!("{last}{reason}").as_bytes());
            assert!(!chat.is_busy(), "nobody waits for the server to close");
            end(&mut chat, Closed::Lost(Lost::Broken));
            assert_eq!(events(&mut chat).last(), Some(&ChatEvent::Finished));
        }
        let mut chat = asked();
        let both = b"data: {\"choices\":[{\"delta\":{\"content\":\"Bye.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        feed(&mut chat, both);
        assert_eq!(events(&mut chat), [ChatEvent::Text("Bye.".to_owned()), ChatEvent::Finished]);
    }

    #[test]
    fn errors_before_and_inside_of_the_stream_are_told() {
        let mut chat = asked();
        let refused = Closed::Refused { status: 401, retry_after_s: None, body: "{}".to_owned() };
        end(&mut chat, refused);
        assert_eq!(events(&mut chat), [ChatEvent::Failed(Fault::Fatal(Fatal::Key))]);

        let mut chat = asked();
        feed(
            &mut chat,
            format!("{}data: {{\"error\":{{\"message\":\"x\"}}}}\n\n{}", delta("A"), delta("B")).as_bytes(),
        );
        let failed = ChatEvent::Failed(Fault::Passing(Passing::Inside));
        assert_eq!(events(&mut chat), [ChatEvent::Text("A".to_owned()), failed]);
    }

    #[test]
    fn a_cancelled_answer_is_silent_and_its_connection_closed() {
        let mut chat = asked();
        feed(&mut chat, delta("Never").as_bytes());
        chat.cancel();
        feed(&mut chat, delta(" heard").as_bytes());
        let out: Vec<ChatOutput> = std::iter::from_fn(|| chat.poll_output()).collect();
        assert!(
            matches!(&out[..], [ChatOutput::Net(ToNet::Open(..)), ChatOutput::Net(ToNet::Close(CONN))]),
            "{out:?}"
        );
    }

    #[test]
    fn a_model_that_says_nothing_is_given_up() {
        let mut chat = asked();
        chat.handle_net(Moment::ZERO, CONN, FromNet::Opened);
        chat.handle_timeout(Moment::from_millis(3_999));
        assert!(chat.is_busy());
        chat.handle_timeout(Moment::from_millis(4_000));
        assert_eq!(events(&mut chat), [ChatEvent::Failed(Fault::Passing(Passing::Silent))]);
    }
}
