//! A trunk against a registrar that is scripted line by line.

use super::*;
use offhook_units::Pii;

fn at(seconds: u64) -> Moment {
    Moment::from_millis(seconds * 1000)
}

fn server(last: u8) -> Peer {
    Peer::udp(SocketAddr::new([192, 0, 2, last].into(), 5060))
}

fn registration(mode: Mode) -> Registration {
    let settings = Settings {
        aor: Uri::parse("sip:box@trunk.example").unwrap(),
        registrar: Uri::parse("sip:trunk.example").unwrap(),
        contact_user: "box".into(),
        credentials: Some(Credentials { user: Pii::new("box".into()), password: Pii::new("secret".into()) }),
        mode,
    };
    let locals = LocalAddrs { udp: "10.0.0.5:5060".parse().unwrap(), tcp: None, tls: None };
    Registration::new(settings, locals, Ids::new([8; 32]))
}

fn started() -> (Registration, Request) {
    let mut r = registration(Mode::Register { expires_s: 600 });
    r.set_servers(at(0), vec![server(1)]);
    let (request, _) = sent(&mut r).unwrap();
    (r, request)
}

/// The request that wants out, if one does.
fn sent(r: &mut Registration) -> Option<(Request, Peer)> {
    std::iter::from_fn(|| r.poll_output()).find_map(|o| match o {
        Output::Request(request, peer) => Some((*request, peer)),
        _ => None,
    })
}

fn events(r: &mut Registration) -> Vec<Event> {
    std::iter::from_fn(|| r.poll_output())
        .filter_map(|o| match o {
            Output::Event(event) => Some(event),
            _ => None,
        })
        .collect()
}

const CHALLENGE: &str = r#"Digest realm="r", nonce="n1", algorithm=SHA-256, qop="auth,auth-int""#;

#[test]
fn registers_answers_the_challenge_and_refreshes_in_time() {
    let (mut r, first) = started();
    assert!(first.headers.get(&Name::Authorization).is_none());
    r.on_response(at(0), &first.response(Status::UNAUTHORIZED).with(Name::WwwAuthenticate, CHALLENGE));
    let (second, _) = sent(&mut r).unwrap();
    assert!(second.headers.get(&Name::Authorization).unwrap().contains("algorithm=SHA-256"));
    assert_eq!((second.ident.call_id.clone(), second.ident.cseq.number), (first.ident.call_id, 2));
    let ok = second
        .response(Status::OK)
        .with(Name::Contact, "<sip:other@x>;expires=9, <sip:box@10.0.0.5>;expires=120");
    r.on_response(at(1), &ok);
    assert_eq!(events(&mut r), [Event::Up { server: server(1), public: None }]);
    let refresh = r.next.unwrap();
    assert!(refresh >= at(61) && refresh < at(91), "{refresh:?}");
    r.handle_timeout(refresh);
    let (third, _) = sent(&mut r).unwrap();
    assert!(third.headers.get(&Name::Authorization).unwrap().contains("nc=00000002"), "no second challenge");
}

#[test]
fn another_address_of_ours_is_told_at_once() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK).with(Name::Contact, "<sip:box@10.0.0.5>;expires=120"));
    assert_eq!(events(&mut r).len(), 1);
    let locals = LocalAddrs { udp: "10.0.0.9:5060".parse().unwrap(), tcp: None, tls: None };
    r.set_locals(at(7), locals);
    let (again, _) = sent(&mut r).unwrap();
    assert_eq!(contacts(&again), ["<sip:box@10.0.0.9:5060>", "<sip:box@10.0.0.5:5060>;expires=0"]);
    assert_eq!(again.ident.via.host.to_string(), "10.0.0.9");
    // While it is on its way calls go on.
    assert!(r.is_up());
    r.stop(at(8));
    let (_, _) = sent(&mut r).unwrap();
    r.set_locals(at(9), locals);
    assert!(sent(&mut r).is_none(), "a trunk that is leaving is not told anything new");
}

fn contacts(request: &Request) -> Vec<&str> {
    request.headers.all(&Name::Contact).collect()
}

#[test]
fn an_address_that_we_left_is_taken_back_until_the_registrar_said_yes() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK));
    let moved =
        |last| LocalAddrs { udp: SocketAddr::new([10, 0, 0, last].into(), 5060), tcp: None, tls: None };
    r.set_locals(at(7), moved(9));
    let (lost, _) = sent(&mut r).unwrap();
    r.on_failure(at(9), lost.ident.cseq.number, Down::NoAnswer);
    r.set_locals(at(10), moved(10));
    let (again, _) = sent(&mut r).unwrap();
    assert_eq!(contacts(&again), ["<sip:box@10.0.0.10:5060>", "<sip:box@10.0.0.5:5060>;expires=0"]);
    // The old one is there for some seconds yet: it does not hurry the refresh.
    let kept = "<sip:box@10.0.0.5:5060>;expires=2, <sip:box@10.0.0.10:5060>;expires=120";
    r.on_response(at(10), &again.response(Status::OK).with(Name::Contact, kept));
    let refresh = r.next.unwrap();
    assert!(refresh >= at(70), "{refresh:?}");
    r.handle_timeout(refresh);
    assert_eq!(contacts(&sent(&mut r).unwrap().0), ["<sip:box@10.0.0.10:5060>"]);
}

