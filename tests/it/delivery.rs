//! A certificate file is moved into a directory: it is uploaded, once, enabled, and soon.

use std::time::Duration;

use tokio::time::Instant;

use crate::certificates::{expired, future, valid};
use crate::harness::{ADFS, OKTA, Stage, integration, quoted};
use crate::simulator::Operation;

const OKTA_LABELS: [(&str, &str); 2] = [("integration", "okta"), ("account", "default")];

#[tokio::test]
async fn a_certificate_moved_in_is_posted_once_and_never_again() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let daemon = stage.start().await;
    let (first, second) = (valid("first"), valid("second"));

    stage.home.put("okta", "first.pem", &first.pem);
    daemon.shows_state("okta", &first, "trusted").await;
    daemon
        .measures("sso_certd_integration_in_step", &OKTA_LABELS, 1.0)
        .await;
    let history = stage.sendgrid.history();
    let posts: Vec<_> = history.of(Operation::Create).collect();
    assert_eq!(posts.len(), 1, "{history}");
    assert_eq!(posts[0].enabled, Some(true));
    assert_eq!(posts[0].integration.as_deref(), Some(OKTA));
    assert_eq!(
        posts[0].fields,
        ["enabled", "integration_id", "public_certificate"]
    );
    let row = &stage.sendgrid.rows()[0];
    assert_eq!((&row.pem, row.enabled), (&first.pem, true));
    let last = history.requests().last().unwrap();
    assert_eq!(last.operation, Operation::List, "it was read back");

    stage.home.put("okta", "second.pem", &second.pem);
    let status = daemon.shows_state("okta", &second, "trusted").await;
    let okta = integration(&status, "okta");
    assert_eq!(
        (&okta["in_step"], &okta["trusted"]),
        (&true.into(), &2.into())
    );
    assert_eq!(daemon.stop().await, 0);

    let again = stage.start().await;
    again.has_compared().await;
    again.shows_state("okta", &first, "trusted").await;
    again.shows_state("okta", &second, "trusted").await;
    let passes = [("trigger", "startup"), ("result", "ok")];
    again
        .measures("sso_certd_reconciles_total", &passes, 2.0)
        .await;
    let metrics = again.metrics().await;
    let all = metrics.sum("sso_certd_reconciles_total", &[]);
    assert!((all - 2.0).abs() < 0.1, "one pass each: {}", again.log());
    assert_eq!(again.stop().await, 0);
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 2);
    stage.assert_one_row(&first);
    stage.assert_one_row(&second);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn what_is_sent_is_canonical_whatever_the_file_looks_like() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificate = valid("windows");
    let dump = format!(
        "Bag Attributes\r\n\r\n{}",
        certificate.pem.replace('\n', "\r\n")
    );
    stage.home.put("okta", "exported.crt", &dump);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(stage.sendgrid.rows()[0].pem, certificate.pem);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn one_file_of_two_integrations_goes_to_both() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let shared = quoted(&stage.home.directory("okta"));
    stage.home.set(
        "integration-adfs",
        &format!("[integrations.adfs]\nintegration_id = \"{ADFS}\"\ndirectory = {shared}\n"),
    );
    let daemon = stage.start().await;
    let certificate = valid("shared");
    stage.home.put("okta", "shared.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon.shows_state("adfs", &certificate, "trusted").await;
    assert_eq!(stage.sendgrid.rows_with(certificate.fingerprint).len(), 2);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn what_is_over_stays_here_and_what_has_not_begun_goes_up() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (over, ahead) = (expired("over"), future("ahead"));
    stage.home.put("okta", "over.pem", &over.pem);
    stage.home.put("okta", "ahead.pem", &ahead.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &ahead, "ahead").await;
    daemon.shows_state("okta", &over, "expired").await;
    assert_eq!(
        stage.sendgrid.history().posts_of(over.fingerprint).count(),
        0
    );
    stage.assert_one_row(&ahead);
}

#[tokio::test]
async fn an_observer_plans_and_writes_nothing() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("observe", "[defaults]\nmode = \"observe\"\n");
    let daemon = stage.start().await;
    let certificate = valid("seen");
    stage.home.put("okta", "seen.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "planned").await;
    daemon.has_compared().await;
    assert_eq!(stage.sendgrid.history().writes().count(), 0);
}

#[tokio::test]
async fn the_post_leaves_fifty_milliseconds_after_the_file_is_quiet() {
    const QUIET: Duration = Duration::from_millis(50);
    const TRIES: usize = 40;
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("budget", "[defaults.trust]\nnew_keys_per_day = 0\n");
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let mut best = Duration::MAX;
    for attempt in 0..TRIES {
        let certificate = valid("quick");
        let moved = Instant::now();
        stage
            .home
            .put("okta", &format!("{attempt}.pem"), &certificate.pem);
        daemon.shows_state("okta", &certificate, "trusted").await;
        let history = stage.sendgrid.history();
        let post = history.posts_of(certificate.fingerprint).next().unwrap();
        let took = post.at.duration_since(moved);
        assert!(took >= QUIET, "sent before the file was quiet: {took:?}");
        best = best.min(took);
        if attempt >= 4 && best <= QUIET * 2 {
            break;
        }
    }
    eprintln!("from the rename to the POST: {best:?} at best");
    assert!(best <= QUIET * 2, "{best:?} at best of {TRIES}");
}
