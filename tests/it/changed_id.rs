//! A name whose `integration_id` changed: nothing is written until an operator accepts that, or the old one is back.

use rustix::process::Signal;

use crate::certificates::valid;
use crate::harness::{ADFS, OKTA, Stage};
use crate::simulator::Operation;

#[tokio::test]
async fn a_changed_integration_id_is_written_to_only_once_it_is_accepted_by_name() {
    for restarts in [true, false] {
        let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
        let first = valid("first");
        stage.home.put("okta", "first.pem", &first.pem);
        let mut daemon = stage.start().await;
        daemon.shows_state("okta", &first, "trusted").await;
        let posts = stage.sendgrid.history().count(Operation::Create);

        // Somebody pastes the id of another company's integration.
        std::fs::remove_file(stage.home.path("conf.d/integration-adfs.toml")).unwrap();
        stage.home.integration("okta", ADFS);
        if restarts {
            assert_eq!(daemon.stop().await, 0);
            daemon = stage.start().await;
        } else {
            daemon.signal(Signal::HUP);
        }
        daemon.shows_state("okta", &first, "held").await;
        let second = valid("second");
        stage.home.put("okta", "second.pem", &second.pem);
        daemon.shows_state("okta", &second, "held").await;
        let resumed = stage.home.ask(&["resume", "--yes"]).await;
        assert_eq!(resumed.exit, 0, "{resumed:?}");
        daemon.shows_state("okta", &second, "held").await;
        assert_eq!(stage.sendgrid.history().count(Operation::Create), posts);
        let explained = stage.home.ask(&["explain", &second.short()]).await;
        assert!(explained.out.contains("integration_id"), "{explained:?}");

        let accepted = stage.home.ask(&["resume", "okta", "--yes"]).await;
        assert_eq!(accepted.exit, 0, "{accepted:?}");
        for certificate in [&first, &second] {
            daemon.shows_state("okta", certificate, "trusted").await;
        }
        let history = stage.home.ask(&["history", "okta"]).await;
        assert!(history.out.contains(OKTA), "{history:?}");
        stage.assert_well_behaved();
    }
}

#[tokio::test]
async fn the_old_id_is_taken_without_a_word_and_a_command_alone_does_not_write_either() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let first = valid("first");
    stage.home.put("okta", "first.pem", &first.pem);
    assert_eq!(stage.home.ask(&["sync"]).await.exit, 0);
    std::fs::remove_file(stage.home.path("conf.d/integration-adfs.toml")).unwrap();
    stage.home.integration("okta", ADFS);
    let posts = stage.sendgrid.history().count(Operation::Create);
    let synced = stage.home.ask(&["sync"]).await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), posts);
    assert!(synced.out.contains("integration_id"), "{synced:?}");
    stage.home.integration("okta", OKTA);
    let second = valid("second");
    stage.home.put("okta", "second.pem", &second.pem);
    let synced = stage.home.ask(&["sync"]).await;
    assert_eq!(synced.exit, 0, "{synced:?}");
    stage.assert_one_row(&first);
    stage.assert_one_row(&second);
}
