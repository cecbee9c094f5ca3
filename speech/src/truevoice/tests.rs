use super::*;
use crate::all_in_one::{AllInOneOutput, AllInOneService};
use crate::failure::Breaker;
use crate::transport::{Closed, ConnId, FromNet, Lost, Part, ToNet};
use serde_json::json;

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

fn service() -> TrueVoiceSettings {
    TrueVoiceSettings { url: Url::parse("http://127.0.0.1:1").unwrap(), key: Some(Pii::new("k".to_owned())) }
}

struct Bed {
    it: AllInOneService,
    conn: ConnId,
    events: Vec<AllInOneEvent>,
    net: Vec<ToNet>,
    now: Moment,
    /// What the session says when it is asked.
    all_is_heard: Option<bool>,
    asked: u32,
}

impl Bed {
    fn open() -> Self {
        let it = AllInOneService::new(service().into(), Breaker::new(), 1, 8_000);
        let conn = ConnId::none(Part::AllInOne);
        let (events, net, all_is_heard) = (Vec::new(), Vec::new(), Some(true));
        let mut bed = Self { it, conn, events, net, now: at(0), all_is_heard, asked: 0 };
        bed.it.open(at(0));
        bed.poll();
        bed.gets(0, FromNet::Opened);
        bed.net.clear();
        bed
    }

    fn poll(&mut self) {
        while let Some(output) = self.it.poll_output() {
            match output {
                AllInOneOutput::Net(net) => {
                    if let ToNet::Open(conn, _) = net {
                        self.conn = conn;
                    }
                    self.net.push(net);
                }
                AllInOneOutput::Event(AllInOneEvent::Pauses) => {
                    self.asked += 1;
                    if let Some(is_all) = self.all_is_heard {
                        self.it.heard_out(self.now, is_all);
                    }
                }
                // As a session does where nothing speaks against it.
                AllInOneOutput::Event(AllInOneEvent::Expires) => self.it.heard_out(self.now, true),
                AllInOneOutput::Event(event) => self.events.push(event),
            }
        }
    }

    fn gets(&mut self, ms: u64, what: FromNet) {
        self.now = at(ms);
        self.it.handle_net(at(ms), self.conn, what);
        self.poll();
    }

    fn text(&mut self, ms: u64, message: &serde_json::Value) {
        self.gets(ms, FromNet::Text(message.to_string()));
    }

    fn token(&mut self, ms: u64, text: &str) {
        self.text(ms, &json!({"type": "llm_token", "text": text}));
    }

    fn done(&mut self, ms: u64) {
        self.text(ms, &json!({"type": "llm_done"}));
    }

    fn audio(&mut self, ms: u64, bytes: &[u8]) {
        self.gets(ms, FromNet::Binary(bytes.to_vec()));
    }

    /// A second of audio.
    fn second(&mut self, ms: u64) {
        self.audio(ms, &[0; 32_000]);
    }

    fn cancel(&mut self, ms: u64) {
        self.it.cancel(at(ms), Span::ZERO);
        self.poll();
    }

    fn leaves_alone(&mut self, ms: u64) {
        self.it.leaves_alone(at(ms));
        self.poll();
    }

    fn until(&mut self, ms: u64) {
        while let Some(due) = self.it.poll_timeout().filter(|&due| due <= at(ms)) {
            self.now = due;
            self.it.handle_timeout(due);
            self.poll();
        }
    }

    /// The machine stood still until then.
    fn late(&mut self, ms: u64) {
        self.now = at(ms);
        self.it.handle_timeout(self.now);
        self.poll();
    }

    fn kinds(&self) -> Vec<&'static str> {
        let kind = |event: &AllInOneEvent| match event {
            AllInOneEvent::Interim(_) => "interim",
            AllInOneEvent::Asked
            | AllInOneEvent::Heard(_)
            | AllInOneEvent::Taken
            | AllInOneEvent::Anew
            | AllInOneEvent::Ungreeted(_)
            | AllInOneEvent::Pauses
            | AllInOneEvent::Expires
            | AllInOneEvent::Complaint(_) => "not TrueVoice's",
            AllInOneEvent::Transcript(_) => "transcript",
            AllInOneEvent::Begins => "begins",
            AllInOneEvent::Words(_) => "words",
            AllInOneEvent::Audio(_) => "audio",
            AllInOneEvent::FallsSilent => "falls silent",
            AllInOneEvent::Ends => "ends",
            AllInOneEvent::Breaks { .. } => "breaks",
            AllInOneEvent::Fault(_) => "fault",
        };
        self.events.iter().map(kind).collect()
    }
}

