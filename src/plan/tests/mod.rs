//! The pure core in its small world, story by story.

use std::time::Duration;

use crate::domain::Certificate;
use crate::plan::admission::Admission;
use crate::plan::testing::{DAY, NOW, World, certificate};
use crate::view::testing::attention_of;

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
    let admission = Admission::of(&world.book, &world.policy);
    let look = world.look().map(|it| admission.apply(&it).into_owned());
    attention_of(world.plan(), look, &world.policy, world.now.wall)
}
