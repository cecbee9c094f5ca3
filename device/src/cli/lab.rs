//! `offhook lab`: speech services on loopback, with a switch for every fault.

use super::failure::Failure;
use crate::interrupt::Interrupt;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use offhook_lab::{Faults, Lab, LabVoice, Options, SWITCHES, StartError};
use offhook_speech::voice::flite::FliteVoice;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How often the signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const ABOUT: &str = "Serve speech services on loopback, for tests and integrators

Speaks the protocols of the services that offhook uses, with a voice on this device, a scripted language model, and a \
recogniser that knows when somebody speaks and which keys are pressed, but no words beyond its script. Nothing leaves \
this machine. docs/lab.md tells how to point a client at it.";

/// Serve speech services on loopback, for tests and integrators
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_long_help = after_help())]
pub(super) struct LabCommand {
    /// Port of 127.0.0.1 for http and ws; 0 takes one that is free
    #[arg(long, default_value_t = 18080)]
    port: u16,
    /// Port of 127.0.0.1 for https and wss; 0 takes one that is free
    #[arg(long, default_value_t = 18443)]
    tls_port: u16,
    /// Port of 127.0.0.1 for Wyoming; 0 takes one that is free
    #[arg(long, default_value_t = 10200)]
    wyoming_port: u16,
    /// Where to write the authority that clients must trust for TLS (SSL_CERT_FILE)
    #[arg(long, value_name = "F.pem")]
    certificate: Option<PathBuf>,
    /// What speaks
    #[arg(long, value_enum, default_value = "best")]
    voice: VoiceName,
    /// The key that clients must show; without it any will do
    #[arg(long)]
    key: Option<String>,
    /// Switches for connections to come, as name=value,...; may be given several times
    #[arg(long = "fault", value_name = "SWITCHES")]
    faults: Vec<Faults>,
    /// What callers are heard to say, a line each time that somebody speaks
    #[arg(long = "hear", value_name = "TEXT")]
    utterances: Vec<String>,
    /// What the language model answers, a line each time
    #[arg(long = "reply", value_name = "TEXT")]
    replies: Vec<String>,
    /// Connections at once
    #[arg(long, default_value_t = 256, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_535))]
    connections: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VoiceName {
    /// flite or espeak-ng where one is installed, else tones
    Best,
    /// flite's kal16, which is made fastest, else tones
    Kal16,
    /// Tones: the same on every machine
    Tones,
}

/// The switches stand in the library, with what they do.
fn after_help() -> String {
    let switches: String = SWITCHES.iter().map(|(name, does)| format!("  {name:<28} {does}\n")).collect();
    format!(
        "Switches (--fault, POST /lab/faults, header x-lab, or in a query as lab.NAME=VALUE):\n{switches}\n\
         Examples:\n  offhook lab --certificate lab.pem\n  offhook lab --fault close=1011,after=800,times=1 --fault path=/chat,refuse=429\n  \
         curl -d 'kill,after=500,path=multi' http://127.0.0.1:18080/lab/faults"
    )
}

impl LabCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let interrupt = Interrupt::watch().unwrap_or_default();
        let lab = Lab::start(Options {
            http_port: self.port,
            https_port: Some(self.tls_port),
            wyoming_port: Some(self.wyoming_port),
            voice: match self.voice {
                VoiceName::Best => LabVoice::Best,
                VoiceName::Kal16 => LabVoice::Flite(FliteVoice::Kal16),
                VoiceName::Tones => LabVoice::Tones,
            },
            key: self.key,
            connections: self.connections,
            faults: self.faults,
            utterances: self.utterances,
            replies: self.replies,
        })?;
        if let (Some(path), Some(pem)) = (&self.certificate, lab.certificate_pem()) {
            std::fs::write(path, pem).map_err(|error| Failure::Write { path: path.clone(), error })?;
        }
        let addresses = lab.addresses();
        super::print(&format!("lab: http://{} (also ws)", addresses.http))?;
        if let Some(https) = addresses.https {
            super::print(&format!("lab: https://{https} (also wss)"))?;
        }
        if let Some(wyoming) = addresses.wyoming {
            super::print(&format!("lab: tcp://{wyoming} (Wyoming)"))?;
        }
        super::print(&format!(
            "lab: the voice is {}; the model and the recogniser have no words of their own",
            lab.voice()
        ))?;
        while !interrupt.is_raised() {
            std::thread::park_timeout(LOOK_EVERY);
        }
        lab.stop();
        Ok(())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Port { port, error } => {
                Self::Listen { what: format!("port {port} of 127.0.0.1"), error }
            }
            StartError::Certificate(error) => {
                Self::Listen { what: "TLS".to_owned(), error: io::Error::other(error) }
            }
        }
    }
}
