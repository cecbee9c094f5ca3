//! Output files that are either whole or not there: written beside their target, moved onto it at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file being written. [`Draft::publish`] puts it in place; dropped before that, it is taken away, and an
/// older file under the target's name stays as it was.
#[derive(Debug)]
pub struct Draft {
    /// `None` once published.
    file: Option<BufWriter<File>>,
    /// `None` where the target is a device or a pipe, which is written as it is.
    part: Option<PathBuf>,
    target: PathBuf,
    /// The target as it was asked for.
    name: PathBuf,
}

impl Draft {
    /// Begins a file that will be called `target`. Its folder has to be there.
    ///
    /// # Errors
    /// When it cannot be created there.
    pub fn create(target: &Path) -> io::Result<Self> {
        let name = target.to_owned();
        // A link is followed, so that what it points to is replaced and not the link.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let is_special = fs::metadata(&target).is_ok_and(|there| !there.is_file());
        if is_special {
            let file = OpenOptions::new().write(true).open(&target)?;
            return Ok(Self { file: Some(BufWriter::new(file)), part: None, target, name });
        }
        let file_name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let part = target.with_file_name(format!(".{file_name}.{}.part", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&part)?;
        Ok(Self { file: Some(BufWriter::new(file)), part: Some(part), target, name })
    }

    /// The name that was asked for.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// All is written: the file appears under its own name.
    ///
    /// # Errors
    /// When the rest cannot be written or the file not be moved; nothing is left then.
    pub fn publish(mut self) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush()?;
            file.get_ref().sync_all().or_else(unsupported_is_fine)?;
        }
        if let Some(part) = &self.part {
            fs::rename(part, &self.target)?;
            self.part = None;
        }
        Ok(())
    }
}

/// A pipe or a terminal has nothing to be synchronised.
fn unsupported_is_fine(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
        _ => Err(error),
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // Nothing more can be done about a file that will not go.
            let _ = fs::remove_file(part);
        }
    }
}
