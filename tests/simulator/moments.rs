//! Moments in the life of a POST at which a test can step in, as to kill its client there.

use std::sync::Arc;

use sso_certd::domain::Fingerprint;

use super::endpoints::Operation;
use super::request::{Asked, Request};

/// How far a POST has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Moment {
    /// It has come whole; nothing is decided yet.
    Received,
    /// It is decided, and stored if nothing prevents or delays that; the client has seen nothing yet.
    Decided,
    /// Its answer is on the way.
    Answered,
}

/// What a test wants to do at each moment of each POST of a certificate. It is called in the course of the request.
pub type OnPost = Arc<dyn Fn(Moment, Fingerprint) + Send + Sync>;

/// A POST that somebody wants to hear of.
#[derive(Clone)]
pub struct Watched {
    on_post: OnPost,
    fingerprint: Fingerprint,
}

impl Watched {
    /// None if the request is no POST of a certificate.
    pub fn new(on_post: OnPost, request: &Request) -> Option<Self> {
        let asked = Asked::parse(request);
        let is_create = asked.target.operation == Operation::Create;
        let fingerprint = asked.body.fingerprint().filter(|_| is_create)?;
        Some(Self {
            on_post,
            fingerprint,
        })
    }

    pub fn tell(&self, moment: Moment) {
        (self.on_post)(moment, self.fingerprint);
    }
}
