//! What the tests of this folder share: one certificate, its reader, and servers that speak raw bytes.

use std::io::{Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::domain::{
    Certificate, CertificateParts, KeyAlgorithm, SignatureHash, Timestamp, Validity,
};

/// A certificate as it is sent and as it is known.
pub(super) struct Sample {
    pub(super) pem: String,
    pub(super) certificate: Certificate,
}

/// The same certificate at every call.
pub(super) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["idp.example.com".to_owned()]).unwrap();
        let pem = made.cert.pem().replace("\r\n", "\n");
        let certificate = read_listed(&pem).unwrap();
        Sample { pem, certificate }
    })
}

/// Reads PEM, without any judgement: fingerprints are all that these tests compare.
pub(super) fn read_listed(pem: &str) -> Option<Certificate> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(Certificate::new(CertificateParts {
        der: &der,
        subject_public_key_info: &der,
        validity: Validity {
            not_before: Timestamp::from_secs(0),
            not_after: Timestamp::from_secs(0),
        },
        subject: String::new(),
        issuer: String::new(),
        self_signed: true,
        may_issue: false,
        serial: &[1],
        key: KeyAlgorithm::P256,
        signature: SignatureHash::Sha256,
        remarks: Vec::new(),
    }))
}

/// A server on loopback that hands each connection, and its number from 0, to a closure on a thread of its own.
pub(super) struct Server {
    pub(super) port: u16,
    requests: Receiver<String>,
}

/// Reads whole requests of one connection; each is told to the [`Server`].
pub(super) struct Requests(mpsc::Sender<String>);

impl Server {
    pub(super) fn start(
        serve: impl Fn(TcpStream, usize, &Requests) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = mpsc::channel();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (serve, sender) = (Arc::clone(&serve), sender.clone());
                let stream = stream.unwrap();
                std::thread::spawn(move || serve(stream, number, &Requests(sender)));
            }
        });
        Self { port, requests }
    }

    /// Answers every request with these bytes, and closes the connection.
    pub(super) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream, _, requests| {
            if requests.read(&mut stream).is_some() {
                // The client may have stopped reading a long answer.
                drop(stream.write_all(&bytes));
            }
        })
    }

    /// The next request that some connection read whole.
    pub(super) fn next_request(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(5)).unwrap()
    }

    /// How many requests came that nobody asked for yet.
    pub(super) fn more_requests(&self) -> usize {
        self.requests.try_iter().count()
    }
}

impl Requests {
    /// One request with its body; none if the client closed the connection.
    pub(super) fn read(&self, stream: &mut impl std::io::Read) -> Option<String> {
        let mut bytes = Vec::new();
        let head = loop {
            let mut byte = [0];
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            bytes.push(byte[0]);
            if bytes.ends_with(b"\r\n\r\n") {
                break String::from_utf8(bytes).unwrap();
            }
        };
        let length = head
            .lines()
            .find_map(|it| it.strip_prefix("content-length: "))
            .map_or(0, |it| it.parse().unwrap());
        let mut body = String::new();
        stream.take(length).read_to_string(&mut body).unwrap();
        let request = head + &body;
        self.0.send(request.clone()).ok()?;
        Some(request)
    }
}

/// A 200 with this body.
pub(super) fn ok(body: &str) -> String {
    response("200 OK", "", body)
}

/// An answer with these header lines, each ended by CRLF, and this body.
pub(super) fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// A TLS server that answers each connection's first request with an empty list.
pub(super) fn tls_server(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Server {
    install_tls();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    Server::start(move |stream, _, requests| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        if requests.read(&mut stream).is_some() {
            stream.write_all(ok("[]").as_bytes()).unwrap();
        }
    })
}

/// Installs the TLS provider of this process, once.
pub(super) fn install_tls() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // Another module's test may have been first.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    });
}
