//! TLS: an authority of this simulator's own, and every way in which a server can fail to be who it should be.
//!
//! Keys and certificates are made at each start and are kept nowhere.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// What a client finds that wants a secure connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// A certificate for 127.0.0.1, signed by the authority.
    Good,
    /// The same for another host.
    WrongHost,
    /// The same, over since 2011.
    Expired,
    /// The same, from 2048 on.
    NotYetValid,
    /// A certificate for 127.0.0.1 that is signed by nobody else.
    SelfSigned,
    /// One of another authority that has the same name.
    UnknownAuthority,
    /// TLS 1.1 at most, so no certificate is ever seen.
    OldProtocol,
}

impl Identity {
    pub const ALL: [Self; 7] = [
        Self::Good,
        Self::WrongHost,
        Self::Expired,
        Self::NotYetValid,
        Self::SelfSigned,
        Self::UnknownAuthority,
        Self::OldProtocol,
    ];
}

/// As on the command line.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::WrongHost => "wrong-host",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::SelfSigned => "self-signed",
            Self::UnknownAuthority => "unknown-authority",
            Self::OldProtocol => "tls-1.1",
        })
    }
}

/// The secure side of the port.
pub struct Tls {
    authority: Authority,
    presented: Mutex<Presented>,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

#[derive(Clone)]
enum Presented {
    Certificate(TlsAcceptor),
    OldProtocol,
}

impl Tls {
    pub fn new(identity: Identity) -> Self {
        let authority = authority();
        Self {
            presented: Mutex::new(presented(&authority, identity)),
            authority,
        }
    }

    /// The authority's certificate, for a client's `ca_file`.
    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// Presents another identity to new connections; the authority stays.
    pub fn present(&self, identity: Identity) {
        *super::server::lock(&self.presented) = presented(&self.authority, identity);
    }

    /// Makes a connection secure, if the client likes what it is presented with.
    pub async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let presented = super::server::lock(&self.presented).clone();
        match presented {
            Presented::Certificate(acceptor) => acceptor.accept(stream).await,
            Presented::OldProtocol => Err(offer_tls_1_1(stream).await?),
        }
    }
}

fn presented(authority: &Authority, identity: Identity) -> Presented {
    let years = match identity {
        Identity::Expired => (2001, 2011),
        Identity::NotYetValid => (2048, 2049),
        _ => (2024, 2048),
    };
    let host = match identity {
        Identity::WrongHost => SanType::IpAddress(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
        _ => SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    let params = params("simulated SendGrid", years, vec![host]);
    let key = new_key();
    let certificate = match identity {
        Identity::OldProtocol => return Presented::OldProtocol,
        Identity::SelfSigned => params.self_signed(&key),
        Identity::UnknownAuthority => params.signed_by(&key, &self::authority()),
        _ => params.signed_by(&key, authority),
    };
    Presented::Certificate(acceptor(&possible(certificate), &key))
}

fn authority() -> Authority {
    let mut params = params("authority of the simulator", (2024, 2048), Vec::new());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    possible(CertifiedIssuer::self_signed(params, new_key()))
}

fn params(name: &str, (from, to): (i32, i32), hosts: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = hosts;
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

fn new_key() -> KeyPair {
    possible(KeyPair::generate())
}

/// With `aws-lc-rs`, whatever the process has installed: no other provider comes into the tree.
fn acceptor(certificate: &rcgen::Certificate, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|it| {
            it.with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
        });
    TlsAcceptor::from(Arc::new(possible(config)))
}

#[expect(
    clippy::expect_used,
    reason = "all of it is made here, so this is a fault of the simulator"
)]
fn possible<T, E: fmt::Debug>(made: Result<T, E>) -> T {
    made.expect("a certificate made here can be used")
}

/// Reads a `ClientHello` and offers TLS 1.1, by hand: no library here still speaks it. Gives what the client made of it.
async fn offer_tls_1_1(mut stream: TcpStream) -> io::Result<io::Error> {
    read_record(&mut stream).await?;
    // A `ServerHello` (RFC 4346, 7.4.1.3): no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let (head, random) = ([22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2], [0; 32]);
    let hello = [&head[..], &random, &[0, 0x00, 0x2f, 0]].concat();
    stream.write_all(&hello).await?;
    stream.flush().await?;
    let answer = read_record(&mut stream).await?;
    Ok(io::Error::other(match answer.as_slice() {
        [21, level, description] => format!("refused TLS 1.1 by alert {level}/{description}"),
        _ => "went on in TLS 1.1".to_owned(),
    }))
}

/// One record (RFC 8446, 5.1), as its type and its content.
async fn read_record(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let [kind, _, _, high, low] = {
        let mut head = [0; 5];
        stream.read_exact(&mut head).await?;
        head
    };
    let mut record = vec![0; 1 + usize::from(u16::from_be_bytes([high, low]))];
    if let Some((first, content)) = record.split_first_mut() {
        *first = kind;
        stream.read_exact(content).await?;
    }
    Ok(record)
}
