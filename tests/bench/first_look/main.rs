//! How long the first look at a directory takes that is as full as it may be: 1,024 files, each as near to 64 KiB as its
//! certificates allow.
//!
//! `cargo bench --bench first_look [-- FILE.pem…]` measures 20 P-256 certificates a file, and then as many copies of each
//! given certificate as fit into one.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, prints, and fails by a panic"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, DnType, KeyPair, SerialNumber};
use sso_certd::adapter::certificate_directory::{CertificateDirectory, DirectorySettings};
use sso_certd::adapter::clock::Clock;
use sso_certd::domain::FileVerdict;
use sso_certd::intake::judge_file;

const FILES: u64 = 1024;
const CERTIFICATES: u64 = 20;

fn main() {
    let key = KeyPair::generate().unwrap();
    measure("20 P-256 certificates a file, all different", |file| {
        (0..CERTIFICATES)
            .map(|it| certificate(&key, file * CERTIFICATES + it))
            .collect()
    });
    let given = std::env::args().skip(1).filter(|it| !it.starts_with("--"));
    for path in given {
        let text = fs::read_to_string(&path).unwrap();
        measure(&format!("{path}, the same in every file"), |_| text.clone());
    }
}

fn certificate(key: &KeyPair, number: u64) -> String {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(number + 1));
    params
        .distinguished_name
        .push(DnType::CommonName, format!("idp {number}"));
    params.self_signed(key).unwrap().pem()
}

fn measure(what: &str, content: impl Fn(u64) -> String) {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for number in 0..FILES {
        let path = place.path().join(format!("{number:04}.pem"));
        fs::write(&path, content(number)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let mut directory = CertificateDirectory::new(settings(place.path()), judge_file).unwrap();
    // Every file counts, and none has just changed.
    let now = Clock::new().now().plus(Duration::from_secs(10));
    let start = Instant::now();
    let look = directory.look(&now).unwrap();
    let first = start.elapsed();
    let start = Instant::now();
    assert_eq!(directory.look(&now).unwrap(), look);
    let again = start.elapsed();
    let accepted = |it: &FileVerdict| match it {
        FileVerdict::Accepted { certificates, .. } => certificates.len(),
        _ => 0,
    };
    let certificates: usize = look.files.iter().map(|it| accepted(&it.verdict)).sum();
    let files = look.files.len();
    println!(
        "{what}: {files} files, {certificates} certificates; first look {first:.2?}, again {again:.2?}"
    );
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
