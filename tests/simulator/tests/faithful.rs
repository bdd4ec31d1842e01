//! It answers as described, reads strictly, and plays what differs in the field.

use super::super::limiter::Limiter;
use super::*;

#[tokio::test]
async fn a_certificate_is_answered_as_the_description_says() {
    let (sendgrid, client) = start().await;
    let der = certificate();
    let documented = json!({
        "public_certificate": certificate::write_pem(&der),
        "id": 66_138_975,
        "not_before": 1_577_836_800,
        "not_after": 4_102_444_800_i64,
        "intergration_id": OKTA,
    });

    let created = client.create(&der).await;
    assert_eq!((created.status, created.json()), (200, documented.clone()));
    assert_eq!(client.list(OKTA).await.json(), json!([documented]));
    assert_eq!(client.list(ENTRA).await.json(), json!([]));
    let read = client.by_id("GET", 66_138_975, &Value::Null).await;
    assert_eq!((read.status, read.json()), (200, documented.clone()));
    let disabled = client
        .by_id("PATCH", 66_138_975, &json!({"enabled": false}))
        .await;
    assert_eq!(
        (disabled.status, disabled.json()),
        (200, documented.clone())
    );
    assert!(!sendgrid.rows()[0].enabled);
    let deleted = client.by_id("DELETE", 66_138_975, &Value::Null).await;
    assert_eq!((deleted.status, deleted.json()), (200, documented));
    assert_eq!(
        client.by_id("GET", 66_138_975, &Value::Null).await.status,
        404
    );
    assert!(sendgrid.rows().is_empty());
}

#[tokio::test]
async fn ids_count_up_and_are_never_given_twice() {
    let (sendgrid, client) = start().await;
    assert_eq!(client.create(&certificate()).await.json()["id"], 66_138_975);
    sendgrid.remove_row(66_138_975);
    assert_eq!(client.create(&certificate()).await.json()["id"], 66_138_976);
}

#[tokio::test]
async fn integrations_and_scopes_are_those_of_the_key() {
    let account = Account::new("two").key(KEY, &["sso.settings.read"]);
    let account = account.integration(Integration::new("okta", OKTA));
    let other = Account::new("other").integration(Integration::new("entra", ENTRA));
    let (_sendgrid, client) = start_with(Options {
        accounts: vec![other, account],
        ..Options::default()
    })
    .await;

    let integrations = client
        .ask("GET", "/v3/sso/integrations?si=true", "")
        .await
        .json();
    assert_eq!(integrations.as_array().unwrap().len(), 1);
    assert_eq!(integrations[0]["id"], OKTA);
    assert_eq!(integrations[0]["completed_integration"], true);
    let without = client.ask("GET", "/v3/sso/integrations", "").await.json();
    assert_eq!(without[0].get("completed_integration"), None);
    let path = format!("/v3/sso/integrations/{OKTA}");
    let one = client.ask("GET", &path, "").await;
    assert_eq!((one.status, one.json()), (200, without[0].clone()));
    let path = format!("/v3/sso/integrations/{ENTRA}");
    assert_eq!(client.ask("GET", &path, "").await.status, 404);
    let scopes = client.ask("GET", "/v3/scopes", "").await.json();
    assert_eq!(scopes, json!({"scopes": ["sso.settings.read"]}));
    assert_eq!(client.list(ENTRA).await.status, 404);
    assert_eq!(client.create(&certificate()).await.status, 403);
}

// Strict.

