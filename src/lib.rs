//! sso-certd keeps SendGrid's SSO certificates in step with the identity provider.
pub mod adapter;
pub mod config;
pub mod domain;
pub mod intake;
pub mod plan;
pub mod view;
