//! A home on disk: configuration, key, certificates, state.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::KEY;
use super::program::{PROGRAM, Ran, finish};

/// A configuration, a key, directories of certificates and a state directory, all in one temporary directory.
pub struct Home {
    root: TempDir,
}

impl Home {
    /// Everything but integrations. Waits are short, and nothing is polled.
    pub fn new(base_url: &str) -> Self {
        let home = Self {
            root: tempfile::tempdir().unwrap(),
        };
        home.make_directory("");
        home.make_directory("conf.d");
        home.make_directory("certificates");
        home.write_key(KEY);
        let (key, state) = (quoted(&home.path("key")), quoted(&home.state()));
        home.write(
            "sso-certd.toml",
            &format!(
                r#"
state_directory = {state}
[accounts.default]
api_key_file = {key}
base_url = "{base_url}"
connect_timeout = "1s"
request_timeout = "5s"
requests_per_minute = 60000
[watch]
quiet = "50ms"
poll = "0s"
[schedule]
reconcile = "0 0 1 1 *"
jitter = "0s"
[delivery]
settle = "300ms"
retry_first = "50ms"
retry_cap = "400ms"
probe = "200ms"
[http]
listen = "127.0.0.1:0"
[log]
level = "debug"
format = "text"
"#
            ),
            0o644,
        );
        home
    }

    /// Adds settings, or changes some, by a file in `conf.d`. The same name again replaces it.
    pub fn set(&self, name: &str, toml: &str) {
        self.write(&format!("conf.d/{name}.toml"), toml, 0o644);
    }

    /// Adds an integration with a directory of its own.
    pub fn integration(&self, name: &str, id: &str) {
        self.make_directory(&format!("certificates/{name}"));
        let directory = quoted(&self.directory(name));
        self.set(
            &format!("integration-{name}"),
            &format!("[integrations.{name}]\nintegration_id = \"{id}\"\ndirectory = {directory}\n"),
        );
    }

    /// Where the certificates of an integration lie.
    pub fn directory(&self, integration: &str) -> PathBuf {
        self.path(&format!("certificates/{integration}"))
    }

    /// Moves a file into the directory of an integration, whole, as `install` or `mv` would.
    pub fn put(&self, integration: &str, name: &str, content: &str) {
        let path = format!("certificates/{integration}/{name}");
        self.write(&path, content, 0o644);
    }

    /// Takes a file out of the directory of an integration.
    pub fn take(&self, integration: &str, name: &str) {
        fs::remove_file(self.directory(integration).join(name)).unwrap();
    }

    pub fn write_key(&self, key: &str) {
        self.write("key", key, 0o600);
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Lets every user reach the configuration, as `/etc` does; the key and the state stay the daemon's.
    pub fn open_to_all(&self) {
        fs::set_permissions(self.root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes a file beside its place and renames it, whatever the umask.
    pub fn write(&self, name: &str, content: &str, mode: u32) {
        let staged = self.path(".staged");
        fs::write(&staged, content).unwrap();
        fs::set_permissions(&staged, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(&staged, self.path(name)).unwrap();
    }

    pub fn make_directory(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The program with this configuration, these arguments and no environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env_clear()
            .stdin(Stdio::null())
            .arg("--config")
            .arg(self.path("sso-certd.toml"))
            .args(arguments);
        command
    }

    /// Runs a command to its end.
    pub async fn ask(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments)).await
    }
}

/// A path as a TOML text.
pub fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

/// Every file below a directory, with its bytes.
pub fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            files.extend(files_below(&path));
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap();
            files.push((path, content));
        }
    }
    files
}
