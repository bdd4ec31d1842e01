//! SendGrid answers a request in every way it may, and in some that it should not.

use std::time::Duration;

use rustix::process::Signal;

use crate::certificates::{expired, valid};
use crate::harness::{OKTA, Stage, integration, state_of};
use crate::simulator::{Commit, Fault, Operation, Reply, Rule};

/// Far more than the daemon needs, and far less than an answer that is read to its end would take.
const MEMORY: f64 = 512.0 * 1024.0 * 1024.0;

#[tokio::test]
async fn any_2xx_is_a_success_and_the_list_decides() {
    for status in [200, 201, 202, 204] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        stage.sendgrid.behave(|it| it.create_status = status);
        let certificate = valid("stored");
        stage.home.put("okta", "stored.pem", &certificate.pem);
        let daemon = stage.start().await;
        daemon.shows_state("okta", &certificate, "trusted").await;
        let history = stage.sendgrid.history();
        assert_eq!(history.count(Operation::Create), 1, "{status}: {history}");
        let last = history.requests().last().unwrap();
        assert_eq!(last.operation, Operation::List, "{status}: it is read back");
        stage.assert_one_row(&certificate);
        stage.assert_well_behaved();
    }
}

#[tokio::test]
async fn a_2xx_for_what_was_not_stored_is_no_success() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let pretended = Fault::new(Commit::Never, Reply::Usual);
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, pretended));
    let certificate = valid("pretended");
    stage.home.put("okta", "pretended.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 2, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_server_error_for_what_was_not_stored_is_settled_before_the_second_post() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, Fault::refuse(503)));
    let certificate = valid("unlucky");
    stage.home.put("okta", "unlucky.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    let history = stage.sendgrid.history();
    let posts: Vec<_> = history.of(Operation::Create).collect();
    assert_eq!(posts.len(), 2, "{history}");
    let between = posts[1].at.duration_since(posts[0].at);
    assert!(between >= Duration::from_millis(300), "{between:?}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn what_sendgrid_refuses_is_held_whatever_becomes_of_its_file_and_others_go_on() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (bad, good) = (valid("bad"), valid("good"));
    let refused = Rule::next(Operation::Create, Fault::refuse(400)).of(bad.fingerprint);
    stage.sendgrid.script(refused);
    stage.home.put("okta", "bad.pem", &bad.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &bad, "rejected").await;
    stage.home.put("okta", "good.pem", &good.pem);
    let status = daemon.shows_state("okta", &good, "trusted").await;
    let state = state_of(&status, "okta", bad.fingerprint);
    assert_eq!(state.as_deref(), Some("rejected"));
    assert_eq!(
        stage.sendgrid.history().posts_of(bad.fingerprint).count(),
        1
    );

    // It may be touched, edited or renamed: that is no other certificate. Another pass has seen it when one more is up.
    let edited = format!("# asked support about it\n{}", bad.pem);
    stage.home.put("okta", "bad.pem", &edited);
    let renamed = stage.home.directory("okta").join("again.pem");
    std::fs::rename(stage.home.directory("okta").join("bad.pem"), renamed).unwrap();
    let more = valid("more");
    stage.home.put("okta", "more.pem", &more.pem);
    daemon.shows_state("okta", &more, "trusted").await;
    daemon.shows_state("okta", &bad, "rejected").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.posts_of(bad.fingerprint).count(), 1, "{history}");

    let ran = stage.home.ask(&["sync", "--wait"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    stage.assert_one_row(&bad);
    stage.assert_one_row(&good);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_rejected_key_is_not_tried_again_and_again() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("probe", "[delivery]\nprobe = \"1h\"\n");
    stage.home.write_key("SG.wrong");
    let daemon = stage.start().await;
    daemon.logged("(401)").await;
    daemon
        .measures("sso_certd_api_key_valid", &[("account", "default")], 0.0)
        .await;
    let before = stage.sendgrid.history().requests().count();
    for index in 0..3 {
        let name = format!("{index}.pem");
        stage.home.put("okta", &name, &valid("patient").pem);
        daemon
            .shows("the file is seen", |it| {
                integration(it, "okta")["source"]["accepted"] == index + 1
            })
            .await;
        daemon.signal(Signal::USR1);
    }
    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), before, "{history}");
    assert_eq!(history.count(Operation::Create), 0, "{history}");
}

/// A list that is answered like this fails with `code`, takes nothing away, and is no more than a failure.
async fn a_list_is_cut(reply: Reply, code: &str) {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("short", "[accounts.default]\nrequest_timeout = \"1s\"\n");
    let certificate = valid("listed");
    stage.home.put("okta", "listed.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon.has_compared().await;

    let fault = Fault::reply(reply);
    stage.sendgrid.script(Rule::next(Operation::List, fault));
    daemon.signal(Signal::USR1);
    let labels = [("operation", "list"), ("code", code)];
    daemon
        .has_counted("sso_certd_api_requests_total", &labels)
        .await;
    let state = state_of(&daemon.status().await, "okta", certificate.fingerprint);
    assert_eq!(state.as_deref(), Some("trusted"));
    assert_little_memory(&stage, &daemon.metrics().await);
    daemon.has_compared().await;
    assert_eq!(stage.sendgrid.history().writes().count(), 1);
    stage.assert_well_behaved();
}

#[track_caller]
fn assert_little_memory(stage: &Stage, metrics: &crate::exposition::Scrape) {
    let memory = metrics.value("process_resident_memory_bytes", &[]).unwrap();
    let history = stage.sendgrid.history();
    assert!(memory < MEMORY, "{memory} bytes: {history}");
}

#[tokio::test]
async fn a_list_of_two_gib_is_cut() {
    a_list_is_cut(Reply::Huge(2 << 30), "decode").await;
}

#[tokio::test]
async fn a_list_that_drips_is_cut_at_the_time_out() {
    a_list_is_cut(Reply::Drip(Duration::from_millis(100)), "timeout").await;
}

#[tokio::test]
async fn a_head_without_end_is_cut() {
    a_list_is_cut(Reply::EndlessHeaders, "decode").await;
}

#[tokio::test]
async fn a_list_that_never_comes_is_cut_at_the_time_out() {
    a_list_is_cut(Reply::Silence, "timeout").await;
}

#[tokio::test]
async fn stored_and_answered_with_two_gib_is_one_row() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let huge = Fault::reply(Reply::Huge(2 << 30));
    stage.sendgrid.script(Rule::next(Operation::Create, huge));
    let certificate = valid("huge");
    stage.home.put("okta", "huge.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    assert_little_memory(&stage, &daemon.metrics().await);
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn while_the_clocks_disagree_nothing_expires() {
    const HOUR: i64 = 3_600;
    let skew = "sso_certd_api_clock_skew_seconds";
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.sendgrid.behave(|it| it.clock_skew_secs = HOUR);
    let over = expired("over");
    stage.home.put("okta", "over.pem", &over.pem);
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let shown = daemon.metrics().await.value(skew, &[]).unwrap().abs();
    assert!((3_590.0..3_610.0).contains(&shown), "{shown}");
    let state = state_of(&daemon.status().await, "okta", over.fingerprint);
    assert_ne!(state.as_deref(), Some("expired"));

    stage.sendgrid.behave(|it| it.clock_skew_secs = 0);
    daemon.signal(Signal::USR1);
    daemon.shows_state("okta", &over, "expired").await;
    assert_eq!(stage.sendgrid.history().writes().count(), 0);
    stage.assert_well_behaved();
}
