//! What the services differ in.

use super::AllInOneEvent;
use crate::failure::Fault;
use crate::llm::Role;
use crate::transport::Request;
use offhook_units::{Moment, Span};
use std::fmt::Debug;

/// What a protocol wants.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// This is sent.
    Text(String),
    /// This is sent.
    Binary(Vec<u8>),
    /// The session is told.
    Event(AllInOneEvent),
    /// All is agreed: the caller's audio may come.
    Ready,
    /// Something useful came; that a connection opens is not.
    Worked,
    /// The connection is of no use any more.
    Failed(Fault),
}

/// What is said on a call's connections to a service, one after the other. After each call of a method [`Protocol::poll`] is
/// called until it is empty.
pub(crate) trait Protocol: Debug + Send {
    /// How it is connected to.
    fn request(&self) -> Request;

    /// Whether a connection that was opened for no call will do.
    fn takes_warm(&self) -> bool {
        false
    }

    /// Samples a second, both ways.
    fn rate_hz(&self) -> u32;

    /// The call wants it from now on.
    fn wanted(&mut self, _now: Moment) {}

    /// A connection is open.
    fn opened(&mut self);

    /// The next audio of the caller.
    fn hear(&mut self, samples: &[i16]);

    /// A text message came.
    fn text(&mut self, now: Moment, text: &str);

    /// A binary message came.
    fn binary(&mut self, now: Moment, bytes: &[u8]);

    /// Nobody wants more of our turn, of which so much was heard.
    fn cancel(&mut self, now: Moment, heard: Span);

    /// So much was heard of the turn before the one that the service has begun.
    fn overtaken(&mut self, _heard: Span) {}

    /// Whether all words of our turn were heard, of which [`AllInOneEvent::Pauses`] told.
    fn heard_out(&mut self, _is_all: bool) {}

    /// No more audio of our turn is wanted: others say its words.
    fn leaves_alone(&mut self, now: Moment);

    /// The last turn that it told of is a turn of its own.
    fn turn_begins(&mut self) {}

    /// What was said on other connections.
    fn remind(&mut self, _now: Moment, _history: &[(Role, String)]) {}

    /// The connection is gone, and what was still to come on it.
    fn broken(&mut self);

    /// The call is over.
    fn clear(&mut self);

    /// When [`Protocol::handle_timeout`] is due.
    fn poll_timeout(&self) -> Option<Moment>;

    /// That time has come, perhaps.
    fn handle_timeout(&mut self, now: Moment);

    /// What it wants next.
    fn poll(&mut self) -> Option<Said>;
}
