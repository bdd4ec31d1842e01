//! The pure core in its small world, story by story.

use std::time::Duration;

use crate::domain::Certificate;
use crate::plan::testing::{DAY, NOW, World, certificate};

mod admission;
mod clocks;
mod decisions;
mod delivery;
mod properties;
mod removal;
mod retirement;
mod scenarios;
mod trust;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A second less.
const fn just_before(duration: Duration) -> Duration {
    duration.saturating_sub(Duration::from_secs(1))
}

/// Why a person is needed, in words.
fn attention(world: &World) -> Vec<&'static str> {
    let outlook = world.plan().outlook;
    outlook.attention.iter().map(|it| it.word()).collect()
}
