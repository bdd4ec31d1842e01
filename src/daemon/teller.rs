//! Tells the one sentence: to the service manager whenever it changes, to the log whenever the state behind it does.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::adapter::systemd;
use crate::daemon::pulse::Pulse;
use crate::daemon::shared::{Shared, raised};
use crate::view::sentence::{sentence, topic};
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
        let now = shared.clock.now().wall;
        let said = sentence(&snapshot, now);
        if said.text != told {
            systemd::status(&said.text);
            told.clone_from(&said.text);
        }
        let state = topic(&snapshot, now);
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
