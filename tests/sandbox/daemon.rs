//! The daemon, as a process of its own: this program, started again.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitCode, ExitStatus, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tokio::sync::mpsc::UnboundedSender;

use crate::show::Heard;

/// The first argument of the process that is the daemon; behind it come the daemon's own.
pub(crate) const ROLE: &str = "as-sso-certd";

/// Is the daemon, with the arguments behind [`ROLE`]. It ends with the process that started it, whatever ends that.
pub(crate) fn play(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    if set_parent_process_death_signal(Some(Signal::TERM)).is_err() {
        // Then it outlives a sandbox that is killed.
    }
    sso_certd::cli::main(std::iter::once("sso-certd".into()).chain(arguments))
}

/// A daemon that runs. Dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it with an empty environment and in a process group of its own, so that Ctrl-C is for this process alone;
    /// what it logs is sent, line by line, and then its end.
    ///
    /// # Errors
    /// No process can be started.
    pub(crate) fn start(
        configuration: &Path,
        heard: UnboundedSender<Heard>,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot tell which program this is")?;
        let mut child = Command::new(program)
            .args([
                OsStr::new(ROLE),
                "--config".as_ref(),
                configuration.as_os_str(),
                "run".as_ref(),
            ])
            .env_clear()
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the daemon")?;
        let log = child.stderr.take();
        let daemon = Self { child };
        let log = log.context("cannot read the daemon's log")?;
        std::thread::Builder::new()
            .name("daemon's log".to_owned())
            .spawn(move || read(log, &heard))
            .context("cannot read the daemon's log")?;
        Ok(daemon)
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        if kill_process(Pid::from_child(&self.child), Signal::TERM).is_err() {
            // It has ended already.
        }
    }

    /// How it ended; it has, once its log has.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn status(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

fn read(log: ChildStderr, heard: &UnboundedSender<Heard>) {
    let mut log = BufReader::new(log);
    loop {
        let mut line = Vec::new();
        let is_over = !matches!(log.read_until(b'\n', &mut line), Ok(1..));
        let news = if is_over {
            Heard::DaemonEnded
        } else {
            Heard::DaemonSaid(String::from_utf8_lossy(&line).trim_end().to_owned())
        };
        if heard.send(news).is_err() || is_over {
            return;
        }
    }
}
