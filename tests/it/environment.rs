//! Proxies, roots and key logs come from the configuration, never from the environment.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::PrivateKeyDer;

use crate::harness::{OKTA, Stage, integration, quoted};

/// A TLS server of its own authority that answers everything with an empty list.
struct Tls {
    address: SocketAddr,
    authority: String,
}

impl Tls {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It ends with the process: nothing ever waits for it.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = Arc::clone(&config);
                std::thread::spawn(move || answer(stream, config));
            }
        });
        Self {
            address,
            authority: made.cert.pem(),
        }
    }
}

/// One request, one answer; a client that does not trust us hangs up.
fn answer(stream: TcpStream, config: Arc<rustls::ServerConfig>) -> Option<()> {
    let connection = rustls::ServerConnection::new(config).ok()?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]";
    stream.write_all(text.as_bytes()).ok()?;
    stream.flush().ok()
}

/// Somewhere no connection may go, counting those that do.
fn trap() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, count)
}

fn hostile(command: &mut std::process::Command, proxy: SocketAddr, roots: &Path, key_log: &Path) {
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        let url = format!("http://{proxy}");
        command.env(name, &url).env(name.to_lowercase(), &url);
    }
    command
        .env("SSL_CERT_FILE", roots)
        .env("SSL_CERT_DIR", roots)
        .env("SSLKEYLOGFILE", key_log)
        .env("SSO_CERTD_PORT", "tcp://10.0.0.1:80")
        .env("RUST_LOG", "trace");
}

#[tokio::test]
async fn the_environment_changes_neither_the_way_nor_the_trust_nor_the_secrecy() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let tls = Tls::start();
    let (proxy, visits) = trap();
    let (authority, key_log) = (stage.home.path("authority.pem"), stage.home.path("keys"));
    std::fs::write(&authority, &tls.authority).unwrap();
    let (address, path) = (tls.address, quoted(&authority));
    stage.home.set(
        "tls",
        &format!("[accounts.default]\nbase_url = \"https://{address}\"\nca_file = {path}\n"),
    );
    let nowhere = stage.home.path("nowhere");
    let mut daemon = stage.spawn(|it| hostile(it, proxy, &nowhere, &key_log));
    daemon.started().await;
    daemon.has_compared().await;
    assert_eq!(visits.load(Ordering::SeqCst), 0, "nobody went to the proxy");
    assert!(!key_log.exists(), "no session key was written");
    assert!(!daemon.log().contains("TRACE"), "{}", daemon.log());
}

#[tokio::test]
async fn roots_of_the_environment_are_not_trusted() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let tls = Tls::start();
    let (proxy, visits) = trap();
    let (authority, key_log) = (stage.home.path("authority.pem"), stage.home.path("keys"));
    std::fs::write(&authority, &tls.authority).unwrap();
    let other = stage.home.path("other.pem");
    std::fs::write(&other, crate::certificates::valid("other authority").pem).unwrap();
    let (address, other) = (tls.address, quoted(&other));
    stage.home.set(
        "tls",
        &format!("[accounts.default]\nbase_url = \"https://{address}\"\nca_file = {other}\n"),
    );
    let mut daemon = stage.spawn(|it| hostile(it, proxy, &authority, &key_log));
    daemon.started().await;
    daemon
        .shows("the certificate is refused", |it| {
            integration(it, "okta")["failure"]["text"].is_string()
        })
        .await;
    let tls_failures = [("operation", "list"), ("code", "tls")];
    let metrics = daemon.metrics().await;
    let failures = metrics.sum("sso_certd_api_requests_total", &tls_failures);
    assert!(failures >= 1.0, "{}", daemon.log());
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}
