//! A conversation from its greeting on, with each kind of service.

use crate::call::{Bed, With, options, settings, turns};
use crate::letters::plain;
use crate::timer::Timer;
use offhook_lab::Options;
use offhook_speech::session::SessionEvent;

pub(crate) fn ended(count: usize) -> impl Fn(&[SessionEvent]) -> bool {
    move |events| turns(events).len() >= count
}

#[test]
fn v4_a_call_is_greeted_heard_understood_and_answered_over_plain_and_secret_sockets() {
    for secret in [false, true] {
        let lab = Options {
            https_port: Some(0),
            utterances: vec!["What time is it?".to_owned()],
            replies: vec!["It is five. Is there anything else?".to_owned()],
            ..options()
        };
        let bed = Bed::new(lab, With::default());
        let base = match bed.lab.addresses().https.filter(|_| secret) {
            // The certificate is for the name, and the name is looked up.
            Some(https) => format!("https://localhost:{}", https.port()),
            None => bed.base(),
        };
        let call = bed.call(1, settings(&base, "Hello. How can I help?"));
        assert!(call.run(&Timer::start(), 15_000, ended(1)), "{secret}: no greeting, {:?}", call.events());
        call.caller_speaks(800);
        assert!(call.run(&Timer::start(), 15_000, ended(2)), "{secret}: no answer, {:?}", call.events());
        let texts: Vec<String> = call.turns().into_iter().map(|spoken| spoken.text).collect();
        assert_eq!(texts, ["Hello. How can I help?", "It is five. Is there anything else?"]);
        assert!(call.turns().iter().all(|spoken| spoken.whole));
        assert_eq!(call.words(), plain("Hello. How can I help? It is five. Is there anything else?"));
        let seen = bed.lab.seen();
        assert_eq!(seen.at("multi-stream-input").count(), 1, "one socket for the whole call");
        assert_eq!(seen.at("listen").count(), 1);
        assert!(seen.visits.iter().all(|visit| visit.tls == secret));
    }
}

#[test]
fn b1_v5_a_caller_who_breaks_in_is_answered_and_history_holds_what_was_heard() {
    let story =
        "Once upon a time there was a king who had three sons and a very large garden. They all lived in it.";
    let replies = vec![story.to_owned(), "As you wish.".to_owned()];
    let utterances = vec!["Tell me a story.".to_owned(), "Stop it please.".to_owned()];
    let bed = Bed::new(Options { utterances, replies, ..options() }, With::default());
    let call = bed.call(1, settings(&bed.base(), ""));
    call.caller_speaks(600);
    let begins = |events: &[SessionEvent]| events.contains(&SessionEvent::TurnBegins);
    assert!(call.run(&Timer::start(), 10_000, begins), "{:?}", call.events());
    call.run(&Timer::start(), 1_800, |_| false);
    call.break_in();
    call.caller_speaks(600);
    assert!(call.run(&Timer::start(), 15_000, ended(2)), "{:?}", call.events());
    let turns = call.turns();
    let cut = &turns[0];
    assert!(!cut.whole && cut.text.starts_with("Once upon"), "{cut:?}");
    assert!(cut.text.len() < 60, "less than two seconds were heard: {cut:?}");
    assert_eq!(turns[1].text, "As you wish.");
    let heard = call.words();
    assert!(heard.starts_with(&plain(&cut.text)) && heard.ends_with("as you wish"), "{heard}");
    let asked = bed.lab.seen();
    let last = asked.at("chat/completions").last().expect("the model was asked");
    assert!(!last.text().contains("lived in it"), "{}", last.text());
}
