//! One outside thing each. Nothing is decided here.

pub mod certificate_directory;
pub mod http;
pub mod ledger;
pub mod log;
pub mod sendgrid;
pub mod watcher;
