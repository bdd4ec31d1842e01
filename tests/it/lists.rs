//! SendGrid's list lies or looks strange: it is never a reason to write, and a certificate is known by its bytes alone.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::certificates::{Made, valid};
use crate::harness::{ADFS, Daemon, OKTA, Stage, integration, state_of, states};
use crate::simulator::{
    Behaviour, Fault, IdStyle, IntegrationKey, ListTrick, Operation, PemStyle, Rule,
};

/// Two certificates of ours, in step.
async fn in_step(stage: &Stage) -> (Daemon, Made, Made) {
    let (first, second) = (valid("first"), valid("second"));
    stage.home.put("okta", "first.pem", &first.pem);
    stage.home.put("okta", "second.pem", &second.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    daemon.shows_state("okta", &second, "trusted").await;
    daemon.has_compared().await;
    (daemon, first, second)
}

/// Looks at SendGrid once more, and waits until it was asked.
async fn look_again(stage: &Stage, daemon: &Daemon) {
    let before = stage.sendgrid.history().count(Operation::List);
    daemon.signal(Signal::USR1);
    stage
        .sendgrid_has(daemon, "it is listed again", |it| {
            it.history().count(Operation::List) > before
        })
        .await;
}

#[tokio::test]
async fn a_list_that_lags_behind_the_upload_makes_no_second_one() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("settle", "[delivery]\nsettle = \"3s\"\n");
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let lag = Fault::list(ListTrick::Stale(Duration::from_millis(800)));
    stage.sendgrid.script(Rule::always(lag).on(Operation::List));
    let certificate = valid("lagging");
    stage.home.put("okta", "lagging.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "settling").await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 1, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_list_that_lost_its_end_takes_nothing_away() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, first, second) = in_step(&stage).await;
    // Long enough that no window ends in this test.
    stage.home.set("settle", "[delivery]\nsettle = \"1h\"\n");
    daemon.signal(Signal::HUP);
    daemon.has_compared_anew(2).await;
    let cut = Fault::list(ListTrick::Truncated(1));
    stage.sendgrid.script(Rule::next(Operation::List, cut));
    look_again(&stage, &daemon).await;
    daemon
        .shows("one is looked for", |it| {
            states(it, "okta") == ["settling", "trusted"]
        })
        .await;
    daemon.signal(Signal::USR1);
    daemon.shows_state("okta", &first, "trusted").await;
    daemon.shows_state("okta", &second, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.writes().count(), 2, "{history}");
}

#[tokio::test]
async fn a_list_that_has_one_twice_is_no_reason_to_write() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, ..) = in_step(&stage).await;
    let doubled = Fault::list(ListTrick::Doubled);
    stage.sendgrid.script(Rule::next(Operation::List, doubled));
    daemon.signal(Signal::USR1);
    daemon
        .shows("the second row is a duplicate", |it| {
            states(it, "okta") == ["duplicate", "trusted", "trusted"]
        })
        .await;
    daemon.signal(Signal::USR1);
    daemon
        .shows("it was a lie", |it| {
            states(it, "okta") == ["trusted", "trusted"]
        })
        .await;
    assert_eq!(stage.sendgrid.history().writes().count(), 2);
}

