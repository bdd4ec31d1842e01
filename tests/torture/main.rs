//! Torture of the intake: whatever a file holds, it is judged, in bounded time and memory, and a certificate that is
//! accepted is one that everybody reads alike.
//!
//! Chance, drawn from a seed, makes files out of real certificates and damages them where it hurts: lengths, tags,
//! armour, line ends, encodings, whole elements taken out, doubled or brought from elsewhere. The production code runs
//! below the place where the daemon catches panics, so that one is seen. [`witness`] judges by code of its own.
//!
//! | variable | means |
//! |---|---|
//! | `SSO_CERTD_FUZZ=60s` | how long each property is tried; two seconds where nobody asks |
//! | `SSO_CERTD_FUZZ_SEED=N` | only this case, and its file is kept |
//!
//! `cargo test --profile torture --test torture` tries far more in the same time.
//!
//! The cases of a property are those of the seeds 0, 1, 2, …: the same on every machine. A finding prints the line that
//! repeats it, and leaves the file that did it; once understood, that file belongs into `found`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "a test fails by a panic, in its helpers too, and tells its story"
)]

mod chance;
mod corpus;
mod damage;
mod element;
#[path = "../../src/intake/forge.rs"]
mod forge;
mod found;
#[path = "../keys/mod.rs"]
mod keys;
mod properties;
mod roots;
mod trial;
mod witness;
