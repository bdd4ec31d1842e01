//! What is said of the contents of a file, before anything is known of where it lies.

use super::{Certificate, Refusal};

/// The largest file that is read, in bytes: a certificate has 1 to 3 KiB.
pub const FILE_LIMIT: usize = 64 * 1024;

/// Judges the first [`FILE_LIMIT`] + 1 bytes of a file of this size.
pub type Judge = fn(&[u8], u64) -> Result<Accepted, Rejection>;

/// What a file holds that is fit for upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// At least one, each once, in the order of the file.
    pub certificates: Vec<Certificate>,
    /// Certificates of the file that are refused one by one; the others go on.
    pub refused: Vec<Refusal>,
    /// For people: `2 issuers ignored: CN=Root, CN=Intermediate`.
    pub notes: Vec<String>,
}

/// Why a file counts for nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// The reason in a person's words.
    pub refusal: Refusal,
    /// Whether an unfinished copy looks just like this, so that one should look again before refusing.
    pub may_be_copying: bool,
}

impl Rejection {
    /// The same bytes will not get better.
    pub fn for_good(refusal: Refusal) -> Self {
        Self {
            refusal,
            may_be_copying: false,
        }
    }

    /// More bytes may follow.
    pub fn perhaps_copying(refusal: Refusal) -> Self {
        Self {
            refusal,
            may_be_copying: true,
        }
    }
}
