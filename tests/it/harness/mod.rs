//! The stage: a simulated SendGrid, a home on disk, the daemon and its commands as child processes.

mod daemon;
mod home;
mod program;
mod status;
mod terminal;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub use daemon::{Daemon, exchange};
pub use home::{Home, files_below, quoted};
pub use program::{PROGRAM, Ran, finish, pid_of};
pub use status::{integration, state_of, states};
pub use terminal::at_terminal;

use crate::certificates::Made;
use crate::simulator::{Options, Simulator, World};

/// The key of account `default`.
pub const KEY: &str = "SG.harness.5pK0rJq3vX8nT2mB7wZ1cD6fG9hL4sY";

pub const OKTA: &str = "b0b98502-9408-4b24-9e3d-31ed7cb15312";
pub const ADFS: &str = "3f1a7c52-6be4-4d0f-a1c9-52d7e8b60f43";
pub const ENTRA: &str = "7c2e9d14-0a5b-4f63-8e21-9b4d6a7f1c05";
pub const GOOGLE: &str = "e94b0f37-d2c8-4a16-b7f5-1d3c5e8a9062";

/// The longest anything is waited for. Nothing takes a tenth of it, but on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A simulator, and a home that is configured for it.
pub struct Stage {
    pub sendgrid: Arc<Simulator>,
    pub home: Home,
}

impl Stage {
    /// One account with these integrations, at SendGrid and in the configuration.
    pub async fn new(integrations: &[(&str, &str)]) -> Self {
        let sendgrid = Simulator::start(Options::one_account(KEY, integrations)).await;
        let home = Home::new(&sendgrid.url());
        for (name, id) in integrations {
            home.integration(name, id);
        }
        Self {
            sendgrid: Arc::new(sendgrid),
            home,
        }
    }

    /// Starts the daemon and waits until it says so.
    pub async fn start(&self) -> Daemon {
        let mut daemon = self.spawn(|_| {});
        daemon.started().await;
        daemon
    }

    /// Starts the daemon, with changes to how, and does not wait.
    pub fn spawn(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        let mut command = self.home.command(&["run"]);
        change(&mut command);
        Daemon::spawn(command, Arc::clone(&self.sendgrid))
    }

    /// Waits for a state of the world at SendGrid.
    pub async fn sendgrid_has(
        &self,
        daemon: &Daemon,
        what: &str,
        happened: impl FnMut(&World) -> bool,
    ) {
        if self.sendgrid.wait_for(LIMIT, happened).await.is_err() {
            daemon.fail(what);
        }
    }

    /// No rule of good behaviour was broken.
    #[track_caller]
    pub fn assert_well_behaved(&self) {
        assert_eq!(
            self.sendgrid.check(),
            Vec::<String>::new(),
            "{}",
            self.sendgrid.history()
        );
    }

    /// There is exactly one row of this certificate, and it is enabled.
    #[track_caller]
    pub fn assert_one_row(&self, certificate: &Made) {
        let rows = self.sendgrid.rows_with(certificate.fingerprint);
        let enabled = rows.iter().filter(|it| it.enabled).count();
        let history = self.sendgrid.history();
        assert_eq!((rows.len(), enabled), (1, 1), "{history}");
    }
}
