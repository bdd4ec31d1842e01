//! The API key: where it is, whether it can be one, and whether it has changed there.

mod problem;

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;
use rustix::fs::{Mode, OFlags};
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::problem::KeyProblem;
use crate::adapter::system_error::word;
use crate::domain::AccountName;
use crate::domain::text::printable_path;

/// Longest key file that is read, in bytes; SendGrid's keys have 69.
const LONGEST: u16 = 4096;
/// The variable that account `default` may have its key in.
const VARIABLE: &str = "SENDGRID_API_KEY";

/// Where an account's API key comes from; where it was found is shown, the key never.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// `api_key_file`, named in the configuration: read again when it changes.
    File(PathBuf),
    /// A systemd credential of this name at this path: a copy made at start.
    Credential {
        /// `sendgrid-api-key`, or with `-NAME`.
        name: String,
        /// Where systemd put it.
        path: PathBuf,
    },
    /// The variable `SENDGRID_API_KEY`; account `default` only.
    Variable,
    /// `/etc/sso-certd/sendgrid-api-key`, or with `-NAME`.
    Default(PathBuf),
}

impl KeySource {
    /// The file it is in, if it is in one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Credential { path, .. } | Self::Default(path) => Some(path),
            Self::Variable => None,
        }
    }

    /// Whether a new key is picked up without a restart.
    pub const fn is_live(&self) -> bool {
        match self {
            Self::File(_) | Self::Default(_) => true,
            Self::Credential { .. } | Self::Variable => false,
        }
    }
}

/// `the credential sendgrid-api-key`, `the file /etc/…`.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Default(path) => {
                write!(f, "the file {}", printable_path(path))
            }
            Self::Credential { name, .. } => write!(f, "the credential {name}"),
            Self::Variable => write!(f, "the variable {VARIABLE}"),
        }
    }
}

/// A text that can be an API key. It shows itself to nobody but the Authorization header.
#[derive(Clone)]
pub struct ApiKey {
    secret: SecretString,
    authorization: HeaderValue,
}

impl ApiKey {
    /// Takes a key as it stands in a file: a byte-order mark and white space around it are dropped.
    ///
    /// # Errors
    /// A text that cannot be sent as a bearer token. Whether SendGrid knows the key is another question.
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, KeyProblem> {
        let key = problem::key_in(raw.as_ref())?;
        let bearer = Zeroizing::new(format!("Bearer {key}"));
        let mut authorization =
            HeaderValue::from_str(&bearer).map_err(|_| KeyProblem::Characters)?;
        authorization.set_sensitive(true);
        Ok(Self {
            secret: key.into(),
            authorization,
        })
    }

    /// Whether the two are the same key.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.text() == other.text()
    }

    /// The value of the Authorization header, marked sensitive.
    pub(super) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// The key itself, to find it in what a server says.
    pub(super) fn text(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// A key that was found, and what a person should know about how it lies there.
#[derive(Clone, Debug)]
pub struct FoundKey {
    /// The key.
    pub key: ApiKey,
    /// What is wrong with its file, though it was read.
    pub warning: Option<KeyWarning>,
}

/// A key file that everybody can read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{path} can be read by everybody ({mode:04o})")]
pub struct KeyWarning {
    /// Which file.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
}

impl KeyWarning {
    /// The command that helps.
    pub fn help(&self) -> String {
        format!("chmod 600 {}", self.path)
    }
}

/// Why an account has no key.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum KeyError {
    /// None was configured, and there is none where it would be looked for.
    #[error("no API key for account {account}")]
    Missing {
        /// Which account.
        account: AccountName,
        /// The file that would be read.
        path: String,
    },
    /// The file that was named is not there.
    #[error("the key file {path} is missing")]
    NoFile {
        /// Which file.
        path: String,
    },
    /// The credential was not passed on, and who started this may not read the file that it would be a copy of.
    #[error("the credential {} did not arrive, and {} is for another user to read", file_name(.0), .0)]
    NotPassedOn(String),
    /// The file cannot be read.
    #[error("the key file {path} cannot be read: {why}")]
    Unreadable {
        /// Which file.
        path: String,
        /// The system's word for it.
        why: String,
    },
    /// A directory, a pipe, a device.
    #[error("the key file {path} is no regular file")]
    NotRegular {
        /// Which file.
        path: String,
    },
    /// More than any key.
    #[error("the key file {path} is larger than 4 KiB, so it holds something else")]
    TooLarge {
        /// Which file.
        path: String,
    },
    /// What the file holds is no key.
    #[error("the key file {path} {problem}")]
    File {
        /// Which file.
        path: String,
        /// Why not.
        problem: KeyProblem,
    },
    /// What the credential holds is no key.
    #[error("the credential {name} {problem}")]
    Credential {
        /// Which one.
        name: String,
        /// Why not.
        problem: KeyProblem,
    },
    /// What the variable holds is no key.
    #[error("the variable SENDGRID_API_KEY {0}")]
    Variable(KeyProblem),
}

