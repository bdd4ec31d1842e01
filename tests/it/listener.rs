//! The read-only listener: who is answered, and with what.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::certificates::valid;
use crate::harness::{OKTA, Stage, exchange, integration};

/// Every metric there is, as the reference lists them, with its type. What needs an event to exist is last.
const ALWAYS: &[(&str, &str)] = &[
    ("sso_certd_build_info", "gauge"),
    ("sso_certd_config_last_reload_successful", "gauge"),
    (
        "sso_certd_config_last_reload_success_timestamp_seconds",
        "gauge",
    ),
    ("sso_certd_integration_info", "gauge"),
    ("sso_certd_integration_in_step", "gauge"),
    ("sso_certd_integration_trusted_certificates", "gauge"),
    (
        "sso_certd_integration_latest_expiry_timestamp_seconds",
        "gauge",
    ),
    ("sso_certd_integration_valid_certificates", "gauge"),
    (
        "sso_certd_integration_valid_until_timestamp_seconds",
        "gauge",
    ),
    ("sso_certd_integration_certificates_withheld", "gauge"),
    ("sso_certd_integration_successor_known", "gauge"),
    (
        "sso_certd_integration_successor_due_timestamp_seconds",
        "gauge",
    ),
    ("sso_certd_integration_deadline_timestamp_seconds", "gauge"),
    ("sso_certd_integration_attention", "gauge"),
    ("sso_certd_integration_paused", "gauge"),
    ("sso_certd_integration_open_intents", "gauge"),
    (
        "sso_certd_integration_reconcile_last_success_timestamp_seconds",
        "gauge",
    ),
    ("sso_certd_integration_reconcile_failures_total", "counter"),
    ("sso_certd_approvals_pending", "gauge"),
    (
        "sso_certd_approval_oldest_pending_timestamp_seconds",
        "gauge",
    ),
    ("sso_certd_certificates", "gauge"),
    ("sso_certd_certificate_not_after_timestamp_seconds", "gauge"),
    (
        "sso_certd_certificate_not_before_timestamp_seconds",
        "gauge",
    ),
    ("sso_certd_certificate_info", "gauge"),
    ("sso_certd_source_up", "gauge"),
    ("sso_certd_source_last_scan_timestamp_seconds", "gauge"),
    ("sso_certd_source_files", "gauge"),
    ("sso_certd_source_refused_files", "gauge"),
    ("sso_certd_source_refusals_total", "counter"),
    ("sso_certd_source_scan_duration_seconds", "histogram"),
    ("sso_certd_watch_active", "gauge"),
    ("sso_certd_watch_restarts_total", "counter"),
    ("sso_certd_watch_events_total", "counter"),
    ("sso_certd_watch_missed_changes_total", "counter"),
    ("sso_certd_reconciles_total", "counter"),
    ("sso_certd_reconcile_duration_seconds", "histogram"),
    ("sso_certd_actions_total", "counter"),
    ("sso_certd_api_requests_total", "counter"),
    ("sso_certd_api_request_duration_seconds", "histogram"),
    ("sso_certd_api_rate_limit_requests", "gauge"),
    ("sso_certd_api_rate_limit_remaining_requests", "gauge"),
    ("sso_certd_api_rate_limit_reset_timestamp_seconds", "gauge"),
    ("sso_certd_api_backoff_until_timestamp_seconds", "gauge"),
    ("sso_certd_api_clock_skew_seconds", "gauge"),
    ("sso_certd_api_key_valid", "gauge"),
    ("sso_certd_schedule_next_run_timestamp_seconds", "gauge"),
    ("sso_certd_schedule_last_due_timestamp_seconds", "gauge"),
    ("sso_certd_ledger_writable", "gauge"),
    ("sso_certd_ledger_errors_total", "counter"),
    ("process_start_time_seconds", "gauge"),
];

/// Those that exist only while there is something to tell.
const SOMETIMES: &[&str] = &[
    "sso_certd_integration_deadline_timestamp_seconds",
    "sso_certd_approval_oldest_pending_timestamp_seconds",
    "sso_certd_api_backoff_until_timestamp_seconds",
    "sso_certd_schedule_last_due_timestamp_seconds",
];

#[tokio::test]
async fn the_metrics_are_well_formed_and_all_there() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let limit = crate::simulator::RateLimit::new(600, Duration::from_secs(60));
    stage.sendgrid.limit_rate(Some(limit));
    let certificate = valid("measured \"quoted\" \\ and back");
    stage.home.put("okta", "measured.pem", &certificate.pem);
    let private = valid("private");
    let with_key = private.pem.clone() + &private.private_key();
    stage.home.put("okta", "private.pem", &with_key);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;

    let metrics = daemon.metrics().await;
    for (name, kind) in ALWAYS {
        let told = metrics.families.iter().find(|it| it.0 == *name);
        match told {
            Some((_, told)) => assert_eq!(told, kind, "{name}"),
            None => assert!(SOMETIMES.contains(name), "{name} is missing"),
        }
    }
    for (name, _) in &metrics.families {
        let is_known = ALWAYS.iter().any(|it| it.0 == name) || name.starts_with("process_");
        assert!(is_known, "{name} is in no reference");
    }
    let of_okta = metrics
        .samples
        .iter()
        .filter(|it| it.labels.contains_key("integration"));
    assert!(of_okta.count() <= 45);
    let labels = [
        ("integration", "okta"),
        ("fingerprint", &*certificate.short()),
    ];
    let info = metrics
        .all("sso_certd_certificate_info", &labels)
        .next()
        .unwrap();
    let subject = "CN=measured \\\"quoted\\\" \\\\ and back";
    assert_eq!(info.labels["subject"], subject, "RFC 4514, 2.4");
    let not_after = metrics.value("sso_certd_certificate_not_after_timestamp_seconds", &labels);
    assert_eq!(not_after, Some(2_461_449_600.0), "2048-01-01");
    let refused = metrics.value(
        "sso_certd_source_refusals_total",
        &[("reason", "private_key")],
    );
    assert_eq!(refused, Some(1.0));
    let posts = [("operation", "create"), ("code", "200")];
    assert_eq!(
        metrics.value("sso_certd_api_requests_total", &posts),
        Some(1.0)
    );
    let uploads = [("action", "upload"), ("result", "ok")];
    assert_eq!(
        metrics.value("sso_certd_actions_total", &uploads),
        Some(1.0)
    );
}

