//! TLS, and connections that end as no client wishes.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use super::*;

async fn start_as(identity: Identity) -> Simulator {
    let mut options = Options::one_account(KEY, &[("okta", OKTA)]);
    options.tls = Some(identity);
    Simulator::start(options).await
}

/// What a client that believes the authority alone gets: an answer, or why it did not even ask.
async fn ask(sendgrid: &Simulator) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    let authority = sendgrid.authority_pem().unwrap();
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(sendgrid.address()).await?;
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await?;
    let request = format!(
        "GET /v3/scopes HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // It ends without a `close_notify`, as many servers do.
    stream.read_to_end(&mut answer).await.ok();
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn as_itself_it_is_believed_and_as_anybody_else_it_is_not_even_asked() {
    let sendgrid = start_as(Identity::Good).await;
    assert!(sendgrid.url().starts_with("https://127.0.0.1:"));
    let answer = timeout(LIMIT, ask(&sendgrid)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let refusals = [
        (Identity::WrongHost, "not valid for name"),
        (Identity::Expired, "expired"),
        (Identity::NotYetValid, "not valid yet"),
        (Identity::SelfSigned, "UnknownIssuer"),
        (Identity::UnknownAuthority, "BadSignature"),
        (Identity::OldProtocol, "peer is incompatible"),
    ];
    for (index, (identity, why)) in refusals.into_iter().enumerate() {
        sendgrid.present(identity);
        let refused = timeout(LIMIT, ask(&sendgrid)).await.unwrap().unwrap_err();
        assert!(refused.to_string().contains(why), "{identity}: {refused}");
        let recorded = sendgrid.wait_for(LIMIT, |it| it.history().failed_handshakes() == index + 1);
        recorded.await.unwrap();
    }
    let history = sendgrid.history();
    assert_eq!(history.requests().count(), 1, "{history}");
    assert!(history.to_string().contains("alert"), "{history}");

    sendgrid.present(Identity::Good);
    timeout(LIMIT, ask(&sendgrid)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_can_be_reset_at_its_head() {
    let (sendgrid, client) = start().await;
    let reset = Fault::new(Commit::Never, Reply::ResetAtHead);
    sendgrid.script(Rule::next(Operation::Create, reset));
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    let head = format!(
        "POST /v3/sso/certificates HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n{}\r\n\r\n",
        client.headers.join("\r\n")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let ended = timeout(LIMIT, stream.read_u8()).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let history = sendgrid.history();
    let post = history.requests().next().unwrap();
    assert!(post.without_body && post.authorization, "{history}");
    assert_eq!((post.status, post.row), (None, None), "{history}");
    assert_eq!(sendgrid.check(), Vec::<String>::new());

    assert_eq!(client.create(&certificate()).await.status, 200);
    assert_eq!(sendgrid.history().count(Operation::Create), 2);
}

#[tokio::test]
async fn a_connection_that_idles_is_ended_when_it_is_used_again() {
    let (sendgrid, _client) = start().await;
    let limit = Duration::from_millis(10);
    sendgrid.behave(|it| it.close_idle_after = Some(limit));
    let mut stream = TcpStream::connect(sendgrid.address()).await.unwrap();
    let request = format!(
        "GET /v3/scopes HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    );
    // A connection that was not used yet is not idle.
    tokio::time::sleep(2 * limit).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"]}") {
        answer.push(timeout(LIMIT, stream.read_u8()).await.unwrap().unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.to_lowercase().contains("connection:"), "{answer}");

    tokio::time::sleep(2 * limit).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let ended = timeout(LIMIT, stream.read_u8()).await.unwrap();
    assert!(ended.is_err());
    let history = sendgrid.history();
    let second = history.requests().nth(1).unwrap();
    assert_eq!(
        (second.status, second.without_body),
        (None, true),
        "{history}"
    );
}
