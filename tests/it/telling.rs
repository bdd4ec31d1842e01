//! What people are told of the past and of the future: one certificate's life, a later day, and what is no longer
//! configured.

use std::time::Duration;

use chrono::DateTime;
use rustix::process::Signal;
use serde_json::Value;
use sso_certd::domain::Timestamp;

use crate::certificates::{Made, valid};
use crate::harness::{ADFS, OKTA, Stage, integration};

#[tokio::test]
async fn a_certificate_s_life_is_told_with_and_without_the_daemon() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let okta = valid("okta");
    stage.home.put("okta", "okta.pem", &okta.pem);
    stage.home.put("adfs", "same.pem", &okta.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &okta, "trusted").await;
    daemon.shows_state("adfs", &okta, "trusted").await;

    let ran = stage.home.ask(&["explain", &okta.short()[..6]]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    for said in [
        &format!("adfs, {}, CN=okta: trusted, until ", okta.short()),
        &format!("okta, {}, CN=okta: trusted, until ", okta.short()),
        "seen in okta.pem (",
        "accepted: new key, evidence: source",
        "trusted: ",
        "today             the only trusted certificate\n",
        "✗ retire.action allows it",
        "✗ another one of ours is trusted for 7 d more  there is none",
    ] {
        let said = said.replace('✗', "x");
        assert!(ran.out.contains(&said), "{said}: {}", ran.out);
    }
    let colons = okta.fingerprint.hex().to_uppercase();
    let one = stage.home.ask(&["explain", &colons, "okta"]).await;
    assert_eq!(one.exit, 0, "{one:?}");
    assert!(one.out.starts_with("okta, "), "{one:?}");
    assert!(!one.out.contains("adfs"), "{one:?}");

    assert_eq!(daemon.stop().await, 0);
    let without = stage.home.ask(&["explain", &colons, "okta"]).await;
    assert_eq!(without.exit, 0, "{without:?}");
    assert_eq!(
        without.out.replace(" (sso-certd does not run)", ""),
        one.out.replace("today        ", "in the ledger")
    );
    stage.assert_well_behaved();
}

#[tokio::test]
async fn what_is_no_certificate_of_anybody_is_not_explained() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let first = valid("first");
    let second = like(&first);
    stage.home.put("okta", "first.pem", &first.pem);
    stage.home.put("okta", "second.pem", &second.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    daemon.shows_state("okta", &second, "trusted").await;
    let unknown = unlike(&first, &second);
    let cases = [
        (&unknown[..], 1, "no certificate begins with"),
        (&first.short()[..1], 1, "fits 2 certificates: "),
        (&"a".repeat(40)[..], 64, "are a SHA-1 thumbprint"),
        ("okta.pem", 64, "a fingerprint has 64 hexadecimal digits"),
        ("", 64, "a fingerprint has 64 hexadecimal digits"),
    ];
    for (digits, exit, said) in cases {
        let ran = stage.home.ask(&["explain", digits]).await;
        assert_eq!(ran.exit, exit, "{digits}: {ran:?}");
        assert!(ran.out.is_empty() && ran.err.contains(said), "{ran:?}");
    }
}

/// Another certificate whose fingerprint begins with the same digit.
fn like(other: &Made) -> Made {
    let digit = &other.short()[..1];
    let mut made = (0..).map(|it| valid(&format!("like {it}")));
    made.find(|it| it.short().starts_with(digit)).unwrap()
}

/// Digits that neither begins with.
fn unlike(first: &Made, second: &Made) -> String {
    let mut digits = ('0'..='9').map(String::from);
    let is_free = |it: &String| {
        ![first, second]
            .map(Made::short)
            .iter()
            .any(|short| short.starts_with(it))
    };
    digits.find(is_free).unwrap()
}

