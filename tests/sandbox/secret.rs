//! Looks for a private key where none may be.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::KeyPair;

/// Pieces of the key in each form it could be copied in.
pub(crate) struct Traces {
    pieces: Vec<Vec<u8>>,
}

/// Bytes of the private number in one piece: a dozen do not occur by chance.
const PIECE: usize = 12;

/// Where the private number of a P-256 key lies in its PKCS#8 form (RFC 5208, RFC 5915): behind a fixed beginning.
const NUMBER: std::ops::Range<usize> = 36..68;

impl Traces {
    /// Those of a P-256 key: each piece of its number as bytes and as hexadecimal digits, and each of its lines in PEM.
    pub(crate) fn of(key: &KeyPair) -> Self {
        let pkcs8 = key.serialized_der();
        let number = pkcs8.get(NUMBER).unwrap_or(pkcs8);
        let raw: Vec<Vec<u8>> = number.windows(PIECE).map(<[u8]>::to_vec).collect();
        let hex = raw.iter().flat_map(|piece| {
            let digits: Vec<String> = piece.iter().map(|it| format!("{it:02x}")).collect();
            let digits = digits.concat();
            [digits.to_uppercase().into_bytes(), digits.into_bytes()]
        });
        let pem = key.serialize_pem();
        let lines = pem.lines().filter(|it| !it.starts_with("-----"));
        // Base64 is the same wherever it is cut; the first quarter of the first line is the same for every key.
        let base64 = lines.flat_map(|line| {
            let end_of_fixed = if line.starts_with("MIGH") { 48 } else { 0 };
            let line = line.as_bytes().get(end_of_fixed..).unwrap_or_default();
            line.windows(PIECE).map(<[u8]>::to_vec).collect::<Vec<_>>()
        });
        Self {
            pieces: hex.chain(base64).chain(raw.iter().cloned()).collect(),
        }
    }

    /// Whether a piece is in these bytes.
    pub(crate) fn are_in(&self, bytes: &[u8]) -> bool {
        self.pieces
            .iter()
            .any(|piece| memchr::memmem::find(bytes, piece).is_some())
    }

    /// Whether a piece is in a file of this directory, which has no directories in it.
    ///
    /// # Errors
    /// One cannot be read.
    pub(crate) fn are_in_files(&self, directory: &Path) -> io::Result<bool> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() && self.are_in(&fs::read(entry.path())?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
