//! How long the first look at a directory takes that is as full as it may be: 1,024 files, each as near to 64 KiB as its
//! certificates allow, 20 at most. Every certificate is self-signed by a key of its own.
//!
//! `cargo bench --bench first_look [-- WORD]` measures the contents whose name has the word in it. Times depend on the
//! machine and on what else it does, so each comes with the time of the processors, and with a floor of the same run, on
//! as many threads: reading the files with their SHA-256, and verifying every signature once, by AWS-LC and nothing else.
//!
//! What to expect: a full directory of the keys that identity providers make (P-256, RSA 2048 to 4096) takes less than
//! four seconds of processors, so less than two on two idle cores. Rarer keys take what their verification takes, which
//! no check of ours may leave out: on a core of a server of today, AWS-LC needs about 70 µs for P-256, 25 µs for RSA 2048,
//! 85 µs for RSA 4096, 270 µs for P-384, 290 µs for RSA 8192, and 1.4 ms for the slowest RSA that is verified at all, of
//! 8,128 bits with the largest exponent; so 20,480 such certificates take two cores from 3 to 16 seconds. A look that
//! long is no outage: the daemon waits for it as long as it reads.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a benchmark reads the clock, prints, and fails by a panic"
)]

mod rsa;

use std::fmt::{Display, Formatter};
use std::fs;
use std::hint::black_box;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use rcgen::{
    CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    SerialNumber, SigningKey,
};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};
use sso_certd::adapter::certificate_directory::{CertificateDirectory, DirectorySettings};
use sso_certd::adapter::clock::Clock;
use sso_certd::domain::{FILE_LIMIT, FileVerdict};
use sso_certd::intake::{CERTIFICATE_LIMIT, judge_file};
use x509_parser::prelude::{FromDer as _, Pem, X509Certificate};

const FILES: usize = 1024;

/// As many as the look itself uses at most.
const THREADS_LIMIT: usize = 4;

/// The largest exponent that is verified at all: every bit of it costs another multiplication.
const LARGEST_EXPONENT: u64 = (1 << 33) - 1;

fn main() {
    let word = std::env::args().skip(1).find(|it| !it.starts_with("--"));
    let is_wanted = |name: &str| word.as_ref().is_none_or(|it| name.contains(it.as_str()));
    for (name, algorithm, name_length) in [
        ("ECDSA P-256", &PKCS_ECDSA_P256_SHA256, 0),
        (
            "ECDSA P-256, a name of 20 KiB",
            &PKCS_ECDSA_P256_SHA256,
            20 * 1024,
        ),
        ("ECDSA P-384", &PKCS_ECDSA_P384_SHA384, 0),
    ] {
        if is_wanted(name) {
            measure(name, |number| {
                let key = KeyPair::generate_for(algorithm).unwrap();
                certificate(&key, number, name_length)
            });
        }
    }
    for (name, bits, exponent) in [
        ("RSA 2048", 2048, 65_537),
        ("RSA 4096", 4096, 65_537),
        ("RSA 8192", 8192, 65_537),
        ("RSA 8192, exponent 2^33-1", 8192, LARGEST_EXPONENT),
        ("RSA 8128, exponent 2^33-1", 8128, LARGEST_EXPONENT),
    ] {
        if is_wanted(name) {
            let primes = rsa::Primes::new(exponent);
            measure(name, |number| {
                certificate(&primes.key(number, bits), number, 0)
            });
        }
    }
}

/// A self-signed certificate in PEM, with a name that is at least so long.
fn certificate(key: &impl SigningKey, number: u64, name_length: usize) -> String {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(number + 1));
    params
        .distinguished_name
        .push(DnType::CommonName, format!("idp {number:0name_length$}"));
    params.self_signed(key).unwrap().pem()
}

/// One file: as many certificates as may be in it.
fn file(number: usize, certificate: impl Fn(u64) -> String) -> String {
    let first = number * CERTIFICATE_LIMIT;
    let mut content = String::new();
    for number in first..first + CERTIFICATE_LIMIT {
        let next = certificate(u64::try_from(number).unwrap());
        if content.len() + next.len() > FILE_LIMIT {
            break;
        }
        content.push_str(&next);
    }
    content
}