#[tokio::test]
async fn a_later_day_shows_a_hold_down_over_and_an_old_one_gone() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set(
        "rules",
        "[defaults]\nretire = { action = \"disable\", when = \"absent\" }\n",
    );
    let newer = valid("newer");
    let old = newer.renewed();
    stage.home.put("okta", "old.pem", &old.pem);
    stage.home.put("okta", "newer.pem", &newer.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &old, "trusted").await;
    daemon.shows_state("okta", &newer, "trusted").await;
    stage.home.take("okta", "old.pem");
    let status = daemon.shows_state("okta", &old, "superseded").await;
    let told = certificate(&status, "okta", &old);
    assert_eq!(told["retirement"]["action"], "disable", "{told:#}");
    let date = told["retirement"]["date"].as_str().unwrap();
    assert!(date.starts_with(&days_after(&status, 30)), "{told:#}");
    assert_eq!(told["next"], format!("to be disabled on {}", &date[..10]));

    let now = planned(&stage, &["plan", "--json"]).await;
    assert_eq!(now["counts"]["later"], 1, "{now:#}");
    assert_eq!(now["integrations"][0]["later"][0]["action"], "disable");
    let later = ["plan", "--json", "--at", &days_after(&status, 32)];
    let later = planned(&stage, &later).await;
    assert_eq!(later["counts"]["disable"], 1, "{later:#}");
    let step = &later["integrations"][0]["steps"][0];
    assert_eq!(step["fingerprint"], old.fingerprint.hex(), "{later:#}");
    assert_eq!(step["reason"], "retire_policy", "{later:#}");

    stage
        .home
        .set("wait", "[defaults]\ntrust.require = \"hold-down\"\n");
    daemon.signal(Signal::HUP);
    daemon.has_compared_anew(2).await;
    let waits = valid("waits");
    stage.home.put("okta", "waits.pem", &waits.pem);
    let status = daemon.shows_state("okta", &waits, "waiting").await;
    let next = certificate(&status, "okta", &waits)["next"].to_string();
    assert!(next.contains("hold-down ends "), "{next}");
    let later = ["plan", "--json", "--at", &days_after(&status, 2)];
    let later = planned(&stage, &later).await;
    let step = &later["integrations"][0]["steps"][0];
    assert_eq!(step["fingerprint"], waits.fingerprint.hex(), "{later:#}");
    assert_eq!(step["evidence"][0], "hold-down", "{later:#}");
    assert_eq!(stage.sendgrid.history().writes().count(), 2);
    stage.assert_well_behaved();
}

async fn planned(stage: &Stage, arguments: &[&str]) -> Value {
    let ran = stage.home.ask(arguments).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    ran.json()
}

/// A certificate in a status.
fn certificate<'a>(status: &'a Value, name: &str, made: &Made) -> &'a Value {
    let all = integration(status, name)["certificates"].as_array();
    let mut all = all.unwrap().iter();
    all.find(|it| it["fingerprint"] == made.fingerprint.hex())
        .unwrap()
}

/// The date so many days after a status was true.
fn days_after(status: &Value, days: u64) -> String {
    let at = DateTime::parse_from_rfc3339(status["at"].as_str().unwrap()).unwrap();
    let days = Duration::from_secs(days * 86_400);
    Timestamp::from_millis(at.timestamp_millis())
        .plus(days)
        .date()
}

#[tokio::test]
async fn what_is_no_longer_configured_is_orphaned_and_has_no_series() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let (okta, adfs) = (valid("okta"), valid("adfs"));
    stage.home.put("okta", "okta.pem", &okta.pem);
    stage.home.put("adfs", "adfs.pem", &adfs.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &okta, "trusted").await;
    let status = daemon.shows_state("adfs", &adfs, "trusted").await;
    assert_eq!(status["orphans"].as_array().unwrap().len(), 0);
    for action in ["upload", "enable", "disable", "delete"] {
        for result in ["ok", "failed", "unknown", "blocked"] {
            let labels = [
                ("account", "default"),
                ("action", action),
                ("result", result),
            ];
            let told = daemon
                .metrics()
                .await
                .value("sso_certd_actions_total", &labels);
            assert!(told.is_some(), "{action} {result}");
        }
    }

    stage.home.set("integration-adfs", "");
    daemon.signal(Signal::HUP);
    let status = daemon
        .shows("adfs is orphaned", |it| it["orphans"][0]["name"] == "adfs")
        .await;
    let orphan = &status["orphans"][0]["certificates"][0];
    assert_eq!(orphan["fingerprint"], adfs.fingerprint.hex());
    assert_eq!(orphan["state"], "orphaned");
    let series = daemon.metrics().await;
    let of_adfs = [("integration", "adfs")];
    let told = series.all("sso_certd_certificates", &of_adfs);
    assert_eq!(told.count(), 0);

    let all = stage.home.ask(&["status", "--all"]).await;
    assert!(all.out.contains("orphaned  forget drops it"), "{all:?}");
    let short = stage.home.ask(&["status"]).await;
    assert!(!short.out.contains("orphaned"), "{short:?}");
    assert!(
        short
            .out
            .contains("Not shown: 1 certificate of what is no longer configured"),
        "{short:?}"
    );
    let life = stage.home.ask(&["explain", &adfs.short()]).await;
    assert!(life.out.contains("CN=adfs: orphaned"), "{life:?}");
    assert_eq!(stage.sendgrid.rows().len(), 2);
    stage.assert_well_behaved();
}
