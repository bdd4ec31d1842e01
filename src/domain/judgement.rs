//! What is said of the contents of a file, before anything is known of where it lies.

use super::text::count;
use super::{Certificate, Reason, Refusal};

/// The largest file that is read, in bytes: a certificate has 1 to 3 KiB.
pub const FILE_LIMIT: usize = 64 * 1024;

/// Judges the first [`FILE_LIMIT`] + 1 bytes of a file of this size.
pub type Judge = fn(&[u8], u64) -> Result<Accepted, Rejection>;

/// Whether the second certificate's key verifies the first one's signature, and its subject is the first one's issuer.
pub type SignedBy = fn(&Certificate, &Certificate) -> bool;

/// What a file holds that is fit for upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// At least one, each once, in the order of the file.
    pub certificates: Vec<Certificate>,
    /// Certificates of the file that are refused one by one; the others go on.
    pub refused: Vec<RefusedCertificate>,
    /// For people: `the same certificate more than once, counted once`.
    pub notes: Vec<String>,
}

/// One certificate that is not fit for upload by itself.
///
/// Verdicts belong to a file, which may serve several integrations; pins belong to an integration. So the certificate is
/// kept with its verdict, and the plan decides whether a pin admits it or whether it is there only as an issuer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedCertificate {
    /// Why it is refused.
    pub refusal: Refusal,
    /// The certificate; none if it cannot be read as one.
    pub certificate: Option<Certificate>,
    /// Whether this is a matter of judgement, which the operator's pin overrules.
    pub pin_passes: bool,
}

impl RefusedCertificate {
    /// One that cannot be read as a certificate.
    pub const fn unreadable(refusal: Refusal) -> Self {
        Self {
            refusal,
            certificate: None,
            pin_passes: false,
        }
    }

    /// One refusal that speaks for all certificates of a file.
    pub fn summary(refused: &[Self]) -> Refusal {
        let Some(first) = refused.first() else {
            return Refusal::new(Reason::NoCertificate, "no certificate");
        };
        let mut summary = first.refusal.clone();
        let others = refused.len() - 1;
        if others > 0 {
            let number = count(others, "other certificate", "other certificates");
            summary.found = format!("{}; {number} refused as well", summary.found);
        }
        summary
    }
}

/// Why a file counts for nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// The reason in a person's words.
    pub refusal: Refusal,
    /// Whether an unfinished copy looks just like this, so that one should look again before refusing.
    pub may_be_copying: bool,
    /// The certificates of the file, if it could be read and each of them is refused.
    pub certificates: Vec<RefusedCertificate>,
}

impl Rejection {
    /// The same bytes will not get better.
    pub fn for_good(refusal: Refusal) -> Self {
        Self {
            refusal,
            may_be_copying: false,
            certificates: Vec::new(),
        }
    }

    /// The file could be read, and each of its certificates is refused.
    pub fn of_certificates(certificates: Vec<RefusedCertificate>) -> Self {
        Self {
            refusal: RefusedCertificate::summary(&certificates),
            may_be_copying: false,
            certificates,
        }
    }

    /// More bytes may follow.
    pub fn perhaps_copying(refusal: Refusal) -> Self {
        Self {
            refusal,
            may_be_copying: true,
            certificates: Vec::new(),
        }
    }
}
