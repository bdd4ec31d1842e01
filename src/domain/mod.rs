//! Values: what the other layers talk about. No I/O, no clock, no logging.

mod certificate;
mod clocks;
mod credit;
mod fingerprint;
mod id;
mod judgement;
mod look;
mod reason;
mod row;
pub mod text;
mod time;

pub use certificate::{
    Certificate, CertificateParts, KeyAlgorithm, PublicKeyId, Remark, SignatureHash, Validity,
};
pub use clocks::{Clocks, Skew};
pub use credit::Credit;
pub use fingerprint::{Fingerprint, FingerprintError, FingerprintPrefix, Thumbprint};
pub use id::{AccountName, CertificateId, IntegrationId, IntegrationName, NameError, NotAUuid};
pub use judgement::{Accepted, FILE_LIMIT, Judge, RefusedCertificate, Rejection, SignedBy};
pub use look::{ContentId, FileVerdict, IgnoredIssuer, Look, LookedFile, PassedOver, SourceError};
pub use reason::{Reason, Refusal};
pub use row::{Row, RowContent};
pub use time::{BootId, Moment, Timestamp};
