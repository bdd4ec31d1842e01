//! Certificates as texts: one strict reading, and the styles they may come back in.

use base64ct::{Base64, Encoding as _};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of the one certificate in a PEM text, or what is wrong with it in SendGrid's place.
pub fn read_pem(text: &str) -> Result<Vec<u8>, &'static str> {
    let body = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|it| it.strip_suffix(END))
        .ok_or("public_certificate must be a PEM encoded certificate")?;
    if body.contains("-----") {
        return Err("public_certificate must be a single certificate");
    }
    let base64: String = body.split_ascii_whitespace().collect();
    let der = Base64::decode_vec(&base64).map_err(|_| "public_certificate is not valid base64")?;
    validity(&der).ok_or("public_certificate is not a valid x509 certificate")?;
    Ok(der)
}

/// PEM with lines of 64 characters, LF, and a final newline (RFC 7468).
pub fn write_pem(der: &[u8]) -> String {
    let base64 = Base64::encode_string(der);
    let mut text = format!("{BEGIN}\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(END);
    text.push('\n');
    text
}

/// PEM with all its base64 in one line.
pub fn write_one_line(der: &[u8]) -> String {
    format!("{BEGIN}\n{}\n{END}\n", Base64::encode_string(der))
}

/// Base64 alone.
pub fn write_bare(der: &[u8]) -> String {
    Base64::encode_string(der)
}

/// The first and the last second of exactly one DER certificate, in unix time.
pub fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let validity = certificate.validity();
    rest.is_empty().then(|| {
        (
            validity.not_before.timestamp(),
            validity.not_after.timestamp(),
        )
    })
}
