//! The handset: one call at a time, for as long as there is a sound card.

use crate::audio::LineId;
use crate::audio::route::Route;
use crate::audio::sound::gauges::SoundGauges;
use crate::trunk::routes::Target;
use crate::trunk::switchboard::{Switchboard, Unserved};
use offhook_units::Codec;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A switchboard that knows the handset too.
pub(super) fn with_handset(others: Box<dyn Switchboard>, gauges: Arc<SoundGauges>) -> Box<dyn Switchboard> {
    Box::new(WithHandset { others, gauges, call: None })
}

#[derive(Debug)]
struct WithHandset {
    others: Box<dyn Switchboard>,
    gauges: Arc<SoundGauges>,
    /// Who is in a call.
    call: Option<LineId>,
}

impl Switchboard for WithHandset {
    fn serves(&self, target: &Target) -> Result<(), Unserved> {
        if *target != Target::Handset {
            return self.others.serves(target);
        }
        let why = match self.call {
            None if self.gauges.is_ready() => return Ok(()),
            // Without a card nobody could talk to the next caller either.
            Some(_) if self.gauges.is_ready() => Unserved::Busy,
            _ => Unserved::Absent,
        };
        // The sound thread looks at this, and says why.
        self.gauges.refused.fetch_add(1, Relaxed);
        Err(why)
    }

    fn engage(&mut self, line: LineId, target: &Target) -> Result<(), Unserved> {
        if *target != Target::Handset {
            return self.others.engage(line, target);
        }
        // What was heard while it rang is in the call already.
        if self.call != Some(line) {
            self.serves(target)?;
            self.call = Some(line);
        }
        Ok(())
    }

    fn connect(&mut self, line: LineId, target: &Target, codec: Codec) -> Option<Route> {
        if *target != Target::Handset {
            return self.others.connect(line, target, codec);
        }
        (self.call == Some(line)).then_some(Route::Handset)
    }

    fn disconnect(&mut self, line: LineId, target: &Target) {
        if *target != Target::Handset {
            return self.others.disconnect(line, target);
        }
        if self.call == Some(line) {
            self.call = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trunk::switchboard::Plain;

    fn board() -> (Box<dyn Switchboard>, Arc<SoundGauges>) {
        let gauges = Arc::new(SoundGauges::default());
        (with_handset(Box::new(Plain), gauges.clone()), gauges)
    }

    #[test]
    fn without_a_card_the_handset_takes_no_call_and_all_else_goes_on() {
        let (mut board, gauges) = board();
        gauges.speaker.set_wanted(true);
        assert_eq!(board.serves(&Target::Handset), Err(Unserved::Absent));
        assert_eq!(board.serves(&Target::Echo), Ok(()));
        assert!(board.connect(LineId(1), &Target::Echo, Codec::Pcmu).is_some());
        assert_eq!(gauges.refused.load(Relaxed), 1);
        gauges.speaker.opened();
        assert_eq!(board.serves(&Target::Handset), Ok(()));
        gauges.microphone.set_wanted(true);
        assert_eq!(board.serves(&Target::Handset), Err(Unserved::Absent), "half a handset is none");
    }

    #[test]
    fn one_call_at_a_time_is_taken_and_a_lost_card_does_not_end_it() {
        let (mut board, gauges) = board();
        gauges.speaker.set_wanted(true);
        gauges.speaker.opened();
        assert_eq!(board.engage(LineId(1), &Target::Handset), Ok(()));
        assert_eq!(board.serves(&Target::Handset), Err(Unserved::Busy), "before it is connected");
        assert_eq!(board.engage(LineId(2), &Target::Handset), Err(Unserved::Busy));
        assert_eq!(board.engage(LineId(1), &Target::Handset), Ok(()), "it is in that very call");
        assert!(board.connect(LineId(2), &Target::Handset, Codec::Pcmu).is_none());
        assert!(board.connect(LineId(1), &Target::Handset, Codec::Pcmu).is_some());
        board.disconnect(LineId(2), &Target::Handset);
        assert_eq!(board.serves(&Target::Handset), Err(Unserved::Busy), "the first call stands");
        gauges.speaker.closed();
        assert_eq!(board.serves(&Target::Handset), Err(Unserved::Absent), "it has lost its voice");
        board.disconnect(LineId(1), &Target::Handset);
        gauges.speaker.opened();
        assert_eq!(board.serves(&Target::Handset), Ok(()));
    }
}
