//! Connections that end when nobody expects it: a POST is sent once, or its outcome is found out first.

use std::time::Duration;

use rustix::process::Signal;

use crate::certificates::valid;
use crate::harness::Stage;
use crate::simulator::{Commit, Fault, Identity, Operation, Reply, Rule};

use super::stage_with;

#[tokio::test]
async fn a_server_that_closes_idle_connections_gets_each_post_once() {
    let stage = stage_with(Identity::Good).await;
    // A POST that met a closed connection would have to settle, and longer than the test is patient.
    stage.home.set("settle", "[delivery]\nsettle = \"1h\"\n");
    stage
        .sendgrid
        .behave(|it| it.close_idle_after = Some(Duration::ZERO));
    let daemon = stage.start().await;
    for index in 0..5 {
        let certificate = valid(&format!("idle {index}"));
        let name = format!("{index}.pem");
        stage.home.put("okta", &name, &certificate.pem);
        daemon.shows_state("okta", &certificate, "trusted").await;
        stage.assert_one_row(&certificate);
    }
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 5, "{history}");
    let metrics = daemon.metrics().await;
    let all = metrics.sum("sso_certd_api_requests_total", &[]);
    let good = metrics.sum("sso_certd_api_requests_total", &[("code", "200")]);
    assert!((all - good).abs() < 0.1, "{}", daemon.log());
    stage.assert_well_behaved();
}

/// The connection of the first POST is reset: until the settle window is over there is no second one, however often
/// SendGrid is looked at.
async fn one_post_before_the_window_is_over(reset: Fault) -> Stage {
    let stage = stage_with(Identity::Good).await;
    stage.home.set("settle", "[delivery]\nsettle = \"1h\"\n");
    stage.sendgrid.script(Rule::next(Operation::Create, reset));
    let daemon = stage.start().await;
    let certificate = valid("reset");
    stage.home.put("okta", "reset.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "settling").await;
    for _ in 0..3 {
        let seen = stage.sendgrid.history().count(Operation::List);
        daemon.signal(Signal::USR1);
        stage
            .sendgrid_has(&daemon, "it is listed again", |it| {
                it.history().count(Operation::List) > seen
            })
            .await;
    }
    daemon.shows_state("okta", &certificate, "settling").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    assert_eq!(daemon.stop().await, 0);
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    stage.assert_well_behaved();
    stage
}

#[tokio::test]
async fn a_server_that_resets_after_the_head_gets_one_post() {
    let reset = Fault::new(Commit::Never, Reply::ResetAtHead);
    one_post_before_the_window_is_over(reset).await;
}

#[tokio::test]
async fn a_server_that_resets_after_the_body_gets_one_post() {
    let reset = Fault::new(Commit::Never, Reply::Reset);
    one_post_before_the_window_is_over(reset).await;
}

#[tokio::test]
async fn a_server_that_stores_and_resets_gets_one_post() {
    let stage = stage_with(Identity::Good).await;
    let reset = Fault::reply(Reply::Reset);
    stage.sendgrid.script(Rule::next(Operation::Create, reset));
    let daemon = stage.start().await;
    let certificate = valid("stored");
    stage.home.put("okta", "stored.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}
