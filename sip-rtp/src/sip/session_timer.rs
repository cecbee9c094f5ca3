//! Session timers (RFC 4028): who refreshes a call, when, and when a call without refresh is dead.

use super::header::{Headers, Name};
use super::text;
use offhook_units::Span;

/// RFC 4028 5: no interval below this may be asked for.
pub const SMALLEST_MIN_SE_S: u32 = 90;

/// What we want.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// The interval that we ask for, in seconds.
    pub interval_s: u32,
    /// The smallest that we take.
    pub min_s: u32,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { interval_s: 1800, min_s: SMALLEST_MIN_SE_S }
    }
}

/// Who sends the refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// We do.
    Us,
    /// The peer does.
    Them,
}

/// Session-Expires as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SessionExpires {
    interval_s: u32,
    /// `refresher=uac`: whoever sent the request. `None` when it is left open.
    by_requester: Option<bool>,
}

impl SessionExpires {
    fn read(headers: &Headers) -> Option<Self> {
        let interval_s = headers.number(&Name::SessionExpires)?;
        let parameters = headers.get(&Name::SessionExpires)?.split(';').skip(1);
        let refresher = parameters.filter_map(|p| p.split_once('=')).find(|(name, _)| {
            let name = name.trim();
            text::all_token(name) && name.eq_ignore_ascii_case("refresher")
        });
        let by_requester = refresher.map(|(_, who)| who.trim().eq_ignore_ascii_case("uac"));
        Some(Self { interval_s, by_requester })
    }
}

/// An interval below what is taken: to be answered with 422 and this Min-SE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall(pub u32);

/// What holds for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The interval in seconds.
    pub interval_s: u32,
    /// Who refreshes.
    pub refresher: Refresher,
}

impl Agreed {
    /// What a request (INVITE or UPDATE) from the peer asks for. `before` is what held until now.
    ///
    /// # Errors
    /// [`TooSmall`], for a 422.
    pub fn by_request(headers: &Headers, wishes: &Wishes) -> Result<Option<Self>, TooSmall> {
        let peer_can = headers.lists(&Name::Supported, "timer") || headers.lists(&Name::Require, "timer");
        let Some(asked) = SessionExpires::read(headers) else {
            // Who can refresh may be asked to; we do it ourselves, as then the call does not hang on the peer.
            return Ok(peer_can.then_some(Self { interval_s: wishes.interval_s, refresher: Refresher::Us }));
        };
        if asked.interval_s < wishes.min_s {
            // A peer that knows no timers gets no 422: a proxy added the header, and it would not understand
            // (RFC 4028 9). The session then has the interval that we can bear.
            if peer_can {
                return Err(TooSmall(wishes.min_s));
            }
            return Ok(Some(Self { interval_s: wishes.min_s, refresher: Refresher::Us }));
        }
        // Table 2 of RFC 4028: the requester's choice if it made one and can do it.
        let them = peer_can && asked.by_requester == Some(true);
        let refresher = if them { Refresher::Them } else { Refresher::Us };
        Ok(Some(Self { interval_s: asked.interval_s, refresher }))
    }

    /// What the 2xx to a request of ours settled. Nothing is settled when it says nothing.
    pub fn by_response(headers: &Headers) -> Option<Self> {
        let said = SessionExpires::read(headers)?;
        // An answer that names nobody was written by someone who refreshes not.
        let us = said.by_requester.unwrap_or(true);
        let refresher = if us { Refresher::Us } else { Refresher::Them };
        // Below the least there is (RFC 4028 5) is a mistake: it would have us refresh without end.
        Some(Self { interval_s: said.interval_s.max(SMALLEST_MIN_SE_S), refresher })
    }

    /// Writes it into our 2xx to a request of the peer.
    pub fn write_response(self, headers: &mut Headers) {
        let who = match self.refresher {
            Refresher::Us => "uas",
            Refresher::Them => "uac",
        };
        headers.set(Name::SessionExpires, format!("{};refresher={who}", self.interval_s));
        if self.refresher == Refresher::Them {
            // The peer shall know that it must (RFC 4028 9).
            headers.set(Name::Require, "timer");
        }
    }

    /// How long after a refresh the next one is sent by us.
    pub fn refresh_after(self) -> Span {
        Span::from_millis(i64::from(self.interval_s) * 500)
    }

