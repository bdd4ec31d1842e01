//! The identity of a certificate, and the two texts that identity provider consoles show.

use std::fmt;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// SHA-256 of a certificate's DER: *the* identity. Shown as lower-case hex without colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// Why a text is not a fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FingerprintError {
    /// 40 digits: what Entra and AD FS call a thumbprint.
    #[error("40 hexadecimal digits are a SHA-1 thumbprint; SHA-256 has 64")]
    Thumbprint,
    /// Another length, or other characters.
    #[error("a fingerprint has 64 hexadecimal digits, with or without colons")]
    Malformed,
}

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Takes the 32 bytes of a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits of either case; colons and spaces between them are dropped.
    ///
    /// # Errors
    /// `Thumbprint` for 40 digits, `Malformed` for everything else.
    pub fn parse(raw: &str) -> Result<Self, FingerprintError> {
        let nibbles = nibbles(raw).ok_or(FingerprintError::Malformed)?;
        if nibbles.len() == 40 {
            return Err(FingerprintError::Thumbprint);
        }
        let bytes: Vec<u8> = nibbles
            .chunks(2)
            .map(|it| it.iter().fold(0, |sum, digit| (sum << 4) | digit))
            .collect();
        if nibbles.len() != 64 {
            return Err(FingerprintError::Malformed);
        }
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| FingerprintError::Malformed)
    }

    /// All 64 digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// The first 16 digits, as on screens and in metric labels.
    pub fn short(&self) -> String {
        self.hex().chars().take(16).collect()
    }

    /// The first 8 digits, as in sentences.
    pub fn brief(&self) -> String {
        self.hex().chars().take(8).collect()
    }

    /// Four groups of 16 digits, for comparing by eye.
    pub fn grouped(&self) -> String {
        let digits: Vec<char> = self.hex().chars().collect();
        digits
            .chunks(16)
            .map(|it| it.iter().collect::<String>())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// All 64 digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// The first digits of a fingerprint, as a person types them; all 64 are one as well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FingerprintPrefix(String);

impl FingerprintPrefix {
    /// Reads 1 to 64 hexadecimal digits of either case; colons and spaces between them are dropped.
    ///
    /// # Errors
    /// `Thumbprint` for 40 digits, `Malformed` for everything else.
    pub fn parse(raw: &str) -> Result<Self, FingerprintError> {
        let digits: Option<String> = nibbles(raw)
            .into_iter()
            .flatten()
            .map(|it| char::from_digit(it.into(), 16))
            .collect();
        let digits = digits.unwrap_or_default();
        match digits.len() {
            40 => Err(FingerprintError::Thumbprint),
            1..=64 => Ok(Self(digits)),
            _ => Err(FingerprintError::Malformed),
        }
    }

    /// The fingerprint, if these are all of its digits.
    pub fn whole(&self) -> Option<Fingerprint> {
        Fingerprint::parse(&self.0).ok()
    }

    /// How many digits at the beginning of this fingerprint are the same.
    pub fn shared(&self, fingerprint: &Fingerprint) -> usize {
        let hex = fingerprint.hex();
        let pairs = self.0.chars().zip(hex.chars());
        pairs.take_while(|(a, b)| a == b).count()
    }

    /// Whether this fingerprint begins with it.
    pub fn fits(&self, fingerprint: &Fingerprint) -> bool {
        self.shared(fingerprint) == self.0.len()
    }
}

/// The digits, without colons.
impl fmt::Display for FingerprintPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-1 of a certificate's DER, as Entra and AD FS show it. For people's eyes only: never compared by us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thumbprint([u8; 20]);

impl Thumbprint {
    /// The thumbprint of these bytes.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha1::digest(der).into())
    }
}

/// Ten groups of four upper-case digits.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.0.chunks(2).map(|it| hex(it).to_uppercase()).collect();
        f.write_str(&groups.join(" "))
    }
}

/// Lower-case hexadecimal digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
            }
            out
        })
}

/// The values of hexadecimal digits; colons and spaces between them are dropped.
fn nibbles(raw: &str) -> Option<Vec<u8>> {
    let digits = raw.bytes().filter(|it| *it != b':' && *it != b' ');
    digits.map(nibble).collect()
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_case_and_spaces_do_not_matter() {
        let fingerprint = Fingerprint::of(b"x");
        let colons: Vec<String> = fingerprint
            .as_bytes()
            .iter()
            .map(|it| format!("{it:02X}"))
            .collect();
        assert_eq!(Fingerprint::parse(&colons.join(":")), Ok(fingerprint));
        assert_eq!(Fingerprint::parse(&fingerprint.grouped()), Ok(fingerprint));
        assert_eq!(
            Fingerprint::parse(&fingerprint.to_string()),
            Ok(fingerprint)
        );
    }

    #[test]
    fn a_prefix_fits_whatever_begins_with_it() {
        let fingerprint = Fingerprint::of(b"x");
        let first = |digits| fingerprint.hex().chars().take(digits).collect::<String>();
        for digits in [1, 5, 39, 63, 64] {
            let prefix = FingerprintPrefix::parse(&first(digits).to_uppercase()).unwrap();
            assert!(prefix.fits(&fingerprint), "{prefix}");
            assert!(!prefix.fits(&Fingerprint::of(b"y")), "{prefix}");
            assert_eq!(prefix.whole(), (digits == 64).then_some(fingerprint));
        }
        let colons = format!("{}:", first(2));
        let prefix = FingerprintPrefix::parse(&colons).unwrap();
        assert_eq!(prefix.to_string(), first(2));
    }

    #[test]
    fn a_prefix_has_hexadecimal_digits_and_is_no_thumbprint() {
        for wrong in ["", ":", "xyz", "5d2g", &"a".repeat(65)] {
            let parsed = FingerprintPrefix::parse(wrong);
            assert_eq!(parsed, Err(FingerprintError::Malformed), "{wrong}");
        }
        let parsed = FingerprintPrefix::parse(&"a".repeat(40));
        assert_eq!(parsed, Err(FingerprintError::Thumbprint));
    }

    #[test]
    fn a_thumbprint_is_named_as_such() {
        assert_eq!(
            Fingerprint::parse(&"a".repeat(40)),
            Err(FingerprintError::Thumbprint)
        );
        assert_eq!(
            Fingerprint::parse(&"a".repeat(63)),
            Err(FingerprintError::Malformed)
        );
        assert_eq!(
            Fingerprint::parse(&"g".repeat(64)),
            Err(FingerprintError::Malformed)
        );
        assert_eq!(Fingerprint::parse(""), Err(FingerprintError::Malformed));
    }

    #[test]
    fn a_thumbprint_is_written_as_entra_shows_it() {
        assert_eq!(
            Thumbprint::of(b"").to_string(),
            "DA39 A3EE 5E6B 4B0D 3255 BFEF 9560 1890 AFD8 0709"
        );
    }
}
