//! Who says that SendGrid is elsewhere is not followed.

use crate::certificates::valid;
use crate::harness::integration;
use crate::simulator::{Commit, Fault, Identity, Operation, Reply, Rule};

use super::{Trap, stage_with};

fn redirect(status: u16, to: &str) -> Fault {
    let reply = Reply::Custom {
        status,
        headers: vec![("Location".to_owned(), to.to_owned())],
        body: String::new(),
    };
    Fault::new(Commit::Never, reply)
}

#[tokio::test]
async fn no_redirect_is_followed_whatever_is_asked() {
    let stage = stage_with(Identity::Good).await;
    let (trap, sendgrid) = (Trap::set(), stage.sendgrid.url());
    let elsewhere = format!("https://{}/v3", trap.address);
    let insecure = format!("http://{}/v3", trap.address);
    let certificate = valid("list");
    for (status, to) in [
        (301, &elsewhere),
        (302, &insecure),
        (307, &elsewhere),
        (308, &insecure),
    ] {
        stage
            .sendgrid
            .script(Rule::next(Operation::List, redirect(status, to)));
    }
    stage.home.put("okta", "list.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon
        .shows("the redirect is told", |it| {
            let text = integration(it, "okta")["failure"]["text"].as_str();
            text.is_some_and(|it| it.contains("unexpected answer (30"))
        })
        .await;
    daemon.shows_state("okta", &certificate, "trusted").await;

    // Not even to the place where it came from.
    let home = format!("{sendgrid}/v3/sso/certificates");
    for (status, to) in [(303, &elsewhere), (307, &home)] {
        let fault = redirect(status, to);
        stage.sendgrid.script(Rule::next(Operation::Create, fault));
        let certificate = valid("post");
        let name = format!("{status}.pem");
        stage.home.put("okta", &name, &certificate.pem);
        daemon.shows_state("okta", &certificate, "trusted").await;
        let history = stage.sendgrid.history();
        let posts = history.posts_of(certificate.fingerprint);
        let answers: Vec<_> = posts.map(|it| it.status).collect();
        assert_eq!(answers, [Some(status), Some(200)], "{history}");
        stage.assert_one_row(&certificate);
    }
    assert_eq!(trap.visits(), 0, "{}", daemon.log());
    stage.assert_well_behaved();
}
