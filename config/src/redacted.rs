//! Problems as a log may have them: a line each, without the lines of the file, in which numbers of people stand.

use crate::key::Key;
use crate::layer::ROUTE;
use crate::{Fault, Problems};
use std::fmt;

/// What is wrong with a configuration, for a log. `Display` is a line for each problem.
#[derive(Clone, Copy, Debug)]
pub struct Redacted<'p>(pub(crate) &'p Problems);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (place, problem)) in self.0.placed().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{place}: {}", headline(problem.fault()))?;
            for more in problem.fault().label().into_iter().chain(problem.advice()) {
                write!(f, "; {more}")?;
            }
        }
        Ok(())
    }
}

/// What is wrong, without what stands there, wherever that may be somebody's.
fn headline(fault: &Fault) -> String {
    match fault {
        // The parser's words may be some of the file's.
        Fault::Syntax(_) => "this is not TOML".to_owned(),
        // It may be a number whose section was forgotten.
        Fault::UnknownKey { key, .. }
            if !key.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte)) =>
        {
            "unknown key".to_owned()
        }
        Fault::BadText { key, .. } if Key::find(key).is_some_and(Key::is_personal) => {
            format!("{key} cannot be what stands there")
        }
        Fault::BadNumber(_) => format!("a line of [{ROUTE}] can never be called"),
        Fault::BadTarget { .. } => format!("no call can go where a line of [{ROUTE}] leads"),
        other => other.to_string(),
    }
}
