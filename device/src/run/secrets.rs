//! Passwords and tokens, read from their files. They leave here only in a type that does not print.

use offhook_units::Pii;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// No password is longer, bytes.
const LONGEST: u64 = 4 * 1024;

/// Why a secret cannot be used. It does not say what it is.
#[derive(Debug)]
pub enum SecretError {
    /// The file cannot be read.
    Read(io::Error),
    /// There is nothing in it.
    Empty,
    /// There is more in it than one line.
    NotOneLine,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot be read: {error}"),
            Self::Empty => f.write_str("is empty; expected one line"),
            Self::NotOneLine => f.write_str("is not one line of text; expected nothing but the secret"),
        }
    }
}

impl std::error::Error for SecretError {}

/// Where secrets are looked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The service manager's credentials (systemd.exec(5)).
    pub credentials: Option<PathBuf>,
    /// Beside the configuration file.
    pub beside: Option<PathBuf>,
    /// TrueVoice's key itself, as the environment holds it.
    pub truevoice_key: Option<Pii<String>>,
}

impl Places {
    /// For the configuration file `config`.
    pub fn of(config: Option<&Path>) -> Self {
        let beside = config.and_then(Path::parent).map(Path::to_owned);
        let key = std::env::var("TRUEVOICE_API_KEY").ok().filter(|key| !key.trim().is_empty());
        Self {
            credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            beside,
            truevoice_key: key.map(|key| Pii::new(key.trim().to_owned())),
        }
    }

    /// The file that `name` means: a bare name among the credentials first, then beside the configuration.
    pub(super) fn find(&self, name: &Path) -> PathBuf {
        let is_bare = name.components().count() == 1;
        let credential = self.credentials.as_ref().filter(|_| is_bare).map(|folder| folder.join(name));
        match credential.filter(|path| path.exists()) {
            Some(path) => path,
            None => self.beside.as_ref().map_or(name.to_owned(), |folder| folder.join(name)),
        }
    }

    /// The secret in the file `name`.
    ///
    /// # Errors
    /// The file that was tried, and what is wrong with it.
    pub fn read(&self, name: &Path) -> Result<Pii<String>, (PathBuf, SecretError)> {
        let path = self.find(name);
        read(&path).map_err(|error| (path, error))
    }
}

fn read(path: &Path) -> Result<Pii<String>, SecretError> {
    let mut text = String::new();
    let file = File::open(path).map_err(SecretError::Read)?;
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => SecretError::NotOneLine,
        _ => SecretError::Read(error),
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(SecretError::Empty);
    }
    if line.chars().any(char::is_control) || text.len() as u64 > LONGEST {
        return Err(SecretError::NotOneLine);
    }
    Ok(Pii::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("offhook-secrets-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("credentials")).unwrap();
        path
    }

    #[test]
    fn a_bare_name_is_a_credential_first_and_a_file_beside_the_configuration_next() {
        let folder = folder("places");
        let places = Places {
            credentials: Some(folder.join("credentials")),
            beside: Some(folder.clone()),
            truevoice_key: None,
        };
        fs::write(folder.join("p"), "beside\n").unwrap();
        let read = |name: &str| places.read(Path::new(name)).map(|secret| secret.reveal().clone());
        assert_eq!(read("p").unwrap(), "beside");
        fs::write(folder.join("credentials/p"), "credential\r\n").unwrap();
        assert_eq!(read("p").unwrap(), "credential");
        assert_eq!(read(folder.join("p").to_str().unwrap()).unwrap(), "beside", "a path is a path");
        assert_eq!(read("./p").unwrap(), "beside");
        let (path, error) = read("none").unwrap_err();
        assert_eq!(path, folder.join("none"));
        assert!(matches!(error, SecretError::Read(_)));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_secret_is_one_line_and_does_not_print() {
        let folder = folder("lines");
        let places = Places { beside: Some(folder.clone()), ..Places::default() };
        for (contents, fits) in [
            (&b"hunter2"[..], true),
            (b"two words\n", true),
            (b"", false),
            (b"\n", false),
            (b"a\nb\n", false),
            (b"\xff", false),
            (&[b'x'; 5_000], false),
        ] {
            fs::write(folder.join("p"), contents).unwrap();
            let secret = places.read(Path::new("p"));
            assert_eq!(secret.is_ok(), fits, "{contents:?}");
            assert!(!format!("{secret:?}").contains("hunter2"));
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