fn words(text: &str) -> AllInOneEvent {
    AllInOneEvent::Words(text.to_owned())
}

#[test]
fn v3_the_key_goes_in_headers_and_the_path_is_the_missions() {
    let request = service().request();
    assert_eq!(request.url.to_string(), "ws://127.0.0.1:1/ws/conversation");
    let headers: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.reveal().as_str())).collect();
    assert_eq!(headers, [("X-API-Key", "k"), ("Authorization", "Bearer k")]);
    let own = Url::parse("wss://voice.example.com/talk").unwrap();
    let request = TrueVoiceSettings { url: own, key: None }.request();
    assert_eq!(
        (request.url.to_string().as_str(), request.headers.len()),
        ("wss://voice.example.com/talk", 0)
    );
}

#[test]
fn v3_a_turn_is_transcript_words_and_audio_and_its_end_is_found_without_being_told() {
    let mut bed = Bed::open();
    bed.text(0, &json!({"type": "transcript", "text": "What time is it?"}));
    bed.token(100, "Five");
    bed.token(110, " o'clock.");
    bed.audio(200, &[1, 0, 2]);
    bed.audio(220, &[0]);
    bed.done(230);
    bed.second(500);
    // The piece lasts a second, and a service that keeps the pace of speech sends the next one then.
    bed.until(1_799);
    assert_eq!(
        bed.events[..6],
        [
            AllInOneEvent::Transcript("What time is it?".to_owned()),
            AllInOneEvent::Begins,
            words("Five"),
            words(" o'clock."),
            AllInOneEvent::Audio(vec![1]),
            AllInOneEvent::Audio(vec![2]),
        ]
    );
    assert_eq!(bed.events.len(), 7);
    bed.until(1_800);
    assert_eq!(bed.events.last(), Some(&AllInOneEvent::Ends));
    assert_eq!(bed.it.poll_timeout(), None);
}

#[test]
fn v3_the_extras_of_a_richer_service_are_understood_and_the_unknown_is_ignored() {
    let mut bed = Bed::open();
    bed.text(0, &json!({"type": "transcript", "text": "What", "final": false}));
    bed.text(10, &json!({"type": "mood", "value": 7}));
    bed.gets(20, FromNet::Text("no json".to_owned()));
    bed.token(30, "A");
    bed.audio(40, &[1, 0]);
    bed.text(50, &json!({"type": "audio_end"}));
    let interim = AllInOneEvent::Interim("What".to_owned());
    let audio = AllInOneEvent::Audio(vec![1]);
    assert_eq!(bed.events, [interim, AllInOneEvent::Begins, words("A"), audio, AllInOneEvent::Ends]);
}

#[test]
fn pitfall_07_after_a_barge_in_words_and_audio_of_the_old_turn_are_dropped_until_the_next_one() {
    let mut bed = Bed::open();
    bed.token(0, "Old");
    bed.audio(10, &[1, 0]);
    bed.cancel(20);
    assert_eq!(bed.net, [ToNet::Text(bed.conn, "{\"type\":\"cancel\"}".to_owned())]);
    bed.events.clear();
    bed.audio(30, &[2, 0]);
    bed.token(35, " story");
    bed.text(40, &json!({"type": "transcript", "text": "Wait"}));
    bed.audio(50, &[2, 0]);
    assert_eq!(bed.kinds(), ["transcript"]);
    bed.token(60, "New");
    bed.audio(70, &[3, 0]);
    assert_eq!(bed.events[1..], [AllInOneEvent::Begins, words("New"), AllInOneEvent::Audio(vec![3])]);
}

