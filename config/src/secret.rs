//! Secrets do not stand in the configuration: they come from files. Where somebody writes one there all the same,
//! the error that tells him so does not repeat it.

use crate::key::keys;
use std::borrow::Cow;

/// What the name of a key with a secret contains, in lower case.
const WORDS: [&str; 5] = ["password", "passwd", "secret", "token", "apikey"];
/// And how it ends, as `voice_key` does.
const LAST_WORD: &str = "key";

/// The same text, as long, with the values of such keys covered.
pub(crate) fn cover(text: &str) -> String {
    let mut until = None;
    let lines = text.split_inclusive('\n').map(|line| match until {
        Some(end) => {
            until = until.filter(|_| !line.contains(end));
            Cow::Owned(hidden(line))
        }
        None => {
            let shown = self::line(line);
            until = if let Cow::Owned(_) = shown { open_end(line) } else { None };
            shown
        }
    });
    without_users(&lines.collect::<String>())
}

/// With what stands before the host of an address covered, as in `https://user:password@host`. A password may hold
/// whatever would end that part of an address, so all is covered up to the last `@` of the line.
fn without_users(text: &str) -> String {
    let line = |line: &str| match line
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (user, host))) => format!("{scheme}://{}@{host}", hidden(user)),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// What ends a value that goes on behind this line: of a text or a list of several lines.
fn open_end(line: &str) -> Option<&'static str> {
    let (_, value) = line.split_once('=')?;
    let is_open = |end: &str| value.matches(end).count() % 2 == 1;
    ["\"\"\"", "'''"].into_iter().find(|end| is_open(end)).or_else(|| {
        let is_list = value.trim_start().starts_with('[') && !value.contains(']');
        is_list.then_some("]")
    })
}

/// A key of ours that names a file for what `path` wants to hold.
pub(crate) fn replacement(path: &str) -> Option<&'static str> {
    let (section, name) = path.rsplit_once('.')?;
    if !is_secret(name) {
        return None;
    }
    let own = format!("{name}_file");
    let files = || keys().filter(|key| key.section() == section && key.name().ends_with("_file"));
    let found =
        files().find(|key| key.name() == own).or_else(|| files().find(|key| is_like(name, key.name())));
    found.map(|key| key.path)
}

fn is_like(name: &str, key: &str) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word) && key.contains(word))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    (WORDS.iter().any(|word| name.contains(word)) || name.ends_with(LAST_WORD)) && !name.ends_with("_file")
}

fn line(line: &str) -> Cow<'_, str> {
    let Some((name, value)) = line.split_once('=') else { return Cow::Borrowed(line) };
    let is_comment = name.trim_start().starts_with('#');
    // An inline table may hold several: then everything after the first is covered.
    if is_comment
        || !is_secret(name)
            && !value
                .split([',', '{'])
                .any(|part| part.split_once('=').is_some_and(|(name, _)| is_secret(name)))
    {
        return Cow::Borrowed(line);
    }
    Cow::Owned(format!("{name}={}", hidden(value)))
}

/// As long in bytes, with its white space, and nothing of the rest.
fn hidden(text: &str) -> String {
    let hide = |c: char| {
        let (shown, times) = if c.is_whitespace() { (c, 1) } else { ('*', c.len_utf8()) };
        std::iter::repeat_n(shown, times)
    };
    text.chars().flat_map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_values_of_secrets_are_covered() {
        let text =
            "[trunk]\nuser = \"601\"\npassword = \"hünter2\"\npassword_file = \"f\"\n# token = \"x\"\n";
        let covered =
            "[trunk]\nuser = \"601\"\npassword = **********\npassword_file = \"f\"\n# token = \"x\"\n";
        assert_eq!(cover(text), covered);
        assert_eq!(cover("http = { Token = \"abc\" }"), "http = * ***** * ***** *");
        assert_eq!(cover("trunk.password=abc"), "trunk.password=***");
        assert_eq!(
            cover("speech.mind_key = sk-1\nmind_key_file = k"),
            "speech.mind_key = ****\nmind_key_file = k"
        );
        assert_eq!(cover("inband_keys = true"), "inband_keys = true");
    }

    #[test]
    fn what_stands_before_the_host_of_an_address_is_covered() {
        let covered = "voice_url = \"https://*******@a.example:1/b\"\nmind_url = \"http://b/?x=d\"";
        assert_eq!(cover(&covered.replace("*******", "me:sk@1")), covered);
        assert_eq!(cover("\"https://sk-1@a\""), "\"https://****@a\"");
        for password in ["pa#ss", "pa/ss", "pa?ss", "pa'ss", "pa\\\"s", "12/34", "://:@"] {
            let covered = format!("mind_url = \"tcp://{}@a\" # of the lab", "*".repeat(3 + password.len()));
            assert_eq!(cover(&format!("mind_url = \"tcp://me:{password}@a\" # of the lab")), covered);
        }
        assert_eq!(cover("https://a/pa ss@b@c"), "https://**** ****@c");
        assert_eq!(cover("https://"), "https://");
    }

    #[test]
    fn values_of_several_lines_are_covered_to_their_end() {
        for (open, end) in [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]")] {
            let covered = cover(&format!("token = {open}\nabc\nde{end}\nuser = \"601\""));
            assert!(
                covered.ends_with("\nuser = \"601\"") && !covered.contains("abc") && !covered.contains("de"),
                "{covered}"
            );
        }
    }

    #[test]
    fn a_password_is_sent_to_its_file() {
        assert_eq!(replacement("trunk.password"), Some("trunk.password_file"));
        assert_eq!(replacement("trunk.fallback.passwd"), None);
        assert_eq!(replacement("http.token"), Some("http.token_file"));
        assert_eq!(replacement("speech.mind_key"), Some("speech.mind_key_file"));
        assert_eq!(replacement("speech.mind_url"), None);
        assert_eq!(replacement("jitter.min_ms"), None);
    }

    proptest! {
        #[test]
        fn nothing_moves(text in any::<String>(), name in "[a-z_]{0,3}(password|token)[a-z_]{0,5}") {
            let text = format!("{name} = \"{text}\"\n{text}\nurl = \"https://{text}@a://{text}@");
            prop_assert_eq!(cover(&text).len(), text.len());
        }
    }
}
