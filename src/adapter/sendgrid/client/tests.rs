use std::future::Future;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::sync::OnceLock;

use super::super::error::{TlsProblem, Unsent};
use super::super::testing::{Server, install_tls, ok, read_listed, response, sample, tls_server};
use super::super::transport::{BaseUrlError, check_base_url};
use super::*;
use crate::domain::RowContent;
use crate::plan::gate::Operation;

const KEY: &str = "SG.abcDEF-_123.xyz";

fn integration() -> IntegrationId {
    IntegrationId::parse("b0b98502-9408-4b24-9e3d-31ed7cb15312").unwrap()
}

fn id(text: &str) -> CertificateId {
    CertificateId::parse(text).unwrap()
}

fn settings(base_url: String) -> ClientSettings {
    static CA: OnceLock<tempfile::NamedTempFile> = OnceLock::new();
    let ca = CA.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &sample().pem).unwrap();
        file
    });
    ClientSettings {
        base_url,
        on_behalf_of: None,
        ca_file: Some(ca.path().to_owned()),
        proxy: None,
        proxy_credentials_file: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
    }
}

fn made(settings: &ClientSettings) -> Result<SendGrid, ClientError> {
    install_tls();
    SendGrid::new(settings, ApiKey::parse(KEY).unwrap(), read_listed)
}

fn client(server: &Server) -> SendGrid {
    made(&settings(format!("http://127.0.0.1:{}", server.port))).unwrap()
}

