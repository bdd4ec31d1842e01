//! The record is whole, and the verdict is just.

use super::*;

// By hand.

#[tokio::test]
async fn another_administrator_changes_what_clients_see() {
    let (sendgrid, client) = start().await;
    let (old, new) = (certificate(), certificate());
    let third = "0d9c2f6e-1d1b-4a57-9a1e-6f3b7c1f2a10";
    let id = sendgrid.add_row(OKTA, &old, true);
    sendgrid.replace_row(id, &new);
    let row = client.list(OKTA).await.json()[0].clone();
    assert_eq!(row["id"], id);
    assert_eq!(row["public_certificate"], certificate::write_pem(&new));

    assert_eq!(client.list(third).await.status, 404);
    sendgrid.add_integration("default", Integration::new("third", third));
    assert_eq!(client.list(third).await.status, 200);
    sendgrid.remove_integration("default", OKTA);
    assert_eq!(client.list(OKTA).await.status, 404);
    assert_eq!(client.by_id("GET", id, &Value::Null).await.status, 404);

    let history = sendgrid.history();
    assert_eq!(history.about(third).count(), 2);
    assert_eq!(history.answered(404).count(), 3);
    assert_eq!(history.writes().count(), 0);
    assert_eq!(sendgrid.check(), Vec::<String>::new());
}

// The record and the verdict.

#[tokio::test]
async fn the_history_tells_everything_but_the_key() {
    let (sendgrid, client) = start().await;
    let der = certificate();
    let id = sendgrid.add_row(OKTA, &certificate(), false);
    sendgrid.enable_row(id, true);
    client.create(&der).await;
    client
        .ask("GET", &format!("/v3/scopes?key={KEY}"), "")
        .await;

    let history = sendgrid.history();
    let post = history.posts_of(Fingerprint::of(&der)).next().unwrap();
    assert_eq!(post.operation, Operation::Create);
    assert_eq!(post.integration.as_deref(), Some(OKTA));
    assert_eq!(
        (post.status, post.row, post.enabled),
        (Some(200), Some(id + 1), Some(true))
    );
    assert!(post.committed.is_some() && post.authorization);
    assert_eq!(
        post.fields,
        ["enabled", "integration_id", "public_certificate"]
    );
    assert_eq!(
        post.headers,
        [
            "host",
            "connection",
            "content-length",
            "authorization",
            "accept",
            "content-type"
        ]
    );
    assert_eq!(history.events.len(), 4, "two by hand, two requests");
    assert!(!format!("{history} {history:?}").contains(KEY));
    assert!(history.to_string().contains("/v3/scopes?key=[API key]"));
}

#[tokio::test]
async fn what_is_waited_for_and_does_not_happen_shows_the_history() {
    let (sendgrid, client) = start().await;
    client.list(OKTA).await;
    let waited = sendgrid
        .wait_for(Duration::from_millis(10), |it| it.rows().count() == 1)
        .await;
    let text = waited.unwrap_err().to_string();
    assert!(text.contains("0 rows") && text.contains(OKTA), "{text}");
}

#[tokio::test]
async fn what_is_waited_for_is_seen_when_it_happens() {
    let (sendgrid, client) = start().await;
    let waiting = sendgrid.wait_for(LIMIT, |it| it.history().count(Operation::Create) == 1);
    let der = certificate();
    let (waited, created) = tokio::join!(waiting, client.create(&der));
    waited.unwrap();
    assert_eq!(created.status, 200);
    assert_eq!(sendgrid.events_after(0).await.len(), 1);
}

#[tokio::test]
async fn a_careful_client_breaks_no_rule() {
    let (sendgrid, client) = start().await;
    let (old, new) = (certificate(), certificate());
    client.create(&old).await;
    client.create(&new).await;
    client
        .by_id("PATCH", 66_138_975, &json!({"enabled": false}))
        .await;
    client.by_id("DELETE", 66_138_975, &Value::Null).await;
    client.create(&old).await;
    client.list(OKTA).await;
    assert_eq!(sendgrid.check(), Vec::<String>::new());
}

/// The one sentence that `check` says after `act`.
async fn verdict(act: impl AsyncFnOnce(&Simulator, &Client)) -> String {
    let (sendgrid, client) = start().await;
    act(&sendgrid, &client).await;
    let broken = sendgrid.check();
    assert_eq!(broken.len(), 1, "{broken:?}");
    broken[0].clone()
}