#[tokio::test]
async fn a_request_that_is_not_exactly_right_stores_nothing() {
    let (sendgrid, client) = start().await;
    let pem = certificate::write_pem(&certificate());
    let two = format!("{pem}{pem}");
    let cut = pem.replace("-----END CERTIFICATE-----", "");
    let flipped = pem.replacen("MII", "AAA", 1);
    let cases = [
        (
            json!({"public_certificate": two, "integration_id": OKTA, "enabled": true}),
            400,
            "public_certificate",
        ),
        (
            json!({"public_certificate": cut, "integration_id": OKTA, "enabled": true}),
            400,
            "public_certificate",
        ),
        (
            json!({"public_certificate": flipped, "integration_id": OKTA, "enabled": true}),
            400,
            "public_certificate",
        ),
        (
            json!({"public_certificate": 7, "integration_id": OKTA, "enabled": true}),
            400,
            "public_certificate",
        ),
        (
            json!({"integration_id": OKTA, "enabled": true}),
            400,
            "public_certificate",
        ),
        (
            json!({"public_certificate": pem, "enabled": true}),
            400,
            "integration_id",
        ),
        (
            json!({"public_certificate": pem, "integration_id": OKTA, "enabled": "true"}),
            400,
            "enabled",
        ),
        (
            json!({"public_certificate": pem, "integration_id": OKTA, "enabled": 1}),
            400,
            "enabled",
        ),
        (
            json!({"public_certificate": pem, "integration_id": OKTA, "enabled": true, "name": "x"}),
            400,
            "name",
        ),
        (
            json!({"public_certificate": pem, "integration_id": "nobody's", "enabled": true}),
            404,
            "integration_id",
        ),
    ];
    for (body, status, field) in cases {
        let got = client
            .ask("POST", "/v3/sso/certificates", &body.to_string())
            .await;
        assert_eq!(got.status, status, "{body}");
        assert_eq!(got.json()["errors"][0]["field"], field, "{body}");
    }
    assert_eq!(
        client.ask("POST", "/v3/sso/certificates", "{").await.status,
        400
    );
    assert_eq!(
        client.ask("GET", "/v3/sso/certificates", "").await.status,
        404
    );
    assert_eq!(
        client
            .ask("PUT", "/v3/sso/certificates/66138975", "")
            .await
            .status,
        404
    );
    assert!(sendgrid.rows().is_empty());
}

#[tokio::test]
async fn a_request_needs_a_key_an_accept_and_a_content_type() {
    let (sendgrid, client) = start().await;
    let body = create_body(&certificate());
    let post = async |client: Client| {
        client
            .ask("POST", "/v3/sso/certificates", &body)
            .await
            .status
    };
    let with = |key| Client::new(&sendgrid, key);

    assert_eq!(post(with("SG.wrong")).await, 401);
    assert_eq!(post(with(KEY).without("Authorization")).await, 401);
    assert_eq!(post(with(KEY).without("Accept")).await, 406);
    assert_eq!(post(with(KEY).without("Content-Type")).await, 415);
    sendgrid.set_scopes("default", 1, &["sso.settings.read"]);
    assert_eq!(post(client).await, 403);
    assert!(sendgrid.rows().is_empty());
}

#[tokio::test]
async fn a_rotated_key_is_refused_and_the_new_one_is_the_same_client() {
    let (sendgrid, client) = start().await;
    sendgrid.rotate_key("default", 1, "SG.new");
    assert_eq!(client.list(OKTA).await.status, 401);
    assert_eq!(
        Client::new(&sendgrid, "SG.new").list(OKTA).await.status,
        200
    );
    let history = sendgrid.history();
    let last = history.of(Operation::List).last().unwrap();
    assert_eq!(last.client.as_deref(), Some("default/1"));
}

// What differs in the field.

#[tokio::test]
async fn ids_come_in_every_form_and_are_understood_in_each() {
    let (sendgrid, client) = start().await;
    let id = sendgrid.add_row(OKTA, &certificate(), true);
    let mut forms = Vec::new();
    for style in [
        IdStyle::Number,
        IdStyle::Digits,
        IdStyle::Slug,
        IdStyle::Float,
    ] {
        sendgrid.behave(|it| it.ids = style);
        forms.push(client.list(OKTA).await.json()[0]["id"].clone());
    }
    assert_eq!(forms[..2], [json!(id), json!(id.to_string())]);
    assert_eq!(forms[3].to_string(), format!("{id}.0"));
    let slug = forms[2].as_str().unwrap();
    assert_eq!(slug.len(), 20);
    let read = client
        .ask("GET", &format!("/v3/sso/certificates/{slug}"), "")
        .await;
    assert_eq!(read.status, 200);
}