    /// How long after a refresh the session is dead (RFC 4028 10: a third, at most 32 s, before the end).
    pub fn dead_after(self) -> Span {
        Span::from_millis(i64::from(self.interval_s - (self.interval_s / 3).min(32)) * 1000)
    }
}

/// Writes what we ask for into a request of ours: `before` is what holds, whose refresher stays.
pub fn write_request(headers: &mut Headers, wishes: &Wishes, before: Option<Agreed>, min_se_s: u32) {
    let interval_s = before.map_or(wishes.interval_s, |a| a.interval_s).max(min_se_s);
    let refresher = match before.map(|a| a.refresher) {
        Some(Refresher::Us) => ";refresher=uac",
        Some(Refresher::Them) => ";refresher=uas",
        None => "",
    };
    headers.set(Name::SessionExpires, format!("{interval_s}{refresher}"));
    headers.set(Name::MinSe, min_se_s.max(wishes.min_s).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(Name, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in lines {
            headers.push(name.clone(), *value);
        }
        headers
    }

    fn request(lines: &[(Name, &str)]) -> Result<Option<Agreed>, TooSmall> {
        Agreed::by_request(&headers(lines), &Wishes::default())
    }

    const US: Refresher = Refresher::Us;
    const THEM: Refresher = Refresher::Them;

    #[test]
    fn a_request_settles_interval_and_refresher() {
        use Name::{SessionExpires as Se, Supported};
        let can = (Supported, "100rel, timer");
        let agreed = |interval_s, refresher| Ok(Some(Agreed { interval_s, refresher }));
        assert_eq!(request(&[(Se, "600;refresher=uac"), can.clone()]), agreed(600, THEM));
        assert_eq!(request(&[(Se, "600 ; refresher = UAS"), can.clone()]), agreed(600, US));
        assert_eq!(request(&[(Se, "600"), can.clone()]), agreed(600, US));
        assert_eq!(request(&[(Se, "600;refresher=uac")]), agreed(600, US), "it says it cannot");
        assert_eq!(request(std::slice::from_ref(&can)), agreed(1800, US));
        assert_eq!(request(&[]), Ok(None));
    }

    #[test]
    fn too_small_an_interval_is_refused_to_who_understands() {
        let se = (Name::SessionExpires, "30");
        assert_eq!(request(&[se.clone(), (Name::Supported, "timer")]), Err(TooSmall(90)));
        assert_eq!(request(&[se]), Ok(Some(Agreed { interval_s: 90, refresher: US })));
    }

    #[test]
    fn an_answer_tells_who_refreshes() {
        let read = |value| Agreed::by_response(&headers(&[(Name::SessionExpires, value)]));
        assert_eq!(read("1800;refresher=uac"), Some(Agreed { interval_s: 1800, refresher: US }));
        assert_eq!(read("1800;refresher=uas"), Some(Agreed { interval_s: 1800, refresher: THEM }));
        assert_eq!(
            read("1;refresher=uac"),
            Some(Agreed { interval_s: 90, refresher: US }),
            "no storm of refreshes"
        );
        assert_eq!(Agreed::by_response(&headers(&[])), None);
    }

    #[test]
    fn refreshes_come_at_half_time_and_death_before_the_end() {
        let agreed = |interval_s| Agreed { interval_s, refresher: US };
        assert_eq!(agreed(1800).refresh_after(), Span::from_millis(900_000));
        assert_eq!(agreed(1800).dead_after(), Span::from_millis(1_768_000));
        assert_eq!(agreed(90).dead_after(), Span::from_millis(60_000));
    }

    #[test]
    fn roles_stay_with_a_refresh_of_ours() {
        let written = |before| {
            let mut headers = Headers::default();
            write_request(&mut headers, &Wishes::default(), before, 0);
            headers.get(&Name::SessionExpires).map(str::to_owned)
        };
        assert_eq!(written(None).as_deref(), Some("1800"));
        let them = Agreed { interval_s: 600, refresher: THEM };
        assert_eq!(written(Some(them)).as_deref(), Some("600;refresher=uas"));
        let mut headers = Headers::default();
        write_request(&mut headers, &Wishes::default(), None, 3600);
        assert_eq!(headers.get(&Name::SessionExpires), Some("3600"), "after a 422");
        assert_eq!(headers.get(&Name::MinSe), Some("3600"));
    }
}
