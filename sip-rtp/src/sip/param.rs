//! `;name=value` parameters, of URIs and of headers.

use super::text::{self, Scan, is_param, is_token};
use std::fmt;

/// An ordered list of parameters. Names compare without case; values are kept as on the wire, quotes and all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads the `;`-parameters of a header: white space around `;` and `=`, values may be quoted or a host.
    pub(crate) fn scan_header(scan: &mut Scan<'_>) -> Option<Self> {
        let mut list = Vec::new();
        while scan.eat_spaced(';') {
            let name = scan.token()?;
            if !scan.eat_spaced('=') {
                list.push((name.to_owned(), None));
                continue;
            }
            let value = if scan.peek() == Some(b'"') {
                scan.quoted()?
            } else {
                // token / host: brackets and colons for IPv6 ("received=[::1]", and without brackets).
                scan.take_while(|b| is_token(b) || matches!(b, b'[' | b']' | b':' | b'/' | b'@'))
            };
            list.push((name.to_owned(), Some(value.to_owned())));
        }
        Some(Self(list))
    }

    /// Reads the `;`-parameters of a URI: no white space, and the URI's own character set.
    pub(crate) fn scan_uri(scan: &mut Scan<'_>) -> Option<Self> {
        let mut list = Vec::new();
        while scan.eat(';') {
            let name = scan.take_while(is_param);
            if name.is_empty() {
                return None;
            }
            let value = scan.eat('=').then(|| scan.take_while(is_param).to_owned());
            list.push((name.to_owned(), value));
        }
        Some(Self(list))
    }

    /// The value of `name`: `None` when absent, empty when there is no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_deref().unwrap_or(""))
    }

    /// Whether `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of `name` with its quotes taken off.
    pub fn unquoted(&self, name: &str) -> Option<String> {
        self.get(name).map(text::unquote)
    }

    /// Gives `name` this value, in place when it is there already.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, v)) => *v = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes `name` away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_deref()))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_parameters_take_space_and_quotes() {
        let mut scan = Scan::new(r#" ; tag = "a;b" ;lr; received=[::1];q=0.3 , next"#);
        let params = Params::scan_header(&mut scan).unwrap();
        assert_eq!(params.unquoted("TAG").as_deref(), Some("a;b"));
        assert_eq!(
            (params.get("lr"), params.get("received"), params.get("x")),
            (Some(""), Some("[::1]"), None)
        );
        assert_eq!(scan.rest(), " , next");
    }

    #[test]
    fn empty_parameters_are_malformed() {
        assert_eq!(Params::scan_header(&mut Scan::new(";;a")), None);
        assert_eq!(Params::scan_uri(&mut Scan::new(";a;;b")), None);
        assert_eq!(Params::scan_header(&mut Scan::new(";a=\"open")), None);
    }

    #[test]
    fn set_replaces_and_remove_removes() {
        let mut params = Params::scan_uri(&mut Scan::new(";a=1;b")).unwrap();
        params.set("A", Some("2".into()));
        params.set("c", None);
        params.remove("B");
        assert_eq!(params.to_string(), ";a=2;c");
    }
}
