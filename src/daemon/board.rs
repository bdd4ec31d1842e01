//! Where the tasks write what they know, and from where it is told: the one snapshot.

use std::sync::Arc;

use tokio::sync::watch;

use crate::adapter::clock::Clock;
use crate::domain::{AccountName, IntegrationName};
use crate::view::snapshot::{AccountSnapshot, IntegrationSnapshot, Snapshot};

/// The board. Cloning it is cheap; all clones are one.
#[derive(Clone, Debug)]
pub struct Board {
    snapshot: Arc<watch::Sender<Snapshot>>,
    clock: Clock,
}

impl Board {
    /// A board that shows this.
    pub fn new(snapshot: Snapshot, clock: Clock) -> Self {
        Self {
            snapshot: Arc::new(watch::Sender::new(snapshot)),
            clock,
        }
    }

    /// What it shows now.
    pub fn read(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// Why the ledger cannot be written; none while it can.
    pub fn ledger_failure(&self) -> Option<String> {
        self.snapshot.borrow().ledger_failure.clone()
    }

    /// Tells of every change from now on.
    pub fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.subscribe()
    }

    /// Changes anything.
    pub fn write(&self, change: impl FnOnce(&mut Snapshot)) {
        let now = self.clock.now().wall;
        self.snapshot.send_modify(|it| {
            change(it);
            if it.is_live {
                it.at = now;
            }
        });
    }

    /// Changes what is known of an integration, if it is still configured.
    pub fn integration(
        &self,
        name: &IntegrationName,
        change: impl FnOnce(&mut IntegrationSnapshot),
    ) {
        self.write(|it| {
            if let Some(integration) = it.integrations.get_mut(name) {
                change(integration);
            }
        });
    }

    /// Changes what is known of an account, if it is still configured.
    pub fn account(&self, name: &AccountName, change: impl FnOnce(&mut AccountSnapshot)) {
        self.write(|it| {
            if let Some(account) = it.accounts.get_mut(name) {
                change(account);
            }
        });
    }
}