#[test]
fn pitfall_07_a_new_transcript_makes_the_rest_of_the_old_turn_stale_and_the_next_one_begins() {
    let mut bed = Bed::open();
    bed.token(0, "Old");
    bed.audio(10, &[1, 0]);
    bed.text(20, &json!({"type": "transcript", "text": "Stop."}));
    bed.audio(30, &[2, 0]);
    bed.token(40, "Fine.");
    bed.audio(50, &[3, 0]);
    assert_eq!(bed.kinds(), ["begins", "words", "audio", "transcript", "begins", "words", "audio"]);
    assert!(bed.net.is_empty(), "the service knows: it said so itself");
}

#[test]
fn pitfall_07_turns_that_are_numbered_are_told_apart_exactly() {
    let mut bed = Bed::open();
    bed.text(0, &json!({"type": "llm_token", "text": "Old", "turn": 1}));
    bed.cancel(10);
    assert_eq!(bed.net, [ToNet::Text(bed.conn, "{\"type\":\"cancel\",\"turn\":1}".to_owned())]);
    bed.text(20, &json!({"type": "llm_done", "turn": 1}));
    bed.text(5_000, &json!({"type": "llm_token", "text": "late", "turn": 1}));
    bed.text(5_010, &json!({"type": "llm_token", "text": "New", "turn": 2}));
    bed.text(5_020, &json!({"type": "llm_token", "text": "Newer", "turn": 3}));
    assert_eq!(bed.kinds(), ["begins", "words", "begins", "words", "ends", "begins", "words"]);
}

#[test]
fn a_service_without_tokens_is_heard_again_after_a_gap_and_after_five_seconds_whatever_it_does() {
    let mut bed = Bed::open();
    bed.audio(0, &[1, 0]);
    bed.cancel(10);
    bed.audio(1_400, &[1, 0]);
    bed.audio(2_800, &[1, 0]);
    assert_eq!(bed.kinds(), ["begins", "audio"]);
    bed.audio(4_300, &[2, 0]);
    assert_eq!(bed.kinds(), ["begins", "audio", "begins", "audio"]);
    bed.cancel(5_000);
    (5_100..12_000).step_by(500).for_each(|ms| bed.audio(ms, &[3, 0]));
    let heard = bed.events.iter().filter(|event| **event == AllInOneEvent::Audio(vec![3])).count();
    assert_eq!(heard, 4, "from 10.1 s on");
}

#[test]
fn a_barge_in_on_what_had_come_whole_makes_nothing_stale() {
    let mut bed = Bed::open();
    bed.token(0, "Yes");
    bed.done(10);
    bed.second(20);
    bed.until(2_000);
    bed.cancel(2_100);
    bed.audio(2_200, &[1, 0]);
    assert_eq!(bed.kinds(), ["begins", "words", "audio", "ends", "begins", "audio"]);
}

#[test]
fn v2_words_whose_audio_does_not_come_are_given_up_and_late_audio_is_not_heard_twice() {
    let mut bed = Bed::open();
    bed.token(0, "Five o'clock it is.");
    bed.done(10);
    bed.until(2_509);
    assert_eq!(bed.kinds(), ["begins", "words"]);
    bed.until(2_510);
    bed.second(2_600);
    assert_eq!(bed.kinds(), ["begins", "words", "breaks"]);
    bed.token(3_000, "Next");
    assert_eq!(bed.kinds()[3..], ["begins", "words"]);
}

#[test]
fn v2_a_service_that_falls_silent_in_mid_sentence_is_given_up_later_than_one_that_has_said_it_all() {
    let mut bed = Bed::open();
    bed.token(0, &"word ".repeat(40));
    bed.done(10);
    bed.second(100);
    bed.until(2_599);
    assert_eq!(bed.kinds(), ["begins", "words", "audio"], "nobody says 160 letters in a second");
    bed.until(2_600);
    assert_eq!(bed.kinds().last(), Some(&"breaks"));
}

