//! Tells the one sentence: to the service manager whenever it changes, to the log whenever the state behind it does.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::adapter::systemd;
use crate::daemon::pulse::Pulse;
use crate::daemon::shared::{Shared, raised};
use crate::view::sentence::sentence;
use crate::view::snapshot::Snapshot;
use crate::view::terminal::Mark;

/// Changes that come this close together are told once.
const GATHER: Duration = Duration::from_millis(100);

/// A sentence grows old ("4 minutes ago") without a change.
const RENEW: Duration = Duration::from_secs(30);

/// How long the task may be silent.
const SILENCE: Duration = Duration::from_secs(90);

/// Runs until it is told to stop.
pub async fn run(shared: Shared, pulse: Pulse, stop: watch::Receiver<bool>) {
    let mut changes = shared.board.subscribe();
    let (mut told, mut logged) = (String::new(), String::new());
    loop {
        pulse.beat(SILENCE);
        tokio::select! {
            () = raised(&stop) => return,
            renewed = timeout(RENEW, changes.changed()) => if let Ok(Err(_)) = renewed {
                return;
            }
        }
        sleep(GATHER).await;
        let snapshot = changes.borrow_and_update().clone();
        let said = sentence(&snapshot, shared.clock.now().wall);
        if said.text != told {
            systemd::status(&said.text);
            told.clone_from(&said.text);
        }
        let state = state_behind(&snapshot, &said.text);
        if state != logged {
            logged = state;
            log(said.mark, &said.text);
        }
    }
}

fn log(mark: Mark, text: &str) {
    match mark {
        Mark::Broken => tracing::error!("{text}"),
        Mark::NeedsYou | Mark::NotOurs => tracing::warn!("{text}"),
        _ => tracing::info!("{text}"),
    }
}

/// What must differ for the sentence to be logged again: its words without the numbers that only time changes, and why
/// each integration needs a person.
fn state_behind(snapshot: &Snapshot, text: &str) -> String {
    let words: String = text.chars().filter(|it| !it.is_ascii_digit()).collect();
    let words = words
        .split(", compared")
        .next()
        .unwrap_or_default()
        .to_owned();
    let needs = snapshot
        .integrations
        .values()
        .map(|it| format!("{} {:?}", it.name, it.attention(snapshot)));
    format!("{words} {}", needs.collect::<Vec<_>>().join(" "))
}
