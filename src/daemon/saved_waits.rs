//! The gate's waits as the ledger keeps them.

use crate::adapter::ledger::SavedWait;
use crate::plan::gate::{Barrier, Hold, Why};

/// For the ledger.
pub(super) fn to_ledger((barrier, hold): &(Barrier, Hold)) -> SavedWait {
    SavedWait {
        barrier: barrier.word().to_owned(),
        integration: barrier.integration(),
        since: hold.since.clone(),
        wait: hold.wait,
        failures: hold.failures,
        reason: hold.why.words().to_owned(),
    }
}

/// From the ledger; none if an older or newer program wrote what nobody here knows.
pub(super) fn from_ledger(saved: SavedWait) -> Option<(Barrier, Hold)> {
    let barrier = Barrier::parse(&saved.barrier, saved.integration)?;
    let why = Why::parse(&saved.reason)?;
    Some((
        barrier,
        Hold {
            failures: saved.failures,
            since: saved.since,
            wait: saved.wait,
            why,
        },
    ))
}
