//! Certificates as identity providers and administrators make them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use sso_certd::domain::Fingerprint;

/// A self-signed certificate and its key.
pub struct Made {
    pub der: Vec<u8>,
    /// LF, 64 columns, one final newline.
    pub pem: String,
    pub fingerprint: Fingerprint,
    key: KeyPair,
}

impl Made {
    /// The first 16 digits of the fingerprint, as in labels.
    pub fn short(&self) -> String {
        self.fingerprint.short()
    }

    /// The private key as PKCS #8 PEM.
    pub fn private_key(&self) -> String {
        self.key.serialize_pem()
    }

    /// Another certificate with the same key.
    pub fn renewed(&self) -> Self {
        let key = KeyPair::from_pem(&self.private_key()).unwrap();
        make("renewed", 2025, 2047, key)
    }
}

/// One that is valid now, with a key of its own.
pub fn valid(name: &str) -> Made {
    make(name, 2024, 2048, KeyPair::generate().unwrap())
}

/// One that is valid now, until the first day of a year.
pub fn ending(name: &str, year: i32) -> Made {
    make(name, 2024, year, KeyPair::generate().unwrap())
}

/// One that is valid now, for so many seconds.
pub fn short_lived(name: &str, secs: u64) -> Made {
    let end = from_now(i64::try_from(secs).unwrap());
    make_between(name, first_of(2024), end, KeyPair::generate().unwrap())
}

/// One that begins and ends so many seconds from now.
pub fn lasting(name: &str, from_secs: i64, to_secs: i64) -> Made {
    let (from, to) = (from_now(from_secs), from_now(to_secs));
    make_between(name, from, to, KeyPair::generate().unwrap())
}

/// So many seconds from now, since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "an identity provider has a clock of its own"
)]
fn from_now(secs: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_secs(now.as_secs().checked_add_signed(secs).unwrap())
}

/// One that is valid now and can have issued no other.
pub fn without_authority(name: &str) -> Made {
    let key = KeyPair::generate().unwrap();
    make_of(
        name,
        first_of(2024),
        first_of(2048),
        key,
        IsCa::ExplicitNoCa,
    )
}

/// A root that may sign certificates alone, and one that it issued; both as `openssl ca` makes them.
pub fn chain(name: &str) -> (Made, Made) {
    let mut params = CertificateParams::default();
    let root_name = format!("{name} root");
    params
        .distinguished_name
        .push(DnType::CommonName, root_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = params.self_signed(&root_key).unwrap();
    let issuer = Issuer::from_params(&params, &root_key);
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(2040, 1, 1));
    let leaf = params.signed_by(&key, &issuer).unwrap();
    (made(&root, root_key), made(&leaf, key))
}

/// One that is over.
pub fn expired(name: &str) -> Made {
    make(name, 2001, 2011, KeyPair::generate().unwrap())
}

/// One that has not begun.
pub fn future(name: &str) -> Made {
    make(name, 2048, 2049, KeyPair::generate().unwrap())
}

/// As `openssl req -x509` makes it: version 3, key identifiers, `CA:TRUE`, no key usage.
fn make(name: &str, from: i32, to: i32, key: KeyPair) -> Made {
    make_between(name, first_of(from), first_of(to), key)
}

/// The beginning of a year, since 1970.
fn first_of(year: i32) -> Duration {
    let secs = date_time_ymd(year, 1, 1).unix_timestamp();
    Duration::from_secs(u64::try_from(secs).unwrap())
}

fn make_between(name: &str, from: Duration, to: Duration, key: KeyPair) -> Made {
    let authority = IsCa::Ca(BasicConstraints::Unconstrained);
    make_of(name, from, to, key, authority)
}

fn make_of(name: &str, from: Duration, to: Duration, key: KeyPair, is_ca: IsCa) -> Made {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::Sha256;
    params.not_before = date_time_ymd(1970, 1, 1) + from;
    params.not_after = date_time_ymd(1970, 1, 1) + to;
    let certificate = params.self_signed(&key).unwrap();
    made(&certificate, key)
}

fn made(certificate: &Certificate, key: KeyPair) -> Made {
    let der = certificate.der().to_vec();
    Made {
        pem: certificate.pem().replace("\r\n", "\n"),
        fingerprint: Fingerprint::of(&der),
        der,
        key,
    }
}
