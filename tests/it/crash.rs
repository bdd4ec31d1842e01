//! The daemon is killed at any moment: after the next start there is one row of each certificate.

use std::time::Duration;

use tokio::time::sleep;

use crate::certificates::{Made, valid};
use crate::harness::{OKTA, Stage, integration};

const ROUNDS: usize = 10;

#[tokio::test]
async fn killed_at_random_moments_it_makes_one_row_each() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("budget", "[defaults.trust]\nnew_keys_per_day = 0\n");
    let mut all: Vec<Made> = Vec::new();
    let mut moments = Vec::new();
    for round in 0..ROUNDS {
        let mut daemon = stage.start().await;
        is_done(&daemon, all.len()).await;
        let before = stage.sendgrid.history().events.len();
        for index in 0..5 {
            let certificate = valid(&format!("round {round}"));
            let name = format!("{round}-{index}.pem");
            stage.home.put("okta", &name, &certificate.pem);
            all.push(certificate);
        }
        stage
            .sendgrid_has(&daemon, "the pass begins", |it| {
                it.history().events.len() > before
            })
            .await;
        let moment = Duration::from_millis(fastrand::u64(0..50));
        sleep(moment).await;
        daemon.kill();
        moments.push((moment, stage.sendgrid.rows().len()));
    }
    eprintln!("killed after the list by, and rows by then: {moments:?}");
    let daemon = stage.start().await;
    is_done(&daemon, all.len()).await;
    for certificate in &all {
        stage.assert_one_row(certificate);
    }
    stage.assert_well_behaved();
    assert_eq!(daemon.stop().await, 0);
}

/// Everything is trusted, and nothing is open.
async fn is_done(daemon: &crate::harness::Daemon, count: usize) {
    daemon
        .shows(&format!("all {count} are trusted"), |it| {
            let okta = integration(it, "okta");
            okta["passed"] == true && okta["open_intents"] == 0 && okta["trusted"] == count
        })
        .await;
}
