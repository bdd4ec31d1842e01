//! The two clocks of this machine, read together.

use std::time::{Duration, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::{BootId, Moment, Timestamp};

/// Reads wall and boot time. The boot's name is read once.
#[derive(Clone, Debug)]
pub struct Clock {
    boot: BootId,
}

impl Clock {
    /// Learns which boot this is. Where the kernel does not tell, every start counts as a boot of its own: then no wait
    /// ever ends early.
    pub fn new() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
            |_| {
                let wall = wall();
                BootId::new(&format!(
                    "process {} at {}",
                    std::process::id(),
                    wall.as_millis()
                ))
            },
            |it| BootId::new(&it),
        );
        Self { boot }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        let since_boot = clock_gettime(ClockId::Boottime);
        let secs = u64::try_from(since_boot.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(since_boot.tv_nsec).unwrap_or(0);
        Moment {
            wall: wall(),
            boot: self.boot.clone(),
            since_boot: Duration::new(secs, nanos),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
fn wall() -> Timestamp {
    let millis = |it: Duration| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(
        match std::time::SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        },
    )
}
