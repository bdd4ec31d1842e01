//! The read-only HTTP listener.

use std::net::SocketAddr;

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpSettings {
    /// None turns it off.
    pub listen: Option<SocketAddr>,
}
