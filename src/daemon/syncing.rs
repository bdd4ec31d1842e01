//! `sync`: a pass of each integration now, and with `--wait` until nothing waits by itself any more. The accounts go at
//! once, and a worker makes one pass at a time, so that between two of them it sees to what else it is asked or woken for.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::adapter::control_socket::Answer;
use crate::daemon::desk::{ask, finish, of_account};
use crate::daemon::generation::{Entrance, WaysIn};
use crate::daemon::shared::Shared;
use crate::daemon::worker::Request;
use crate::domain::IntegrationName;
use crate::view::snapshot::Snapshot;
use crate::view::status_text::{StatusOptions, status_text};
use crate::view::terminal::{Rendered, Terminal};

/// The longest that `sync --wait` goes on.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How often it is looked whether a wait is over.
const LOOK_AROUND: Duration = Duration::from_millis(250);

/// Answers `sync`: what still waits, and how everything stands.
pub(super) async fn sync(
    ways_in: &WaysIn,
    shared: &Shared,
    names: &BTreeSet<IntegrationName>,
    wait: bool,
    terminal: Terminal,
) -> Answer {
    let mut accounts = JoinSet::new();
    for (account, worker) in &*ways_in.workers {
        let names = of_account(ways_in, account, names);
        if names.is_empty() {
            continue;
        }
        let (worker, shared) = (worker.clone(), shared.clone());
        accounts.spawn(async move {
            let is_well = pass_each(&worker, &names).await;
            if wait {
                wait_for_each(&worker, &shared, &names).await
            } else {
                is_well
            }
        });
    }
    let is_well = accounts.join_all().await.into_iter().all(|it| it);
    let now = shared.clock.now().wall;
    let whole = shared.board.read();
    let snapshot = whole.only(names).unwrap_or(whole);
    let is_in_step = snapshot
        .integrations
        .values()
        .all(|it| it.failure.is_none() && it.plan.as_ref().is_some_and(|it| it.outlook.in_step));
    let shown = Snapshot {
        is_live: true,
        ..snapshot
    };
    let Rendered { text, .. } = status_text(&shown, now, terminal, StatusOptions::default());
    finish(Rendered {
        text,
        exit: u8::from(!(is_well && is_in_step)),
    })
}

/// One pass of each, for a person. Whether every one ended well.
pub(super) async fn pass_each(worker: &Entrance, names: &[IntegrationName]) -> bool {
    let mut is_well = true;
    for (number, name) in names.iter().enumerate() {
        let name = name.clone();
        let lifts_waits = number == 0; // once, or a failing account would be asked for each of them
        let request = |reply| Request::Sync {
            name,
            lifts_waits,
            reply,
        };
        is_well &= ask(worker, request).await == Some(true);
    }
    is_well
}

/// Waits until none of them has anything before it that comes by itself within a few minutes. Whether the last pass of
/// each ended well.
async fn wait_for_each(worker: &Entrance, shared: &Shared, names: &[IntegrationName]) -> bool {
    let until = Instant::now() + LONGEST_WAIT;
    while !worker.requests.is_closed() {
        let now = shared.clock.now();
        let next = worker.mailbox.next_of(names, &now);
        let Some(left) = next.filter(|it| Instant::now() + *it <= until) else {
            break;
        };
        sleep(left.clamp(Duration::from_millis(10), LOOK_AROUND)).await;
    }
    !worker.requests.is_closed() && worker.mailbox.all_ended_well(names)
}
