//! Whom to believe that a server is SendGrid.
//!
//! The environment has no say in it: the usual loaders obey `SSL_CERT_FILE`, so the bundle is read here.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;

use crate::adapter::system_error::word;
use crate::domain::text::printable_path;

/// Where distributions keep their bundle; the first one that exists is used.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",   // older RHEL, Amazon Linux
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/etc/ssl/cert.pem",                  // Alpine
];
/// A system's bundle has about 220 KiB.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Why there are no roots.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RootsError {
    /// `ca_file` is unusable.
    #[error("the CA file {path} {why}")]
    CaFile {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no bundle in any of the usual places.
    #[error("this system has no CA bundle (looked for {})", BUNDLES.join(", "))]
    NoBundle,
    /// The system's bundle is unusable.
    #[error("the system's CA bundle {path} {why}")]
    Bundle {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The roots of `ca_file` alone, else the system's.
pub(super) fn roots(ca_file: Option<&Path>) -> Result<Vec<Certificate>, RootsError> {
    ca_file.map_or_else(
        || system_roots(&BUNDLES.map(Path::new)),
        |path| {
            ca_file_roots(path).map_err(|why| RootsError::CaFile {
                path: printable_path(path),
                why,
            })
        },
    )
}

/// Every certificate in a person's own file must be one: a damaged one would be missed much later.
fn ca_file_roots(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = read(path).map_err(|it| cannot_be_read(&it))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem)
        .map(|it| it.ok().and_then(|der| usable(&der)).ok_or(()))
        .collect();
    match found {
        Ok(roots) if roots.is_empty() => Err("holds no PEM certificate".to_owned()),
        Ok(roots) => Ok(roots),
        Err(()) => Err("holds a damaged certificate".to_owned()),
    }
}

/// A system's bundle may hold oddities that the TLS library does not read; the others count.
fn system_roots(bundles: &[&Path]) -> Result<Vec<Certificate>, RootsError> {
    let path = bundles
        .iter()
        .find(|it| it.exists())
        .ok_or(RootsError::NoBundle)?;
    let unusable = |why| RootsError::Bundle {
        path: printable_path(path),
        why,
    };
    let pem = read(path).map_err(|it| unusable(cannot_be_read(&it)))?;
    let roots: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .filter_map(|it| usable(&it.ok()?))
        .collect();
    if roots.is_empty() {
        return Err(unusable("holds no PEM certificate".to_owned()));
    }
    Ok(roots)
}

fn usable(der: &CertificateDer<'_>) -> Option<Certificate> {
    RootCertStore::empty().add(der.clone().into_owned()).ok()?;
    Certificate::from_der(der).ok()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut content)?;
    Ok(content)
}

fn cannot_be_read(error: &io::Error) -> String {
    format!("cannot be read: {}", word(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::sendgrid::testing::sample;

    fn written(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    }

    fn ca_file(content: &str) -> Result<usize, String> {
        let file = written(content);
        roots(Some(file.path()))
            .map(|it| it.len())
            .map_err(|it| it.to_string().replace(&printable_path(file.path()), "PATH"))
    }

    #[test]
    fn a_ca_file_is_read_whole_or_not_at_all() {
        let pem = &sample().pem;
        assert_eq!(ca_file(pem), Ok(1));
        assert_eq!(ca_file(&format!("a comment\n{pem}{pem}")), Ok(2));
        let armour = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (content, expected) in [
            (String::new(), "the CA file PATH holds no PEM certificate"),
            (
                "no PEM".to_owned(),
                "the CA file PATH holds no PEM certificate",
            ),
            (
                format!("{pem}{armour}"),
                "the CA file PATH holds a damaged certificate",
            ),
        ] {
            assert_eq!(ca_file(&content), Err(expected.to_owned()));
        }
        assert_eq!(
            roots(Some(Path::new("/nowhere/ca.pem")))
                .unwrap_err()
                .to_string(),
            "the CA file /nowhere/ca.pem cannot be read: no such file or directory"
        );
    }

    #[test]
    fn an_oddity_in_the_systems_bundle_does_not_spoil_it() {
        let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let bundle = written(&format!("{odd}{}", sample().pem));
        let missing = Path::new("/nowhere/bundle.pem");
        assert_eq!(system_roots(&[missing, bundle.path()]).unwrap().len(), 1);
        assert!(system_roots(&[written(odd).path()]).is_err());
        assert_eq!(system_roots(&[missing]).unwrap_err(), RootsError::NoBundle);
    }
}
