//! The same work on many things, on a few threads at once.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// More threads would take the machine from its other work for what happens at a start alone.
const THREADS_LIMIT: usize = 4;

/// What `work` makes of each item, in any order. Work that the system has no thread for is done by the others.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let turn = || items.get(next.fetch_add(1, Ordering::Relaxed)).map(&work);
        std::iter::from_fn(turn).collect::<Vec<R>>()
    };
    let threads = available_parallelism().map_or(1, NonZero::get);
    let helpers = threads
        .min(THREADS_LIMIT)
        .min(items.len())
        .saturating_sub(1);
    scope(|scope| {
        let helpers: Vec<_> = (0..helpers)
            .filter_map(|_| Builder::new().spawn_scoped(scope, take_turns).ok())
            .collect();
        let mut done = take_turns();
        for helper in helpers {
            done.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once() {
        for count in [0, 1, 2, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let mut done = map(&items, |it| it * 2);
            done.sort_unstable();
            assert_eq!(done, items.iter().map(|it| it * 2).collect::<Vec<_>>());
        }
    }
}