#[tokio::test]
async fn health_and_status_are_answered() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    assert_eq!(daemon.get("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(daemon.get("/readyz").await, (200, "ok\n".to_owned()));
    let status = daemon.status().await;
    assert_eq!(status["schema"], 1);
    assert_eq!(status["live"], true);
    assert_eq!(integration(&status, "okta")["integration_id"], OKTA);
    assert_eq!(integration(&status, "okta")["source"]["watched"], true);
    assert_eq!(daemon.get("/").await.0, 200);
    assert_eq!(daemon.get("/nothing").await.0, 404);
}

#[tokio::test]
async fn only_loopback_hosts_are_answered_on_loopback() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let address = daemon.address();
    for path in [
        "/",
        "/metrics",
        "/livez",
        "/readyz",
        "/status.json",
        "/nothing",
    ] {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "10.1.2.3",
            "",
            "[::2]",
        ] {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let (code, body) = exchange(address, &request).await.unwrap();
            assert_eq!(code, 421, "{host:?} {path}: {body}");
            assert!(!body.contains("okta"), "{body}");
        }
        let port = address.port();
        for host in [
            format!("127.0.0.1:{port}"),
            "localhost".to_owned(),
            format!("[::1]:{port}"),
        ] {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let (code, _) = exchange(address, &request).await.unwrap();
            assert_ne!(code, 421, "{host:?} {path}");
        }
    }
}

#[tokio::test]
async fn elsewhere_any_host_is_answered() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("listen", "[http]\nlisten = \"0.0.0.0:0\"\n");
    let daemon = stage.start().await;
    let address = (Ipv4Addr::LOCALHOST, daemon.address().port()).into();
    for path in ["/", "/metrics", "/livez", "/readyz", "/status.json"] {
        for host in ["10.1.2.3:9465", "sso-certd.monitoring.svc", ""] {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let (code, body) = exchange(address, &request).await.unwrap();
            assert_eq!(code, 200, "{host:?} {path}: {body}");
        }
    }
}

#[tokio::test]
async fn nothing_can_be_changed_through_it() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificate = valid("kept");
    let daemon = stage.start().await;
    daemon.has_compared().await;
    stage.home.put("okta", "kept.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    let address = daemon.address();
    let before = stage.sendgrid.history().requests().count();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        for path in ["/", "/metrics", "/status.json"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let (code, _) = exchange(address, &request).await.unwrap();
            assert_eq!(code, 405, "{method} {path}");
        }
    }
    let sync = r#"{"verb":{"sync":{"wait":false}},"names":[],"json":false,"width":80,"color":false,"utf8":true}"#;
    let request = format!(
        "POST /ask HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{sync}",
        sync.len()
    );
    let (code, body) = exchange(address, &request).await.unwrap();
    assert_eq!(code, 200, "{body}");
    assert!(body.contains("\"exit\":77"), "{body}");
    assert_eq!(stage.sendgrid.history().requests().count(), before);
}

#[tokio::test]
async fn a_slow_client_disturbs_nobody() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let mut slow = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHo")
            .await
            .unwrap();
        slow.push(stream);
    }
    let certificate = valid("undisturbed");
    stage.home.put("okta", "undisturbed.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn more_half_heads_than_there_are_places_hold_nothing_up() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHo")
            .await
            .unwrap();
        slow.push(stream);
    }
    let began = Instant::now();
    let certificate = valid("unhurried");
    stage.home.put("okta", "unhurried.pem", &certificate.pem);
    stage
        .sendgrid_has(&daemon, "the row is there", |it| it.rows().count() == 1)
        .await;
    // Much sooner than any of them has taken too long.
    let posts = [("operation", "create"), ("code", "200")];
    let scraped = daemon.measures("sso_certd_api_requests_total", &posts, 1.0);
    if timeout(Duration::from_secs(3), scraped).await.is_err() {
        daemon.fail("a scrape is answered in time");
    }
    assert!(began.elapsed() < Duration::from_secs(6), "not held up");
    // It is closed, or reset, as half a head is left unread.
    let mut rest = String::new();
    if let Err(error) = slow[0].read_to_string(&mut rest).await {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert!(!rest.contains("200 OK"), "{rest}");
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn seconds_of_cpu_are_counted_with_fractions() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let used = async || {
        let metrics = daemon.metrics().await;
        metrics.value("process_cpu_seconds_total", &[]).unwrap()
    };
    let before = used().await;
    assert!(before > 0.0, "a start takes a part of a second: {before}");
    assert!(before.fract() > 0.0, "{before}");
    assert!(used().await > before);
}
