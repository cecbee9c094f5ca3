//! Exit codes. From 64 on they follow BSD's `sysexits.h`, so that a service manager can tell what to mend.

/// Done.
pub const OK: u8 = 0;
/// The command line is wrong; clap ends with the same code by itself.
pub const USAGE: u8 = 2;
/// An input was read and is not what it should be (`EX_DATAERR`).
pub const BAD_DATA: u8 = 65;
/// An input is missing or cannot be read (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;
/// Something that the task needs is not there, such as a voice or a port that is free (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// The service has a fault and has to be started anew: one of its threads ended, or stands still (`EX_SOFTWARE`).
pub const FAULT: u8 = 70;
/// An output cannot be written (`EX_CANTCREAT`).
pub const CANNOT_WRITE: u8 = 73;
/// The configuration is wrong (`EX_CONFIG`).
pub const BAD_CONFIG: u8 = 78;
/// Ended by Ctrl-C or by the service manager: 128 and the number of SIGINT, as shells count.
pub const INTERRUPTED: u8 = 130;