#[test]
fn v2_a_turn_that_falls_silent_is_over_when_all_of_it_was_heard_and_given_up_when_it_was_not() {
    for (all_is_heard, event, over_at) in
        [(Some(true), "ends", 1_400), (None, "ends", 1_900), (Some(false), "breaks", 2_600)]
    {
        let mut bed = Bed::open();
        bed.all_is_heard = all_is_heard;
        bed.token(0, "Fifteen letters here");
        bed.done(10);
        bed.second(100);
        bed.until(over_at - 1);
        assert_eq!(bed.kinds(), ["begins", "words", "audio"], "{all_is_heard:?}");
        bed.until(over_at);
        assert_eq!((bed.kinds().last(), bed.asked), (Some(&event), 1), "{all_is_heard:?}");
        // What comes after all is the turn that goes on, or nobody's.
        bed.second(2_700);
        assert_eq!(bed.kinds().len(), if event == "breaks" { 4 } else { 6 }, "{all_is_heard:?}");
    }
}

#[test]
fn v2_the_ear_has_time_to_tell_whether_a_turn_whose_end_nobody_tells_is_over() {
    let mut bed = Bed::open();
    bed.all_is_heard = None;
    bed.token(1_000, "All of it is said.");
    bed.second(1_100);
    bed.done(1_200);
    bed.second(2_100);
    bed.until(3_899);
    assert_eq!((bed.kinds(), bed.asked), (vec!["begins", "words", "audio", "audio"], 1));
    bed.until(3_900);
    assert_eq!(bed.kinds().last(), Some(&"ends"));
}

#[test]
fn v2_the_ear_is_waited_for_where_the_machine_stood_still_and_the_time_is_over() {
    let mut bed = Bed::open();
    bed.all_is_heard = None;
    bed.token(0, "Fifteen letters here");
    bed.done(10);
    bed.second(100);
    bed.late(5_000);
    assert_eq!((bed.kinds(), bed.asked), (vec!["begins", "words", "audio"], 1));
    bed.it.heard_out(bed.now, false);
    bed.late(5_001);
    assert_eq!(bed.kinds().last(), Some(&"breaks"));
}

#[test]
fn v2_a_turn_of_which_not_all_was_heard_and_more_comes_is_asked_of_again() {
    let mut bed = Bed::open();
    bed.all_is_heard = Some(false);
    bed.token(0, "Fifteen letters here");
    bed.done(10);
    bed.second(100);
    bed.until(2_000);
    bed.all_is_heard = Some(true);
    bed.second(2_100);
    bed.until(3_400);
    assert_eq!((bed.kinds(), bed.asked), (vec!["begins", "words", "audio", "audio", "ends"], 2));
}

#[test]
fn v2_of_a_turn_that_others_say_no_audio_comes_out_whenever_it_comes_and_the_next_turn_is_heard() {
    for written in [true, false] {
        let mut bed = Bed::open();
        bed.token(0, "It is");
        if written {
            bed.done(10);
        }
        bed.second(100);
        bed.leaves_alone(1_500);
        bed.leaves_alone(1_500);
        let silent = if written { "breaks" } else { "falls silent" };
        assert_eq!(bed.kinds(), ["begins", "words", "audio", silent]);
        bed.second(1_600);
        if !written {
            bed.token(1_700, " five.");
            bed.done(1_800);
            assert_eq!(bed.kinds()[4..], ["words", "ends"]);
        }
        // Much later, and more than would fill any gap.
        (0..20).for_each(|n| bed.second(6_000 + 2_000 * n));
        bed.until(50_000);
        assert_eq!(bed.kinds().len(), if written { 4 } else { 6 });
        bed.events.clear();
        if written {
            bed.text(60_000, &json!({"type": "transcript", "text": "And?"}));
            bed.second(60_100);
            bed.events.remove(0);
        }
        bed.token(60_200, "Well");
        bed.second(60_300);
        assert_eq!(bed.kinds(), ["begins", "words", "audio"]);
    }
}

#[test]
fn v2_a_turn_that_others_say_and_whose_words_stop_coming_breaks() {
    let mut bed = Bed::open();
    bed.token(0, "It is");
    bed.second(100);
    bed.leaves_alone(1_500);
    bed.token(2_000, " five");
    // Its audio is no sign that words will come.
    bed.second(4_000);
    bed.until(4_999);
    assert_eq!(bed.kinds(), ["begins", "words", "audio", "falls silent", "words"]);
    bed.until(5_000);
    assert_eq!(bed.events.last(), Some(&AllInOneEvent::Breaks { written: false }));
}

