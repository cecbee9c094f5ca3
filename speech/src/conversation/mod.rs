//! Who speaks when, and what is remembered of it: a state machine without any service in it. It is told what the
//! caller said, what the model writes and what was heard, and says what to do.

mod history;

use crate::llm::Role;
use crate::speaking::Spoken;
use crate::text::{Sentence, Splitter};
use history::History;
use std::collections::VecDeque;

/// What is said in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationSettings {
    /// What the model is told about its task.
    pub system: String,
    /// The first words to the caller; none when empty.
    pub greeting: String,
    /// Said when no answer can be had.
    pub sorry: String,
}

/// The longest answer, in bytes of text: ten minutes of speech.
const MOST_ANSWER: usize = 10_000;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ask the model for its next words; whatever it was writing is of no use any more.
    Ask(Vec<(Role, String)>),
    /// Nobody wants what the model writes.
    StopAsking,
    /// A turn of ours begins.
    Begin,
    /// Say this.
    Say(Sentence),
    /// The turn has no more sentences.
    Complete,
}

/// Where the conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The caller's turn.
    Listening,
    /// The model was asked and has written nothing to say yet.
    Thinking,
    /// Words are said; whether the model still writes is `writing`.
    Speaking { writing: bool },
}

/// Fewer words than this while we speak are a sign of attention ("mm-hmm", "yes, yes") and no turn.
const TURN_WORDS: usize = 3;

/// The machine. Calling order: [`Conversation::answered`] once, then whatever happens.
#[derive(Debug)]
pub struct Conversation {
    settings: ConversationSettings,
    history: History,
    splitter: Splitter,
    state: State,
    /// Of the answer that is being written.
    answered_bytes: usize,
    /// A service that thinks by itself has heard the caller and has not answered.
    owed: bool,
    /// What it has heard.
    noted: String,
    /// It broke off in the middle of an answer, and nobody knows the rest.
    broken_off: bool,
    acts: VecDeque<Act>,
}

impl Conversation {
    /// Before the call is answered.
    pub fn new(settings: ConversationSettings) -> Self {
        Self {
            history: History::new(&settings.system),
            splitter: Splitter::new(),
            settings,
            state: State::Listening,
            answered_bytes: 0,
            owed: false,
            noted: String::new(),
            broken_off: false,
            acts: VecDeque::new(),
        }
    }

    /// The call is answered: the greeting is said.
    pub fn answered(&mut self) {
        let greeting = self.settings.greeting.clone();
        self.say(&greeting);
    }

    /// Says `text` as a turn of its own, whatever was going on. Stop the voice first.
    pub fn say(&mut self, text: &str) {
        if self.state != State::Listening {
            self.acts.push_back(Act::StopAsking);
        }
        self.splitter.clear();
        let sentences = self.splitter.all(text);
        if !sentences.iter().any(Sentence::is_speakable) {
            self.state = State::Listening;
            return;
        }
        self.state = State::Speaking { writing: false };
        self.acts.push_back(Act::Begin);
        self.acts.extend(sentences.into_iter().map(Act::Say));
        self.acts.push_back(Act::Complete);
    }

    /// The caller said something. True when it is a turn that the voice, if it speaks, must stop for: then
    /// [`Conversation::cut`] comes before anything else. A word or two are a sign of attention to what `is_heard`; before
    /// that they belong to what is being answered.
    pub fn interrupts(&self, text: &str, is_heard: bool) -> bool {
        let goes_on = !is_heard && self.history.is_the_callers_turn();
        let least = if goes_on { 1 } else { TURN_WORDS };
        matches!(self.state, State::Speaking { .. }) && text.split_whitespace().count() >= least
    }

    /// The caller said this, and it is the caller's turn; a sign of attention while we speak changes nothing.
    pub fn utterance(&mut self, text: &str) {
        if matches!(self.state, State::Speaking { .. }) || text.trim().is_empty() {
            return;
        }
        self.history.user(text);
        self.splitter.clear();
        self.state = State::Thinking;
        self.answered_bytes = 0;
        self.acts.push_back(Act::Ask(self.history.messages()));
    }

