//! Where sentences end, and what must hold for any text.

use super::*;
use crate::breath::BreathKind;
use proptest::prelude::*;

fn texts(text: &str) -> Vec<String> {
    Splitter::of_whole().all(text).into_iter().map(|sentence| sentence.text).collect()
}

#[test]
fn sentences_end_at_stops_and_nowhere_else() {
    for (text, expected) in [
        ("Hello there. How are you? Fine!", &["Hello there.", "How are you?", "Fine!"][..]),
        (
            "Dr. J. R. Smith Jr. lives at 5 Main St. in St. Louis. Yes.",
            &["Dr. J. R. Smith Jr. lives at 5 Main St. in St. Louis.", "Yes."],
        ),
        (
            "It costs 3.50 at 10.30 a.m. on Monday. Version 2.0.1 is out.",
            &["It costs 3.50 at 10.30 a.m. on Monday.", "Version 2.0.1 is out."],
        ),
        (
            "Go to www.example.com/a.b?c=d. Or write to joe.doe@example.co.uk. Bye.",
            &["Go to www.example.com/a.b?c=d.", "Or write to joe.doe@example.co.uk.", "Bye."],
        ),
        ("Well... maybe. Hm… No.", &["Well... maybe.", "Hm…", "No."]),
        (
            "He said \"Stop!\" and left. \"Really?\" Yes (it was so.) Then he came.",
            &["He said \"Stop!\" and left.", "\"Really?\"", "Yes (it was so.)", "Then he came."],
        ),
        ("What?! No!! Oh?", &["What?!", "No!!", "Oh?"]),
        ("Are you?I am!Yes", &["Are you?", "I am!", "Yes"]),
        ("See http://a.b/c?D=e and Node.JS now", &["See http://a.b/c?D=e and Node.JS now"]),
        (
            "Bring pens, paper, etc. The test starts at 9 a.m. Good luck.",
            &["Bring pens, paper, etc.", "The test starts at 9 a.m.", "Good luck."],
        ),
        ("e.g. this, i.e. that, No. 5 and no. Seven", &["e.g. this, i.e. that, No. 5 and no.", "Seven"]),
        ("Am 3. Oktober um 9. Bis dann. 5. Mai", &["Am 3. Oktober um 9.", "Bis dann.", "5. Mai"]),
        ("no stop at all", &["no stop at all"]),
    ] {
        assert_eq!(texts(text), expected, "{text}");
    }
}

#[test]
fn lists_headings_and_paragraphs_end_sentences_without_a_stop() {
    assert_eq!(
        texts("# Opening hours\nWe are open:\n1. Monday to Friday\n2. Saturday, *mornings only*\n\nSee you"),
        ["Opening hours", "We are open:", "1. Monday to Friday", "2. Saturday, mornings only", "See you"]
    );
}

#[test]
fn a_comma_or_colon_before_the_end_of_a_line_is_no_clause() {
    let ends: Vec<End> =
        Splitter::of_whole().all("We are open:\n- daily,\n- always").into_iter().map(|s| s.end).collect();
    assert_eq!(ends, [End::Line; 3]);
}

#[test]
fn scripts_without_spaces_are_cut_after_their_stops() {
    assert_eq!(texts("你好。今天天气很好！真的吗？是。"), ["你好。", "今天天气很好！", "真的吗？", "是。"]);
    assert_eq!(texts("「はい。」そうです。"), ["「はい。」", "そうです。"]);
    assert_eq!(texts("هل أنت هنا؟ نعم. यह है। ठीक"), ["هل أنت هنا؟", "نعم.", "यह है।", "ठीक"]);
}

#[test]
fn a_sentence_comes_out_as_soon_as_it_is_certain() {
    let mut splitter = Splitter::of_whole();
    assert_eq!(splitter.push("It is done."), [], "a digit or a dot may follow");
    assert_eq!(splitter.push(" ").len(), 1, "the space makes it certain");
    assert_eq!(splitter.push("Ask at the U.S. "), []);
    assert_eq!(splitter.push("He"), [], "the next word is not whole");
    assert_eq!(splitter.push(" ")[0].text, "Ask at the U.S.");
    assert_eq!(splitter.finish()[0].text, "He");
}

#[test]
fn pitfall_17_the_first_clause_comes_early_when_that_saves_time() {
    let text = "Thank you very much for calling, I will look that up for you right away. One moment, please, and I am back.";
    let first: Vec<_> = Splitter::new().all(text).into_iter().map(|s| (s.text, s.end)).collect();
    assert_eq!(
        first,
        [
            ("Thank you very much for calling,".to_owned(), End::Clause),
            ("I will look that up for you right away.".to_owned(), End::FullStop),
            ("One moment, please, and I am back.".to_owned(), End::FullStop),
        ],
        "only the first sentence is parted"
    );
    for whole in ["Thank you very much for calling, Bob. Bye.", "Yes, of course I can do that for you. Bye."]
    {
        assert_eq!(Splitter::new().all(whole).len(), 2, "{whole}");
    }
    let dated = "Your appointment is January 5, 2026 and the doctor expects you at nine.";
    assert_eq!(Splitter::new().all(dated).len(), 1);
}

