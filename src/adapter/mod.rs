//! One outside thing each. Nothing is decided here.

pub mod certificate_directory;
pub mod clock;
pub mod control_socket;
pub mod cron;
pub mod http;
pub mod ledger;
pub mod log;
pub mod metrics;
pub mod sendgrid;
pub mod system_error;
pub mod systemd;
pub mod users;
pub mod watcher;
