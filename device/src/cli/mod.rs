//! The command line: one file a command, and what they share.

mod check;
mod configuration;
mod demo;
mod failure;
mod lab;
mod print_config;
mod progress;
mod replay;
mod run;
mod say;

pub use configuration::ConfigArguments;
pub use failure::Failure;

use crate::draft::Draft;
use crate::exit;
use crate::log::is_journals_stderr;
use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// The audio engine of a call appliance: takes calls from the SIP trunk, cleans up what the network did to the
/// voice, and keeps talking when the network is bad.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 2 wrong usage, 65 an input is not what it should be, 66 an input cannot be read, 69 something \
that it needs is not there, 70 a thread of the service ended, 73 an output cannot be written, 78 the configuration is wrong, 130 interrupted.

`offhook COMMAND --help` tells more, with examples.";

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Demo(demo::Demo),
    Lab(lab::LabCommand),
    PrintConfig(print_config::PrintConfig),
    Replay(replay::Replay),
    Run(run::Run),
    Say(say::Say),
}

/// Runs the program: reads the arguments, does what they say, and tells on stderr what went wrong.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Check(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Lab(command) => command.run(),
        Command::PrintConfig(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Say(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::from(exit::OK),
        Err(failure) => {
            // To a person whole; into a journal without what must not stand in one.
            let told = if is_journals_stderr() { failure.redacted() } else { failure.to_string() };
            // Where even stderr is gone, the exit code is all that is left to say.
            let _ = writeln!(io::stderr(), "{told}");
            ExitCode::from(failure.code())
        }
    }
}

/// Prints `text` and a line end. A reader that has gone away (`offhook … | head`) has seen enough.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Write { path: "standard output".into(), error })
        }
        _ => Ok(()),
    }
}

/// Begins an output file.
fn create(path: &Path) -> Result<Draft, Failure> {
    Draft::create(path).map_err(|error| Failure::Write { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_one_another() {
        Arguments::command().debug_assert();
    }
}