#[test]
fn a_registrar_that_takes_one_contact_at_a_time_is_asked_without_the_old_one() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK));
    r.set_locals(at(7), LocalAddrs { udp: "10.0.0.9:5060".parse().unwrap(), tcp: None, tls: None });
    let (both, _) = sent(&mut r).unwrap();
    r.on_response(at(7), &both.response(Status::FORBIDDEN));
    let (one, _) = sent(&mut r).unwrap();
    assert_eq!(contacts(&one), ["<sip:box@10.0.0.9:5060>"]);
    r.on_response(at(7), &one.response(Status::FORBIDDEN));
    assert!(sent(&mut r).is_none() && !r.is_up(), "no loop");
}

#[test]
fn a_wrong_password_is_said_and_tried_slowly() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::UNAUTHORIZED).with(Name::WwwAuthenticate, CHALLENGE));
    let (second, _) = sent(&mut r).unwrap();
    let again = CHALLENGE.replace("n1", "n2");
    r.on_response(at(0), &second.response(Status::UNAUTHORIZED).with(Name::WwwAuthenticate, again));
    let [Event::Down { why: Down::WrongCredentials, retry_in }] = events(&mut r)[..] else { panic!() };
    assert!(retry_in >= Span::from_millis(22_000));
    r.handle_timeout(at(0) + retry_in);
    assert!(sent(&mut r).is_some(), "but it is tried");
}

#[test]
fn endless_challenges_end() {
    let (mut r, mut request) = started();
    for i in 0.. {
        let stale = format!("Digest realm=\"r\", nonce=\"n{i}\", stale=true");
        r.on_response(at(0), &request.response(Status::UNAUTHORIZED).with(Name::WwwAuthenticate, stale));
        match sent(&mut r) {
            Some((next, _)) => request = next,
            None => return assert_eq!(i, 3),
        }
    }
}

#[test]
fn too_brief_an_expiry_is_raised_once() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::INTERVAL_TOO_BRIEF).with(Name::MinExpires, "1800"));
    let (second, _) = sent(&mut r).unwrap();
    assert_eq!(second.headers.get(&Name::Expires), Some("1800"));
    r.on_response(at(0), &second.response(Status::INTERVAL_TOO_BRIEF).with(Name::MinExpires, "1800"));
    assert!(matches!(events(&mut r)[..], [Event::Down { .. }]), "no loop");
}

#[test]
fn every_server_is_tried_before_any_waiting() {
    let mut r = registration(Mode::Register { expires_s: 600 });
    r.set_servers(at(0), vec![server(1), server(2), server(3)]);
    let mut asked = Vec::new();
    while let Some((request, peer)) = sent(&mut r) {
        asked.push(peer);
        r.on_failure(at(0), request.ident.cseq.number, Down::NoAnswer);
        if asked.len() == 3 {
            break;
        }
    }
    assert_eq!(asked, [server(1), server(2), server(3)]);
    assert!(matches!(events(&mut r)[..], [Event::Down { why: Down::NoAnswer, .. }]));
    r.handle_timeout(at(1));
    assert_eq!(sent(&mut r).map(|(_, peer)| peer), Some(server(1)), "the best first again");
}

#[test]
fn an_outage_of_a_day_is_survived_and_its_end_noticed_within_thirty_seconds() {
    let (mut r, first) = started();
    let mut now = at(0);
    r.on_failure(now, first.ident.cseq.number, Down::NoAnswer);
    while now < at(86_400) {
        let wake = r.poll_timeout().expect("there is always a next try");
        assert!(wake.since(now) <= Span::from_millis(20_000));
        now = wake;
        r.handle_timeout(now);
        let (request, _) = sent(&mut r).unwrap();
        r.on_failure(now, request.ident.cseq.number, Down::NoAnswer);
    }
    now = r.poll_timeout().unwrap();
    r.handle_timeout(now);
    let (request, _) = sent(&mut r).unwrap();
    r.on_response(now, &request.response(Status::OK));
    assert_eq!(events(&mut r).len(), 1);
    assert!(r.is_up());
}

#[test]
fn an_address_behind_a_nat_is_learnt() {
    let (mut r, first) = started();
    let mut challenge = first.response(Status::UNAUTHORIZED).with(Name::WwwAuthenticate, CHALLENGE);
    challenge.ident.via.params.set("received", Some("8.8.8.8".into()));
    challenge.ident.via.params.set("rport", Some("40000".into()));
    r.on_response(at(0), &challenge);
    let (second, _) = sent(&mut r).unwrap();
    assert_eq!(second.headers.get(&Name::Contact), Some("<sip:box@8.8.8.8:40000>"));
}

