//! The answer to a POST is lost: nobody knows whether the certificate is stored, and still there is one row in the end.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::certificates::{Made, valid};
use crate::harness::{ADFS, OKTA, Stage};
use crate::simulator::{Commit, Fault, Operation, Reply, Rule};

const OPEN: &str = "sso_certd_integration_open_intents";
const LABELS: [(&str, &str); 2] = [("integration", "okta"), ("account", "default")];

/// The row is stored, and the client sees `fault`: one POST, one row, no open intent.
async fn stored_and_lost(fault: Fault) {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("short", "[accounts.default]\nrequest_timeout = \"500ms\"\n");
    stage.sendgrid.script(Rule::next(Operation::Create, fault));
    let daemon = stage.start().await;
    let certificate = valid("lost");
    stage.home.put("okta", "lost.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon.measures(OPEN, &LABELS, 0.0).await;
    assert_eq!(daemon.stop().await, 0);
    let history = stage.sendgrid.history();
    let posts = history.posts_of(certificate.fingerprint).count();
    assert_eq!(posts, 1, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn stored_and_the_connection_closed_is_one_row() {
    stored_and_lost(Fault::commit_then_close()).await;
}

#[tokio::test]
async fn stored_and_reset_is_one_row() {
    stored_and_lost(Fault::reply(Reply::Reset)).await;
}

#[tokio::test]
async fn stored_and_never_answered_is_one_row() {
    stored_and_lost(Fault::commit_then_silence()).await;
}

#[tokio::test]
async fn stored_and_a_server_error_is_one_row() {
    stored_and_lost(Fault::commit_then(500)).await;
}

#[tokio::test]
async fn stored_and_a_body_cut_short_is_one_row() {
    stored_and_lost(Fault::reply(Reply::CutBody)).await;
}

#[tokio::test]
async fn stored_and_an_empty_body_is_one_row() {
    stored_and_lost(Fault::reply(Reply::EmptyBody)).await;
}

#[tokio::test]
async fn stored_and_a_web_page_is_one_row() {
    stored_and_lost(Fault::reply(Reply::HtmlBody)).await;
}

#[tokio::test]
async fn stored_and_invalid_json_is_one_row() {
    stored_and_lost(Fault::reply(Reply::InvalidJson)).await;
}

/// The window of [`stage_that_loses_a_post`].
const SETTLE: Duration = Duration::from_millis(600);

/// The next POST never arrives.
async fn stage_that_loses_a_post() -> Stage {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("settle", "[delivery]\nsettle = \"600ms\"\n");
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, Fault::close_before_commit()));
    stage
}

fn was_sent_again_after_the_window_only(stage: &Stage, certificate: &Made) {
    let history = stage.sendgrid.history();
    let posts: Vec<_> = history.posts_of(certificate.fingerprint).collect();
    assert_eq!(posts.len(), 2, "{history}");
    let between = posts[1].at.duration_since(posts[0].at);
    assert!(between >= SETTLE, "{between:?}: {history}");
    let lists = history
        .of(Operation::List)
        .filter(|it| it.at > posts[0].at && it.at < posts[1].at);
    assert!(lists.count() >= 2, "{history}");
    stage.assert_one_row(certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn what_never_arrived_is_sent_again_after_the_settle_window_only() {
    let stage = stage_that_loses_a_post().await;
    let daemon = stage.start().await;
    let certificate = valid("never");
    stage.home.put("okta", "never.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon.measures(OPEN, &LABELS, 0.0).await;
    was_sent_again_after_the_window_only(&stage, &certificate);
}

#[tokio::test]
async fn syncs_without_a_daemon_settle_between_them_what_never_arrived() {
    let stage = stage_that_loses_a_post().await;
    let certificate = valid("never");
    stage.home.put("okta", "never.pem", &certificate.pem);
    let mut exits = Vec::new();
    while exits.last() != Some(&0) && exits.len() < 60 {
        exits.push(stage.home.ask(&["sync"]).await.exit);
    }
    assert_eq!((exits[0], exits.last()), (1, Some(&0)), "{exits:?}");
    was_sent_again_after_the_window_only(&stage, &certificate);
}

#[tokio::test]
async fn what_is_stored_late_but_within_the_window_is_one_row() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("settle", "[delivery]\nsettle = \"2s\"\n");
    let late = Fault::close_then_commit_after(Duration::from_millis(500));
    stage.sendgrid.script(Rule::next(Operation::Create, late));
    let daemon = stage.start().await;
    let certificate = valid("late");
    stage.home.put("okta", "late.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "settling").await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon.measures(OPEN, &LABELS, 0.0).await;
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn while_one_integration_settles_another_is_served_at_once() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    stage.home.set("settle", "[delivery]\nsettle = \"60s\"\n");
    let lost = Fault::close_before_commit();
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, lost).within(OKTA));
    let daemon = stage.start().await;
    let (stuck, quick) = (valid("stuck"), valid("quick"));
    stage.home.put("okta", "stuck.pem", &stuck.pem);
    daemon.shows_state("okta", &stuck, "settling").await;
    daemon.measures(OPEN, &LABELS, 1.0).await;

    stage.home.put("adfs", "quick.pem", &quick.pem);
    let moved = Instant::now();
    daemon.shows_state("adfs", &quick, "trusted").await;
    let history = stage.sendgrid.history();
    let post = history.posts_of(quick.fingerprint).next().unwrap();
    let took = post.at.duration_since(moved);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(history.posts_of(stuck.fingerprint).count(), 1);
    daemon.shows_state("okta", &stuck, "settling").await;
    stage.assert_well_behaved();
}

/// It dies in the middle of its POST, which is longer ago than the window: for whoever comes after it, the POST may have
/// been made in its last moment.
#[tokio::test]
async fn a_post_of_a_process_that_died_has_its_window_before_it() {
    let settle = Duration::from_millis(1500);
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("settle", "[delivery]\nsettle = \"1500ms\"\n");
    let silence = Fault::new(Commit::Never, Reply::Silence);
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, silence));
    let mut daemon = stage.start().await;
    let certificate = valid("orphan");
    stage.home.put("okta", "orphan.pem", &certificate.pem);
    let posts = || {
        let history = stage.sendgrid.history();
        let posts = history.posts_of(certificate.fingerprint);
        posts.map(|it| it.at).collect::<Vec<_>>()
    };
    while posts().first().is_none_or(|it| it.elapsed() < settle) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    daemon.kill();
    let killed = Instant::now();

    let daemon = stage.start().await;
    daemon.has_compared().await;
    daemon.signal(Signal::USR1); // another list at once: it is not the number of lists that the POST waits for
    daemon.shows_state("okta", &certificate, "trusted").await;
    let window = posts()[1].duration_since(killed);
    let history = stage.sendgrid.history();
    assert!(
        window >= settle,
        "sent {window:?} after the death, before its window was over: {history}"
    );
    stage.assert_one_row(&certificate);
}
