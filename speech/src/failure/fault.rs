//! Faults of a service, sorted by what can be done.

use crate::transport::Closed;
use offhook_units::Span;
use std::fmt;

/// A fault of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Trying again changes nothing until a person does something.
    Fatal(Fatal),
    /// It may work the next time.
    Passing(Passing),
}

/// Faults that a person must mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fatal {
    /// The key is missing, wrong or without this right.
    Key,
    /// The account is used up or locked.
    Quota,
    /// There is no such voice or model.
    Unknown,
    /// The service does not accept the request, and never will.
    Refused,
}

/// Faults that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Passing {
    /// It closed an idle connection; nothing is wrong.
    Idle,
    /// It is busy and may have said when to come again.
    Busy {
        /// `Retry-After`; 0 when it did not say.
        after_s: u32,
    },
    /// It failed inside, or restarts.
    Inside,
    /// The connection was lost.
    Lost,
    /// It owed something and went silent.
    Silent,
    /// It did not like what we did: a bug of ours. Tried again once like the others, and counted.
    Ours,
}

impl Fault {
    /// How long to wait at least.
    pub const fn at_least(self) -> Span {
        match self {
            Self::Passing(Passing::Busy { after_s }) => Span::from_millis(after_s as i64 * 1000),
            Self::Fatal(_) => Span::from_millis(30_000),
            Self::Passing(_) => Span::ZERO,
        }
    }

    /// By an HTTP status.
    pub fn of_status(status: u16, retry_after_s: Option<u32>, body: &str) -> Self {
        let by_name = Self::of_name(body);
        match status {
            401 | 403 => Self::Fatal(by_name.and_then(Self::fatal).unwrap_or(Fatal::Key)),
            402 => Self::Fatal(Fatal::Quota),
            429 => match by_name {
                Some(Self::Fatal(Fatal::Quota)) => Self::Fatal(Fatal::Quota),
                _ => Self::Passing(Passing::Busy { after_s: retry_after_s.unwrap_or(0) }),
            },
            404 => Self::Fatal(Fatal::Unknown),
            408 | 425 => Self::Passing(Passing::Inside),
            400..=499 => Self::Fatal(by_name.and_then(Self::fatal).unwrap_or(Fatal::Refused)),
            503 => match retry_after_s {
                Some(after_s) => Self::Passing(Passing::Busy { after_s }),
                None => Self::Passing(Passing::Inside),
            },
            _ => Self::Passing(Passing::Inside),
        }
    }

    /// By the name of an error, wherever in `text` it stands.
    pub fn of_name(text: &str) -> Option<Self> {
        const NAMES: [(&str, Fault); 19] = [
            ("input_timeout_exceeded", Fault::Passing(Passing::Idle)),
            ("session_expired", Fault::Passing(Passing::Idle)),
            ("NET-0001", Fault::Passing(Passing::Idle)),
            ("max_active_conversations", Fault::Passing(Passing::Ours)),
            ("voice_settings field must be", Fault::Passing(Passing::Ours)),
            ("DATA-0000", Fault::Passing(Passing::Ours)),
            ("system_busy", Fault::Passing(Passing::Busy { after_s: 0 })),
            ("rate_limit_exceeded", Fault::Passing(Passing::Busy { after_s: 0 })),
            ("too_many_concurrent_requests", Fault::Passing(Passing::Busy { after_s: 0 })),
            ("quota_exceeded", Fault::Fatal(Fatal::Quota)),
            ("insufficient_quota", Fault::Fatal(Fatal::Quota)),
            ("detected_unusual_activity", Fault::Fatal(Fatal::Quota)),
            ("voice_id_does_not_exist", Fault::Fatal(Fatal::Unknown)),
            ("voice_not_found", Fault::Fatal(Fatal::Unknown)),
            ("model_not_found", Fault::Fatal(Fatal::Unknown)),
            ("invalid_api_key", Fault::Fatal(Fatal::Key)),
            ("authentication_required", Fault::Fatal(Fatal::Key)),
            ("needs_authorization", Fault::Fatal(Fatal::Key)),
            ("INVALID_AUTH", Fault::Fatal(Fatal::Key)),
        ];
        NAMES.iter().find(|(name, _)| text.contains(name)).map(|(_, fault)| *fault)
    }

