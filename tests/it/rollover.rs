//! A whole rollover by the real program: the new one beside the old one, and the old one goes when it is safe.

use std::time::Duration;

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::certificates::{Made, ending, short_lived, valid};
use crate::harness::{Daemon, OKTA, Stage, integration};
use crate::simulator::{Fault, Operation, Rule};

/// Old ones go at once when they are over, or gone and succeeded.
fn retire(stage: &Stage, action: &str) {
    stage.home.set(
        "retire",
        &format!(
            r#"
[defaults.retire]
action = "{action}"
when = "absent"
min_overlap = "300ms"
min_absence = "300ms"
expired_after = "0s"
"#
        ),
    );
}

/// An old and a new certificate, both uploaded by a running daemon.
async fn overlap(stage: &Stage) -> (Made, Made, Daemon) {
    let (old, new) = (ending("old", 2047), ending("new", 2048));
    stage.home.put("okta", "old.pem", &old.pem);
    stage.home.put("okta", "new.pem", &new.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &old, "trusted").await;
    daemon.shows_state("okta", &new, "trusted").await;
    (old, new, daemon)
}

fn enabled(stage: &Stage, certificate: &Made) -> Vec<bool> {
    let rows = stage.sendgrid.rows_with(certificate.fingerprint);
    rows.iter().map(|it| it.enabled).collect()
}

#[tokio::test]
async fn an_old_certificate_is_disabled_once_its_file_is_gone_and_its_successor_stands() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "disable");
    let (old, new, daemon) = overlap(&stage).await;
    assert_eq!(enabled(&stage, &old), [true], "both are trusted together");
    stage.home.take("okta", "old.pem");
    daemon.shows_state("okta", &old, "disabled").await;
    assert_eq!(
        (enabled(&stage, &old), enabled(&stage, &new)),
        (vec![false], vec![true])
    );

    let history = stage.sendgrid.history();
    let patches: Vec<_> = history.of(Operation::Update).collect();
    assert_eq!(patches.len(), 1, "{history}");
    assert_eq!(patches[0].fields, ["enabled"], "nothing else is sent");
    assert!(history.count(Operation::Read) >= 1, "read back just before");
    let status = daemon.status().await;
    assert_eq!(integration(&status, "okta")["in_step"], true);
    assert_eq!(integration(&status, "okta")["trusted"], 1);
    stage.assert_well_behaved();
    assert_eq!(daemon.stop().await, 0);
    let told = stage.home.ask(&["history", "okta"]).await;
    for word in ["retiring", "disabled"] {
        assert!(told.out.contains(word), "{}", told.out);
    }
}

#[tokio::test]
async fn a_person_restores_what_was_retired_and_it_stays() {
    for action in ["disable", "delete"] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        retire(&stage, action);
        let (old, new, daemon) = overlap(&stage).await;
        stage.home.take("okta", "old.pem");
        let gone = if action == "disable" {
            vec![false]
        } else {
            vec![]
        };
        daemon
            .shows("it is retired", |_| enabled(&stage, &old) == gone)
            .await;
        daemon
            .shows("it is settled", |it| {
                integration(it, "okta")["in_step"] == true
            })
            .await;
        let hex = old.fingerprint.hex();
        let told = stage.home.ask(&["restore", &hex, "okta", "--yes"]).await;
        assert_eq!(told.exit, 0, "{told:?}");
        daemon
            .shows("it is back", |_| enabled(&stage, &old) == [true])
            .await;
        for _ in 0..3 {
            assert_eq!(stage.home.ask(&["sync", "--wait"]).await.exit, 0);
        }
        assert_eq!(enabled(&stage, &old), [true], "{action}");
        assert_eq!(enabled(&stage, &new), [true], "{action}");
        stage.assert_well_behaved();
        daemon.stop().await;
    }
}