    /// The model's next words. An answer has a bound, beyond which the model is not asked any more: no caller listens for
    /// so long, and a model that writes for ever must not fill the memory.
    pub fn token(&mut self, text: &str) {
        if self.answered_bytes > MOST_ANSWER {
            return;
        }
        self.answered_bytes = self.answered_bytes.saturating_add(text.len());
        let sentences = self.splitter.push(text);
        self.sentences(sentences);
        if self.answered_bytes > MOST_ANSWER {
            self.acts.push_back(Act::StopAsking);
            self.model_finished();
        }
    }

    /// The model has no more to say.
    pub fn model_finished(&mut self) {
        let rest = self.splitter.finish();
        self.sentences(rest);
        match self.state {
            State::Speaking { .. } => {
                self.state = State::Speaking { writing: false };
                self.acts.push_back(Act::Complete);
            }
            // An answer without a word.
            State::Thinking => self.apologise(),
            State::Listening => {}
        }
    }

    /// The model failed; what it wrote is said, and when that is nothing, an apology.
    pub fn model_failed(&mut self) {
        match self.state {
            State::Speaking { writing: true } => self.model_finished(),
            State::Thinking => {
                self.splitter.clear();
                self.apologise();
            }
            State::Speaking { writing: false } | State::Listening => {}
        }
    }

    /// The caller breaks in, or somebody stops the voice: what was heard stays, the rest was never said.
    pub fn cut(&mut self, spoken: Option<&Spoken>) {
        if self.state != State::Listening {
            self.acts.push_back(Act::StopAsking);
        }
        self.remember(spoken);
        self.splitter.clear();
        self.state = State::Listening;
        self.broken_off = false;
    }

    /// The caller said this, and a service that thinks by itself answers. What it said before and repeats with more behind
    /// it is remembered once.
    pub fn note_utterance(&mut self, text: &str) {
        let text = text.trim();
        let known = if self.owed { self.noted.as_str() } else { "" };
        self.history.user(text.strip_prefix(known).unwrap_or(text));
        text.clone_into(&mut self.noted);
        self.owed = !text.is_empty();
    }

    /// The caller has said something, and a service that thinks by itself answers. What it was is told by
    /// [`Conversation::note_late`].
    pub const fn service_asked(&mut self) {
        self.owed = true;
        self.history.asked();
    }

    /// That was what the caller said. It stands before the answer to it, be it that this was heard already.
    pub fn note_late(&mut self, text: &str) {
        self.history.late_user(text);
    }

    /// It answers, in a new turn or in one that goes on.
    pub const fn service_answers(&mut self, is_new: bool) {
        self.owed = false;
        self.broken_off = false;
        if is_new {
            self.history.answers();
        }
    }

    /// It broke off in the middle of an answer. When what is left of its words is said, the caller is told that there was
    /// more.
    pub const fn service_broke_off(&mut self) {
        self.broken_off = true;
    }

    /// A service that thinks by itself failed. The caller who waits for an answer is told so, once.
    pub fn service_failed(&mut self) {
        if std::mem::replace(&mut self.owed, false) {
            self.not_understood();
        }
    }

    /// Whatever the caller has said, nobody will answer it.
    pub fn not_understood(&mut self) {
        if self.state == State::Listening {
            self.apologise();
        }
    }

    /// Our turn was heard to its end.
    pub fn heard(&mut self, spoken: &Spoken) {
        self.remember(Some(spoken));
        if let State::Speaking { .. } = self.state {
            self.state = State::Listening;
        }
        if std::mem::replace(&mut self.broken_off, false) {
            self.not_understood();
        }
    }

    /// What was said so far, as it was heard.
    pub fn messages(&self) -> Vec<(Role, String)> {
        self.history.messages()
    }

    /// What to do next.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn remember(&mut self, spoken: Option<&Spoken>) {
        if let Some(spoken) = spoken {
            self.history.assistant(&spoken.text);
        }
    }

    fn apologise(&mut self) {
        self.state = State::Listening;
        let sorry = self.settings.sorry.clone();
        self.say(&sorry);
    }

    fn sentences(&mut self, sentences: Vec<Sentence>) {
        for sentence in sentences {
            match self.state {
                // Marks, or a breath, with nothing that they follow.
                State::Thinking if !sentence.is_speakable() => continue,
                // What comes after a cut is nobody's.
                State::Listening => return,
                State::Thinking => {
                    self.state = State::Speaking { writing: true };
                    self.acts.push_back(Act::Begin);
                }
                State::Speaking { .. } => {}
            }
            self.acts.push_back(Act::Say(sentence));
        }
    }
}

#[cfg(test)]
mod tests;