#[tokio::test]
async fn a_second_row_of_one_client_breaks_a_rule_also_after_a_lost_answer() {
    let said = verdict(async |sendgrid, client| {
        sendgrid.script(Rule::next(Operation::Create, Fault::commit_then(500)));
        let der = certificate();
        client.create(&der).await;
        client.create(&der).await;
    })
    .await;
    assert_eq!(
        said,
        "request 2 (POST /v3/sso/certificates) made a second row of a certificate beside the client's own row 66138975"
    );
    let said = verdict(async |sendgrid, client| {
        let late = Fault::close_then_commit_after(Duration::from_millis(20));
        sendgrid.script(Rule::next(Operation::Create, late));
        let der = certificate();
        client
            .raw("POST", "/v3/sso/certificates", &create_body(&der))
            .await
            .unwrap();
        client.create(&der).await;
        sendgrid
            .wait_for(LIMIT, |it| it.rows().count() == 2)
            .await
            .unwrap();
    })
    .await;
    assert!(said.contains("made a second row"), "{said}");
}

#[tokio::test]
async fn two_clients_may_make_a_row_each() {
    let account = Account::new("default")
        .key(KEY, &SCOPES)
        .key("SG.other", &SCOPES);
    let (sendgrid, client) = start_with(Options {
        accounts: vec![account.integration(Integration::new("okta", OKTA))],
        ..Options::default()
    })
    .await;
    let der = certificate();
    client.create(&der).await;
    Client::new(&sendgrid, "SG.other").create(&der).await;
    assert_eq!(sendgrid.rows_with(Fingerprint::of(&der)).len(), 2);
    assert_eq!(sendgrid.check(), Vec::<String>::new());
}

#[tokio::test]
async fn a_write_without_enabled_stores_it_disabled_and_breaks_a_rule() {
    let said = verdict(async |sendgrid, client| {
        let pem = certificate::write_pem(&certificate());
        let body = json!({"public_certificate": pem, "integration_id": OKTA}).to_string();
        let got = client.ask("POST", "/v3/sso/certificates", &body).await;
        assert_eq!(got.status, 200);
        assert!(!sendgrid.rows()[0].enabled);
    })
    .await;
    assert!(said.ends_with("does not say `enabled`"), "{said}");
}

#[tokio::test]
async fn taking_the_last_valid_certificate_away_breaks_a_rule() {
    let said = verdict(async |sendgrid, client| {
        sendgrid.add_row(OKTA, &certificate_between(2010, 2020), true);
        sendgrid.add_row(OKTA, &certificate(), false);
        let last = sendgrid.add_row(OKTA, &certificate(), true);
        sendgrid.add_row(ENTRA, &certificate(), true);
        client
            .by_id("PATCH", last, &json!({"enabled": false}))
            .await;
    })
    .await;
    assert!(said.contains("took away the last certificate"), "{said}");
    let said = verdict(async |sendgrid, client| {
        let last = sendgrid.add_row(OKTA, &certificate(), true);
        client.by_id("DELETE", last, &Value::Null).await;
    })
    .await;
    assert!(said.contains("took away the last certificate"), "{said}");
}

#[tokio::test]
async fn a_patch_of_the_certificate_itself_breaks_a_rule() {
    let said = verdict(async |sendgrid, client| {
        let id = sendgrid.add_row(OKTA, &certificate(), true);
        let pem = certificate::write_pem(&certificate());
        let got = client
            .by_id(
                "PATCH",
                id,
                &json!({"public_certificate": pem, "enabled": true}),
            )
            .await;
        assert_eq!(got.json()["public_certificate"], pem);
    })
    .await;
    assert!(said.ends_with("touches `public_certificate`"), "{said}");
    let said = verdict(async |sendgrid, client| {
        let id = sendgrid.add_row(OKTA, &certificate(), false);
        client
            .by_id(
                "PATCH",
                id,
                &json!({"integration_id": ENTRA, "enabled": false}),
            )
            .await;
        assert_eq!(sendgrid.rows_of(ENTRA).len(), 1);
    })
    .await;
    assert!(said.ends_with("touches `integration_id`"), "{said}");
}

#[tokio::test]
async fn a_key_outside_its_header_breaks_a_rule() {
    let said = verdict(async |_, client| {
        client.ask("GET", &format!("/v3/scopes?k={KEY}"), "").await;
    })
    .await;
    assert!(said.ends_with("has an API key in the URL"), "{said}");
    let said = verdict(async |sendgrid, _| {
        let client = Client::new(sendgrid, KEY).with(&format!("X-Debug: ({KEY})"));
        client.list(OKTA).await;
    })
    .await;
    assert!(
        said.ends_with("has an API key in the header x-debug"),
        "{said}"
    );
    let said = verdict(async |sendgrid, client| {
        sendgrid.rotate_key("default", 1, "SG.new");
        client.ask("POST", "/v3/elsewhere", KEY).await;
    })
    .await;
    assert!(
        said.ends_with("has an API key in the body"),
        "an old one, too: {said}"
    );
}
