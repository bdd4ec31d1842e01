//! A leaf and the root that issued it, in one directory: who holds a root's key must not be able to sign in.

use rustix::process::Signal;

use crate::certificates::{chain, valid};
use crate::harness::{OKTA, Stage, integration};

/// Whether status shows this certificate as one that is ignored because it issued another.
fn is_ignored(status: &serde_json::Value, fingerprint: &str) -> bool {
    let issuers = integration(status, "okta")["source"]["issuers"].as_array();
    issuers.is_some_and(|it| it.iter().any(|it| it["fingerprint"] == fingerprint))
}

#[tokio::test]
async fn a_root_never_goes_up_beside_its_leaf_nor_after_it_nor_over_a_restart() {
    for root_first in [true, false] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        let (root, leaf) = chain("idp");
        let hex = root.fingerprint.hex();
        let daemon = stage.start().await;
        daemon.has_compared().await;
        let mut files = [("root.pem", &root.pem), ("leaf.pem", &leaf.pem)];
        if !root_first {
            files.reverse();
        }
        for (name, pem) in files {
            stage.home.put("okta", name, pem);
        }
        daemon.shows_state("okta", &leaf, "trusted").await;
        let status = daemon
            .shows("the root is ignored", |it| is_ignored(it, &hex))
            .await;
        let source = &integration(&status, "okta")["source"];
        assert_eq!(source["refused"].as_array().unwrap().len(), 0, "{source}");
        let attention = integration(&status, "okta")["attention"].as_array();
        assert_eq!(attention.map(Vec::len), Some(0), "{status}");

        // The leaf leaves, and another provider's certificate comes instead: the source is healthy without the leaf.
        let next = valid("next");
        stage.home.put("okta", "next.pem", &next.pem);
        stage.home.take("okta", "leaf.pem");
        daemon.shows_state("okta", &leaf, "superseded").await;
        assert_eq!(daemon.stop().await, 0);
        let daemon = stage.start().await;
        daemon.has_compared().await;
        daemon
            .shows("the root stays ignored", |it| is_ignored(it, &hex))
            .await;
        assert!(stage.sendgrid.rows_with(root.fingerprint).is_empty());
        let told = stage.home.ask(&["explain", &root.short()]).await;
        assert!(told.out.contains("ignored"), "{told:?}");
        assert!(told.out.contains(&leaf.short()), "{told:?}");
        stage.assert_one_row(&leaf);
        assert_eq!(daemon.stop().await, 0);
        stage.assert_well_behaved();
    }
}

#[tokio::test]
async fn a_root_alone_is_refused_and_its_pin_lets_it_in() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (root, _) = chain("idp");
    let hex = root.fingerprint.hex();
    stage.home.put("okta", "root.pem", &root.pem);
    let path = stage.home.directory("okta").join("root.pem");
    let path = path.to_str().unwrap();
    let told = stage.home.ask(&["inspect", path]).await;
    assert_eq!(told.exit, 1, "{told:?}");
    assert!(told.out.contains("refused (ca_certificate)"), "{told:?}");
    let pin = format!("pins = [\"{hex}\"]");
    assert!(told.out.contains(&pin), "{told:?}");
    let daemon = stage.start().await;
    daemon
        .shows("it is refused", |it| {
            integration(it, "okta")["source"]["refused"][0]["reason"] == "ca_certificate"
        })
        .await;
    let told = stage.home.ask(&["status"]).await;
    assert!(told.out.contains(&pin), "{told:?}");

    // As the help says.
    let integration_file = stage.home.path("conf.d/integration-okta.toml");
    let mut trust = std::fs::read_to_string(integration_file).unwrap();
    trust.extend(["[integrations.okta.trust]\n", &pin, "\n"]);
    stage.home.set("integration-okta", &trust);
    daemon.signal(Signal::HUP);
    let status = daemon.shows_state("okta", &root, "trusted").await;
    let okta = integration(&status, "okta");
    assert_eq!(okta["source"]["refused"].as_array().unwrap().len(), 0);
    let remarks = okta["certificates"][0]["remarks"].as_array().unwrap();
    assert!(remarks.iter().any(|it| it["code"] == "pinned"), "{okta}");
    let told = stage.home.ask(&["inspect", path]).await;
    assert_eq!(told.exit, 0, "{told:?}");
    stage.assert_one_row(&root);
}
