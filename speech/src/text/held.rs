//! What stands between brackets, once it is known: a tag of ours, HTML, the target of a link, or just text.

use crate::breath::BreathKind;

/// Longest tag of ours, with generous white space: `[breath type="normal"]` has 22 characters.
pub(super) const TAG_MAX: usize = 40;
/// Longest HTML or SSML tag that is recognised as one, in bytes.
pub(super) const ANGLE_MAX: usize = 160;
/// Longest link target, in bytes. Longer ones are taken for text.
pub(super) const TARGET_MAX: usize = 1024;

/// Whether `held`, which starts with `[`, can still become a tag of ours.
pub(super) fn may_become_tag(held: &str) -> bool {
    if held.len() > TAG_MAX {
        return false;
    }
    let inner = held.trim_start_matches('[').trim_start().to_ascii_lowercase();
    ["breath", "sigh"].iter().any(|name| match inner.strip_prefix(name) {
        Some(rest) => rest.chars().all(is_tag_rest) && !rest.starts_with(char::is_alphanumeric),
        None => name.starts_with(&inner),
    })
}

const fn is_tag_rest(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, ' ' | '=' | '"' | '\'' | '“' | '”' | '‘' | '’' | '/')
}

/// The breath that the tag `[inner]` asks for. A kind that nobody knows is a normal breath: a tag must
/// never be read aloud.
pub(super) fn tag(inner: &str) -> Option<BreathKind> {
    let inner = inner.trim().trim_end_matches('/').trim_end().to_ascii_lowercase();
    if inner == "sigh" {
        return Some(BreathKind::Sigh);
    }
    let rest = inner.strip_prefix("breath")?;
    if rest.is_empty() {
        return Some(BreathKind::Normal);
    }
    let value = rest.trim_start().strip_prefix("type")?.trim_start().strip_prefix('=')?;
    Some(match value.trim_matches(|c: char| !c.is_ascii_alphabetic()) {
        "deep" => BreathKind::Deep,
        "quick" => BreathKind::Quick,
        "sigh" => BreathKind::Sigh,
        _ => BreathKind::Normal,
    })
}

/// What `<inner>` is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Angle {
    /// HTML or SSML: not spoken.
    Tag,
    /// HTML that parts what is before from what is after (`<br>`, `<p>`).
    Space,
    /// An address in angle brackets: spoken without them.
    Address,
    /// Neither: spoken as it stands.
    Text,
}

/// Sorts what stood between `<` and `>`.
pub(super) fn angle(inner: &str) -> Angle {
    if !inner.contains(char::is_whitespace) && (inner.contains("://") || inner.contains('@')) {
        return Angle::Address;
    }
    let body = inner.trim_start_matches('/').trim_end_matches('/').trim();
    let (name, attributes) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':'));
    if !is_name || !(attributes.is_empty() || attributes.contains('=')) {
        return Angle::Text;
    }
    let name = name.to_ascii_lowercase();
    if ["br", "p", "li", "ul", "ol", "div", "tr", "td", "h1", "h2", "h3"].contains(&name.as_str()) {
        return Angle::Space;
    }
    Angle::Tag
}

/// Whether `held`, which starts with `(` and comes right after a `]`, may go on after white space as a link
/// target with a title: only when it starts as an address does.
pub(super) fn is_address_start(held: &str) -> bool {
    let target = held.trim_start_matches('(').trim_start_matches('<');
    ["http:", "https:", "mailto:", "tel:", "www.", "/", "./", "#"].iter().any(|s| target.starts_with(s))
}

/// Signs without a width and without a sound: soft hyphen, zero-width and direction marks, variation
/// selectors, byte order marks, control characters. Words go on across them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}')
        || (c.is_control() && !c.is_whitespace())
}

/// Pictures: nothing that a voice can say. Arrows, boxes, dingbats, emoji, private use (by Unicode block).
pub(super) const fn is_picture(c: char) -> bool {
    matches!(c,
        '\u{20E3}' | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{2460}'..='\u{24FF}'
        | '\u{2500}'..='\u{27BF}' | '\u{2900}'..='\u{297F}' | '\u{2B00}'..='\u{2BFF}' | '\u{E000}'..='\u{F8FF}'
        | '\u{FFF0}'..='\u{FFFD}' | '\u{1F000}'..='\u{1FAFF}' | '\u{F0000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_all_their_spellings() {
        for (inner, kind) in [
            ("breath", BreathKind::Normal),
            (" Breath ", BreathKind::Normal),
            ("breath type=\"deep\"", BreathKind::Deep),
            ("breath type='quick'", BreathKind::Quick),
            ("BREATH TYPE=deep /", BreathKind::Deep),
            ("breath type = “sigh”", BreathKind::Sigh),
            ("breath type=\"odd\"", BreathKind::Normal),
            ("sigh", BreathKind::Sigh),
        ] {
            assert_eq!(tag(inner), Some(kind), "{inner}");
            assert!(may_become_tag(&format!("[{inner}")), "{inner}");
        }
        for inner in ["breathe", "sighs", "breath deep", "1", ""] {
            assert_eq!(tag(inner), None, "{inner}");
        }
    }

    #[test]
    fn html_is_told_from_mathematics_and_addresses() {
        assert_eq!(angle("b"), Angle::Tag);
        assert_eq!(angle("/speak"), Angle::Tag);
        assert_eq!(angle("break time=\"1s\"/"), Angle::Tag);
        assert_eq!(angle("br/"), Angle::Space);
        assert_eq!(angle("https://example.com/a"), Angle::Address);
        assert_eq!(angle("desk@example.com"), Angle::Address);
        assert_eq!(angle("b and c"), Angle::Text);
        assert_eq!(angle(" b"), Angle::Tag);
    }

    #[test]
    fn pictures_are_not_words() {
        assert!(['😀', '✅', '→', '🇩'].into_iter().all(is_picture));
        assert!(['\u{FE0F}', '\u{7}', '\u{AD}'].into_iter().all(is_invisible));
        let spoken = ['a', '€', 'é', '中', '©', '°', '½', '\n', 'ा'];
        assert!(spoken.into_iter().all(|c| !is_picture(c) && !is_invisible(c)));
    }
}