/// One that others say from its first word on: what the service tells of its audio is about audio that nobody wants.
#[test]
fn v2_the_audio_of_a_turn_that_others_have_begun_to_say_stays_unheard_whatever_is_told_of_it() {
    let tells = |bed: &mut Bed, ms: u64, kind: &str| bed.text(ms, &json!({"type": kind}));
    // That of the turn before may end first, and some services tell only ends.
    for (ends_before, starts, early) in
        [(true, true, false), (false, true, true), (false, true, false), (false, false, false)]
    {
        let mut bed = Bed::open();
        bed.token(0, "One moment.");
        bed.leaves_alone(0);
        if ends_before {
            bed.second(50);
            tells(&mut bed, 60, "audio_end");
        }
        if starts && early {
            tells(&mut bed, 70, "audio_start");
        }
        bed.token(100, " So.");
        bed.done(200);
        if starts && !early {
            tells(&mut bed, 300, "audio_start");
        }
        bed.second(310);
        bed.second(1_310);
        tells(&mut bed, 2_000, "audio_end");
        bed.until(2_500);
        assert_eq!(bed.kinds(), ["begins", "words", "falls silent", "words", "ends"]);
        // The next one is heard.
        bed.events.clear();
        bed.token(3_000, "Well");
        bed.second(3_100);
        tells(&mut bed, 3_200, "audio_end");
        assert_eq!(bed.kinds(), ["begins", "words", "audio", "ends"]);
    }
    // What begins without a word begins when the service tells so a second time.
    let mut bed = Bed::open();
    bed.token(0, "One moment.");
    bed.leaves_alone(0);
    bed.done(200);
    tells(&mut bed, 300, "audio_start");
    tells(&mut bed, 400, "audio_start");
    bed.second(500);
    assert_eq!(bed.kinds(), ["begins", "words", "falls silent", "ends", "begins", "audio"]);
}

#[test]
fn a_turn_whose_end_nobody_tells_is_over_by_itself() {
    let mut bed = Bed::open();
    bed.token(0, "Hi");
    bed.second(100);
    bed.until(3_100);
    assert_eq!(bed.kinds(), ["begins", "words", "audio", "ends"]);
    bed.token(4_000, "Let me look");
    bed.until(13_999);
    assert_eq!(bed.kinds().len(), 6, "it may use a tool");
    bed.until(14_000);
    assert_eq!(bed.kinds().last(), Some(&"breaks"));
}

#[test]
fn v3_it_comes_back_by_itself_with_what_the_caller_said_meanwhile() {
    let mut bed = Bed::open();
    bed.token(0, "Old");
    bed.gets(0, FromNet::Closed(Closed::Lost(Lost::Broken)));
    assert_eq!(bed.kinds(), ["begins", "words", "breaks", "fault"]);
    assert_eq!(bed.it.away_since(), Some(at(0)));
    bed.it.hear(at(0), &[7; 48_000]);
    bed.until(400);
    bed.net.retain(|net| matches!(net, ToNet::Binary(..)));
    bed.gets(450, FromNet::Opened);
    let bytes: usize =
        bed.net.iter().map(|net| if let ToNet::Binary(_, bytes) = net { bytes.len() } else { 0 }).sum();
    assert_eq!((bytes, bed.it.away_since()), (32_000, None));
}

#[test]
fn v3_a_lost_connection_is_replaced_by_a_warm_one_at_once() {
    let mut bed = Bed::open();
    assert!(!bed.it.wants_connection());
    bed.gets(0, FromNet::Closed(Closed::Lost(Lost::Broken)));
    let lost = bed.conn;
    assert!(bed.it.wants_connection());
    assert_eq!(bed.it.take(at(0)), Some(lost.next()));
    bed.it.hear(at(0), &[0; 320]);
    bed.poll();
    assert!(matches!(bed.net.last(), Some(ToNet::Binary(conn, _)) if *conn == lost.next()));
    assert_eq!((bed.it.take(at(0)), bed.it.poll_timeout()), (None, None));
}

