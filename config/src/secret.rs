//! Secrets do not stand in the configuration: they come from files. Where somebody writes one there all the same,
//! the error that tells him so does not repeat it.

use crate::key::keys;
use std::borrow::Cow;

/// What the name of a key with a secret contains, in lower case.
const WORDS: [&str; 5] = ["password", "passwd", "secret", "token", "api_key"];

/// The same text, as long, with the values of such keys covered.
pub(crate) fn cover(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.split_inclusive('\n').map(line).collect();
    lines.concat()
}

/// A key of ours that names a file for what `path` wants to hold.
pub(crate) fn replacement(path: &str) -> Option<&'static str> {
    let (section, name) = path.rsplit_once('.')?;
    if !is_secret(name) {
        return None;
    }
    keys()
        .find(|key| key.section() == section && key.name().ends_with("_file") && is_like(name, key.name()))
        .map(|key| key.path)
}

fn is_like(name: &str, key: &str) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word) && key.contains(word))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    WORDS.iter().any(|word| name.contains(word)) && !name.ends_with("_file")
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
    let hidden = value.chars().flat_map(|c| {
        let (shown, times) = if c.is_whitespace() { (c, 1) } else { ('*', c.len_utf8()) };
        std::iter::repeat_n(shown, times)
    });
    Cow::Owned(format!("{name}={}", hidden.collect::<String>()))
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
    }

    #[test]
    fn a_password_is_sent_to_its_file() {
        assert_eq!(replacement("trunk.password"), Some("trunk.password_file"));
        assert_eq!(replacement("trunk.fallback.passwd"), None);
        assert_eq!(replacement("http.token"), Some("http.token_file"));
        assert_eq!(replacement("jitter.min_ms"), None);
    }

    proptest! {
        #[test]
        fn nothing_moves(text in any::<String>(), name in "[a-z_]{0,3}(password|token)[a-z_]{0,5}") {
            let text = format!("{name} = \"{text}\"\n{text}");
            prop_assert_eq!(cover(&text).len(), text.len());
        }
    }
}
