//! What every task of the daemon holds a share of.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::adapter::clock::Clock;
use crate::adapter::ledger::{Ledger, LedgerError};
use crate::adapter::metrics::Metrics;
use crate::daemon::board::Board;
use crate::daemon::source::Told;

/// The shares. Cloning is cheap.
#[derive(Clone)]
pub struct Shared {
    /// The clocks.
    pub clock: Clock,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The snapshot.
    pub board: Board,
    /// The ledger.
    pub ledger: LedgerHandle,
    /// Which refusals were told.
    pub refusals: Told,
    /// Where answers are written.
    pub renderer: Renderer,
}

/// Answers written at once. The other threads that may block are for the ledger and the directories.
const RENDERED_AT_ONCE: usize = 2;

/// Writes answers on threads that may take their time: a thousand integrations, or a long question, must not keep a pass, a
/// heartbeat or `/livez` from its turn. Cloning is cheap.
#[derive(Clone)]
pub struct Renderer {
    places: Arc<Semaphore>,
}

impl Default for Renderer {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(RENDERED_AT_ONCE)),
        }
    }
}

impl Renderer {
    /// Does this work there. The place is given back when it is done, even if nobody waits for it any more.
    pub async fn render<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let rendered = work();
            drop(place);
            rendered
        });
        done.await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// The ledger, for tasks that must not block.
#[derive(Clone)]
pub struct LedgerHandle {
    ledger: Arc<Mutex<Option<Ledger>>>,
    metrics: Arc<Metrics>,
    board: Board,
}

impl LedgerHandle {
    /// Shares an open ledger; none where there is none yet and nothing may be made.
    pub fn new(ledger: Option<Ledger>, metrics: Arc<Metrics>, board: Board) -> Self {
        Self {
            ledger: Arc::new(Mutex::new(ledger)),
            metrics,
            board,
        }
    }

    /// Reads the ledger on a thread that may block. A failure is counted.
    ///
    /// # Errors
    /// What the work comes to.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let result = self.work(|it| work(it)).await;
        if result.is_err() {
            self.metrics.ledger_failed();
        }
        result
    }

    /// Writes to the ledger on a thread that may block. A failure is counted and shown, until a write succeeds.
    ///
    /// # Errors
    /// What the work comes to.
    pub async fn write(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<(), LedgerError> + Send + 'static,
    ) -> Result<(), LedgerError> {
        let result = self.work(work).await;
        match &result {
            Ok(()) => self.show(None),
            Err(error) => {
                self.metrics.ledger_failed();
                self.show(Some(error.to_string()));
            }
        }
        result
    }

    /// Whether there is a ledger that was opened for writing; a command that only asks has none.
    pub async fn is_for_writing(&self) -> bool {
        let found = self.work(|it| Ok(it.is_for_writing())).await;
        found.unwrap_or(false)
    }

    /// Whether the ledger is still where it was opened, so that what is written can be found again.
    pub async fn is_in_place(&self) -> bool {
        let found = self.work(|it| Ok(it.is_in_place())).await;
        found.unwrap_or(true) // there is none yet
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let ledger = Arc::clone(&self.ledger);
        let done = tokio::task::spawn_blocking(move || {
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            match ledger.as_mut() {
                Some(ledger) => work(ledger),
                None => Err(LedgerError::Missing {
                    directory: PathBuf::new(),
                }),
            }
        });
        done.await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn show(&self, failure: Option<String>) {
        if self.board.ledger_failure() == failure {
            return;
        }
        if let Some(failure) = &failure {
            tracing::error!("Nothing is uploaded: {failure}");
        } else {
            tracing::info!("The ledger can be written again");
        }
        self.board.write(|it| it.ledger_failure = failure);
    }
}

/// Waits until the flag is up, or nobody is left who could raise it.
pub async fn raised(flag: &watch::Receiver<bool>) {
    let mut flag = flag.clone();
    match flag.wait_for(|it| *it).await {
        Ok(_) | Err(_) => {}
    }
}
