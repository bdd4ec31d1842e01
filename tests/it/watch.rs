//! How a change is found when the kernel's events do not tell of it.

use std::fs;
use std::os::unix::fs::symlink;

use crate::certificates::valid;
use crate::harness::{OKTA, Stage, integration, state_of};

const LABELS: [(&str, &str); 2] = [("integration", "okta"), ("account", "default")];

#[tokio::test]
async fn without_events_the_poll_finds_it() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("watch", "[watch]\nevents = false\npoll = \"200ms\"\n");
    let daemon = stage.start().await;
    daemon
        .measures("sso_certd_watch_active", &LABELS, 0.0)
        .await;
    daemon.has_compared().await;
    let certificate = valid("polled");
    stage.home.put("okta", "polled.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon
        .has_counted("sso_certd_reconciles_total", &[("trigger", "poll")])
        .await;
    let metrics = daemon.metrics().await;
    let missed = metrics.value("sso_certd_watch_missed_changes_total", &[]);
    assert_eq!(missed, Some(0.0), "no watch stood that could miss it");
}

#[tokio::test]
async fn without_events_and_poll_the_schedule_finds_it() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set(
        "watch",
        "[watch]\nevents = false\npoll = \"0s\"\n[schedule]\nreconcile = \"* * * * * *\"\n",
    );
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let certificate = valid("scheduled");
    stage.home.put("okta", "scheduled.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon
        .has_counted("sso_certd_reconciles_total", &[("trigger", "schedule")])
        .await;
}

#[tokio::test]
async fn a_file_written_in_pieces_is_taken_when_it_is_whole() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let certificate = valid("copied");
    let path = stage.home.directory("okta").join("copied.pem");
    stage.home.put("okta", "copied.pem", "");
    for end in 1..=certificate.pem.len() {
        if end % 100 == 0 || end == certificate.pem.len() {
            fs::write(&path, &certificate.pem[..end]).unwrap();
        }
    }
    daemon.shows_state("okta", &certificate, "trusted").await;
    stage.assert_one_row(&certificate);
    assert!(!daemon.log().contains("Refused"), "{}", daemon.log());
}

#[tokio::test]
async fn a_directory_that_appears_later_is_found_by_the_poll_and_then_watched() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("watch", "[watch]\npoll = \"200ms\"\n");
    let directory = stage.home.directory("okta");
    fs::remove_dir(&directory).unwrap();
    let daemon = stage.start().await;
    let status = daemon.status().await;
    assert_eq!(integration(&status, "okta")["source"]["up"], false);
    stage.home.make_directory("certificates/okta");
    daemon.measures("sso_certd_source_up", &LABELS, 1.0).await;
    daemon
        .measures("sso_certd_watch_active", &LABELS, 1.0)
        .await;
    let certificate = valid("late");
    stage.home.put("okta", "late.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
}

#[tokio::test]
async fn a_directory_swapped_as_kubernetes_does_is_read_anew() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("watch", "[watch]\npoll = \"200ms\"\n");
    let directory = stage.home.directory("okta");
    let (old, new) = (valid("old"), valid("new"));
    stage.home.make_directory("certificates/okta/..1");
    stage.home.put("okta", "..1/idp.pem", &old.pem);
    symlink("..1", directory.join("..data")).unwrap();
    symlink("..data/idp.pem", directory.join("idp.pem")).unwrap();
    let daemon = stage.start().await;
    daemon.shows_state("okta", &old, "trusted").await;

    stage.home.make_directory("certificates/okta/..2");
    stage.home.put("okta", "..2/idp.pem", &new.pem);
    symlink("..2", directory.join("..data_tmp")).unwrap();
    fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
    daemon.shows_state("okta", &new, "trusted").await;
    stage.assert_one_row(&old);
}

#[tokio::test]
async fn a_lost_directory_takes_nothing_away() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("watch", "[watch]\npoll = \"200ms\"\n");
    let certificate = valid("kept");
    stage.home.put("okta", "kept.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    fs::remove_dir_all(stage.home.directory("okta")).unwrap();
    let status = daemon
        .shows("the source is down", |it| {
            integration(it, "okta")["source"]["up"] == false
        })
        .await;
    let state = state_of(&status, "okta", certificate.fingerprint);
    assert_eq!(state.as_deref(), Some("trusted"));
    assert_eq!(stage.sendgrid.history().writes().count(), 1);
}