#[tokio::test]
async fn a_row_of_another_integration_is_left_alone_and_not_taken_for_ours() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let (daemon, ..) = in_step(&stage).await;
    let theirs = valid("theirs");
    stage.home.put("adfs", "theirs.pem", &theirs.pem);
    daemon.shows_state("adfs", &theirs, "trusted").await;
    let foreign = Fault::list(ListTrick::ForeignRow);
    let listed = Rule::always(foreign).on(Operation::List).within(OKTA);
    stage.sendgrid.script(listed);
    daemon.signal(Signal::USR1);
    let status = daemon
        .shows("it is no certificate of this integration", |it| {
            states(it, "okta") == ["trusted", "trusted", "undecodable"]
        })
        .await;
    let attention = integration(&status, "okta")["attention"].to_string();
    assert!(attention.contains("undecodable"), "{attention}");
    assert_eq!(stage.sendgrid.history().writes().count(), 3);

    // Who wants it here as well gets a row of this integration's own.
    stage.home.put("okta", "theirs.pem", &theirs.pem);
    daemon.shows_state("okta", &theirs, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.writes().count(), 4, "{history}");
    assert_eq!(stage.sendgrid.rows_of(OKTA).len(), 3);
    assert_eq!(stage.sendgrid.rows_of(ADFS).len(), 1);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn when_all_is_gone_at_once_no_state_changes_and_one_alarm_is_raised() {
    for stranger in [None, Some(valid("stranger"))] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        let (daemon, first, second) = in_step(&stage).await;
        for row in stage.sendgrid.rows() {
            stage.sendgrid.remove_row(row.id);
        }
        if let Some(stranger) = &stranger {
            stage.sendgrid.add_row(OKTA, &stranger.der, true);
        }
        daemon.signal(Signal::USR1);
        let is_missing = |it: &Value| {
            let attention = integration(it, "okta")["attention"].to_string();
            attention.contains("integration_missing") && !attention.contains("unmanaged")
        };
        daemon.shows("a person is needed", is_missing).await;
        let third = valid("third");
        stage.home.put("okta", "third.pem", &third.pem);
        let status = daemon
            .shows("the third is in the source", |it| {
                state_of(it, "okta", third.fingerprint).is_some() && is_missing(it)
            })
            .await;
        for certificate in [&first, &second] {
            let state = state_of(&status, "okta", certificate.fingerprint);
            assert_ne!(state.as_deref(), Some("removed"), "{status:#}");
        }
        let history = stage.sendgrid.history();
        assert_eq!(history.writes().count(), 2, "{history}");
        let lists = history.count(Operation::List);
        assert!(lists < 16, "{lists} lists, one after the other: {history}");
        stage.sendgrid.add_row(OKTA, &first.der, true);
        stage.sendgrid.add_row(OKTA, &second.der, true);
        daemon.signal(Signal::USR1);
        let mut all = vec!["found", "found", "trusted"];
        all.extend(stranger.map(|_| "unmanaged"));
        daemon
            .shows("it is there again", |it| states(it, "okta") == all)
            .await;
        assert_eq!(stage.sendgrid.history().writes().count(), 3);
    }
}

/// Uploads, restarts, and knows its own again.
async fn is_at_home_with(what: &str, change: impl FnOnce(&mut Behaviour)) {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.sendgrid.behave(change);
    let (daemon, first, second) = in_step(&stage).await;
    assert_eq!(daemon.stop().await, 0);
    let again = stage.start().await;
    again.has_compared().await;
    let status = again.status().await;
    assert_eq!(states(&status, "okta"), ["trusted", "trusted"], "{what}");
    assert_eq!(integration(&status, "okta")["attention"].to_string(), "[]");
    let history = stage.sendgrid.history();
    assert_eq!(history.writes().count(), 2, "{what}: {history}");
    stage.assert_one_row(&first);
    stage.assert_one_row(&second);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn ids_of_every_form_are_kept_as_they_are() {
    for ids in [IdStyle::Digits, IdStyle::Slug, IdStyle::Float] {
        is_at_home_with(&format!("{ids:?}"), |it| it.ids = ids).await;
    }
}

#[tokio::test]
async fn pem_of_every_form_is_matched_by_its_bytes() {
    for pem in [
        PemStyle::Crlf,
        PemStyle::NoFinalNewline,
        PemStyle::OneLine,
        PemStyle::Unarmoured,
    ] {
        is_at_home_with(&format!("{pem:?}"), |it| it.pem = pem).await;
    }
}

#[tokio::test]
async fn the_integration_of_a_row_may_be_spelt_or_missing() {
    for key in [IntegrationKey::Spelt, IntegrationKey::Absent] {
        is_at_home_with(&format!("{key:?}"), |it| it.integration_key = key).await;
    }
}
