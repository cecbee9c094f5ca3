//! Transfers: Refer-To with and without Replaces, and the reports on how they go (RFC 3515, 3891, 5589).

use super::header::{Headers, Name};
use super::status::Status;
use super::text;
use super::uri::{self, Uri};

/// Which dialog a call takes the place of (RFC 3891), as its receiver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: String,
    /// The receiver's tag.
    pub to_tag: String,
    /// The other side's tag.
    pub from_tag: String,
    /// Only if it was not answered yet.
    pub early_only: bool,
}

impl Replaces {
    /// Reads the header's value.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|c| !c.is_empty())?.to_owned();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "to-tag" => to_tag = Some(value.trim().to_owned()),
                "from-tag" => from_tag = Some(value.trim().to_owned()),
                "early-only" => early_only = true,
                _ => {}
            }
        }
        Some(Self { call_id, to_tag: to_tag?, from_tag: from_tag?, early_only })
    }

    fn to_value(&self) -> String {
        let early = if self.early_only { ";early-only" } else { "" };
        format!("{};to-tag={};from-tag={}{early}", self.call_id, self.to_tag, self.from_tag)
    }
}

/// The value of Refer-To: blind, or taking the place of a call that we have with the target.
pub fn refer_to(target: &Uri, replaces: Option<&Replaces>) -> String {
    let Some(replaces) = replaces else { return format!("<{target}>") };
    let value = uri::escape_header(&replaces.to_value());
    let join = if target.sip().is_some_and(|sip| sip.headers.is_some()) { '&' } else { '?' };
    format!("<{target}{join}Replaces={value}>")
}

/// How a transfer stands, by a NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the target answered so far; `None` when the body tells nothing.
    pub status: Option<Status>,
    /// No further report follows.
    pub last: bool,
}

impl Report {
    /// Reads a NOTIFY of the `refer` event.
    pub fn read(headers: &Headers, body: &[u8]) -> Self {
        let state = headers.get(&Name::SubscriptionState).unwrap_or("");
        let terminated = state.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("terminated");
        let status = sipfrag_status(body);
        Self { status, last: terminated || status.is_some_and(|s| !s.is_provisional()) }
    }

    /// Whether the target took the call.
    pub fn succeeded(self) -> bool {
        self.status.is_some_and(Status::is_success)
    }
}

/// The status line of a `message/sipfrag` body (RFC 3420).
fn sipfrag_status(body: &[u8]) -> Option<Status> {
    let line = body.split(|b| matches!(b, b'\r' | b'\n')).find(|line| !line.trim_ascii().is_empty())?;
    let code = std::str::from_utf8(line.strip_prefix(b"SIP/2.0 ")?.get(..3)?).ok()?;
    Status::new(u16::try_from(text::number(code)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_goes_there_and_back_through_a_uri() {
        let replaces =
            Replaces { call_id: "a@b".into(), to_tag: "t1".into(), from_tag: "f1".into(), early_only: false };
        let target = Uri::parse("sip:desk@192.0.2.5").unwrap();
        let value = refer_to(&target, Some(&replaces));
        assert_eq!(value, "<sip:desk@192.0.2.5?Replaces=a%40b%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>");
        let inside = value.trim_matches(['<', '>']);
        let headers = Uri::parse(inside).unwrap().sip().unwrap().headers.clone().unwrap();
        let back = Replaces::parse(&uri::unescape(headers.strip_prefix("Replaces=").unwrap()));
        assert_eq!(back, Some(replaces));
        assert_eq!(refer_to(&target, None), "<sip:desk@192.0.2.5>");
    }

    #[test]
    fn a_replaces_without_both_tags_names_nothing() {
        for text in ["", "a@b", "a@b;to-tag=1", ";to-tag=1;from-tag=2"] {
            assert_eq!(Replaces::parse(text), None, "{text:?}");
        }
        assert!(Replaces::parse("a;from-tag=2;early-only;to-tag=1").is_some_and(|r| r.early_only));
    }

    #[test]
    fn reports_tell_progress_and_end() {
        let read = |state: &str, body: &str| {
            let mut headers = Headers::default();
            headers.push(Name::SubscriptionState, state);
            let report = Report::read(&headers, body.as_bytes());
            (report.status.map(Status::code), report.last, report.succeeded())
        };
        assert_eq!(read("active;expires=60", "SIP/2.0 100 Trying\r\n"), (Some(100), false, false));
        assert_eq!(read("terminated;reason=noresource", "SIP/2.0 200 OK"), (Some(200), true, true));
        assert_eq!(read("active", "\r\nSIP/2.0 486 Busy Here\r\n"), (Some(486), true, false));
        assert_eq!(read("Terminated", "no fragment"), (None, true, false));
        assert_eq!(read("active", "SIP/2.0 9"), (None, false, false));
    }
}