#[test]
fn v3_hang_up_leaves_no_connection_no_timer_and_no_audio() {
    let mut bed = Bed::open();
    bed.token(0, "Hi");
    bed.it.hear(at(0), &[1; 100]);
    bed.it.shut();
    bed.poll();
    assert_eq!(bed.net, [ToNet::Close(bed.conn)]);
    assert!(bed.it.poll_timeout().is_none() && !bed.it.wants_connection());
}

fn pool() -> Pool {
    let settings = PoolSettings { min_idle: 2, max: 4, max_age: Span::from_millis(60_000) };
    let mut pool = Pool::new(service(), settings, Breaker::new(), 1);
    pool.fill(at(0));
    pool
}

fn opened(pool: &mut Pool) -> Vec<ConnId> {
    let all = std::iter::from_fn(|| pool.poll_output());
    all.filter_map(|net| if let ToNet::Open(conn, _) = net { Some(conn) } else { None }).collect()
}

#[test]
fn v3_a_burst_of_calls_finds_warm_connections_and_the_pool_grows_to_its_limit() {
    let mut pool = pool();
    let first = opened(&mut pool);
    assert_eq!(first.len(), 2);
    assert_eq!(pool.take(at(1)), None, "none is open yet");
    let more = opened(&mut pool);
    assert_eq!(more.len(), 1, "but one more is on its way");
    first.iter().chain(&more).for_each(|&conn| pool.handle_net(at(100), conn, FromNet::Opened));
    assert_eq!(pool.idle(), 3);
    for n in 0..3 {
        assert!(pool.take(at(200 + n)).is_some());
    }
    assert_eq!(opened(&mut pool).len(), 4, "filled up again, no higher than its limit");
}

#[test]
fn v3_a_service_that_greets_before_the_call_is_there_is_heard_by_it() {
    let mut pool = pool();
    let conn = opened(&mut pool)[1];
    pool.handle_net(at(10), conn, FromNet::Opened);
    let greeting = [FromNet::Text("{}".to_owned()), FromNet::Binary(vec![1; 640])];
    greeting.iter().for_each(|what| pool.handle_net(at(20), conn, what.clone()));
    for _ in 0..2_000 {
        pool.handle_net(at(30), conn, FromNet::Binary(vec![2; 3_200]));
    }
    let warm = pool.take(at(40)).unwrap();
    assert_eq!((warm.conn, &warm.came[..2]), (conn, &greeting[..]));
    assert_eq!(warm.came.len(), 2 + 112, "ten seconds and some of a service that talks to nobody");
}

#[test]
fn v3_old_connections_are_replaced_and_a_failing_service_is_not_stormed() {
    let mut pool = pool();
    for conn in opened(&mut pool) {
        pool.handle_net(at(10), conn, FromNet::Opened);
    }
    pool.handle_timeout(at(60_000));
    assert_eq!((opened(&mut pool).len(), pool.idle()), (2, 0));
    let lost = || FromNet::Closed(Closed::Lost(Lost::Broken));
    let mut attempts = 0;
    for ms in (60_000..90_000).step_by(50) {
        if pool.poll_timeout().is_some_and(|due| due <= at(ms)) {
            pool.handle_timeout(at(ms));
        }
        let conns = opened(&mut pool);
        attempts += conns.len();
        conns.into_iter().for_each(|conn| pool.handle_net(at(ms), conn, lost()));
    }
    assert!((4..30).contains(&attempts), "{attempts} attempts in half a minute");
}

/// The caller breaks in before the audio of an answer, whose beginning is told all the same.
#[test]
fn b1_audio_that_begins_behind_the_cancel_of_its_turn_is_not_heard() {
    let mut bed = Bed::open();
    bed.token(0, "One");
    bed.cancel(100);
    bed.events.clear();
    bed.text(150, &json!({"type": "audio_start"}));
    bed.second(150);
    bed.token(200, " two.");
    bed.done(200);
    assert!(bed.events.is_empty(), "{:?}", bed.events);
    // The next turn's is another one.
    bed.text(900, &json!({"type": "audio_start"}));
    bed.second(900);
    assert_eq!(bed.events.first(), Some(&AllInOneEvent::Begins));
}
