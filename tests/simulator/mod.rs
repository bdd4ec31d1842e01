//! A simulated Twilio SendGrid: the SSO certificates API on a loopback port, faithful by default, hostile on request,
//! and a witness of everything it was asked.
//!
//! # What it plays
//!
//! | call | scope | answer |
//! |---|---|---|
//! | `GET /v3/sso/integrations/{id}/certificates` | `sso.settings.read` | 200, a bare array |
//! | `POST /v3/sso/certificates` | `sso.settings.create` | 200, the certificate |
//! | `GET /v3/sso/certificates/{id}` | `sso.settings.read` | 200, the certificate |
//! | `PATCH /v3/sso/certificates/{id}` | `sso.settings.update` | 200, the certificate |
//! | `DELETE /v3/sso/certificates/{id}` | `sso.settings.delete` | 200, the deleted certificate |
//! | `GET /v3/sso/integrations/{id}` | `sso.settings.read` | 200, the integration |
//! | `GET /v3/sso/integrations?si=true` | `sso.settings.read` | 200, a bare array |
//! | `GET /v3/scopes` | none | 200, the key's own scopes |
//!
//! The source is SendGrid's published description, `sendgrid-oai/tsg_sso_v3.json` beside this file: ids are numbers, the
//! integration is called `intergration_id`, `enabled` is in no answer. `tests/system/prism.test` holds the answers
//! against it; [`Behaviour::as_described`] keeps to it in errors too, where the default is what was seen in the field.
//! Requests are read strictly: an
//! unknown or wrongly typed field is a 400, no `Accept` a 406, a body that is not called JSON a 415, a stranger's
//! integration a 404. A POST without `enabled` stores a *disabled* certificate, as the clients in the field found out.
//!
//! # How to use it
//!
//! ```ignore
//! let sendgrid = Simulator::start(Options::one_account("SG.key", &[("okta", OKTA)])).await;
//! sendgrid.script(Rule::next(Operation::Create, Fault::commit_then_close()));
//! // … point the daemon at sendgrid.url() …
//! sendgrid.wait_for(Duration::from_secs(10), |it| it.rows_of(OKTA).count() == 1).await?;
//! assert_eq!(sendgrid.history().posts_of(fingerprint).count(), 1);
//! assert_eq!(sendgrid.check(), Vec::<String>::new());
//! ```
//!
//! It runs on the runtime that started it and ends when it is dropped. `cargo run --example simulator -- --help` runs
//! it alone, for a person.
//!
//! # Its switches
//!
//! - [`Behaviour`]: what nobody knows about SendGrid, or what differs in the field: the form of ids, of PEM, of error
//!   bodies, which 2xx, what a second POST of a certificate does, a clock that is wrong. Constant until changed.
//! - [`RateLimit`]: fixed windows, the `X-Ratelimit-*` headers in both readings, `Retry-After`; none by default.
//! - [`Rule`]: one [`Fault`] for the requests it matches: the next POST, the third list, everything about one
//!   fingerprint, one request in ten. A fault says what becomes of the change ([`Commit`]) apart from what the client
//!   gets to see ([`Reply`]).
//! - [`Moment`]: [`Simulator::on_post`] calls the test on receipt of a POST, before its answer and after it.
//! - [`Listening`]: connections refused, or accepted and never served.
//! - [`Identity`]: over TLS, with an authority of its own, as itself or as somebody whom nobody should believe.
//! - By hand, as another administrator would: [`Simulator::add_row`], [`Simulator::remove_row`],
//!   [`Simulator::replace_row`], [`Simulator::enable_row`], [`Simulator::rotate_key`], [`Simulator::set_scopes`],
//!   [`Simulator::add_integration`], [`Simulator::remove_integration`].
//!
//! # How to judge by it
//!
//! [`Simulator::history`] has every request in the order it was decided, and what was done by hand. It never holds an
//! API key. [`Simulator::check`] reads it as an oracle and says in words which rules a client broke; no fault excuses a
//! broken rule. The rules are listed at [`History::check`].
//!
//! # Where things are
//!
//! `server` has the sockets and the bytes, `tls` who it says it is, `world` the order in which a request is judged,
//! `accounts` who may ask, `endpoints` what SendGrid would do, `answer` how that looks on the wire, `fault` what goes
//! wrong, `limiter` the rate limit, `moments` the places where a test steps in, `rows` the stored certificates, `history`
//! the record and `oracle` the verdict. Only `Fingerprint` is shared with the daemon: all else is read and written by other
//! code than the one it tests.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    reason = "several programs include this tree, and each uses a part of it"
)]

mod accounts;
mod answer;
mod certificate;
mod endpoints;
mod fault;
mod handle;
mod history;
mod limiter;
mod moments;
mod oracle;
mod request;
mod rows;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod world;

pub use accounts::{Account, Integration, SCOPES};
pub use answer::{
    Behaviour, DeleteAnswer, Duplicates, ErrorBody, IdStyle, IntegrationKey, ListTrick, PemStyle,
};
pub use endpoints::Operation;
pub use fault::{Commit, Fault, Reply, Rule};
pub use handle::{Simulator, TimedOut};
pub use history::{Event, Exchange, History};
pub use limiter::{RateLimit, ResetStyle, RetryAfter};
pub use moments::Moment;
pub use rows::{Author, Row};
pub use server::Listening;
pub use tls::Identity;
pub use world::{Options, World};
