//! Where a call goes, by the number that was called.

use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Pii, Span};

/// What answers a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The caller hears what he says.
    Echo,
    /// 440 Hz and the sequence by which levels are checked.
    Tone,
    /// The sound card.
    Handset,
    /// A spoken conversation.
    Agent,
    /// Answered, then handed on to this address by REFER.
    Transfer(Pii<Uri>),
    /// Nobody: the call is refused as if the number were in no line.
    Reject,
}

impl Target {
    /// Its name in the configuration and in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tone => "tone",
            Self::Handset => "handset",
            Self::Agent => "agent",
            Self::Transfer(_) => "transfer",
            Self::Reject => "reject",
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The user part that was called, as the trunk sends it; with a `*` at its end, whatever begins so; `*` alone
    /// is every number.
    pub number: String,
    /// What answers.
    pub target: Target,
    /// How long it rings first; zero answers at once.
    pub ring: Span,
    /// While it rings, media flows already (183 with SDP instead of 180).
    pub early_media: bool,
}

impl Route {
    /// A route that answers at once.
    pub fn new(number: &str, target: Target) -> Self {
        Self { number: number.to_owned(), target, ring: Span::ZERO, early_media: false }
    }

    /// How well it fits `called`, if at all: whole numbers before beginnings, long beginnings before short ones.
    fn fit(&self, called: &str) -> Option<usize> {
        match self.number.strip_suffix('*') {
            Some(beginning) => called.starts_with(beginning).then_some(beginning.len()),
            None => (self.number == called).then_some(usize::MAX),
        }
    }
}

/// The table. A number that is not in it is answered with 404.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(pub Vec<Route>);

impl Routes {
    /// The route that fits `called` best, the first among equals.
    pub fn find(&self, called: &str) -> Option<&Route> {
        let mut best: Option<(usize, &Route)> = None;
        for route in &self.0 {
            if let Some(fit) = route.fit(called)
                && best.is_none_or(|(known, _)| fit > known)
            {
                best = Some((fit, route));
            }
        }
        best.map(|(_, route)| route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_number_wins_then_the_longest_beginning() {
        let routes = Routes(vec![
            Route::new("*", Target::Agent),
            Route::new("49*", Target::Tone),
            Route::new("4930*", Target::Handset),
            Route::new("493055", Target::Echo),
            Route::new("493055", Target::Tone),
        ]);
        let target = |called: &str| routes.find(called).map(|route| route.target.clone());
        assert_eq!(target("493055"), Some(Target::Echo));
        assert_eq!(target("4930556"), Some(Target::Handset));
        assert_eq!(target("49"), Some(Target::Tone));
        assert_eq!(target(""), Some(Target::Agent));
    }

    #[test]
    fn a_number_in_no_line_has_no_route() {
        assert_eq!(Routes::default().find("1"), None);
        assert_eq!(Routes(vec![Route::new("12", Target::Echo)]).find("1"), None);
    }
}
