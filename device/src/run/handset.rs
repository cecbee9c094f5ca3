//! The handset: one call at a time, for as long as there is a sound card.

use crate::audio::LineId;
use crate::audio::route::Route;
use crate::audio::sound::gauges::SoundGauges;
use crate::trunk::routes::Target;
use crate::trunk::switchboard::Switchboard;
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
    fn serves(&self, target: &Target) -> bool {
        if *target != Target::Handset {
            return self.others.serves(target);
        }
        let is_free = self.call.is_none() && self.gauges.is_ready();
        if !is_free {
            // The sound thread looks at this, and says why.
            self.gauges.refused.fetch_add(1, Relaxed);
        }
        is_free
    }

    fn connect(&mut self, line: LineId, target: &Target, codec: Codec) -> Option<Route> {
        if *target != Target::Handset {
            return self.others.connect(line, target, codec);
        }
        if self.call.is_some() {
            // Two rang at once; the other one was answered first.
            self.gauges.refused.fetch_add(1, Relaxed);
            return None;
        }
        self.call = Some(line);
        Some(Route::Handset)
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
        assert!(!board.serves(&Target::Handset) && board.serves(&Target::Echo));
        assert!(board.connect(LineId(1), &Target::Echo, Codec::Pcmu).is_some());
        assert_eq!(gauges.refused.load(Relaxed), 1);
        gauges.speaker.opened();
        assert!(board.serves(&Target::Handset));
        gauges.microphone.set_wanted(true);
        assert!(!board.serves(&Target::Handset), "half a handset is none");
    }

    #[test]
    fn one_call_at_a_time_is_taken_and_a_lost_card_does_not_end_it() {
        let (mut board, gauges) = board();
        gauges.speaker.set_wanted(true);
        gauges.speaker.opened();
        assert!(board.connect(LineId(1), &Target::Handset, Codec::Pcmu).is_some());
        assert!(!board.serves(&Target::Handset));
        assert!(board.connect(LineId(2), &Target::Handset, Codec::Pcmu).is_none());
        board.disconnect(LineId(2), &Target::Handset);
        assert!(!board.serves(&Target::Handset), "the first call stands");
        gauges.speaker.closed();
        board.disconnect(LineId(1), &Target::Handset);
        gauges.speaker.opened();
        assert!(board.serves(&Target::Handset));
    }
}
