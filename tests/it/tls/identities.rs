//! Who is not SendGrid gets neither the key nor a certificate, and nothing is unknown afterwards.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::certificates::valid;
use crate::harness::{Daemon, LIMIT, integration};
use crate::simulator::{Fault, Identity, Operation, Reply, Rule};

use super::{believe, stage_with};

const REQUESTS: &str = "sso_certd_api_requests_total";
const LABELS: [(&str, &str); 2] = [("integration", "okta"), ("account", "default")];

/// Waits until so many attempts ended without TLS; none may have ended in any other way.
async fn is_refused(daemon: &Daemon, attempts: f64) {
    let counted = async {
        loop {
            let metrics = daemon.metrics().await;
            let refused = metrics.sum(REQUESTS, &[("code", "tls")]);
            if metrics.sum(REQUESTS, &[]) > refused {
                daemon.fail("nobody was believed");
            }
            if refused >= attempts {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    if timeout(LIMIT, counted).await.is_err() {
        daemon.fail("nobody is believed, again and again");
    }
}

/// Refused and told as `why`, tried again by itself, and in step as soon as the server is SendGrid again.
async fn refused_until_it_is_sendgrid(identity: Identity, why: &str) {
    let stage = stage_with(identity).await;
    let certificate = valid("patient");
    stage.home.put("okta", "patient.pem", &certificate.pem);
    let daemon = stage.start().await;
    is_refused(&daemon, 3.0).await;
    let status = daemon
        .shows("the failure is told", |it| {
            let text = integration(it, "okta")["failure"]["text"].as_str();
            text.is_some_and(|it| it.contains(why))
        })
        .await;
    assert_ne!(status["mark"], "fine", "{status:#}");
    let attention = integration(&status, "okta")["attention"].to_string();
    let is_clock = why == "set the clock";
    assert_eq!(attention.contains("\"clock\""), is_clock, "{attention}");
    assert!(!(is_clock && attention.contains("no_trust")), "{attention}");
    daemon.logged(why).await;
    let probe = stage.home.ask(&["check-config", "--probe"]).await;
    assert_eq!(probe.exit, 1, "{probe:?}");
    assert!((probe.out.clone() + &probe.err).contains(why), "{probe:?}");

    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), 0, "{history}");
    assert!(history.failed_handshakes() >= 3, "{history}");

    stage.sendgrid.present(Identity::Good);
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon.shows("all is well", |it| it["mark"] == "fine").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    refused_until_it_is_sendgrid(Identity::WrongHost, "is for another name").await;
}

#[tokio::test]
async fn a_certificate_that_is_over_is_refused_and_says_set_the_clock() {
    refused_until_it_is_sendgrid(Identity::Expired, "set the clock").await;
}

#[tokio::test]
async fn a_certificate_that_has_not_begun_is_refused_and_says_set_the_clock() {
    refused_until_it_is_sendgrid(Identity::NotYetValid, "set the clock").await;
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    refused_until_it_is_sendgrid(Identity::SelfSigned, "signed by nobody trusted here").await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let why = "signed by nobody trusted here";
    refused_until_it_is_sendgrid(Identity::UnknownAuthority, why).await;
}

#[tokio::test]
async fn tls_1_1_is_refused() {
    let why = "the TLS handshake did not succeed";
    refused_until_it_is_sendgrid(Identity::OldProtocol, why).await;
}

#[tokio::test]
async fn the_ca_file_alone_says_who_is_believed() {
    let stage = stage_with(Identity::Good).await;
    let certificate = valid("believed");
    stage.home.put("okta", "believed.pem", &certificate.pem);
    stage
        .home
        .write("stranger.pem", &valid("a stranger").pem, 0o644);
    believe(&stage.home, "stranger.pem");
    let daemon = stage.start().await;
    is_refused(&daemon, 2.0).await;
    assert_eq!(stage.sendgrid.history().requests().count(), 0);

    believe(&stage.home, "authority.pem");
    daemon.signal(rustix::process::Signal::HUP);
    daemon.shows_state("okta", &certificate, "trusted").await;
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn what_keeps_a_client_from_being_made_is_told_once_and_so_is_a_key_for_all_to_read() {
    let stage = stage_with(Identity::Good).await;
    believe(&stage.home, "missing.pem");
    stage.home.write("key", crate::harness::KEY, 0o644);
    let daemon = stage.start().await;
    for passes in 1_u32..=4 {
        let failed = [("trigger", "signal"), ("result", "failed")];
        daemon.signal(rustix::process::Signal::USR1);
        daemon
            .measures("sso_certd_reconciles_total", &failed, f64::from(passes))
            .await;
    }
    let told = |text: &str| daemon.log().matches(text).count();
    assert_eq!(told("can be read by everybody"), 1, "{}", daemon.log());
    let nothing = "Nothing can be asked of SendGrid: accounts.default: the CA file";
    assert_eq!(told(nothing), 1, "{}", daemon.log());

    let authority = stage.sendgrid.authority_pem().unwrap();
    stage.home.write("missing.pem", &authority, 0o644);
    let certificate = valid("made after all");
    stage.home.put("okta", "made.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(told("can be read by everybody"), 1, "{}", daemon.log());
    stage.assert_well_behaved();
}

#[tokio::test]
async fn an_upload_that_meets_a_stranger_was_never_sent_and_waits_for_no_settling() {
    let stage = stage_with(Identity::Good).await;
    // A settle window would be longer than the test is patient.
    stage.home.set("settle", "[delivery]\nsettle = \"1h\"\n");
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let before = stage.sendgrid.history().count(Operation::List);
    // Slow enough that the server is another one before the upload leaves.
    let slow = Fault::reply(Reply::Drip(Duration::from_millis(5)));
    stage.sendgrid.script(Rule::next(Operation::List, slow));
    let certificate = valid("interrupted");
    stage.home.put("okta", "interrupted.pem", &certificate.pem);
    stage
        .sendgrid_has(&daemon, "the list is asked for", |it| {
            it.history().count(Operation::List) > before
        })
        .await;
    stage.sendgrid.present(Identity::SelfSigned);
    let refused = [("operation", "create"), ("code", "tls")];
    daemon.has_counted(REQUESTS, &refused).await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 0);
    daemon
        .measures("sso_certd_integration_open_intents", &LABELS, 0.0)
        .await;
    daemon.shows_state("okta", &certificate, "waiting").await;

    stage.sendgrid.present(Identity::Good);
    daemon.shows_state("okta", &certificate, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}
