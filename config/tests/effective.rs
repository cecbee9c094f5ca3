//! What holds in the end, where it came from, and what a reload changes.

use offhook_config::{Config, Effect, Resolved, Sources, Target};

const SAMPLE: &str = include_str!("../offhook.toml");

fn resolve(text: &str) -> Resolved {
    Sources::new().file("offhook.toml", text).resolve().expect("it is sound")
}

/// The printed line of a key.
fn line(resolved: &Resolved, name: &str) -> String {
    let text = resolved.to_string();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} = "))).expect(name);
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_sample_file_and_no_file_at_all_are_the_same_to_the_last_key() {
    let (sample, none) = (resolve(SAMPLE), Sources::new().resolve().unwrap());
    let values = |resolved: &Resolved| {
        let settings = resolved.settings.iter();
        settings.map(|one| (one.name.clone(), one.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(values(&sample), values(&none));
    assert_eq!(sample.config, none.config);
    assert!(none.settings.iter().all(|one| one.origin == "default"));
    assert!(sample.settings.iter().all(|one| one.origin.starts_with("offhook.toml:")));
}

#[test]
fn each_value_is_told_with_its_origin() {
    let resolved = Sources::new()
        .file("offhook.toml", "[jitter]\nmin_ms = 60\n[route]\n\"7*\" = \"tone\"\n")
        .environment([("JITTER_BUFFER_MAX_MS", "80")])
        .set("trunk.server=192.0.2.1")
        .set("trunk.user=601")
        .set("media.codecs=PCMU, opus")
        .resolve()
        .unwrap();
    assert_eq!(line(&resolved, "min_ms"), "min_ms = 60 # offhook.toml:2");
    assert_eq!(line(&resolved, "max_ms"), "max_ms = 80 # environment JITTER_BUFFER_MAX_MS");
    assert_eq!(line(&resolved, "target_ms"), "target_ms = 80 # default, moved by other keys");
    assert_eq!(line(&resolved, "server"), "server = \"192.0.2.1\" # --set");
    assert_eq!(line(&resolved, "user"), "user = \"601\" # --set");
    assert_eq!(line(&resolved, "codecs"), "codecs = [\"PCMU\", \"opus\"] # --set");
    assert_eq!(line(&resolved, "\"7*\""), "\"7*\" = \"tone\" # offhook.toml:4");
    assert_eq!(line(&resolved, "max_percent"), "max_percent = 5.0 # default");
}

#[test]
fn what_is_printed_gives_the_same_configuration_again() {
    let text = "[trunk]\nserver = \"sip.example.com:5070\"\nuser = \"a\\u0022\"\n";
    assert!(Config::from_toml(text, "t").is_err(), "no such user can be");
    let text = "[trunk]\nserver = \"sip.example.com:5070\"\nuser = \"601\"\n[media]\nport_last = 41_000\n\
                [route]\n\"*\" = \"transfer sip:desk@192.0.2.9\"\n";
    let first = resolve(text);
    let again = resolve(&first.to_string());
    assert_eq!(first.config, again.config);
    assert_eq!(first.changes(&again), []);
}

#[test]
fn a_change_says_when_it_acts() {
    let before = resolve("[jitter]\nmin_ms = 40\n[route]\n\"600\" = \"echo\"\n\"601\" = \"tone\"\n");
    let after = resolve(
        "[jitter]\nmin_ms = 60\n[calls]\nmax = 20\n[route]\n\"600\" = \"tone\"\n\"602\" = \"echo\"\n",
    );
    let changes: Vec<_> = before.changes(&after).iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "jitter.min_ms: 40 -> 60 (live now)",
            "calls.max: 50 -> 20 (needs a restart)",
            "a line of [route] (offhook.toml:6): [redacted] -> [redacted] (next call)",
            "a line of [route] (offhook.toml:5): [redacted] -> nothing (next call)",
            "a line of [route] (offhook.toml:7): nothing -> [redacted] (next call)",
        ]
    );
    assert_eq!(before.changes(&before), []);
}

#[test]
fn a_target_that_moves_with_its_bounds_is_a_change_too() {
    let changes = resolve("").changes(&resolve("[jitter]\nmin_ms = 150"));
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["jitter.min_ms: 20 -> 150 (live now)", "jitter.target_ms: 100 -> 150 (live now)"]);
    assert!(changes.iter().all(|change| change.effect == Effect::Live));
}

#[test]
fn one_route_on_the_command_line_leaves_the_others() {
    let routes = |sources: Sources| {
        let routes = sources.read().unwrap().routes.into_iter();
        routes.map(|route| (route.number, route.target)).collect::<Vec<_>>()
    };
    let (echo, tone) = (("600".to_owned(), Target::Echo), ("601".to_owned(), Target::Tone));
    let agent = ("602".to_owned(), Target::Agent);
    assert_eq!(
        routes(Sources::new().set("route.601=echo")),
        [echo.clone(), agent, ("601".into(), Target::Echo)]
    );
    let file = Sources::new().file("t", "[route]\n\"601\" = \"tone\"");
    assert_eq!(routes(file.clone()), std::slice::from_ref(&tone));
    assert_eq!(routes(file.set("route.\"600\" = echo")), [tone, echo]);
    assert_eq!(routes(Sources::new().file("t", "[route]\n")), []);
}
