//! sso-certd keeps Twilio SendGrid's SSO certificates in step with the identity provider.
//!
//! A company signs in to SendGrid through its own identity provider. SendGrid trusts the provider because it holds the
//! provider's signing certificate. This crate is the daemon that sees to it: it looks at a directory of certificates,
//! judges them, uploads what is new, reads back what it uploaded, and says what a person must do and by when.
//!
//! # What is always true
//!
//! Above all, what is absent:
//!
//! - Nothing is removed because a file, a list or a line of configuration is missing.
//! - No second POST while the outcome of the first is unknown: an intent is durable before the request, and only a
//!   complete list settles it. There is one row a fingerprint, whatever is lost, repeated or killed.
//! - No conclusion from a failed, cut or undecodable list, nor from an unreadable directory.
//! - A certificate that somebody removed at SendGrid is not uploaded again by itself, and neither is its key.
//! - What nobody here knows at SendGrid is left alone.
//! - No key material and no API key in a log, a metric, a page or the ledger.
//!
//! # The way of a certificate
//!
//! ```text
//! file ──▶ intake ──▶ Certificate ─┐
//!                                  ├─▶ plan (pure) ──▶ actions ──▶ apply ──▶ SendGrid
//! SendGrid's list ──▶ Row ─────────┤                                  │
//! ledger ──▶ Book ─────────────────┘                                  └─▶ ledger ──▶ snapshot ──▶ status, metrics
//! ```
//!
//! # The layers, in reading order
//!
//! - [`domain`]: values. [`Certificate`](domain::Certificate) and its [`Fingerprint`](domain::Fingerprint),
//!   [`Look`](domain::Look), [`Row`](domain::Row), [`Moment`](domain::Moment).
//! - [`intake`]: bytes become certificates or reasons; two strict readers must agree.
//! - [`plan`]: decisions. [`plan::state`] is the table that everything follows from; [`plan::settle`] learns from a list,
//!   [`plan::rollover`] decides, [`plan::gate`] says when an account may ask. Pure functions of values and `now`.
//! - [`adapter`]: one outside thing each: the certificate directory, SendGrid, the ledger, clocks, sockets. They decide
//!   nothing.
//! - [`view`]: the [`Snapshot`](view::snapshot::Snapshot) and everything drawn from it.
//! - [`config`]: TOML becomes the settings that the others define.
//! - [`daemon`]: the wiring. [`daemon::course`] is the order of a pass, [`daemon::pass`] makes one,
//!   [`daemon::worker`] runs them for an account, [`daemon::generation`] starts what one configuration needs.
//! - [`cli`]: what can be typed.
//!
//! A layer imports only what stands above it in this list; `adapter` and `view` do not know each other. A test holds that.

pub mod adapter;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod intake;
pub mod plan;
pub mod view;