#[tokio::test]
async fn certificates_come_in_every_form_with_the_same_der() {
    let (sendgrid, client) = start().await;
    let der = certificate();
    sendgrid.add_row(OKTA, &der, true);
    let mut texts = Vec::new();
    for style in [
        PemStyle::AsSent,
        PemStyle::Crlf,
        PemStyle::NoFinalNewline,
        PemStyle::OneLine,
        PemStyle::Unarmoured,
    ] {
        sendgrid.behave(|it| it.pem = style);
        let row = client.list(OKTA).await.json()[0].clone();
        texts.push(row["public_certificate"].as_str().unwrap().to_owned());
    }
    for text in &texts[..4] {
        assert_eq!(certificate::read_pem(text), Ok(der.clone()));
    }
    assert_eq!(texts[1].matches("\r\n").count(), texts[0].lines().count());
    assert!(texts[0].ends_with("-----\n") && texts[2].ends_with("-----"));
    assert_eq!(texts[3].lines().count(), 3);
    assert!(!texts[4].contains('-') && !texts[4].contains('\n'));
}

#[tokio::test]
async fn the_integration_is_named_misspelt_spelt_or_not_at_all() {
    let (sendgrid, client) = start().await;
    sendgrid.add_row(OKTA, &certificate(), true);
    for (style, misspelt, spelt) in [
        (IntegrationKey::Misspelt, true, false),
        (IntegrationKey::Spelt, false, true),
        (IntegrationKey::Absent, false, false),
    ] {
        sendgrid.behave(|it| it.integration_key = style);
        let row = client.list(OKTA).await.json()[0].clone();
        assert_eq!(row.get("intergration_id").is_some(), misspelt);
        assert_eq!(row.get("integration_id").is_some(), spelt);
    }
}

#[tokio::test]
async fn errors_come_in_every_form() {
    let (sendgrid, client) = start().await;
    let mut bodies = Vec::new();
    for style in [
        ErrorBody::Errors,
        ErrorBody::BareArray,
        ErrorBody::Single,
        ErrorBody::Empty,
        ErrorBody::Html,
        ErrorBody::InvalidJson,
    ] {
        sendgrid.behave(|it| it.errors = style);
        sendgrid.script(Rule::next(Operation::List, Fault::refuse(500)));
        let got = client.list(OKTA).await;
        assert_eq!(got.status, 500);
        bodies.push(got.body);
    }
    assert_eq!(
        bodies[0],
        r#"{"errors":[{"field":null,"message":"internal server error"}]}"#
    );
    assert_eq!(
        bodies[1],
        r#"[{"error_id":"simulator-500","field":null,"message":"internal server error"}]"#
    );
    assert_eq!(bodies[2], r#"{"error":"internal server error"}"#);
    assert_eq!(bodies[3], "");
    assert!(bodies[4].starts_with("<html>"));
    assert!(bodies[5].ends_with(",]}"));
}

#[tokio::test]
async fn what_nobody_knows_can_be_played_both_ways() {
    let (sendgrid, client) = start().await;
    let der = certificate();
    assert_eq!(client.create(&der).await.status, 200);
    assert_eq!(client.create(&der).await.status, 200);
    sendgrid.behave(|it| it.duplicates = Duplicates::Refused);
    assert_eq!(client.create(&der).await.status, 400);

    let ahead = certificate_between(2090, 2100);
    assert_eq!(client.create(&ahead).await.status, 200);
    sendgrid.behave(|it| it.refuses_not_yet_valid = true);
    assert_eq!(
        client.create(&certificate_between(2091, 2100)).await.status,
        400
    );

    sendgrid.behave(|it| {
        it.create_status = 201;
        it.delete = DeleteAnswer::NoContent;
    });
    assert_eq!(client.create(&certificate()).await.status, 201);
    let deleted = client.by_id("DELETE", 66_138_975, &Value::Null).await;
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
}

#[tokio::test]
async fn a_wrong_clock_shows_in_the_date() {
    let (sendgrid, client) = start().await;
    let right = client.list(OKTA).await;
    sendgrid.behave(|it| it.clock_skew_secs = 400 * 86_400);
    let wrong = client.list(OKTA).await;
    let date = |got: &Got| {
        let text = got.header("Date").unwrap();
        chrono::DateTime::parse_from_rfc2822(text)
            .unwrap()
            .timestamp()
    };
    let ahead = date(&wrong) - date(&right);
    assert!(
        (400 * 86_400..400 * 86_400 + 60).contains(&ahead),
        "{ahead}"
    );
}

// The rate limit.

#[tokio::test]
async fn past_the_limit_there_is_a_429_and_a_request_too_early_breaks_a_rule() {
    let (sendgrid, client) = start().await;
    let free = client.list(OKTA).await;
    assert_eq!(free.header("X-Ratelimit-Limit"), None);
    sendgrid.limit_rate(Some(RateLimit::new(2, CENTURY)));

    let first = client.list(OKTA).await;
    assert_eq!(first.header("X-Ratelimit-Limit"), Some("2"));
    assert_eq!(first.header("X-Ratelimit-Remaining"), Some("1"));
    assert_eq!(first.header("X-Ratelimit-Reset"), Some("3155760000"));
    assert_eq!(
        client.list(OKTA).await.header("X-Ratelimit-Remaining"),
        Some("0")
    );
    let refused = client.list(OKTA).await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json(),
        json!({"errors": [{"field": null, "message": "too many requests"}]})
    );
    assert_eq!(refused.header("Retry-After"), None);
    assert_eq!(sendgrid.check(), Vec::<String>::new());

    let early = client.list(OKTA).await;
    assert_eq!(early.status, 429);
    assert_eq!(sendgrid.check().len(), 1, "{:?}", sendgrid.check());
    assert!(sendgrid.check()[0].contains("before the end of the wait"));
}

