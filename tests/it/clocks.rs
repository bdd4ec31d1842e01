//! This machine's clock and SendGrid's disagree: that is said first, and nothing that only one of them says.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::timeout;

use crate::certificates::{Made, lasting};
use crate::harness::{Daemon, OKTA, Stage, state_of};

/// A second answer makes it certain a minute after the first one.
const CERTAIN: Duration = Duration::from_secs(90);

const DAY: i64 = 86_400;

const OF_OKTA: [(&str, &str); 2] = [("integration", "okta"), ("account", "default")];

/// Whether it needs somebody for this reason.
async fn needs(daemon: &Daemon, reason: &str) -> bool {
    let labels = [OF_OKTA[0], OF_OKTA[1], ("reason", reason)];
    let value = daemon
        .metrics()
        .await
        .value("sso_certd_integration_attention", &labels);
    value.is_some_and(|it| it > 0.0)
}

/// `status --all`, as one text, and its exit code.
async fn told(stage: &Stage) -> (String, i32) {
    let ran = stage.home.ask(&["status", "--all"]).await;
    (ran.out, ran.exit)
}

/// A certificate that is listed and in a file, valid by SendGrid's clock, which is so many days ahead of this machine's.
struct Case {
    days_ahead: i64,
    /// When it begins and ends, in days from now by this machine's clock.
    validity: (i64, i64),
    /// How long it lasts, in the column of `status`.
    left: &'static str,
}

impl Case {
    async fn hold(self) {
        let days = self.days_ahead;
        let stage = Stage::new(&[("okta", OKTA)]).await;
        stage.sendgrid.behave(|it| it.clock_skew_secs = days * DAY);
        let (begins, ends) = self.validity;
        let certificate = lasting("in use", begins * DAY, ends * DAY);
        stage.sendgrid.add_row(OKTA, &certificate.der, true);
        stage.home.put("okta", "in-use.pem", &certificate.pem);
        let daemon = stage.start().await;
        daemon.shows_state("okta", &certificate, "found").await;
        assert!(
            !needs(&daemon, "no_trust").await,
            "neither clock is believed alone: {days} days"
        );
        self.is_certain(&stage, &daemon, &certificate).await;
        stage.sendgrid.behave(|it| it.clock_skew_secs = 0);
        daemon.signal(Signal::USR1);
        let agree = async {
            while needs(&daemon, "clock").await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(CERTAIN, agree).await.is_err() {
            daemon.fail("the clocks agree again");
        }
        assert_eq!(stage.sendgrid.history().writes().count(), 0);
        stage.assert_well_behaved();
        assert_eq!(daemon.stop().await, 0);
    }

    async fn is_certain(&self, stage: &Stage, daemon: &Daemon, certificate: &Made) {
        let days = self.days_ahead;
        let certain = async {
            while !needs(daemon, "clock").await {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        if timeout(CERTAIN, certain).await.is_err() {
            daemon.fail("the clocks are known to disagree");
        }
        let (text, exit) = told(stage).await;
        let first = text.lines().next().unwrap();
        assert!(first.contains("et the clock"), "{days} days: {text}");
        assert!(text.contains(self.left), "{days} days: {text}");
        assert!(!text.contains("fail"), "{days} days: {text}");
        assert_eq!(exit, 2, "{days} days: {text}");
        assert!(
            !needs(daemon, "no_trust").await,
            "neither clock is believed alone: {days} days"
        );
        let status: Value = daemon.status().await;
        let state = state_of(&status, "okta", certificate.fingerprint);
        assert_eq!(state.as_deref(), Some("found"), "{days} days");
        let skew = daemon.metrics().await.value(
            "sso_certd_api_clock_skew_seconds",
            &[("account", "default")],
        );
        let skew = skew.unwrap() / 86_400.0;
        let ahead = f64::from(i32::try_from(days).unwrap());
        assert!((skew + ahead).abs() < 0.01, "{skew} days");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_said_first_and_locks_nobody_out() {
    // A host in 1970; one that is 400 days ahead; one that is 40 days behind.
    let behind_by_decades = Case {
        days_ahead: 20_000,
        validity: (19_900, 20_300),
        left: "299 d",
    };
    let ahead = Case {
        days_ahead: -400,
        validity: (-430, -370),
        left: "or over",
    };
    let behind = Case {
        days_ahead: 40,
        validity: (-300, 30),
        left: "29 d or over",
    };
    tokio::join!(behind_by_decades.hold(), ahead.hold(), behind.hold());
}

#[tokio::test]
async fn what_is_valid_by_neither_clock_lets_nobody_in() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.sendgrid.behave(|it| it.clock_skew_secs = 40 * DAY);
    let ending = lasting("ending", -300 * DAY, 15);
    stage.sendgrid.add_row(OKTA, &ending.der, true);
    stage.home.put("okta", "ending.pem", &ending.pem);
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let is_over = async {
        while !needs(&daemon, "no_trust").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(CERTAIN, is_over).await.is_err() {
        daemon.fail("nothing lets anybody in");
    }
    assert_eq!(daemon.stop().await, 0);
}
