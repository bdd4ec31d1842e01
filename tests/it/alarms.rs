//! What needs somebody, as `status`, its exit code and the metrics say it alike.

use rustix::process::Signal;
use serde_json::Value;

use crate::certificates::{Made, valid};
use crate::harness::{Daemon, OKTA, Stage, integration};
use crate::simulator::{Fault, Rule};

const LABELS: [(&str, &str); 2] = [("integration", "okta"), ("account", "default")];

/// Reason and severity of everything that stands.
fn alarms(status: &Value) -> Vec<(String, String)> {
    let alarms = status["alarms"].as_array().unwrap();
    let word = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let told = alarms
        .iter()
        .map(|it| (word(it, "reason"), word(it, "severity")));
    told.collect()
}

/// Nothing but this note stands: exit 0, and no series of `attention`.
async fn is_only_noted(stage: &Stage, daemon: &Daemon, reason: &str) -> Value {
    let note = vec![(reason.to_owned(), "note".to_owned())];
    let status = daemon.shows(reason, |it| alarms(it) == note).await;
    assert_eq!(integration(&status, "okta")["attention"].to_string(), "[]");
    assert_eq!(integration(&status, "okta")["deadline"], Value::Null);
    let ran = stage.home.ask(&["status"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.out.contains("\n  Notes\n"), "{ran:?}");
    assert!(!ran.out.contains("To do"), "{ran:?}");
    let metrics = daemon.metrics().await;
    let attention = |name: &str| name == "sso_certd_integration_attention";
    let families = metrics.families.iter().map(|(name, _)| name.as_str());
    assert!(!families.into_iter().any(attention), "{reason}");
    status
}

#[tokio::test]
async fn a_new_integration_is_a_note_at_first() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let status = is_only_noted(&stage, &daemon, "not_set_up").await;
    assert_eq!(integration(&status, "okta")["valid"], 0);
    let first = valid("first");
    stage.home.put("okta", "first.pem", &first.pem);
    daemon.shows_state("okta", &first, "trusted").await;
    daemon
        .shows("nothing stands", |it| alarms(it).is_empty())
        .await;
}

#[tokio::test]
async fn a_certificate_uploaded_by_hand_is_a_note_until_a_file_holds_it_or_somebody_knows_it() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let by_hand = valid("by hand");
    stage.sendgrid.add_row(OKTA, &by_hand.der, true);
    let daemon = stage.start().await;
    let status = is_only_noted(&stage, &daemon, "not_in_source").await;
    let okta = integration(&status, "okta");
    assert_eq!((&okta["valid"], &okta["trusted"]), (&1.into(), &0.into()));
    let valid = "sso_certd_integration_valid_certificates";
    daemon.measures(valid, &LABELS, 1.0).await;
    let name = "sso_certd_integration_valid_until_timestamp_seconds";
    daemon.has_counted(name, &LABELS).await;

    stage.home.put("okta", "by-hand.pem", &by_hand.pem);
    daemon.shows_state("okta", &by_hand, "found").await;
    daemon
        .shows("nothing stands", |it| alarms(it).is_empty())
        .await;
}

#[tokio::test]
async fn an_acknowledged_certificate_ends_the_note() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let by_hand = valid("by hand");
    stage.sendgrid.add_row(OKTA, &by_hand.der, true);
    let daemon = stage.start().await;
    is_only_noted(&stage, &daemon, "not_in_source").await;
    let command = ["acknowledge", &by_hand.fingerprint.hex(), "--yes"];
    let ran = stage.home.ask(&command).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    daemon
        .shows("nothing stands", |it| alarms(it).is_empty())
        .await;
}

#[tokio::test]
async fn what_a_trial_or_a_pause_keeps_back_is_a_note_that_says_how_it_ends() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (first, second) = (valid("first"), valid("second"));
    stage.home.put("okta", "first.pem", &first.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    let ran = stage.home.ask(&["pause", "okta", "--yes"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    stage.home.put("okta", "second.pem", &second.pem);
    is_only_noted(&stage, &daemon, "withheld").await;
    let withheld = "sso_certd_integration_certificates_withheld";
    daemon.measures(withheld, &LABELS, 1.0).await;
    let ran = stage.home.ask(&["status"]).await;
    assert!(ran.out.contains("sso-certd resume okta"), "{ran:?}");

    stage.home.set("trial", "[defaults]\nmode = \"observe\"\n");
    let ran = stage.home.ask(&["resume", "okta", "--yes"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    daemon.shows_state("okta", &second, "trusted").await;
    let third = valid("third");
    daemon.signal(Signal::HUP);
    daemon
        .shows("it is observed", |it| {
            integration(it, "okta")["mode"] == "observe"
        })
        .await;
    stage.home.put("okta", "third.pem", &third.pem);
    is_only_noted(&stage, &daemon, "withheld").await;
    let ran = stage.home.ask(&["status"]).await;
    assert!(
        ran.out.contains("mode = \"manage\" in [integrations.okta]"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_plan_without_sso_raises_nothing_in_the_first_minutes_and_never_the_key() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.sendgrid.script(Rule::always(Fault::refuse(403)));
    let daemon = stage.start().await;
    let status = daemon
        .shows("a pass has failed", |it| {
            let failure = &integration(it, "okta")["failure"]["text"];
            failure.as_str().is_some_and(|it| it.contains("403"))
        })
        .await;
    assert_eq!(alarms(&status), []);
    let ran = stage.home.ask(&["status"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.out.starts_with(". Starting: 0 of 1 "), "{ran:?}");
}

#[tokio::test]
async fn trust_that_was_lost_is_known_over_a_restart_with_the_time_it_was_lost() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let ours = valid("ours");
    stage.home.put("okta", "ours.pem", &ours.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &ours, "trusted").await;
    stage.sendgrid.remove_row(stage.sendgrid.rows()[0].id);
    let status = lost(&daemon, &ours).await;
    let since = status["alarms"][0]["since"].clone();
    assert!(since.is_string(), "{status:#}");
    assert_eq!(status["alarms"][0]["deadline"], since);
    assert_eq!(integration(&status, "okta")["deadline"], since);
    assert_eq!(daemon.stop().await, 0);

    let daemon = stage.start().await;
    let status = lost(&daemon, &ours).await;
    assert_eq!(status["alarms"][0]["since"], since);
    let ran = stage.home.ask(&["status"]).await;
    assert_eq!(ran.exit, 2, "{ran:?}");
    let until = integration(&status, "okta")["valid_until"].clone();
    assert!(until.is_string(), "it is kept: {status:#}");
    let command = ["restore", &ours.fingerprint.hex(), "--yes"];
    assert_eq!(stage.home.ask(&command).await.exit, 0);
    daemon.shows_state("okta", &ours, "trusted").await;
    daemon
        .shows("nothing stands", |it| alarms(it).is_empty())
        .await;
}

/// It was removed, and nothing else is valid: that is critical as well.
async fn lost(daemon: &Daemon, ours: &Made) -> Value {
    daemon.signal(Signal::USR1);
    daemon.shows_state("okta", ours, "removed").await;
    let both = ["no_trust", "removed"].map(|it| (it.to_owned(), "critical".to_owned()));
    daemon.shows("trust is lost", |it| alarms(it) == both).await
}
