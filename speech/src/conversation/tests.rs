use super::*;

fn conversation() -> Conversation {
    Conversation::new(ConversationSettings {
        system: "Be kind.".to_owned(),
        greeting: "Hello. How can I help?".to_owned(),
        sorry: "Sorry, please say that again.".to_owned(),
    })
}

/// What it does, in short.
fn acts(conversation: &mut Conversation) -> Vec<String> {
    let one = |act| match act {
        Act::Ask(messages) => {
            let all: Vec<String> =
                messages.iter().map(|(role, text)| format!("{}: {text}", role.name())).collect();
            format!("ask [{}]", all.join(" | "))
        }
        Act::StopAsking => "stop asking".to_owned(),
        Act::Begin => "begin".to_owned(),
        Act::Say(sentence) => format!("say '{}'", sentence.text),
        Act::Complete => "complete".to_owned(),
    };
    std::iter::from_fn(|| conversation.poll_act()).map(one).collect()
}

fn spoken(text: &str, whole: bool) -> Spoken {
    Spoken { text: text.to_owned(), whole }
}

/// Greeted, and the caller's turn.
fn greeted() -> Conversation {
    let mut conversation = conversation();
    conversation.answered();
    assert_eq!(acts(&mut conversation), ["begin", "say 'Hello.'", "say 'How can I help?'", "complete"]);
    conversation.heard(&spoken("Hello. How can I help?", true));
    conversation
}

const GREETED: &str = "system: Be kind. | assistant: Hello. How can I help?";

#[test]
fn v4_the_model_is_asked_and_each_sentence_is_said_while_it_still_writes() {
    let mut it = greeted();
    it.utterance("What time is it?");
    assert_eq!(acts(&mut it), [format!("ask [{GREETED} | user: What time is it?]")]);
    for token in ["It is", " five.", " Anything", " else?"] {
        it.token(token);
    }
    assert_eq!(acts(&mut it), ["begin", "say 'It is five.'"]);
    it.model_finished();
    assert_eq!(acts(&mut it), ["say 'Anything else?'", "complete"]);
}

#[test]
fn c4_a_breath_at_the_end_is_a_part_of_the_answer_and_alone_it_is_none() {
    for (answer, expected) in [
        ("I see. [sigh]", &["begin", "say 'I see.'", "say ''", "complete"][..]),
        ("[sigh]", &["begin", "say 'Sorry, please say that again.'", "complete"]),
    ] {
        let mut it = greeted();
        it.utterance("Hello?");
        acts(&mut it);
        it.token(answer);
        it.model_finished();
        assert_eq!(acts(&mut it), expected);
    }
}

#[test]
fn v5_an_answer_that_was_cut_off_is_kept_up_to_the_cut() {
    let mut it = greeted();
    it.utterance("Tell me everything.");
    it.token("First of all, this is long. And there is more. ");
    acts(&mut it);
    assert!(it.interrupts("wait a moment please", true));
    it.cut(Some(&spoken("First of all, this", false)));
    it.token("Nobody hears this. ");
    it.model_finished();
    it.utterance("Shorter.");
    assert_eq!(
        acts(&mut it),
        [
            "stop asking".to_owned(),
            format!(
                "ask [{GREETED} | user: Tell me everything. | assistant: First of all, this | user: Shorter.]"
            )
        ]
    );
}

#[test]
fn v5_a_turn_of_which_nothing_was_heard_is_not_remembered() {
    let mut it = greeted();
    it.utterance("One moment.");
    it.cut(None);
    it.utterance("Now then.");
    assert_eq!(acts(&mut it).last().unwrap(), &format!("ask [{GREETED} | user: One moment. Now then.]"));
}

#[test]
fn a_word_that_the_caller_adds_before_our_voice_is_heard_belongs_to_the_question() {
    let mut it = greeted();
    it.utterance("I want a pizza.");
    it.token("All right. Which one?");
    acts(&mut it);
    assert!(!it.interrupts("Yes.", true) && it.interrupts("With cheese.", false));
    it.cut(Some(&spoken("", false)));
    it.utterance("With cheese.");
    let asked = format!("ask [{GREETED} | user: I want a pizza. With cheese.]");
    assert_eq!(acts(&mut it), ["stop asking".to_owned(), asked]);
    let mut new = conversation();
    new.answered();
    assert!(!new.interrupts("Hello?", false), "the greeting is no answer");
}