#[test]
fn tags_and_emphasis_become_cues_at_their_place() {
    let all =
        Splitter::of_whole().all("This is [sigh] *very* good. [breath type=\"deep\"] Next one.[breath]");
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].text, "This is very good.");
    assert_eq!(
        all[0].cues,
        [Cue { at: 8, kind: CueKind::Breath(BreathKind::Sigh) }, Cue { at: 8, kind: CueKind::Emphasis }]
    );
    assert_eq!(all[1].cues, [Cue { at: 0, kind: CueKind::Breath(BreathKind::Deep) }]);
    assert_eq!((all[2].text.as_str(), all[2].cues.len()), ("", 1), "a breath at the very end stands alone");
}

#[test]
fn a_breath_behind_the_last_word_of_a_sentence_is_for_the_words_that_follow() {
    for text in ["[sigh]... I see.", "—[sigh]— ... I see.", "[sigh]\n\n---\n\n…\n\nI see."] {
        let mut all = Splitter::new().all(text);
        all.retain(Sentence::is_speakable);
        let sigh = Cue { at: 0, kind: CueKind::Breath(BreathKind::Sigh) };
        assert_eq!(
            all.iter().map(|sentence| sentence.cues.as_slice()).collect::<Vec<_>>(),
            [[sigh]],
            "{text}"
        );
    }
}

#[test]
fn text_without_an_end_is_cut_at_a_sane_length() {
    for unit in ["word ", "clause, ", "x", "e\u{301}", "\u{301}", "中", "etc. \""] {
        let mut splitter = Splitter::of_whole();
        let mut out = 0;
        for _ in 0..3_000 {
            out += splitter.push(unit).len();
            assert!(splitter.chars <= 601, "{unit}: {} held", splitter.chars);
        }
        out += splitter.finish().len();
        assert!(out >= 5, "{unit}: {out} pieces");
    }
    let cut = Splitter::of_whole().all(&"one two three, ".repeat(60));
    assert!(cut[0].text.ends_with("three,"), "cut at a comma: {}", cut[0].text);
    let cut = Splitter::of_whole().all(&"one two three ".repeat(60));
    assert!(cut[0].end == End::Cut && cut[0].text.ends_with(|c| "oe".contains(c)), "cut between words");
}

#[test]
fn an_answer_that_was_broken_off_leaves_nothing_behind() {
    let mut splitter = Splitter::of_whole();
    splitter.push("Half a sentence **and [bre");
    splitter.clear();
    assert_eq!(splitter.push("New. ")[0].text, "New.");
}

/// Text that is likely to hit the rules.
fn rough_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-zA-Z]{1,9}",
        3 => Just(" ".to_owned()),
        2 => prop::sample::select(vec![
            ". ", "... ", "? ", "! ", ", ", ".", "\n", "\n\n", "- ", "1. ", "# ", "**", "*", "_", "`", "```", "[breath]",
            "[breath type=\"deep\"]", "[sigh]", "[", "](", ")", "<b>", "<", ">", "|", "\\", "😀", "e.g. ", "Dr. ", "U.S. ",
            "p.m. ", "No. ", "5", "3.5", "。", "、", "\"", "”", "(", "…", "~", "http://a.b/c", "\u{301}", "\r\n",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_chunking_of_a_text_gives_the_same_sentences(text in rough_text(), cuts in prop::collection::vec(1usize..9, 1..20)) {
        let whole = Splitter::new().all(&text);
        let mut splitter = Splitter::new();
        let mut pieces = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        for &cut in cuts.iter().cycle() {
            if at >= chars.len() { break; }
            let end = (at + cut).min(chars.len());
            pieces.extend(splitter.push(&chars[at..end].iter().collect::<String>()));
            at = end;
        }
        pieces.extend(splitter.finish());
        prop_assert_eq!(pieces, whole);
    }

    #[test]
    fn nothing_of_a_text_without_markup_is_lost(text in "([a-zA-Z0-9éß中。、]{1,8}|[ .,;:!?'\"()%$€&@/…—]|\\. |\\? |, ){0,80}") {
        let squeezed = |s: &str| s.split_whitespace().collect::<String>();
        let all = Splitter::new().all(&text);
        let spoken: String = all.iter().map(|s| squeezed(&s.text)).collect();
        prop_assert_eq!(spoken, squeezed(&text));
    }

    #[test]
    fn every_sentence_is_tidy_and_bounded(text in rough_text()) {
        for sentence in Splitter::new().all(&text) {
            prop_assert_eq!(sentence.text.trim(), &sentence.text);
            prop_assert!(!sentence.text.contains("  ") && !sentence.text.contains('\n'));
            prop_assert!(sentence.text.chars().count() <= 601);
            prop_assert!(!sentence.text.is_empty() || !sentence.cues.is_empty());
            for cue in &sentence.cues {
                prop_assert!(sentence.text.is_char_boundary(cue.at) && cue.at <= sentence.text.len());
            }
        }
    }
}
