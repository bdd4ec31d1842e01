//! A look for a person, who may have put a file there just before the command.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::adapter::clock::Clock;
use crate::daemon::board::Board;
use crate::daemon::source::{A_MOMENT, LookRequest, Sight, ask_for_look};
use crate::domain::{FileVerdict, IntegrationName};
use crate::view::snapshot::{IntegrationSnapshot, Snapshot};

/// The longest a person's command waits for fresh files to count.
const LONGEST_QUIET: Duration = Duration::from_secs(2);

/// Asks for a look in which no file is too fresh to count, for a person who has just put one there.
///
/// # Errors
/// As [`ask_for_look`].
pub async fn ask_for_quiet_look(
    source: &mpsc::Sender<LookRequest>,
    pass: Option<&IntegrationName>,
    path: &Path,
    clock: &Clock,
) -> Sight {
    let until = Instant::now() + LONGEST_QUIET;
    loop {
        let sight = ask_for_look(source, pass, path).await;
        let again = sight.as_ref().ok().and_then(|it| it.again_at());
        let Some(again) = again.map(|it| Instant::now() + it.since(clock.now().wall) + A_MOMENT)
        else {
            return sight;
        };
        if again > until {
            return sight;
        }
        sleep_until(again).await;
    }
}

/// Waits until the last look at every directory found no file too fresh to count, or for as long as a person waits.
pub async fn all_quiet(board: &Board) {
    let is_quiet = |snapshot: &Snapshot| !snapshot.integrations.values().any(has_fresh_files);
    let mut changes = board.subscribe();
    if timeout(LONGEST_QUIET, changes.wait_for(is_quiet))
        .await
        .is_err()
    {
        tracing::debug!("A file is still being written");
    }
}

fn has_fresh_files(integration: &IntegrationSnapshot) -> bool {
    let is_fresh = |it: &FileVerdict| {
        matches!(
            it,
            FileVerdict::Waiting {
                otherwise: None,
                ..
            }
        )
    };
    match &integration.source.look {
        Some(Ok(look)) => look.files.iter().any(|it| is_fresh(&it.verdict)),
        _ => false,
    }
}
