//! Why a file or a certificate is refused: one closed list for logs, metrics, status and `inspect`.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        /// The code of a refusal. It is a metric label, so the list is closed.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// Every reason there is, in the order they are looked for.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as people and metrics see it.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }
        }
    };
}

reasons! {
    /// A pipe, a socket, a device, a directory.
    NotRegularFile = "not_regular_file",
    /// It could not be opened or read.
    Unreadable = "unreadable",
    /// Somebody who is not trusted could write it.
    UnsafePermissions = "unsafe_permissions",
    /// Larger than any certificate file.
    TooLarge = "too_large",
    /// Nothing in it, for longer than a copy takes.
    Empty = "empty",
    /// Key material anywhere in the file.
    PrivateKey = "private_key",
    /// UTF-16 text.
    Encoding = "encoding",
    /// Neither PEM nor DER nor base64 of one.
    NoCertificate = "no_certificate",
    /// PEM of something else, or with two different labels.
    PemLabel = "pem_label",
    /// PEM that stops, or holds no base64.
    PemMalformed = "pem_malformed",
    /// More certificates than a file of an identity provider holds.
    TooManyCertificates = "too_many_certificates",
    /// Not exactly one DER certificate: two readers must agree on it and write it back unchanged.
    NotDer = "not_der",
    /// It ends before it begins.
    Validity = "validity",
    /// A key that can be computed.
    WeakKey = "weak_key",
    /// A kind of key that SendGrid does not document.
    KeyType = "key_type",
    /// A signature that does not fit, or is not worth verifying.
    Signature = "signature",
    /// An issuer's certificate, not a signing one.
    CaCertificate = "ca_certificate",
    /// Not for signatures.
    KeyUsage = "key_usage",
    /// The checker itself stopped on this file.
    Internal = "internal",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal in a person's words: what was found, and what to do. Neither part quotes the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// What was found instead, in one clause: `RSA 1024 bits; at least 2048`.
    pub found: String,
    /// Lines that help, mostly commands; `FILE` in them stands for the file.
    pub help: Vec<String>,
}

impl Refusal {
    /// A refusal without help.
    pub fn new(reason: Reason, found: impl Into<String>) -> Self {
        Self {
            reason,
            found: found.into(),
            help: Vec::new(),
        }
    }

    /// The same refusal with one more line of help.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }
}

/// `refused (CODE): FOUND`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused ({}): {}", self.reason, self.found)
    }
}
