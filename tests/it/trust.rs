//! What a new key needs before it is uploaded: each mode by the real program.

use crate::certificates::{Made, valid};
use crate::harness::{OKTA, Stage, integration};
use crate::simulator::Operation;

/// What okta's certificates need from now on.
fn require(stage: &Stage, trust: &str) {
    let own = stage.home.path("conf.d/integration-okta.toml");
    let mut own = std::fs::read_to_string(own).unwrap();
    own.extend(["[integrations.okta.trust]\n", trust, "\n"]);
    stage.home.set("integration-okta", &own);
}

#[tokio::test]
async fn a_pin_lets_in_what_it_names_and_nothing_else() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (pinned, other) = (valid("pinned"), valid("other"));
    let pin = pinned.fingerprint;
    require(
        &stage,
        &format!("require = \"pin\"\npins = [\"{}\"]", pin.hex()),
    );
    stage.home.put("okta", "pinned.pem", &pinned.pem);
    stage.home.put("okta", "other.pem", &other.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &pinned, "trusted").await;
    let status = daemon.shows_state("okta", &other, "held").await;
    assert_eq!(integration(&status, "okta")["attention"][0], "approval");
    stage.assert_one_row(&pinned);
    assert!(stage.sendgrid.rows_with(other.fingerprint).is_empty());
    let metrics = daemon.metrics().await;
    let pending = metrics.sum("sso_certd_approvals_pending", &[]);
    assert!((pending - 1.0).abs() < f64::EPSILON, "{pending}");
}

#[tokio::test]
async fn an_overrun_budget_of_new_keys_waits_for_a_person_over_a_restart() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    require(&stage, "new_keys_per_day = 1");
    let first = valid("first");
    stage.home.put("okta", "first.pem", &first.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    let bundle = [valid("second"), valid("third")];
    let pem = bundle.each_ref().map(|it| it.pem.as_str()).concat();
    stage.home.put("okta", "bundle.pem", &pem);
    let is_overrun = |status: &serde_json::Value| {
        let attention = integration(status, "okta")["attention"].as_array();
        attention.is_some_and(|it| it.iter().any(|it| it == "key_budget"))
    };
    daemon.shows("the budget is overrun", is_overrun).await;
    assert_eq!(daemon.stop().await, 0);
    let daemon = stage.start().await;
    daemon.has_compared().await;
    daemon.shows("the budget is overrun", is_overrun).await;
    let is_there = |it: &&Made| !stage.sendgrid.rows_with(it.fingerprint).is_empty();
    let held: Vec<&Made> = bundle.iter().filter(|it| !is_there(it)).collect();
    assert!(!held.is_empty());
    for certificate in held {
        let hex = certificate.fingerprint.hex();
        let told = stage.home.ask(&["approve", &hex, "okta", "--yes"]).await;
        assert_eq!(told.exit, 0, "{told:?}");
    }
    for certificate in &bundle {
        daemon.shows_state("okta", certificate, "trusted").await;
        stage.assert_one_row(certificate);
    }
    daemon.shows("nothing is asked", |it| !is_overrun(it)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_hold_down_passes_by_itself_and_is_kept_over_a_restart() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    require(&stage, "require = \"hold-down\"\nhold_down = \"2s\"");
    let new = valid("new");
    stage.home.put("okta", "new.pem", &new.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &new, "waiting").await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 0);
    assert_eq!(daemon.stop().await, 0);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &new, "trusted").await;
    stage.assert_one_row(&new);
    daemon.stop().await;
    let told = stage.home.ask(&["history", "okta"]).await;
    assert!(told.out.contains("evidence: hold-down"), "{}", told.out);
}

#[tokio::test]
async fn what_is_gone_in_between_starts_its_hold_down_again() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    require(&stage, "require = \"hold-down\"\nhold_down = \"1h\"");
    let (new, stays) = (valid("new"), valid("stays"));
    stage.home.put("okta", "stays.pem", &stays.pem);
    stage.home.put("okta", "new.pem", &new.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &new, "waiting").await;
    stage.home.take("okta", "new.pem");
    daemon
        .shows("it is gone", |it| {
            integration(it, "okta")["certificates"]
                .as_array()
                .unwrap()
                .len()
                == 1
        })
        .await;
    stage.home.put("okta", "new.pem", &new.pem);
    daemon.shows_state("okta", &new, "waiting").await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 0);
}

#[tokio::test]
async fn under_approval_a_known_key_in_a_new_certificate_needs_nobody() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let first = valid("first");
    require(
        &stage,
        &format!(
            "require = \"approval\"\npins = [\"{}\"]",
            first.fingerprint.hex()
        ),
    );
    stage.home.put("okta", "first.pem", &first.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    let (renewed, stranger) = (first.renewed(), valid("stranger"));
    stage.home.put("okta", "renewed.pem", &renewed.pem);
    stage.home.put("okta", "stranger.pem", &stranger.pem);
    daemon.shows_state("okta", &renewed, "trusted").await;
    daemon.shows_state("okta", &stranger, "held").await;
    assert!(stage.sendgrid.rows_with(stranger.fingerprint).is_empty());
    daemon.logged("Held: ").await;
}
