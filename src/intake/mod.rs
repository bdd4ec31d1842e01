//! Bytes become certificates, or reasons why not. No I/O, no clock: the same bytes always get the same answer.
//!
//! The way of a file: [`judge_file`] looks for key material in every encoding first, then for a document whose context would
//! have to be read, then finds the certificates in it (PEM, DER, bare base64 or PKCS#7), has two independent readers agree on
//! each, and judges each by a table of checks.

mod bundle;
mod context;
mod der;
mod encoding;
mod foreign;
mod judge;
mod key_der;
mod key_hex;
mod key_material;
mod key_text;
mod name;
mod pem;
mod pkcs7;
mod public_key;
mod signature;
mod signer;
mod small_factor;
mod tlv;
mod weak;

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;

use crate::domain::{Accepted, Certificate, FILE_LIMIT, Reason, Refusal, Rejection};

/// How many certificates one file may hold: a rollover bundle has two, a chain four.
pub const CERTIFICATE_LIMIT: usize = 20;

/// Judges a whole file.
///
/// `bytes` are its first [`FILE_LIMIT`] + 1 bytes, or all of them; `size` is its size by the file system, for the
/// text of `too_large` only.
///
/// # Errors
/// One [`Rejection`] for the whole file: key material anywhere, nothing that is a certificate, a block that is
/// corrupt, or no certificate that passes every check.
pub fn judge_file(bytes: &[u8], size: u64) -> Result<Accepted, Rejection> {
    if let Some(found) = key_material::find(bytes) {
        return Err(Rejection::for_good(found.refusal(bytes)));
    }
    if let Some(refusal) = context::structured(bytes) {
        return Err(Rejection::for_good(refusal));
    }
    if bytes.len() > FILE_LIMIT {
        let size = foreign::size(size.max(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        let found = format!("{size}; the limit is 64 KiB, a certificate has 1 to 3");
        return Err(Rejection::for_good(Refusal::new(Reason::TooLarge, found)));
    }
    bundle::judge(&encoding::certificates(bytes)?)
}

/// Reads one certificate from its exact DER, whatever it is good for; remarks included.
///
/// # Errors
/// `not_der` if the two readers do not agree that this is exactly one certificate.
pub fn read_certificate(der: &[u8]) -> Result<Certificate, Refusal> {
    let reading = der::Reading::of(der).map_err(der::Unreadable::into_refusal)?;
    Ok(judge::with_remarks(&reading))
}

/// Reads a certificate as SendGrid lists it: PEM with any line ends or on one line, or its base64 without armour.
///
/// It need not be one that we would upload; none only if no reader can make out its fingerprint and validity.
pub fn read_listed(public_certificate: &str) -> Option<Certificate> {
    let der = encoding::listed(public_certificate)?;
    read_known(&der)
}

/// Reads a certificate that was read before, here or by an older version: whatever [`read_certificate`] or
/// [`read_listed`] ever took.
pub fn read_known(der: &[u8]) -> Option<Certificate> {
    read_certificate(der).ok().or_else(|| der::lenient(der))
}

/// Whether the second certificate issued the first: its key verifies the signature, and its subject is the issuer.
pub fn signed_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    signer::signed_by(certificate, issuer)
}

/// The one text that is hashed, stored and sent for a DER: LF, 64 columns, one newline at the end (RFC 7468).
pub fn canonical_pem(der: &[u8]) -> String {
    pem::write(der)
}
