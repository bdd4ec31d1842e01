//! Proxies, roots and key logs come from the configuration, never from the environment.

use std::path::Path;
use std::process::Command;

use crate::certificates::valid;
use crate::harness::{Daemon, Stage, integration};
use crate::simulator::Identity;

use super::{Trap, believe, stage_with};

/// Starts the daemon among variables that would lead others elsewhere, trust these roots, and tell their secrets.
async fn start_among(stage: &Stage, proxy: &Trap, roots: &Path) -> Daemon {
    let mut daemon = stage.spawn(|it| mislead(it, stage, proxy, roots));
    daemon.started().await;
    daemon
}

fn mislead(command: &mut Command, stage: &Stage, proxy: &Trap, roots: &Path) {
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        let url = format!("http://{}", proxy.address);
        command.env(name, &url).env(name.to_lowercase(), &url);
    }
    command
        .env("SSL_CERT_FILE", roots)
        .env("SSL_CERT_DIR", roots.parent().unwrap())
        .env("SSLKEYLOGFILE", stage.home.path("session-keys"))
        .env("SSO_CERTD_PORT", "tcp://10.0.0.1:80")
        .env("RUST_LOG", "trace");
}

#[tokio::test]
async fn the_environment_changes_neither_the_way_nor_the_trust_nor_the_secrecy() {
    let stage = stage_with(Identity::Good).await;
    let (proxy, nowhere) = (Trap::set(), stage.home.path("nowhere"));
    let daemon = start_among(&stage, &proxy, &nowhere).await;
    let certificate = valid("straight");
    stage.home.put("okta", "straight.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(proxy.visits(), 0, "nobody went to the proxy");
    let key_log = stage.home.path("session-keys");
    assert!(!key_log.exists(), "no session key was written");
    let log = daemon.log();
    assert!(!log.contains("TRACE"), "{log}");
    for name in ["HTTPS_PROXY", "SSLKEYLOGFILE"] {
        assert!(
            log.contains(&format!("{name} is set and not used")),
            "{log}"
        );
    }
    assert!(log.contains("accounts.default.proxy = "), "{log}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn roots_of_the_environment_are_not_trusted() {
    let stage = stage_with(Identity::Good).await;
    let (proxy, stranger) = (Trap::set(), valid("another authority"));
    stage.home.write("stranger.pem", &stranger.pem, 0o644);
    believe(&stage.home, "stranger.pem");
    let authority = stage.home.path("authority.pem");
    let daemon = start_among(&stage, &proxy, &authority).await;
    daemon
        .shows("the certificate is refused", |it| {
            let text = integration(it, "okta")["failure"]["text"].as_str();
            text.is_some_and(|it| it.contains("signed by nobody trusted here"))
        })
        .await;
    let refused = [("operation", "list"), ("code", "tls")];
    daemon
        .has_counted("sso_certd_api_requests_total", &refused)
        .await;
    assert_eq!(stage.sendgrid.history().requests().count(), 0);
    assert_eq!(proxy.visits(), 0);
}
