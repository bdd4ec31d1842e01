//! What the simulator itself is held to.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sso_certd::domain::Fingerprint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::*;

mod faithful;
mod hostile;
mod secure;
mod verdict;

const KEY: &str = "SG.the-key-of-the-tests";
const OKTA: &str = "b0b98502-9408-4b24-9e3d-31ed7cb15312";
const ENTRA: &str = "5d1d6b0c-6a4e-4a5e-8f6f-0c1f9a3f7f11";
const LIMIT: Duration = Duration::from_secs(10);
/// The first window of this length ends in 2070.
const CENTURY: Duration = Duration::from_secs(3_155_760_000);

/// A client that speaks HTTP by hand, one connection a request.
struct Client {
    address: SocketAddr,
    headers: Vec<String>,
}

/// An answer, as far as it came.
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Client {
    fn new(sendgrid: &Simulator, key: &str) -> Self {
        Self {
            address: sendgrid.address(),
            headers: vec![
                format!("Authorization: Bearer {key}"),
                "Accept: application/json".to_owned(),
                "Content-Type: application/json".to_owned(),
            ],
        }
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|it| !it.starts_with(name));
        self
    }

    fn with(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// Everything the server sends until it ends the connection.
    async fn raw(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = self.send(method, path, body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8(answer).unwrap())
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: sendgrid\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n\r\n{body}",
            body.len(),
            self.headers.join("\r\n"),
        );
        stream.write_all(request.as_bytes()).await?;
        Ok(stream)
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Got {
        let raw = timeout(LIMIT, self.raw(method, path, body))
            .await
            .expect("an answer within the limit")
            .expect("an answer");
        let (head, body) = raw.split_once("\r\n\r\n").expect("a whole head");
        Got {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    async fn list(&self, integration: &str) -> Got {
        let path = format!("/v3/sso/integrations/{integration}/certificates");
        self.ask("GET", &path, "").await
    }

    async fn create(&self, der: &[u8]) -> Got {
        self.ask("POST", "/v3/sso/certificates", &create_body(der))
            .await
    }

    async fn by_id(&self, method: &str, id: u64, body: &Value) -> Got {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.ask(method, &format!("/v3/sso/certificates/{id}"), &body)
            .await
    }
}

async fn start() -> (Simulator, Client) {
    start_with(Options::one_account(
        KEY,
        &[("okta", OKTA), ("entra", ENTRA)],
    ))
    .await
}

async fn start_with(options: Options) -> (Simulator, Client) {
    let sendgrid = Simulator::start(options).await;
    let client = Client::new(&sendgrid, KEY);
    (sendgrid, client)
}

fn certificate_between(first: i32, last: i32) -> Vec<u8> {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.not_before = rcgen::date_time_ymd(first, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(last, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    parameters.self_signed(&key).unwrap().der().to_vec()
}

fn certificate() -> Vec<u8> {
    certificate_between(2020, 2100)
}

fn create_body(der: &[u8]) -> String {
    json!({"public_certificate": certificate::write_pem(der), "integration_id": OKTA, "enabled": true}).to_string()
}
