//! One watcher for all sources: it routes the kernel's hints to who looks at the directory, and is made anew when it
//! breaks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::adapter::metrics::Metrics;
use crate::adapter::watcher::{Hint, WatchError, Watcher};

/// Tells one source that something happened.
#[derive(Debug, Default)]
pub struct Signal {
    /// A hint came.
    pub hinted: Notify,
    /// The watch is gone and must be armed anew.
    pub lost: AtomicBool,
}

impl Signal {
    fn hint(&self, is_lost: bool) {
        if is_lost {
            self.lost.store(true, Ordering::Release);
        }
        self.hinted.notify_one();
    }
}

/// The watcher and its routes. Cloning it is cheap; all clones are one.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    routes: Arc<Routes>,
    watcher: Mutex<Option<Watcher>>,
    metrics: Arc<Metrics>,
    is_first: AtomicBool,
}

#[derive(Default)]
struct Routes {
    signals: Mutex<BTreeMap<PathBuf, Arc<Signal>>>,
    is_broken: AtomicBool,
}

impl Watch {
    /// No watch stands yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let inner = Inner {
            routes: Arc::default(),
            watcher: Mutex::new(None),
            metrics,
            is_first: AtomicBool::new(true),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Routes hints about a directory and the names in it to a signal.
    pub fn route(&self, directory: &Path) -> Arc<Signal> {
        let signal = Arc::<Signal>::default();
        lock(&self.inner.routes.signals).insert(directory.to_owned(), Arc::clone(&signal));
        signal
    }

    /// Arms the watch of a directory, on whatever the path leads to now.
    ///
    /// # Errors
    /// As [`Watcher::watch`].
    pub fn arm(&self, directory: &Path) -> Result<(), WatchError> {
        let mut watcher = lock(&self.inner.watcher);
        if self.inner.routes.is_broken.swap(false, Ordering::AcqRel) {
            *watcher = None;
        }
        if let Some(standing) = watcher.as_mut() {
            match standing.watch(directory) {
                Err(WatchError::Refused) => {} // perhaps its thread is gone: a new one tells
                other => return other,
            }
        }
        *watcher = None;
        let mut fresh = Watcher::new(self.teller())?;
        if !self.inner.is_first.swap(false, Ordering::AcqRel) {
            self.inner.metrics.watch_restarted();
            self.inner.routes.tell_all(true, directory);
        }
        let result = fresh.watch(directory);
        *watcher = Some(fresh);
        result
    }

    fn teller(&self) -> impl Fn(Hint) + Send + 'static {
        let (routes, metrics) = (
            Arc::clone(&self.inner.routes),
            Arc::clone(&self.inner.metrics),
        );
        move |hint| {
            metrics.watch_hinted();
            routes.tell(&hint);
        }
    }
}

impl Routes {
    fn tell(&self, hint: &Hint) {
        match hint {
            Hint::Touched(path) | Hint::Lost(path) => {
                let signals = lock(&self.signals);
                if let Some(signal) = signals.get(path) {
                    signal.hint(matches!(hint, Hint::Lost(_)));
                }
                if let Some(signal) = path.parent().and_then(|it| signals.get(it)) {
                    signal.hint(false);
                }
            }
            Hint::Overflow => lock(&self.signals).values().for_each(|it| it.hint(false)),
            Hint::Broken => {
                self.is_broken.store(true, Ordering::Release);
                lock(&self.signals).values().for_each(|it| it.hint(true));
            }
        }
    }

    fn tell_all(&self, is_lost: bool, but: &Path) {
        for (directory, signal) in lock(&self.signals).iter() {
            if directory != but {
                signal.hint(is_lost);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