#[test]
fn a_registrar_that_asks_for_no_proof_is_told_the_address_behind_the_nat_too_and_once() {
    let (mut r, first) = started();
    let seen_from = |request: &Request, port: &str| {
        let mut response = request.response(Status::OK);
        response.ident.via.params.set("received", Some("8.8.8.8".into()));
        response.ident.via.params.set("rport", Some(port.into()));
        response
    };
    r.on_response(at(0), &seen_from(&first, "40000"));
    let (second, _) = sent(&mut r).unwrap();
    assert_eq!(contacts(&second), ["<sip:box@8.8.8.8:40000>", "<sip:box@10.0.0.5:5060>;expires=0"]);
    r.on_response(at(0), &seen_from(&second, "40001"));
    assert!(sent(&mut r).is_none() && r.is_up(), "until the next refresh");
    r.handle_timeout(r.next.unwrap());
    let (refresh, _) = sent(&mut r).unwrap();
    assert_eq!(contacts(&refresh), ["<sip:box@8.8.8.8:40001>", "<sip:box@8.8.8.8:40000>;expires=0"]);
}

#[test]
fn routes_of_the_registrar_are_kept() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK).with(Name::ServiceRoute, "<sip:p1;lr>, <sip:p2;lr>"));
    assert_eq!(r.service_route(), ["<sip:p1;lr>", "<sip:p2;lr>"]);
}

#[test]
fn a_nat_is_kept_open_while_the_trunk_is_up() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK));
    r.handle_timeout(at(15));
    let outputs: Vec<_> = std::iter::from_fn(|| r.poll_output()).collect();
    assert!(outputs.iter().any(|o| matches!(o, Output::KeepAlive(peer) if *peer == server(1))));
}

#[test]
fn of_several_servers_none_is_waited_for_longer_than_eight_seconds() {
    let mut r = registration(Mode::Register { expires_s: 600 });
    r.set_servers(at(0), vec![server(1), server(2)]);
    let (first, _) = sent(&mut r).unwrap();
    assert_eq!(r.poll_timeout(), Some(at(8)));
    r.handle_timeout(at(8));
    let (second, peer) = sent(&mut r).unwrap();
    assert_eq!(peer, server(2));
    r.on_failure(at(9), first.ident.cseq.number, Down::NoAnswer);
    assert!(sent(&mut r).is_none(), "the first one's end is no news");
    r.on_response(at(9), &first.response(Status::OK));
    assert!(!r.is_up(), "nor is its late answer");
    r.on_response(at(9), &second.response(Status::OK));
    assert!(r.is_up() && r.server() == Some(server(2)));
}

#[test]
fn a_server_that_is_out_of_reach_is_asked_at_once_but_not_at_every_word_of_it() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK));
    r.on_unreachable(at(10), server(2));
    assert!(sent(&mut r).is_none(), "somebody else");
    r.on_unreachable(at(10), server(1));
    let (again, _) = sent(&mut r).unwrap();
    assert!(r.is_up(), "until it proves to be gone");
    r.on_response(at(10), &again.response(Status::OK));
    r.on_unreachable(at(11), server(1));
    assert!(sent(&mut r).is_none());
    r.on_unreachable(at(15), server(1));
    let (last, _) = sent(&mut r).unwrap();
    r.on_failure(at(15), last.ident.cseq.number, Down::Unreachable);
    assert!(matches!(events(&mut r)[..], [Event::Down { why: Down::Unreachable, .. }]));
}

#[test]
fn a_trunk_that_lost_all_its_servers_does_not_spin() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK));
    r.set_servers(at(1), Vec::new());
    for now in [at(30), at(600)] {
        r.handle_timeout(now);
        assert!(r.poll_timeout().is_some_and(|next| next > now));
    }
}

#[test]
fn a_watched_trunk_is_up_when_it_says_anything_at_all() {
    let mut r = registration(Mode::Watch);
    r.set_servers(at(0), vec![server(1)]);
    let (options, _) = sent(&mut r).unwrap();
    assert_eq!(options.method, Method::Options);
    r.on_response(at(0), &options.response(Status::NOT_FOUND));
    assert!(r.is_up());
    r.handle_timeout(at(30));
    let (options, _) = sent(&mut r).unwrap();
    r.on_response(at(30), &options.response(Status::SERVICE_UNAVAILABLE));
    assert!(!r.is_up());
}

#[test]
fn stopping_takes_the_binding_away_and_stays_quiet() {
    let (mut r, first) = started();
    r.on_response(at(0), &first.response(Status::OK));
    r.stop(at(5));
    let (last, _) = sent(&mut r).unwrap();
    assert_eq!(last.headers.get(&Name::Expires), Some("0"));
    r.on_failure(at(37), last.ident.cseq.number, Down::NoAnswer);
    assert_eq!((r.poll_timeout(), events(&mut r).len()), (None, 0));
}

#[test]
fn without_a_server_it_says_so_and_goes_on_when_there_is_one() {
    let mut r = registration(Mode::Register { expires_s: 600 });
    r.start(at(0));
    assert!(matches!(events(&mut r)[..], [Event::Down { why: Down::NoServer, .. }]));
    r.set_servers(at(1), vec![server(1)]);
    assert!(sent(&mut r).is_some());
}
