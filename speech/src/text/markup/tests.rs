//! What is left of marked-up text.

use super::*;

/// The text that is left: `¶` for a break, `^` before an emphasised word, `{kind}` for a breath.
fn cleaned(text: &str) -> String {
    let mut tokens = Vec::new();
    let mut markup = Markup::new();
    text.chars().for_each(|c| markup.push(c, &mut tokens));
    markup.finish(&mut tokens);
    tokens
        .into_iter()
        .map(|token| match token {
            Token::Char(c) => c.to_string(),
            Token::Break => "¶".to_owned(),
            Token::Emphasis => "^".to_owned(),
            Token::Breath(kind) => format!("{{{}}}", kind.name()),
        })
        .collect()
}

#[test]
fn plain_text_passes_untouched() {
    for text in [
        "Plain text, with all: of; it - (really)? \"Yes!\"",
        "3 * 4 is 12, snake_case stays, 5 < 6 and 7 > 6, a ~ b, C:\\dir",
        "at 10:30, -5 degrees, +1 555 0100, #1",
        "price*: see x_y_z",
    ] {
        assert_eq!(cleaned(text), text);
    }
}

#[test]
fn emphasis_marks_its_word_and_goes() {
    assert_eq!(cleaned("This is *very* good"), "This is ^very good");
    assert_eq!(cleaned("This is **very good**, yes"), "This is ^very good, yes");
    assert_eq!(cleaned("a ***b*** _c_ __d__ e"), "a ^b ^c ^d e");
    assert_eq!(cleaned("**Bold start.** Next"), "^Bold start. Next");
    assert_eq!(cleaned("*left open\nnext *word*"), "^left open next ^word");
    assert_eq!(cleaned("lost** half and ~~struck~~ out"), "lost half and struck out");
}

#[test]
fn tags_become_breaths_wherever_they_stand() {
    assert_eq!(cleaned("Well [breath] so"), "Well {normal} so");
    assert_eq!(cleaned("[breath type=\"deep\"]Well[sigh]"), "{deep}Well{sigh}");
    assert_eq!(cleaned("Oh![sigh] No"), "Oh!{sigh} No");
    assert_eq!(cleaned("[sighs] [breathe] [1] [sigh"), "sighs breathe 1 sigh");
}

#[test]
fn links_keep_their_words_and_lose_their_targets() {
    assert_eq!(cleaned("see [our page](https://example.com/a_(b)?x=1 \"Home\") now"), "see our page now");
    assert_eq!(cleaned("![a chart](chart.png) shows"), "a chart shows");
    assert_eq!(cleaned("[this](is not a link) ok"), "this(is not a link) ok");
    assert_eq!(
        cleaned("mail <desk@example.com> or <https://example.com>"),
        "mail desk@example.com or https://example.com"
    );
    assert_eq!(cleaned("array[0]x and [a](b"), "array 0 x and a(b");
}

#[test]
fn code_blocks_are_silent_and_code_words_are_not() {
    assert_eq!(cleaned("Do this:\n```sh\nrm -rf *x*\n```\nDone."), "Do this: ¶Done.");
    assert_eq!(cleaned("run `off_hook *now*` please"), "run off_hook *now* please");
    assert_eq!(cleaned("never ```closed at all"), "never ¶");
}

#[test]
fn blocks_are_parted_and_lines_are_joined() {
    assert_eq!(cleaned("# Title\nSome\ntext\n\nMore"), "¶Title¶Some text¶More");
    assert_eq!(
        cleaned("Two things:\n- one\n* two\n1. three\n2) four"),
        "Two things:¶one¶¶two¶¶1. three¶¶2) four"
    );
    assert_eq!(cleaned("> quoted\n> words"), "quoted words");
    assert_eq!(cleaned("a\n---\nb\n***\nc"), "a¶b¶c");
    assert_eq!(cleaned("| a | b |\n|---|:--|\n| 1 | 2 |"), "¶ a  b ¶¶¶ 1  2 ");
    assert_eq!(cleaned("2026 was\n5.5 percent\n10:30"), "2026 was 5.5 percent 10:30");
}

#[test]
fn html_and_pictures_are_not_read_out() {
    assert_eq!(cleaned("<b>Hi</b> you<br/>there <break time=\"1s\"/>now"), "Hi you there now");
    assert_eq!(cleaned("if a <b and c> d"), "if a <b and c> d");
    assert_eq!(cleaned("Great 😀! Yes👍🏽no ✅"), "Great ! Yes no ");
    assert_eq!(cleaned("1\u{FE0F}\u{20E3} soft\u{AD}hyphen"), "1 softhyphen");
}

#[test]
fn a_held_piece_never_grows_without_bound() {
    for unit in ["[", "<a", "](", "](x", "[breath ", "*", "`", "-", "#", "1", "](http:// ", "|", "\\", "> "] {
        let mut markup = Markup::new();
        let mut tokens = Vec::new();
        for c in unit.repeat(5_000).chars() {
            markup.push(c, &mut tokens);
            assert!(markup.held.len() <= held::TARGET_MAX + 4, "{unit} held {}", markup.held.len());
        }
        markup.finish(&mut tokens);
    }
}
