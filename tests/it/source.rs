//! A source as its owner sees it: what is remarked upon, refused, held and passed over, through the whole program.

use std::process::Command;

use serde_json::Value;

use crate::certificates::{Made, short_lived, valid};
use crate::harness::{OKTA, PROGRAM, Stage, finish, integration};

const DAY: u64 = 86_400;

/// A certificate in a status.
#[track_caller]
fn row<'a>(status: &'a Value, certificate: &Made) -> &'a Value {
    let all = integration(status, "okta")["certificates"]
        .as_array()
        .unwrap();
    let is_it = |it: &&Value| it["fingerprint"] == certificate.fingerprint.hex();
    all.iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{status:#}"))
}

#[tokio::test]
async fn what_is_remarkable_of_an_accepted_certificate_is_in_status_and_inspect() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let warn = "[defaults]\nexpiry.warn = \"60d\"\n";
    stage.home.set("warn", warn);
    let (long, short) = (valid("long"), short_lived("short", 40 * DAY + 3600));
    stage.home.put("okta", "long.pem", &long.pem);
    stage.home.put("okta", "short.pem", &short.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &short, "trusted").await;
    let status = daemon.shows_state("okta", &long, "trusted").await;
    assert_eq!(row(&status, &long)["remarks"][0]["code"], "long_validity");
    let near = "ends in 40 d; expiry.warn is 60 d";
    let remark = &row(&status, &short)["remarks"][0];
    assert_eq!(
        (remark["code"].as_str(), remark["text"].as_str()),
        (Some("ends_soon"), Some(near))
    );

    let status = stage.home.ask(&["status"]).await;
    assert_eq!(status.exit, 0, "{status:?}");
    for remark in [near, "valid for more than 11 years"] {
        assert!(
            status.out.contains(&format!("remark: {remark}")),
            "{status:?}"
        );
    }
    // The same file, where it is watched, where it is not, and where nothing is configured.
    let watched = stage.home.directory("okta").join("short.pem");
    stage
        .home
        .write("copy.pem", &short_lived("copy", 20 * DAY + 3600).pem, 0o644);
    let copy = stage.home.path("copy.pem");
    let told = stage
        .home
        .ask(&["inspect", watched.to_str().unwrap()])
        .await;
    assert!(told.out.contains(&format!("! {near}\n")), "{told:?}");
    let told = stage.home.ask(&["inspect", copy.to_str().unwrap()]).await;
    assert!(
        told.out.contains("! ends in 20 d; expiry.warn is 60 d\n"),
        "{told:?}"
    );
    let mut alone = Command::new(PROGRAM);
    alone.env_clear().arg("--config");
    alone.args([&stage.home.path("nowhere.toml"), &"inspect".into(), &copy]);
    let told = finish(alone).await;
    assert!(
        told.out
            .contains("! ends in 20 d; expiry.warn is 30 d by default\n"),
        "{told:?}"
    );
}
