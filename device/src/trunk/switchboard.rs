//! Who is behind a route: the one tie between calls and whatever answers them.

use super::routes::Target;
use crate::audio::LineId;
use crate::audio::route::Route;
use crate::audio::tone::Tone;
use offhook_units::Codec;
use std::fmt::Debug;

/// Why a call is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// Whoever answers there is in another call.
    Busy,
    /// Nobody is there to answer.
    Absent,
}

/// Makes the audio thread's side of a call's route. Called on the trunk's thread, so it must not wait for anything:
/// what needs time (a socket to a speech service) begins elsewhere.
pub trait Switchboard: Debug + Send {
    /// Whether calls to `target` can be answered now.
    ///
    /// # Errors
    /// Why not.
    fn serves(&self, target: &Target) -> Result<(), Unserved>;

    /// A call to `target` is about to be answered, or was placed. From here to [`Self::disconnect`] whoever answers there
    /// is in that call, though its media may be agreed much later: by an ACK, or a PRACK.
    ///
    /// # Errors
    /// Why it cannot be answered after all.
    fn engage(&mut self, _line: LineId, target: &Target) -> Result<(), Unserved> {
        self.serves(target)
    }

    /// A call to `target` that is engaged stands, or can be heard already, in `codec`. `None` hangs it up.
    fn connect(&mut self, line: LineId, target: &Target, codec: Codec) -> Option<Route>;

    /// A call to `target` that was engaged is over.
    fn disconnect(&mut self, _line: LineId, _target: &Target) {}
}

/// What needs nobody else: the echo, the tones, and silence for a call that is handed on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Switchboard for Plain {
    fn serves(&self, target: &Target) -> Result<(), Unserved> {
        match target {
            Target::Echo | Target::Tone | Target::Transfer(_) => Ok(()),
            Target::Handset | Target::Agent | Target::Reject => Err(Unserved::Absent),
        }
    }

    fn connect(&mut self, _line: LineId, target: &Target, _codec: Codec) -> Option<Route> {
        match target {
            Target::Echo => Some(Route::Echo),
            Target::Tone => Some(Route::Tone(Tone::default())),
            Target::Transfer(_) => Some(Route::Silent),
            Target::Handset | Target::Agent | Target::Reject => None,
        }
    }
}