/// The last part of a path, which is the name of the credential that its file is passed on as.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl KeyError {
    /// Lines that help.
    pub fn help(&self) -> Vec<String> {
        match self {
            Self::Missing { account, path } => {
                let file = file_name(path);
                vec![
                    format!("LoadCredential={file}:{path} in the unit,"),
                    format!("or accounts.{account}.api_key_file"),
                ]
            }
            Self::File { path, problem } => {
                let mend = problem.mend().map(|it| it.replace("FILE", path));
                mend.into_iter().chain([alone_in(path)]).collect()
            }
            Self::NoFile { path } | Self::TooLarge { path } => vec![alone_in(path)],
            Self::Credential { name, .. } => vec![
                format!(
                    "put the key, and nothing else, into the file that LoadCredential={name}: names,"
                ),
                "then restart sso-certd: a credential is a copy made at its start".to_owned(),
            ],
            Self::Variable(_) => vec![format!(
                "set {VARIABLE} to the key and nothing else, without quotes or a name"
            )],
            Self::NotPassedOn(path) => vec![
                format!("LoadCredential={}:{path} in the unit,", file_name(path)),
                format!("or, where systemd can pass none on (LXC): chown sso-certd {path}"),
            ],
            Self::Unreadable { .. } | Self::NotRegular { .. } => Vec::new(),
        }
    }
}

fn alone_in(path: &str) -> String {
    format!("put the key, and nothing else, into {path} (mode 600)")
}

/// Reads one account's key, and knows whether its file has changed since.
#[derive(Clone, Debug)]
pub struct KeyReader {
    account: AccountName,
    source: KeySource,
    /// The file as it was when it was read last; none if it could not be opened.
    stamp: Option<Stamp>,
}

impl KeyReader {
    /// A reader that has read nothing yet.
    pub const fn new(account: AccountName, source: KeySource) -> Self {
        Self {
            account,
            source,
            stamp: None,
        }
    }

    /// Where the key comes from.
    pub const fn source(&self) -> &KeySource {
        &self.source
    }

    /// Reads the key. Opening never blocks, and no more than 4 KiB are read.
    ///
    /// # Errors
    /// No key, or something that is none; the text says which file.
    pub fn read(&mut self) -> Result<FoundKey, KeyError> {
        match self.source.path() {
            None => from_variable(std::env::var_os(VARIABLE)).map_err(KeyError::Variable),
            Some(path) => {
                let (found, stamp) = self.read_file(path);
                self.stamp = stamp;
                found
            }
        }
    }

    /// Whether the file is another one, or changed, since it was [read](Self::read). A variable never changes.
    pub fn has_changed(&self) -> bool {
        self.source.path().is_some_and(|path| {
            let stamp = std::fs::metadata(path).ok().map(|it| Stamp::of(&it));
            stamp != self.stamp
        })
    }

    fn read_file(&self, path: &Path) -> (Result<FoundKey, KeyError>, Option<Stamp>) {
        match open(path) {
            Ok((file, metadata)) => {
                let found = read_open_file(file, &metadata, printable_path(path));
                let found = found.map_err(|it| self.of_the_source(it));
                (found, Some(Stamp::of(&metadata)))
            }
            Err(error) => {
                let stamp = std::fs::metadata(path).ok().map(|it| Stamp::of(&it));
                (Err(self.cannot_open(path, &error)), stamp)
            }
        }
    }

    /// A credential's file is a copy that nobody mends.
    fn of_the_source(&self, error: KeyError) -> KeyError {
        match (error, &self.source) {
            (KeyError::File { problem, .. }, KeySource::Credential { name, .. }) => {
                let name = name.clone();
                KeyError::Credential { name, problem }
            }
            (error, _) => error,
        }
    }

    fn cannot_open(&self, path: &Path, error: &io::Error) -> KeyError {
        let path = printable_path(path);
        match (error.kind(), &self.source) {
            (io::ErrorKind::NotFound, KeySource::Default(_)) => KeyError::Missing {
                account: self.account.clone(),
                path,
            },
            (io::ErrorKind::NotFound, _) => KeyError::NoFile { path },
            (io::ErrorKind::PermissionDenied, source) if !matches!(source, KeySource::File(_)) => {
                KeyError::NotPassedOn(path)
            }
            _ => KeyError::Unreadable {
                path,
                why: word(error),
            },
        }
    }
}

/// What tells one version of a file from the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn read_open_file(file: File, metadata: &Metadata, path: String) -> Result<FoundKey, KeyError> {
    if !metadata.is_file() {
        return Err(KeyError::NotRegular { path });
    }
    let content = match read_bounded(file) {
        Ok(Some(content)) => content,
        Ok(None) => return Err(KeyError::TooLarge { path }),
        Err(error) => {
            let why = word(&error);
            return Err(KeyError::Unreadable { path, why });
        }
    };
    let key = ApiKey::parse(&content);
    let mode = metadata.mode() & 0o7777;
    match key {
        Ok(key) => Ok(FoundKey {
            key,
            warning: (mode & 0o004 != 0).then_some(KeyWarning { path, mode }),
        }),
        Err(problem) => Err(KeyError::File { path, problem }),
    }
}

/// The whole content; none if it is longer than any key.
fn read_bounded(file: File) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Room from the start, so that no half of a key is left behind when the buffer grows.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::from(LONGEST) + 1));
    file.take(u64::from(LONGEST) + 1)
        .read_to_end(&mut content)?;
    Ok((content.len() <= usize::from(LONGEST)).then_some(content))
}

fn from_variable(value: Option<OsString>) -> Result<FoundKey, KeyProblem> {
    let value = Zeroizing::new(value.unwrap_or_default().into_vec());
    ApiKey::parse(&value).map(|key| FoundKey { key, warning: None })
}

#[cfg(test)]
mod tests;