fn hasty(server: &Server) -> SendGrid {
    made(&ClientSettings {
        request_timeout: Duration::from_millis(100),
        ..settings(format!("http://127.0.0.1:{}", server.port))
    })
    .unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// The failure of a list, its code, and the whole sentence.
fn failed<T: std::fmt::Debug>(answer: Answer<T>) -> (Failure, String, String) {
    let error = answer.result.unwrap_err();
    assert_eq!(answer.observed.report.outcome, error.failure.outcome());
    let text = error.to_string();
    assert!(!text.contains(KEY) && !text.contains("http://"), "{text}");
    (error.failure, answer.observed.code.to_string(), text)
}

fn list_failure(answer: impl Into<Vec<u8>>) -> (Failure, String, String) {
    let server = Server::answering(answer);
    failed(run(client(&server).list(integration())))
}

/// A server that reads each request and never answers.
fn silent() -> Server {
    Server::start(|mut stream, _, requests| while requests.read(&mut stream).is_some() {})
}

#[test]
fn a_list_is_asked_for_with_exactly_these_headers() {
    let server = Server::answering(ok("[]"));
    let answer = run(client(&server).list(integration()));
    assert_eq!(answer.result, Ok(Vec::new()));
    assert_eq!(answer.observed.code, Code::Status(200));
    assert_eq!(answer.observed.report.request.operation, Operation::List);
    let mut lines: Vec<String> = server.next_request().lines().map(str::to_owned).collect();
    assert_eq!(
        lines.remove(0),
        "GET /v3/sso/integrations/b0b98502-9408-4b24-9e3d-31ed7cb15312/certificates HTTP/1.1"
    );
    lines.sort();
    assert_eq!(
        lines,
        [
            String::new(),
            "accept: application/json".to_owned(),
            format!("authorization: Bearer {KEY}"),
            format!("host: 127.0.0.1:{}", server.port),
            format!("user-agent: sso-certd/{}", env!("CARGO_PKG_VERSION")),
        ]
    );
}

#[test]
fn an_upload_is_enabled_and_gives_its_row() {
    let pem = serde_json::to_string(&sample().pem).unwrap();
    let server = Server::answering(response(
        "201 Created",
        "Set-Cookie: a=b\r\n",
        &format!(r#"{{"id": 66138975, "public_certificate": {pem}}}"#),
    ));
    let client = client(&server);
    let row = run(client.create(integration(), &sample().pem))
        .result
        .unwrap()
        .row
        .unwrap();
    assert_eq!(row.id, Some(id("66138975")));
    assert_eq!(row.certificate(), Some(&sample().certificate));
    let request = server.next_request();
    assert!(request.starts_with("POST /v3/sso/certificates HTTP/1.1\r\n"));
    assert!(request.contains("\r\ncontent-type: application/json\r\n"));
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        format!(
            r#"{{"public_certificate":{pem},"integration_id":"{}","enabled":true}}"#,
            integration()
        )
    );
    drop(run(client.scopes()));
    assert!(!server.next_request().contains("cookie"), "none is kept");
}

#[test]
fn each_call_is_one_request_of_its_own_kind() {
    let server = Server::answering(response("204 No Content", "", ""));
    let client = client(&server);
    let seven = id("7");
    run(async {
        let written = client.update_enabled(integration(), &seven, false).await;
        assert_eq!(written.result, Ok(Written { row: None }));
        let written = client.delete(integration(), &seven).await;
        assert_eq!(written.result, Ok(Written { row: None }));
        let written = client.create(integration(), "x").await;
        assert_eq!(written.result, Ok(Written { row: None }));
        drop(client.read(integration(), &seven).await);
        drop(client.read_integration(integration()).await);
        drop(client.integrations().await);
        drop(client.scopes().await);
    });
    for expected in [
        "PATCH /v3/sso/certificates/7 ",
        "DELETE /v3/sso/certificates/7 ",
        "POST /v3/sso/certificates ",
        "GET /v3/sso/certificates/7 ",
        "GET /v3/sso/integrations/b0b98502-9408-4b24-9e3d-31ed7cb15312 ",
        "GET /v3/sso/integrations?si=true ",
        "GET /v3/scopes ",
    ] {
        let request = server.next_request();
        assert!(request.starts_with(expected), "{request}");
        if expected.starts_with("PATCH") {
            assert!(
                request.ends_with("\r\n\r\n{\"enabled\":false}"),
                "{request}"
            );
        }
    }
    assert_eq!(server.more_requests(), 0);
}

#[test]
fn a_read_tells_there_from_not_there() {
    let server = Server::answering(ok(r#"{"id": 7}"#));
    let Ok(ReadAnswer::There(row)) = run(client(&server).read(integration(), &id("7"))).result
    else {
        panic!("it is there")
    };
    assert_eq!(row.content, RowContent::Undecodable);

    let server = Server::answering(response("404 Not Found", "", ""));
    let answer = run(client(&server).read(integration(), &id("7")));
    assert_eq!(answer.result, Ok(ReadAnswer::NotThere));
    assert_eq!(answer.observed.report.outcome, Outcome::NotFound);
    assert_eq!(answer.observed.code, Code::Status(404));
}

#[test]
fn an_integration_is_there_only_if_the_answer_names_it() {
    let read = |answer: String| {
        let server = Server::answering(answer);
        run(client(&server).read_integration(integration()))
    };
    let id = integration().to_string();
    for named in [id.clone(), id.to_uppercase()] {
        let answer = read(ok(&format!(r#"{{"id": "{named}", "enabled": false}}"#)));
        assert_eq!(answer.result, Ok(IntegrationAnswer::There));
        let request = answer.observed.report.request;
        assert_eq!(request.operation, Operation::Read);
    }
    let answer = read(response("404 Not Found", "", ""));
    assert_eq!(answer.result, Ok(IntegrationAnswer::NotThere));
    for body in [
        "{}",
        "[]",
        "null",
        r#"{"id": null}"#,
        r#"{"id": 7}"#,
        r#"{"id": "7c2e9d14-0a5b-4f63-8e21-9b4d6a7f1c05"}"#,
        &format!(r#"[{{"id": "{id}"}}]"#),
    ] {
        let (failure, _, _) = failed(read(ok(body)));
        assert_eq!(failure, Failure::Lost(Lost::Undecodable), "{body}");
    }
    for status in ["403 Forbidden", "429 Too Many Requests", "503 Unavailable"] {
        assert!(read(response(status, "", "")).result.is_err(), "{status}");
    }
}

#[test]
fn every_status_has_its_failure() {
    let said = r#"{"errors": [{"field": null, "message": "because"}]}"#;
    let because = || Some("because".to_owned());
    for (status, certain, failure, text) in [
        (
            "400 Bad Request",
            true,
            Failure::Refused {
                status: 400,
                message: because(),
            },
            "refused (400, because)",
        ),
        (
            "422 Unprocessable",
            true,
            Failure::Refused {
                status: 422,
                message: because(),
            },
            "refused (422, because)",
        ),
        (
            "409 Conflict",
            false,
            Failure::Unexpected {
                status: 409,
                message: because(),
            },
            "unexpected answer (409, because)",
        ),
        (
            "401 Unauthorized",
            true,
            Failure::KeyRejected,
            "SendGrid does not know this key (401)",
        ),
        (
            "403 Forbidden",
            true,
            Failure::Forbidden { message: because() },
            "forbidden (403, because)",
        ),
        ("404 Not Found", true, Failure::NotFound, "not found (404)"),
        (
            "429 Too Many Requests",
            true,
            Failure::RateLimited,
            "rate limited",
        ),
        (
            "406 Not Acceptable",
            true,
            Failure::Refused {
                status: 406,
                message: because(),
            },
            "refused (406, because)",
        ),
        (
            "451 Unavailable",
            true,
            Failure::Refused {
                status: 451,
                message: because(),
            },
            "refused (451, because)",
        ),
        (
            "408 Request Timeout",
            false,
            Failure::Unexpected {
                status: 408,
                message: because(),
            },
            "unexpected answer (408, because)",
        ),
        (
            "425 Too Early",
            false,
            Failure::Unexpected {
                status: 425,
                message: because(),
            },
            "unexpected answer (425, because)",
        ),
        (
            "500 Oops",
            false,
            Failure::ServerError {
                status: 500,
                message: because(),
            },
            "server error (500, because)",
        ),
        (
            "503 Oops",
            false,
            Failure::ServerError {
                status: 503,
                message: because(),
            },
            "server error (503, because)",
        ),
    ] {
        let (found, code, sentence) = list_failure(response(status, "", said));
        assert_eq!(found, failure);
        assert_eq!(found.certainly_not_done(), certain, "{status}");
        assert!(status.starts_with(&code), "{status} {code}");
        assert_eq!(
            sentence,
            format!(
                "cannot list the certificates of integration {}: {text}",
                integration()
            )
        );
    }
}

#[test]
fn rate_headers_are_found_in_any_case_and_kept_as_they_came() {
    let server = Server::answering(response(
        "429 Too Many Requests",
        "X-Ratelimit-Limit: 600\r\nx-ratelimit-REMAINING: 0\r\nX-RateLimit-Reset: 1492362540\r\n\
         Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nDate: Wed, 21 Oct 2015 07:27:00 GMT\r\n",
        "",
    ));
    let report = run(client(&server).list(integration())).observed.report;
    assert_eq!(report.outcome, Outcome::RateLimited);
    let text = |it: &str| Some(it.to_owned());
    assert_eq!(
        report.headers,
        RateHeaders {
            limit: text("600"),
            remaining: text("0"),
            reset: text("1492362540"),
            retry_after: text("Wed, 21 Oct 2015 07:28:00 GMT"),
            date: text("Wed, 21 Oct 2015 07:27:00 GMT"),
        }
    );

    let endless = format!("X-RateLimit-Reset: {}\r\n", "1".repeat(129));
    let server = Server::answering(response("200 OK", &endless, "[]"));
    let report = run(client(&server).list(integration())).observed.report;
    assert_eq!(report.headers, RateHeaders::default());
}

#[test]
fn a_good_status_is_no_good_answer() {
    for body in ["", "<html>", "{}", r#"{"errors": []}"#, r#"[{"id": 1}"#] {
        let (failure, code, _) = list_failure(ok(body));
        assert_eq!(failure, Failure::Lost(Lost::Undecodable), "{body}");
        assert_eq!(code, "decode");
    }
    let server = Server::answering(ok("<html>Welcome</html>"));
    let (failure, ..) = failed(run(client(&server).create(integration(), "x")));
    assert!(!failure.certainly_not_done());
}

#[test]
fn a_cut_or_broken_answer_is_lost() {
    for (answer, expected) in [
        ("", Lost::Reset),
        ("HTTP/1.1 200 OK\r\nContent-Le", Lost::Reset),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]",
            Lost::Reset,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
            Lost::Reset,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]",
            Lost::Reset,
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", Lost::Undecodable),
    ] {
        let (failure, code, _) = list_failure(answer);
        assert_eq!(failure, Failure::Lost(expected), "{answer:?}");
        let expected = if expected == Lost::Reset {
            "reset"
        } else {
            "decode"
        };
        assert_eq!(code, expected, "{answer:?}");
    }
}

#[test]
fn a_reset_connection_is_lost() {
    let server = Server::start(|mut stream, _, requests| {
        requests.read(&mut stream);
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    let (failure, code, text) = failed(run(client(&server).create(integration(), "x")));
    assert_eq!(failure, Failure::Lost(Lost::Reset));
    assert_eq!(code, "reset");
    assert!(
        text.starts_with("cannot upload a certificate to integration b0b9"),
        "{text}"
    );
    server.next_request();
    assert_eq!(server.more_requests(), 0, "one POST and no other");
}

#[test]
fn an_answer_longer_than_any_real_one_is_cut() {
    let two_mib = "x".repeat(2 * LONGEST_BODY);
    for answer in [
        ok(&two_mib),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{two_mib}"),
    ] {
        let (failure, code, _) = list_failure(answer);
        assert_eq!(failure, Failure::Lost(Lost::TooLarge));
        assert_eq!(code, "decode");
    }
    let exact = format!("[{}]", " ".repeat(LONGEST_BODY - 2));
    let server = Server::answering(ok(&exact));
    assert_eq!(
        run(client(&server).list(integration())).result,
        Ok(Vec::new())
    );
}

#[test]
fn a_head_without_end_is_cut() {
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}", "x".repeat(1024 * 1024));
    let (failure, ..) = list_failure(long);
    assert_eq!(failure, Failure::Lost(Lost::TooLarge));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n[]", "X-Many: x\r\n".repeat(1000));
    let (failure, ..) = list_failure(many);
    assert_eq!(failure, Failure::Lost(Lost::TooLarge));
}

#[test]
fn a_long_error_keeps_its_status() {
    let (failure, ..) = list_failure(response("429 Slow Down", "", &"x".repeat(2 * LONGEST_BODY)));
    assert_eq!(failure, Failure::RateLimited);
    let cut = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n[";
    assert_eq!(list_failure(cut).0, Failure::KeyRejected);
}

#[test]
fn silence_and_dripping_end_with_the_time_out() {
    let server = silent();
    let (failure, code, text) = failed(run(hasty(&server).list(integration())));
    assert_eq!(failure, Failure::Lost(Lost::Timeout));
    assert_eq!(code, "timeout");
    assert!(
        text.ends_with(": no answer within the time allowed"),
        "{text}"
    );

    let server = Server::start(|mut stream, _, requests| {
        requests.read(&mut stream);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        let mut drip = stream.write_all(head.as_bytes());
        while drip.is_ok() {
            std::thread::park_timeout(Duration::from_millis(20));
            drip = stream.write_all(b" ");
        }
    });
    let answer = run(hasty(&server).list(integration()));
    assert!(answer.observed.duration >= Duration::from_millis(100));
    assert_eq!(failed(answer).0, Failure::Lost(Lost::Timeout));
}

#[test]
fn a_connection_that_is_refused_was_never_a_request() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let client = made(&settings(format!("http://127.0.0.1:{port}"))).unwrap();
    let (failure, code, text) = failed(run(client.create(integration(), "x")));
    assert_eq!(
        failure,
        Failure::Unsent(Unsent::Connect(Some(io::ErrorKind::ConnectionRefused)))
    );
    assert!(failure.certainly_not_done());
    assert_eq!(code, "connect");
    assert!(
        text.ends_with(": no connection: connection refused"),
        "{text}"
    );
}

#[test]
fn a_name_without_address_was_never_a_request() {
    // RFC 2606, 2: nobody can have it. A machine without a resolver may take too long to find out.
    let client = made(&settings("https://sso-certd.invalid".to_owned())).unwrap();
    let (failure, code, _) = failed(run(client.list(integration())));
    match failure {
        Failure::Unsent(Unsent::Name) => assert_eq!(code, "connect"),
        Failure::Unsent(Unsent::Timeout) => assert_eq!(code, "timeout"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_never_shakes_hands_was_never_asked() {
    let server = silent();
    let client = made(&ClientSettings {
        connect_timeout: Duration::from_millis(50),
        ..settings(format!("https://127.0.0.1:{}", server.port))
    })
    .unwrap();
    let (failure, code, _) = failed(run(client.create(integration(), "x")));
    assert_eq!(failure, Failure::Unsent(Unsent::Timeout));
    assert_eq!(code, "timeout");
}

#[test]
fn no_redirect_is_followed() {
    let elsewhere = Server::answering(ok("[]"));
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("Location: http://127.0.0.1:{}/\r\n", elsewhere.port);
        let server = Server::answering(response(status, &location, ""));
        let client = client(&server);
        let (failure, ..) = failed(run(client.list(integration())));
        assert!(matches!(failure, Failure::Unexpected { .. }), "{status}");
        let (failure, ..) = failed(run(client.create(integration(), "x")));
        assert!(!failure.certainly_not_done(), "{status}");
    }
    assert_eq!(elsewhere.more_requests(), 0);
}

#[test]
fn a_server_that_closes_idle_connections_gets_each_post_once() {
    // It promises to keep the connection, and closes it at once or when the next request is on its way.
    let server = Server::start(|mut stream, number, requests| {
        requests.read(&mut stream);
        stream.write_all(ok("[]").as_bytes()).unwrap();
        if number % 2 == 0 {
            requests.read(&mut stream);
        }
    });
    let client = client(&server);
    run(async {
        for _ in 0..20 {
            client.list(integration()).await.result.unwrap();
            let created = client.create(integration(), "x").await;
            assert_eq!(created.observed.code, Code::Decode, "it was answered");
        }
    });
    for _ in 0..20 {
        assert!(server.next_request().starts_with("GET "));
        assert!(server.next_request().starts_with("POST "));
    }
    assert_eq!(server.more_requests(), 0);
}

#[test]
fn a_new_key_is_used_from_the_next_request_on() {
    let server = Server::answering(ok("[]"));
    let client = client(&server);
    run(async {
        client.list(integration()).await.result.unwrap();
        client.set_key(ApiKey::parse("SG.new").unwrap());
        client.list(integration()).await.result.unwrap();
    });
    assert!(
        server
            .next_request()
            .contains(&format!("authorization: Bearer {KEY}\r\n"))
    );
    assert!(
        server
            .next_request()
            .contains("authorization: Bearer SG.new\r\n")
    );
    assert!(
        !format!("{client:?}").contains("SG."),
        "it never shows itself"
    );
}

#[test]
fn a_parent_account_may_speak_for_another() {
    let server = Server::answering(ok("[]"));
    let mut settings = settings(format!("http://127.0.0.1:{}", server.port));
    settings.on_behalf_of = Some("subuser".to_owned());
    run(made(&settings).unwrap().list(integration()))
        .result
        .unwrap();
    assert!(
        server
            .next_request()
            .contains("\r\non-behalf-of: subuser\r\n")
    );
    settings.on_behalf_of = Some("a\nb: c".to_owned());
    assert_eq!(made(&settings).unwrap_err(), ClientError::OnBehalfOf);
}

/// An issuer, and what a server needs to be believed by who believes it.
struct Pki {
    ca: tempfile::NamedTempFile,
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

impl Pki {
    fn new(name: &str, not_after: i32) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::CertifiedIssuer::self_signed(ca, ca_key).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        leaf.not_after = rcgen::date_time_ymd(not_after, 1, 1);
        let certificate = leaf.signed_by(&key, &issuer).unwrap();
        let ca = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), issuer.pem()).unwrap();
        Self {
            ca,
            certificate,
            key,
        }
    }

    fn settings(&self, server: &Server) -> ClientSettings {
        ClientSettings {
            ca_file: Some(self.ca.path().to_owned()),
            ..settings(format!("https://127.0.0.1:{}", server.port))
        }
    }
}

#[test]
fn the_ca_file_alone_says_who_is_believed() {
    let pki = Pki::new("127.0.0.1", 2099);
    let server = tls_server(&pki.certificate, &pki.key);
    let client = made(&pki.settings(&server)).unwrap();
    assert_eq!(run(client.list(integration())).result, Ok(Vec::new()));
    server.next_request();

    let stranger = Pki::new("127.0.0.1", 2099);
    let client = made(&stranger.settings(&server)).unwrap();
    let (failure, code, _) = failed(run(client.create(integration(), "x")));
    assert_eq!(
        failure,
        Failure::Unsent(Unsent::Tls(TlsProblem::UnknownIssuer))
    );
    assert_eq!(code, "tls");
    assert_eq!(server.more_requests(), 0);
}

#[test]
fn a_certificate_that_is_over_says_set_the_clock() {
    let pki = Pki::new("127.0.0.1", 2020);
    let server = tls_server(&pki.certificate, &pki.key);
    let client = made(&pki.settings(&server)).unwrap();
    let (failure, _, text) = failed(run(client.list(integration())));
    assert_eq!(failure, Failure::Unsent(Unsent::Tls(TlsProblem::Dates)));
    assert!(text.contains("set the clock"), "{text}");
}

#[test]
fn a_certificate_for_another_name_is_not_believed() {
    let pki = Pki::new("api.example.com", 2099);
    let server = tls_server(&pki.certificate, &pki.key);
    let client = made(&pki.settings(&server)).unwrap();
    let (failure, ..) = failed(run(client.list(integration())));
    assert_eq!(failure, Failure::Unsent(Unsent::Tls(TlsProblem::WrongName)));
}

#[test]
fn plaintext_behind_https_is_no_tls() {
    let server = Server::start(|mut stream, _, _| {
        stream.write_all(ok("[]").as_bytes()).unwrap();
    });
    let client = made(&settings(format!("https://127.0.0.1:{}", server.port))).unwrap();
    let (failure, ..) = failed(run(client.list(integration())));
    assert!(matches!(failure, Failure::Unsent(_)), "{failure:?}");
}

#[test]
fn a_proxy_sees_its_credentials_and_a_tunnel_and_never_the_key() {
    let proxy = Server::answering("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let credentials = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(credentials.path(), "user:pass:word\n").unwrap();
    let mut settings = settings("https://api.example.com".to_owned());
    settings.proxy = Some(format!("http://127.0.0.1:{}", proxy.port));
    settings.proxy_credentials_file = Some(credentials.path().to_owned());
    let (failure, code, _) = failed(run(made(&settings).unwrap().list(integration())));
    assert!(
        matches!(failure, Failure::Unsent(Unsent::Connect(_))),
        "{failure:?}"
    );
    assert_eq!(code, "connect");
    let request = proxy.next_request();
    assert!(
        request.starts_with("CONNECT api.example.com:443 "),
        "{request}"
    );
    // base64 of user:pass:word
    assert!(
        request.contains("\r\nproxy-authorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n"),
        "{request}"
    );
    assert!(!request.contains("Bearer"), "{request}");

    std::fs::write(credentials.path(), "user").unwrap();
    let text = made(&settings).unwrap_err().to_string();
    assert!(text.ends_with(" does not hold user:password"), "{text}");
    for wrong in [
        "http://user:pass@127.0.0.1:1",
        "socks5://127.0.0.1:1",
        "proxy",
    ] {
        settings.proxy = Some(wrong.to_owned());
        assert_eq!(made(&settings).unwrap_err(), ClientError::Proxy, "{wrong}");
    }
}

#[test]
fn plain_http_goes_to_this_machine_alone() {
    for good in [
        "https://api.sendgrid.com",
        "https://api.sendgrid.com/",
        "https://api.sendgrid.com:8443",
        "http://127.0.0.1:8080",
        "http://127.1.2.3:8080",
        "http://[::1]:8080",
    ] {
        assert_eq!(check_base_url(good), Ok(()), "{good}");
    }
    for (wrong, expected) in [
        (
            "http://api.example.com",
            "is http to api.example.com; only https carries the key",
        ),
        (
            "http://localhost:8080",
            "is http to localhost; only https carries the key",
        ),
        (
            "http://0.0.0.0:8080",
            "is http to 0.0.0.0; only https carries the key",
        ),
        (
            "http://127.0.0.1.example.com",
            "is http to 127.0.0.1.example.com; only https carries the key",
        ),
    ] {
        let error = check_base_url(wrong).unwrap_err();
        assert_eq!(error.to_string(), expected, "{wrong}");
    }
    for wrong in [
        "",
        "api.sendgrid.com",
        "https://",
        "ftp://api.sendgrid.com",
        "file:///etc/passwd",
        "https://user@api.sendgrid.com",
        "https://:secret@api.sendgrid.com",
        "https://api.sendgrid.com/v3",
        "https://api.sendgrid.com/?x",
        "https://api.sendgrid.com/#x",
    ] {
        let error = check_base_url(wrong).unwrap_err();
        assert_eq!(error, BaseUrlError::Shape, "{wrong}");
        assert!(made(&settings(wrong.to_owned())).is_err(), "{wrong}");
    }
}