#[tokio::test]
async fn a_file_that_comes_back_brings_its_certificate_back() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "disable");
    let (old, _, daemon) = overlap(&stage).await;
    stage.home.take("okta", "old.pem");
    daemon.shows_state("okta", &old, "disabled").await;
    stage.home.put("okta", "old.pem", &old.pem);
    daemon.shows_state("okta", &old, "trusted").await;
    assert_eq!(enabled(&stage, &old), [true]);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn an_old_certificate_is_deleted_where_the_configuration_says_so() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "delete");
    let (old, new, daemon) = overlap(&stage).await;
    stage.home.take("okta", "old.pem");
    stage
        .sendgrid_has(&daemon, "the old one is deleted", |it| {
            it.rows().count() == 1
        })
        .await;
    stage.assert_one_row(&new);
    daemon
        .shows("the old one is a matter of history", |it| {
            integration(it, "okta")["certificates"]
                .as_array()
                .unwrap()
                .len()
                == 1
        })
        .await;
    // And if its file comes back, it is wanted again.
    stage.home.put("okta", "old.pem", &old.pem);
    daemon.shows_state("okta", &old, "trusted").await;
    stage.assert_one_row(&old);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn by_default_an_old_certificate_is_only_reported() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "keep");
    let (old, _, daemon) = overlap(&stage).await;
    stage.home.take("okta", "old.pem");
    daemon.shows_state("okta", &old, "superseded").await;
    assert_eq!(stage.home.ask(&["sync", "okta"]).await.exit, 0);
    assert_eq!(enabled(&stage, &old), [true]);
    assert_eq!(stage.sendgrid.history().count(Operation::Update), 0);
}

#[tokio::test]
async fn what_is_over_goes_while_another_one_stays_and_one_a_day() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "delete");
    let (first, second, stays) = (
        short_lived("first", 8),
        short_lived("second", 8),
        ending("stays", 2048),
    );
    for (name, it) in [("1.pem", &first), ("2.pem", &second), ("3.pem", &stays)] {
        stage.home.put("okta", name, &it.pem);
    }
    let daemon = stage.start().await;
    for it in [&first, &second, &stays] {
        daemon.shows_state("okta", it, "trusted").await;
    }
    stage
        .sendgrid_has(&daemon, "one of the two is deleted", |it| {
            it.rows().count() == 2
        })
        .await;
    stage.assert_one_row(&stays);
    assert_eq!(stage.home.ask(&["sync", "okta"]).await.exit, 0);
    assert_eq!(
        stage.sendgrid.history().count(Operation::Delete),
        1,
        "one a day"
    );
    stage.assert_well_behaved();
}

#[tokio::test]
async fn the_last_one_is_never_touched_even_when_it_is_over() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "delete");
    let last = short_lived("last", 6);
    stage.home.put("okta", "last.pem", &last.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &last, "trusted").await;
    daemon.shows_state("okta", &last, "expired").await;
    stage.home.ask(&["sync", "okta"]).await;
    let history = stage.sendgrid.history();
    assert_eq!(
        history.count(Operation::Delete) + history.count(Operation::Update),
        0
    );
}

#[tokio::test]
async fn a_disabling_with_an_unknown_outcome_is_sent_again_and_counts_for_nothing() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "disable");
    let (old, new, daemon) = overlap(&stage).await;
    stage
        .sendgrid
        .script(Rule::next(Operation::Update, Fault::commit_then_close()));
    stage.home.take("okta", "old.pem");
    daemon.shows_state("okta", &old, "disabled").await;
    stage
        .sendgrid_has(&daemon, "it is sent once more", |it| {
            it.history().count(Operation::Update) == 2
        })
        .await;
    assert_eq!(
        (enabled(&stage, &old), enabled(&stage, &new)),
        (vec![false], vec![true])
    );
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_deletion_with_an_unknown_outcome_is_settled_by_a_get() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "delete");
    let (old, new, daemon) = overlap(&stage).await;
    stage
        .sendgrid
        .script(Rule::next(Operation::Delete, Fault::commit_then_close()));
    stage.home.take("okta", "old.pem");
    daemon
        .shows("it is known to be gone", |it| {
            integration(it, "okta")["certificates"]
                .as_array()
                .unwrap()
                .len()
                == 1
        })
        .await;
    assert_eq!(stage.sendgrid.history().count(Operation::Delete), 1);
    assert_eq!(enabled(&stage, &old), Vec::<bool>::new());
    stage.assert_one_row(&new);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_forbidden_deletion_is_held_and_uploads_go_on() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "delete");
    let (old, _, daemon) = overlap(&stage).await;
    stage
        .sendgrid
        .script(Rule::always(Fault::refuse(403)).on(Operation::Delete));
    stage.home.take("okta", "old.pem");
    daemon.logged("Kept: ").await;
    daemon.shows_state("okta", &old, "superseded").await;
    let next = valid("next");
    stage.home.put("okta", "next.pem", &next.pem);
    daemon.shows_state("okta", &next, "trusted").await;
    assert_eq!(
        stage.sendgrid.history().count(Operation::Delete),
        1,
        "held for a day"
    );
}