fn measure(name: &str, certificate: impl Fn(u64) -> String + Sync) {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let paths: Vec<PathBuf> = (0..FILES)
        .map(|it| place.path().join(format!("{it:04}.pem")))
        .collect();
    in_turns(FILES, |it| {
        fs::write(&paths[it], file(it, &certificate)).unwrap();
        fs::set_permissions(&paths[it], fs::Permissions::from_mode(0o644)).unwrap();
    });
    let texts: Vec<Vec<u8>> = paths.iter().map(|it| fs::read(it).unwrap()).collect();
    let ders: Vec<Vec<u8>> = texts.iter().flat_map(|it| blocks(it)).collect();
    let reading = Cost::of(|| in_turns(FILES, |it| read(&paths[it]))).1;
    let verifying = Cost::of(|| in_turns(ders.len(), |it| verify(&ders[it]))).1;

    let mut directory = CertificateDirectory::new(settings(place.path()), judge_file).unwrap();
    // Every file counts, and none has just changed.
    let now = Clock::new().now().plus(Duration::from_secs(10));
    let (look, first) = Cost::of(|| directory.look(&now).unwrap());
    let (second, again) = Cost::of(|| directory.look(&now).unwrap());
    assert_eq!(look, second);
    let accepted = |it: &FileVerdict| match it {
        FileVerdict::Accepted { certificates, .. } => certificates.len(),
        _ => 0,
    };
    let certificates: usize = look.files.iter().map(|it| accepted(&it.verdict)).sum();
    assert_eq!(certificates, ders.len(), "every certificate is accepted");
    let mebibytes = texts.iter().map(Vec::len).sum::<usize>() >> 20;
    println!("{name}: {FILES} files, {certificates} certificates, {mebibytes} MiB");
    let floor = reading.processor + verifying.processor;
    let ratio = first.processor.as_secs_f64() / floor.as_secs_f64();
    println!("  first look {first}: {ratio:.2} times reading and verifying; the next look {again}");
    println!("  reading {reading}, verifying {verifying}");
}

/// What some work took.
struct Cost {
    wall: Duration,
    /// On all processors together, other programs left out.
    processor: Duration,
}

impl Cost {
    fn of<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let processor_time = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
        let (start, processor) = (Instant::now(), processor_time());
        let done = work();
        let cost = Self {
            wall: start.elapsed(),
            processor: processor_time().saturating_sub(processor),
        };
        (done, cost)
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.2?} ({:.2?} of processors)",
            self.wall, self.processor
        )
    }
}

/// Reads a file and has its digest made.
fn read(path: &Path) {
    black_box(Sha256::digest(fs::read(path).unwrap()));
}

fn blocks(text: &[u8]) -> Vec<Vec<u8>> {
    Pem::iter_from_buffer(text)
        .map(|it| it.unwrap().contents)
        .collect()
}

/// Verifies a signature by its own key, and nothing else.
fn verify(der: &[u8]) {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    let key = &certificate.public_key().subject_public_key.data;
    let algorithm: &dyn VerificationAlgorithm = match key.len() {
        65 => &ECDSA_P256_SHA256_ASN1,
        97 => &ECDSA_P384_SHA384_ASN1,
        _ => &RSA_PKCS1_2048_8192_SHA256,
    };
    UnparsedPublicKey::new(algorithm, key)
        .verify(
            certificate.tbs_certificate.as_ref(),
            &certificate.signature_value.data,
        )
        .unwrap();
}

/// Does the work of every number below `count`, on as many threads as a look has.
fn in_turns(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism()
        .unwrap()
        .get()
        .min(THREADS_LIMIT);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(turn) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < count)
                {
                    work(turn);
                }
            });
        }
    });
}

fn settings(directory: &Path) -> DirectorySettings {
    DirectorySettings {
        directory: directory.to_owned(),
        files: vec!["*.pem".to_owned()],
        strict_permissions: true,
        allowed_owners: Vec::new(),
        allowed_groups: Vec::new(),
        quiet: Duration::from_millis(250),
    }
}
