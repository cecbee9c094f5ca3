//! The whole user agent: any sequence of messages, answers, commands and waits leaves nothing behind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_fuzz::telephone::{Step, play};

fuzz_target!(|steps: Vec<Step>| play(&steps));