#[test]
fn a_sign_of_attention_does_not_take_the_turn() {
    let mut it = greeted();
    it.utterance("Go on then.");
    it.token("This is one sentence. And ");
    acts(&mut it);
    assert!(!it.interrupts("mm-hmm", true));
    it.utterance("mm-hmm");
    assert!(acts(&mut it).is_empty());
}

#[test]
fn a_second_utterance_before_the_answer_asks_anew() {
    let mut it = greeted();
    it.utterance("What is");
    it.utterance("the time?");
    assert_eq!(acts(&mut it).last().unwrap(), &format!("ask [{GREETED} | user: What is the time?]"));
}

#[test]
fn a_model_that_fails_is_excused_once_and_what_it_wrote_is_said() {
    let mut it = greeted();
    it.utterance("Hello?");
    acts(&mut it);
    it.model_failed();
    assert_eq!(acts(&mut it), ["begin", "say 'Sorry, please say that again.'", "complete"]);
    it.model_failed();
    it.heard(&spoken("Sorry, please say that again.", true));

    it.utterance("Once more.");
    it.token("Half of it is here. The rest");
    acts(&mut it);
    it.model_failed();
    assert_eq!(acts(&mut it), ["say 'The rest'", "complete"]);
}

#[test]
fn an_empty_answer_is_an_apology_too() {
    let mut it = greeted();
    it.utterance("Hello?");
    acts(&mut it);
    it.token("...");
    it.model_finished();
    assert_eq!(acts(&mut it), ["begin", "say 'Sorry, please say that again.'", "complete"]);
}

#[test]
fn a_model_that_writes_for_ever_is_stopped_and_what_it_said_is_a_turn() {
    let mut it = greeted();
    it.utterance("Tell me everything.");
    acts(&mut it);
    let mut done = Vec::new();
    for _ in 0..3_000 {
        it.token("This goes on. ");
        done.extend(acts(&mut it));
    }
    assert_eq!(done.iter().filter(|act| *act == "stop asking").count(), 1);
    assert_eq!(done.last().map(String::as_str), Some("complete"));
    assert!(done.len() < 800, "{} acts", done.len());
    it.heard(&spoken("This goes on.", true));
    it.utterance("And now?");
    assert!(acts(&mut it).iter().any(|act| act.starts_with("ask")), "the next answer is not cut short");
    it.token("Now this.");
    it.model_finished();
    assert_eq!(acts(&mut it), ["begin", "say 'Now this.'", "complete"]);
}

#[test]
fn what_the_caller_said_stands_before_its_answer_however_late_it_is_told() {
    let history = |it: &Conversation| -> Vec<String> {
        it.messages().iter().skip(2).map(|(role, text)| format!("{}: {text}", role.name())).collect()
    };
    let mut it = greeted();
    it.service_asked();
    it.service_answers(true);
    it.heard(&spoken("Two rooms.", true));
    it.note_late("Have you");
    it.note_late("rooms?");
    it.service_asked();
    it.service_answers(true);
    it.note_late("And");
    it.heard(&spoken("Yes.", true));
    it.note_late("breakfast?");
    let told = ["user: Have you rooms?", "assistant: Two rooms.", "user: And breakfast?", "assistant: Yes."];
    assert_eq!(history(&it), told);
    // The one before it was answered; nobody answers this one.
    it.service_asked();
    it.note_late("Thanks.");
    assert_eq!(history(&it)[4..], ["user: Thanks."]);
    // An hour of it: the oldest are forgotten, and the place moves with them.
    for n in 0..100 {
        it.service_asked();
        it.service_answers(true);
        it.heard(&spoken(&format!("a{n}"), true));
        it.note_late(&format!("q{n}"));
    }
    let messages = history(&it);
    assert_eq!(
        messages[messages.len() - 4..],
        ["user: q98", "assistant: a98", "user: q99", "assistant: a99"]
    );
}