#[tokio::test]
async fn an_error_counts_and_says_what_remains() {
    let (sendgrid, client) = start().await;
    sendgrid.limit_rate(Some(RateLimit::new(2, CENTURY)));
    sendgrid.script(Rule::next(Operation::List, Fault::refuse(503)));
    let failed = client.list(OKTA).await;
    assert_eq!(failed.status, 503);
    assert_eq!(failed.header("X-Ratelimit-Remaining"), Some("1"));
}

#[test]
fn windows_are_fixed_and_each_reading_of_the_reset_is_played() {
    let at = Duration::from_millis;
    let header = |limiter: &mut Limiter, account, ms, name| {
        let verdict = limiter.count(account, at(ms), 100).unwrap();
        let found = verdict.headers.iter().find(|(it, _)| it == name);
        (verdict.wait, found.map(|(_, value)| value.clone()))
    };
    let rate = RateLimit::new(1, at(2000));

    let mut epoch = Limiter::new(Some(rate.retry_after(RetryAfter::Date)));
    assert_eq!(
        header(&mut epoch, "a", 10_500, "X-Ratelimit-Reset"),
        (None, Some("112".to_owned()))
    );
    assert_eq!(
        header(&mut epoch, "a", 10_600, "Retry-After"),
        (
            Some(at(1400)),
            Some("Thu, 01 Jan 1970 00:01:52 GMT".to_owned())
        )
    );
    assert_eq!(header(&mut epoch, "b", 10_700, "Retry-After").0, None);
    assert_eq!(header(&mut epoch, "a", 12_000, "Retry-After").0, None);

    let delta = rate
        .reset(ResetStyle::Delta)
        .retry_after(RetryAfter::Seconds);
    let mut delta = Limiter::new(Some(delta));
    assert_eq!(
        header(&mut delta, "a", 10_500, "X-Ratelimit-Reset"),
        (None, Some("2".to_owned()))
    );
    assert_eq!(
        header(&mut delta, "a", 11_500, "Retry-After"),
        (Some(at(1000)), Some("1".to_owned()))
    );
}
