//! The directory that everything happens in: made fresh, and nobody else's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The name under the temporary directory; further runs at the same time, or of other users, get a number behind it.
const NAME: &str = "sso-certd-sandbox";

/// So many at once.
const MOST: u32 = 50;

/// Marks a directory as ours, and is locked while a run uses it.
const LOCK: &str = ".sandbox";

/// What the daemon is given as its API key.
pub(crate) const API_KEY: &str = "SG.sandbox";

/// The one integration.
pub(crate) const INTEGRATION: &str = "b0b98502-9408-4b24-9e3d-31ed7cb15312";

/// A directory that belongs to this run until it ends. It stays afterwards, and the next run clears it.
pub(crate) struct Stage {
    root: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Stage {
    /// Takes the first directory that is free.
    ///
    /// # Errors
    /// None can be had.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        let parent = parent
            .canonicalize()
            .with_context(|| format!("cannot use the temporary directory {}", parent.display()))?;
        for number in 1..=MOST {
            let root = match number {
                1 => parent.join(NAME),
                _ => parent.join(format!("{NAME}-{number}")),
            };
            let lock = lock(&root).with_context(|| format!("cannot use {}", root.display()))?;
            if let Some(lock) = lock {
                let stage = Self { root, _lock: lock };
                stage
                    .clear()
                    .with_context(|| format!("cannot clear {}", stage.root.display()))?;
                return Ok(stage);
            }
        }
        bail!(
            "{} and {} more are taken; remove them, or set TMPDIR",
            parent.join(NAME).display(),
            MOST - 1
        )
    }

    /// Where certificates are dropped.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.root.join("certificates/okta")
    }

    /// The daemon's state.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The daemon's configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.root.join("sso-certd.toml")
    }

    /// Where the daemon's log is kept.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("sso-certd.log")
    }

    /// Writes the API key and the configuration for a SendGrid at this URL.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn furnish(&self, sendgrid: &str) -> anyhow::Result<()> {
        let key = self.root.join("sendgrid-api-key");
        write_new(&key, 0o600, &format!("{API_KEY}\n"))?;
        let configuration = format!(
            r#"# Written by the sandbox. What is not here has its default.
state_directory = {state}

[accounts.default]
base_url = "{sendgrid}"
api_key_file = {key}

[integrations.okta]
integration_id = "{INTEGRATION}"
directory = {certificates}
allowed_groups = [{group}]  # your own group: its write bit is set on your files if your umask is 002

[integrations.okta.trust]
new_keys_per_day = 0  # no limit: drop as many as you like

[integrations.okta.retire]
action = "disable"
when = "absent"
min_overlap = "3s"  # weeks, where people depend on it
min_absence = "3s"

[http]
listen = "127.0.0.1:0"

[log]
format = "json"
"#,
            state = quoted(&self.state())?,
            key = quoted(&key)?,
            certificates = quoted(&self.certificates())?,
            group = rustix::process::getegid().as_raw(),
        );
        write_new(&self.configuration(), 0o600, &configuration)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.certificates())
            .context("cannot make the directory for certificates")
    }

    fn clear(&self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name() == LOCK {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Makes a directory, or takes over one that an earlier run of this user has left. None: it is in use, or not ours.
fn lock(root: &Path) -> anyhow::Result<Option<File>> {
    let mut open = OpenOptions::new();
    open.write(true).mode(0o600).custom_flags(no_follow());
    match DirBuilder::new().mode(0o700).create(root) {
        Ok(()) => {
            open.create_new(true);
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(root)?;
            let is_private = found.mode() & 0o777 == 0o700;
            let is_ours = found.uid() == rustix::process::geteuid().as_raw();
            if !(found.is_dir() && is_ours && is_private) {
                return Ok(None);
            }
        }
        Err(error) => return Err(error.into()),
    }
    let lock = match open.open(root.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None), // somebody's own
        Err(error) => return Err(error.into()),
    };
    Ok(lock.try_lock().is_ok().then_some(lock))
}

fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A path as TOML writes a text.
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path
        .to_str()
        .with_context(|| format!("{} is no UTF-8; set TMPDIR", path.display()))?;
    Ok(toml::Value::from(text).to_string())
}
