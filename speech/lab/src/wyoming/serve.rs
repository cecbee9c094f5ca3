//! The loop of one Wyoming connection.

use super::event::Event;
use super::session::{Client, Events};
use crate::gate::{Gate, Incident, Passage};
use crate::server::Shared;
use crate::session::Audio;
use crate::websocket::hold;
use crate::wire::{Stream, nothing_came};
use offhook_units::Moment;
use serde_json::json;
use std::io::{self, Read, Write};
use std::time::Duration;

const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Serves until the client has gone; says how it ended.
pub(crate) fn serve(stream: Stream, shared: &Shared) {
    let faults = shared.faults_at("wyoming", None);
    let page = shared.book.open(shared.clock.now(), "wyoming", "", false);
    let client = Client::new(&shared.speaker, &shared.script, &faults, &page);
    let mut link = Link { stream, gate: Gate::new(&faults), client, events: Events::new(), held: None };
    let how = match link.gate.opened() {
        Some(incident) => link.happen(&incident, shared),
        None => None,
    };
    let how = how.unwrap_or_else(|| {
        link.run(shared, |audio| page.audio_out(audio.bytes)).unwrap_or_else(|error| error.to_string())
    });
    link.stream.finish();
    page.close(shared.clock.now(), &how);
}

struct Link {
    stream: Stream,
    gate: Gate,
    client: Client,
    events: Events,
    held: Option<(Event, Audio)>,
}

impl Link {
    fn run(&mut self, shared: &Shared, sounded: impl Fn(Audio)) -> io::Result<String> {
        let mut early = Vec::new();
        let mut bytes = [0; 4096];
        loop {
            if let Some(how) = self.give(shared, &sounded)? {
                return Ok(how);
            }
            let due: Option<Moment> = [self.client.due(), self.gate.held_until()].into_iter().flatten().min();
            self.stream.wait_at_most(shared.clock.wait_for(due, LONGEST_WAIT))?;
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok("client closed".to_owned()),
                Ok(count) => early.extend_from_slice(bytes.get(..count).unwrap_or_default()),
                Err(error) if nothing_came(&error) => {}
                Err(error) => return Err(error),
            }
            let now = shared.clock.now();
            loop {
                match Event::parse(&early) {
                    Ok(Some((event, length))) => {
                        early.drain(..length);
                        self.client.take(now, &event, &mut self.events);
                    }
                    Ok(None) => break,
                    Err(_) => return Ok("what came was no event".to_owned()),
                }
            }
            self.client.tick(now, &mut self.events);
        }
    }

    fn give(&mut self, shared: &Shared, sounded: &impl Fn(Audio)) -> io::Result<Option<String>> {
        while let Some((event, audio)) = self.held.take().or_else(|| self.events.pop_front()) {
            match self.gate.pass_units(shared.clock.now(), audio.bytes > 0, audio.us) {
                Passage::Go => {
                    if self.gate.faults().noise {
                        self.stream.write_all(&Event::new("lab-noise", json!({"new": [1]})).to_bytes())?;
                    }
                    if self.gate.faults().garbage {
                        self.stream.write_all(b"{\"type\": \n")?;
                    }
                    self.stream.write_all(&event.to_bytes())?;
                    if audio.bytes > 0 {
                        sounded(audio);
                    }
                }
                Passage::Lost => {}
                Passage::NotBefore(_) => {
                    self.held = Some((event, audio));
                    return Ok(None);
                }
                Passage::Instead(incident) => {
                    if let Some(how) = self.happen(&incident, shared) {
                        return Ok(Some(how));
                    }
                }
            }
        }
        Ok(None)
    }

    /// How the connection ended, if it did.
    fn happen(&mut self, incident: &Incident, shared: &Shared) -> Option<String> {
        match incident {
            Incident::Error(code) => {
                self.events.clear();
                let data = json!({"text": "The lab was told to fail.", "code": code});
                self.events.push_back((Event::new("error", data), Audio::default()));
                None
            }
            Incident::HalfOpen => {
                hold(&self.stream, shared.clock);
                Some("half open".to_owned())
            }
            Incident::Close { .. } => Some("lab closed".to_owned()),
            Incident::Kill => {
                self.stream.cut();
                Some("lab cut the connection".to_owned())
            }
        }
    }
}
