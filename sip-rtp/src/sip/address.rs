//! Addresses of headers: `"Name" <uri>;params` and the bare `uri;params` (RFC 3261 20.10).

use super::param::Params;
use super::text::{self, Scan};
use super::uri::Uri;
use std::fmt;

/// The value of From, To, Contact, Route, Refer-To and their like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, unquoted.
    pub display: Option<String>,
    /// Who.
    pub uri: Uri,
    /// The parameters of the header, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// `<uri>`.
    pub fn new(uri: impl Into<Uri>) -> Self {
        Self { display: None, uri: uri.into(), params: Params::default() }
    }

    /// Reads one address; all of `text` must belong to it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut scan = Scan::new(text);
        scan.space();
        let display = Self::scan_display(&mut scan)?;
        let uri = if scan.eat('<') {
            // Spaces just inside the brackets are wrong (RFC 4475 3.1.2.14) and harmless: taken.
            Uri::parse(scan.until('>')?.trim_matches([' ', '\t']))?
        } else {
            // A bare URI: parameters after it are the header's; it may hold no comma, question mark or space.
            let bare =
                scan.take_while(|b| !matches!(b, b';' | b',' | b'?' | b' ' | b'\t' | b'<' | b'>' | b'"'));
            Uri::parse(bare)?
        };
        let params = Params::scan_header(&mut scan)?;
        scan.space();
        scan.is_empty().then_some(Self { display, uri, params })
    }

    /// The display name, leaving `scan` at `<` or at a bare URI.
    fn scan_display(scan: &mut Scan<'_>) -> Option<Option<String>> {
        if scan.peek() == Some(b'"') {
            let name = text::unquote(scan.quoted()?);
            scan.space();
            return (scan.peek() == Some(b'<')).then_some(Some(name));
        }
        let Some((before, _)) = scan.rest().split_once('<') else { return Some(None) };
        let name = before.trim_matches([' ', '\t']);
        // Tokens and spaces; bytes beyond ASCII are illegal without quotes, and common.
        let legal = |b: u8| text::is_token(b) || matches!(b, b' ' | b'\t') || b >= 0x80;
        if !name.bytes().all(legal) {
            return None;
        }
        let display = (!name.is_empty()).then(|| name.to_owned());
        scan.take_while(|b| b != b'<');
        Some(display)
    }

    /// The dialog tag.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The same address with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag.to_owned()));
        self
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", text::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_outside_brackets_belong_to_the_header() {
        let bare = NameAddr::parse("sip:+1972@gw1.example.net;unknownparam").unwrap();
        assert!(bare.params.has("unknownparam") && !bare.uri.sip().unwrap().params.has("unknownparam"));
        let inside = NameAddr::parse("<sip:+1972@gw1.example.net;unknownparam>").unwrap();
        assert!(!inside.params.has("unknownparam") && inside.uri.sip().unwrap().params.has("unknownparam"));
    }

    #[test]
    fn display_names_come_with_and_without_quotes() {
        let name = |text: &str| NameAddr::parse(text).unwrap().display;
        assert_eq!(name(r#""J \"R\" <x>" <sip:a@b>;tag=1"#).as_deref(), Some(r#"J "R" <x>"#));
        assert_eq!(name("caller<sip:a@b>").as_deref(), Some("caller"));
        assert_eq!(name("A. Bell  <sip:a@b>").as_deref(), Some("A. Bell"));
        assert_eq!(name("Jürgen <sip:a@b>").as_deref(), Some("Jürgen"));
        assert_eq!(name("<sip:a@b>"), None);
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in [
            "",
            "<>",
            "<sip:a@b",
            "sip:a@b>",
            "Bell, A <sip:a@b>",
            r#""open <sip:a@b>"#,
            "<sip:a@b> x",
            "<sip:a@b>;;",
            "sip:a@b?Route=x",
            "<<<>>>\"\"\"",
            r#""name" sip:a@b"#,
        ] {
            assert_eq!(NameAddr::parse(text), None, "{text:?}");
        }
    }
}
