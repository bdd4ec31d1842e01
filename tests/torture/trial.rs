//! Tries the cases of a property until the time is over, and tells of the first that breaks a rule.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::corpus::MADE;
use crate::witness::{self, Owed, Verdict};

/// How long a property is tried where nobody asks for more.
const SHORT: Duration = Duration::from_secs(2);

/// The processor time that judging one file may take, in a build that is not optimised.
pub(crate) const TIME_LIMIT: Duration = Duration::from_millis(1500);

/// The memory that judging one file may take at a time, in bytes.
pub(crate) const MEMORY_LIMIT: u64 = 2 << 20;

/// A file, and what it must come to.
pub(crate) type Case = (Vec<u8>, Owed);

/// Tries `case` of one seed after the other.
pub(crate) fn torture(property: &str, case: fn(&mut Chance) -> Case) {
    let only = variable("SSO_CERTD_FUZZ_SEED").map(|it| it.parse::<u64>().unwrap());
    let time =
        variable("SSO_CERTD_FUZZ").map_or(SHORT, |it| humantime::parse_duration(&it).unwrap());
    // Making them is not what is to be tried.
    LazyLock::force(&MADE);
    let until = Instant::now() + time;
    let mut most = (Duration::ZERO, 0);
    let mut seed = only.unwrap_or_default();
    let mut tried = 0_u64;
    let mut accepted = 0_u64;
    while tried == 0 || (only.is_none() && Instant::now() < until) {
        let (bytes, owed) = case(&mut Chance::new(seed));
        if only.is_some() {
            eprintln!("{property}, seed {seed}: {}", kept(property, seed, &bytes));
        }
        match judge(&bytes, &owed) {
            Ok(cost) => {
                most = (most.0.max(cost.time), most.1.max(cost.memory));
                accepted += u64::from(cost.is_accepted);
            }
            Err(fault) => panic!(
                "{fault}\n\nit is {}\nSSO_CERTD_FUZZ_SEED={seed} cargo test --test torture {property}",
                kept(property, seed, &bytes)
            ),
        }
        seed += 1;
        tried += 1;
    }
    eprintln!(
        "{property}: {tried} files, {accepted} accepted, at most {} ms and {} KiB for one",
        most.0.as_millis(),
        most.1 / 1024
    );
}

/// What judging one file took.
pub(crate) struct Cost {
    time: Duration,
    memory: u64,
    is_accepted: bool,
}

/// Judges a file, and its verdict.
pub(crate) fn judge(bytes: &[u8], owed: &Owed) -> Result<Cost, String> {
    let caught = |work: &mut dyn FnMut()| {
        catch_unwind(AssertUnwindSafe(work)).map_err(|_| "it panicked".to_owned())
    };
    let mut verdict: Option<Verdict> = None;
    let began = processor_time();
    let mut memory = 0;
    caught(&mut || {
        memory = allocation_counter::measure(|| verdict = Some(witness::judged(bytes))).bytes_max;
    })?;
    let time = processor_time().saturating_sub(began);
    let verdict = verdict.unwrap();
    caught(&mut || witness::read_in_other_ways(bytes))?;
    if let Some(fault) = witness::fault(bytes, owed, &verdict) {
        return Err(fault);
    }
    if time > TIME_LIMIT {
        return Err(format!("it took {} ms", time.as_millis()));
    }
    if memory > MEMORY_LIMIT {
        return Err(format!("it took {} KiB", memory / 1024));
    }
    Ok(Cost {
        time,
        memory,
        is_accepted: verdict.is_ok(),
    })
}

/// The processor time of this thread.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

/// Keeps a file for a person, and says where.
fn kept(property: &str, seed: u64, bytes: &[u8]) -> String {
    let path = format!("{}/{property}-{seed}", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, bytes).unwrap();
    format!("{} bytes, in {path}", bytes.len())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