#[tokio::test]
async fn a_file_that_is_refused_is_no_absence() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "disable");
    let (old, _, daemon) = overlap(&stage).await;
    let cut = &old.pem[..old.pem.len() / 2];
    stage.home.put("okta", "old.pem", cut);
    daemon
        .shows("the file waits or is refused", |it| {
            integration(it, "okta")["source"]["accepted"] == 1
        })
        .await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    for _ in 0..6 {
        stage.home.ask(&["sync", "okta"]).await;
    }
    assert_eq!(stage.sendgrid.history().count(Operation::Update), 0);
    assert_eq!(enabled(&stage, &old), [true]);
}

/// One that is over, and whose file is gone, beside one that stays, while the clocks differ by so much.
async fn over_while_clocks_differ(skew_secs: i64) -> (Stage, Daemon) {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    retire(&stage, "delete");
    let when = "[defaults.retire]\nwhen = \"expired\"\n";
    stage.home.set("when", when);
    stage.sendgrid.behave(|it| it.clock_skew_secs = skew_secs);
    let (old, stays) = (short_lived("old", 8), ending("stays", 2048));
    let end = clock_gettime(ClockId::Realtime).tv_sec + 8;
    stage.home.put("okta", "old.pem", &old.pem);
    stage.home.put("okta", "stays.pem", &stays.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &old, "trusted").await;
    daemon.shows_state("okta", &stays, "trusted").await;
    stage.home.take("okta", "old.pem");
    daemon.shows_state("okta", &old, "superseded").await;
    assert_eq!(stage.sendgrid.history().count(Operation::Delete), 0);
    while clock_gettime(ClockId::Realtime).tv_sec <= end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.assert_one_row(&stays);
    (stage, daemon)
}

#[tokio::test]
async fn an_end_that_the_clocks_disagree_about_takes_nothing_away() {
    let (stage, daemon) = over_while_clocks_differ(320).await;
    let told = stage.home.ask(&["sync", "okta"]).await;
    let history = stage.sendgrid.history();
    assert_eq!(
        history.count(Operation::Delete),
        0,
        "the clocks disagree, so nothing is known to be over: {told:?} {history}"
    );
    stage.sendgrid.behave(|it| it.clock_skew_secs = 0);
    daemon.signal(Signal::USR1);
    stage
        .sendgrid_has(&daemon, "it is deleted once they agree", |it| {
            it.rows().count() == 1
        })
        .await;
    assert_eq!(stage.home.ask(&["sync", "okta"]).await.exit, 0);
    assert_eq!(stage.sendgrid.history().count(Operation::Delete), 1);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn clocks_that_differ_by_less_than_five_minutes_delay_no_end() {
    let (stage, daemon) = over_while_clocks_differ(280).await;
    stage
        .sendgrid_has(&daemon, "it is deleted", |it| it.rows().count() == 1)
        .await;
    assert_eq!(stage.sendgrid.history().count(Operation::Delete), 1);
    stage.assert_well_behaved();
}
