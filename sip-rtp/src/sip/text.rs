//! Reading SIP's text: character classes and a cursor. Everything that parses a header value does it with
//! this cursor, so quoting, escapes and white space mean the same thing everywhere (RFC 3261 25.1).

/// `token` of RFC 3261 25.1.
const TOKEN: u8 = 1;
/// What may stand in a host name. The underscore is no legal host character, but private domains use it.
const HOST: u8 = 2;
/// What may stand in a URI parameter's name or value: `paramchar`, and what phones put there besides.
const PARAM: u8 = 4;

const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut c = 0;
    while c < 256 {
        let byte = c as u8;
        if byte.is_ascii_alphanumeric() {
            table[c] = TOKEN | HOST | PARAM;
        }
        c += 1;
    }
    let (token, host, param) = (b"-.!%*_+`'~", b"-._", b"-_.!~*'()%[]/:&+$#`|^");
    let mut i = 0;
    while i < token.len() {
        table[token[i] as usize] |= TOKEN;
        i += 1;
    }
    i = 0;
    while i < host.len() {
        table[host[i] as usize] |= HOST;
        i += 1;
    }
    i = 0;
    while i < param.len() {
        table[param[i] as usize] |= PARAM;
        i += 1;
    }
    table
};

/// Whether `byte` belongs to a `token`.
pub(crate) const fn is_token(byte: u8) -> bool {
    CLASS[byte as usize] & TOKEN != 0
}

/// Whether `byte` may stand in a host name.
pub(crate) const fn is_host(byte: u8) -> bool {
    CLASS[byte as usize] & HOST != 0
}

/// Whether `byte` may stand in a URI parameter.
pub(crate) const fn is_param(byte: u8) -> bool {
    CLASS[byte as usize] & PARAM != 0
}

/// Whether the whole of `text` is one non-empty `token`.
pub(crate) fn all_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token)
}

/// A cursor over one header value.
#[derive(Clone, Debug)]
pub(crate) struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// What has not been read yet.
    pub(crate) const fn rest(&self) -> &'a str {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Skips white space; folds were turned into spaces when the message was cut into lines.
    pub(crate) fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Takes the character `c` if it comes next.
    pub(crate) fn eat(&mut self, c: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(c) else { return false };
        self.rest = rest;
        true
    }

    /// Takes the ASCII character `c` with any white space on both sides; takes nothing when it does not come.
    pub(crate) fn eat_spaced(&mut self, c: char) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let Some(rest) = rest.strip_prefix(c) else { return false };
        self.rest = rest;
        self.space();
        true
    }

    /// Takes bytes while `keep` says so. Cuts only between characters, as `keep` must refuse a lead byte
    /// whenever it refuses a continuation byte; all callers' classes are ASCII or "all but some ASCII".
    pub(crate) fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a str {
        let end = self.rest.bytes().position(|b| !keep(b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Takes a `token`; `None` when there is none.
    pub(crate) fn token(&mut self) -> Option<&'a str> {
        let taken = self.take_while(is_token);
        (!taken.is_empty()).then_some(taken)
    }

    /// Takes all up to `stop`, and `stop` itself, which is not returned.
    pub(crate) fn until(&mut self, stop: char) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_once(stop)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes a quoted string, quotes included; `None` when it does not begin here or does not end.
    pub(crate) fn quoted(&mut self) -> Option<&'a str> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let mut escaped = false;
        for (i, b) in self.rest.bytes().enumerate().skip(1) {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let (taken, rest) = self.rest.split_at_checked(i + 1)?;
                    self.rest = rest;
                    return Some(taken);
                }
                _ => {}
            }
        }
        None
    }
}

/// The text inside a quoted string: quotes taken off, escapes resolved. Text without quotes comes back as it is.
pub(crate) fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

/// `text` as a quoted string. Line ends, which would begin another header, become spaces.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\r' | '\n' => out.push(' '),
            c if c == '"' || c == '\\' || c.is_ascii_control() => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Cuts a comma list into its values; commas inside quotes and angle brackets do not count. Values are
/// trimmed; empty ones are passed over (RFC 3261 7.3.1 has none, senders do).
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    split_at_top(text, b',').map(str::trim).filter(|item| !item.is_empty())
}

/// Cuts `text` at each `separator` (ASCII) that stands outside quotes and angle brackets.
pub(crate) fn split_at_top(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped, mut angle) = (false, false, false);
        for (i, b) in text.bytes().enumerate() {
            match b {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'<' => angle = true,
                b'>' => angle = false,
                _ if b == separator && !angle => {
                    rest = text.get(i + 1..);
                    return text.get(..i);
                }
                _ => {}
            }
        }
        rest = None;
        Some(text)
    })
}

/// A decimal number, digits only; `None` when it is anything else or too large for 64 bits.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_angles_do_not_separate() {
        let list = r#" "a, \", b" <sip:x@y;p=1,2>;q=1 ,, <sip:z> "#;
        let cut: Vec<_> = split_list(list).collect();
        assert_eq!(cut, [r#""a, \", b" <sip:x@y;p=1,2>;q=1"#, "<sip:z>"]);
    }

    #[test]
    fn quoting_goes_there_and_back() {
        for text in ["", "plain", r#"a "quoted" \ word"#, "ünïcode"] {
            assert_eq!(unquote(&quote(text)), text);
        }
        assert_eq!(quote("a\r\nVia: x"), "\"a  Via: x\"", "no way to smuggle a line in");
    }

    #[test]
    fn an_open_quote_is_no_quoted_string() {
        assert_eq!(Scan::new(r#""abc\""#).quoted(), None);
        assert_eq!(Scan::new(r#""abc\\" x"#).quoted(), Some(r#""abc\\""#));
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        assert_eq!(number("0068"), Some(68));
        for bad in ["", "-1", "+1", "1 ", "99999999999999999999"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }
}
