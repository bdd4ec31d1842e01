//! One row of SendGrid's list, as far as it can be read.

use super::{Certificate, CertificateId};

/// A row of an integration's list of certificates.
///
/// `enabled` is not here because no answer of SendGrid carries it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// SendGrid's id; none if the row had none that can be used.
    pub id: Option<CertificateId>,
    /// What it holds.
    pub content: RowContent,
}

/// What a row holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowContent {
    /// A certificate, by its DER.
    Certificate(Box<Certificate>),
    /// Something that is no certificate, or a row of another integration.
    Undecodable,
}

impl Row {
    /// The certificate, if the row could be read.
    pub fn certificate(&self) -> Option<&Certificate> {
        match &self.content {
            RowContent::Certificate(certificate) => Some(certificate),
            RowContent::Undecodable => None,
        }
    }
}
