//! sso-certd keeps SendGrid's SSO certificates in step with the identity provider.
pub mod adapter;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod intake;
pub mod plan;
pub mod view;