    /// By how a connection ended.
    pub fn of_close(closed: &Closed) -> Self {
        match closed {
            Closed::Refused { status, retry_after_s, body } => Self::of_status(*status, *retry_after_s, body),
            Closed::Lost(_) => Self::Passing(Passing::Lost),
            Closed::Done { code, reason } => Self::of_name(reason).unwrap_or(match code {
                // RFC 6455 7.4.1: protocol error, type not taken, bad data; all about what we sent.
                1002 | 1003 | 1007 | 1008 | 1009 => Self::Passing(Passing::Ours),
                1011..=1014 => Self::Passing(Passing::Inside),
                4001 | 4003 => Self::Fatal(Fatal::Key),
                _ => Self::Passing(Passing::Lost),
            }),
        }
    }

    const fn fatal(self) -> Option<Fatal> {
        match self {
            Self::Fatal(fatal) => Some(fatal),
            Self::Passing(_) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fatal(Fatal::Key) => "the service does not take the key",
            Self::Fatal(Fatal::Quota) => "the service's account is used up or locked",
            Self::Fatal(Fatal::Unknown) => "the service knows no such voice or model",
            Self::Fatal(Fatal::Refused) => "the service refuses the request",
            Self::Passing(Passing::Idle) => "the service closed an idle connection",
            Self::Passing(Passing::Busy { .. }) => "the service is busy",
            Self::Passing(Passing::Inside) => "the service failed",
            Self::Passing(Passing::Lost) => "the connection to the service was lost",
            Self::Passing(Passing::Silent) => "the service went silent while it owed an answer",
            Self::Passing(Passing::Ours) => "the service did not take what it was sent",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Lost;

    fn done(code: u16, reason: &str) -> Fault {
        Fault::of_close(&Closed::Done { code, reason: reason.to_owned() })
    }

    #[test]
    fn pitfall_11_fatal_faults_are_told_from_passing_ones() {
        let json = |status: &str| format!("{{\"detail\":{{\"status\":\"{status}\",\"message\":\"x\"}}}}");
        for (status, body, fault) in [
            (401, json("invalid_api_key"), Fault::Fatal(Fatal::Key)),
            (401, json("quota_exceeded"), Fault::Fatal(Fatal::Quota)),
            (403, String::new(), Fault::Fatal(Fatal::Key)),
            (404, json("voice_not_found"), Fault::Fatal(Fatal::Unknown)),
            (429, json("system_busy"), Fault::Passing(Passing::Busy { after_s: 3 })),
            (429, "{\"error\":{\"code\":\"insufficient_quota\"}}".to_owned(), Fault::Fatal(Fatal::Quota)),
            (422, String::new(), Fault::Fatal(Fatal::Refused)),
            (500, String::new(), Fault::Passing(Passing::Inside)),
            (503, String::new(), Fault::Passing(Passing::Busy { after_s: 3 })),
        ] {
            assert_eq!(Fault::of_status(status, Some(3), &body), fault, "{status} {body}");
        }
        assert_eq!(Fault::of_status(503, None, ""), Fault::Passing(Passing::Inside));
    }

    #[test]
    fn pitfall_01_an_idle_close_is_harmless() {
        assert_eq!(done(1008, "input_timeout_exceeded"), Fault::Passing(Passing::Idle));
        assert_eq!(done(1011, "NET-0001: no audio"), Fault::Passing(Passing::Idle));
    }

    #[test]
    fn close_codes_are_sorted() {
        assert_eq!(done(1012, ""), Fault::Passing(Passing::Inside));
        assert_eq!(done(1008, "what?"), Fault::Passing(Passing::Ours));
        assert_eq!(done(1005, ""), Fault::Passing(Passing::Lost));
        assert_eq!(Fault::of_close(&Closed::Lost(Lost::Tls)), Fault::Passing(Passing::Lost));
        assert_eq!(Fault::of_close(&Closed::Lost(Lost::Tls)).at_least(), Span::ZERO);
    }
}
