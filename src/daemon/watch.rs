//! One watcher for all sources: it routes the kernel's hints to who looks at the directory, and is made anew when it
//! breaks.
//!
//! The kernel keeps one watch an inode, and `notify` knows it by the path that was watched last. Several sources may lead
//! to one directory, by one path or by several, so a hint goes to every source that stands on the inode it is about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::adapter::metrics::Metrics;
use crate::adapter::watcher::{
    DirectoryIdentity, Hint, Inode, WatchError, Watcher, silent_file_system,
};

/// The watcher and its routes. Cloning it is cheap; all clones are one.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    /// Held while the watcher is asked something.
    watcher: Mutex<Option<Watcher>>,
    /// Held for moments, also by the watcher's own thread: never while the watcher is asked something.
    table: Arc<Mutex<Table>>,
    metrics: Arc<Metrics>,
}

/// The way of hints to one source.
#[derive(Clone, Debug)]
pub struct Route {
    number: usize,
    directory: PathBuf,
    hinted: Arc<Notify>,
}

impl Route {
    /// Waits for a hint. One that came since the last time is enough.
    pub async fn hinted(&self) {
        self.hinted.notified().await;
    }
}

/// Since when a watch stands on the directory that a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    /// Since before this question: whatever happened after the last one was hinted at.
    Before,
    /// Since now.
    Fresh,
}

impl Watch {
    /// No watch stands yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let inner = Inner {
            watcher: Mutex::new(None),
            table: Arc::default(),
            metrics,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes a way for the hints about a directory and the names in it. They come once a watch stands.
    pub fn route(&self, directory: &Path) -> Route {
        let hinted = Arc::<Notify>::default();
        let mut table = lock(&self.inner.table);
        let number = table.sources.len();
        table.sources.push(Source {
            stands_on: None,
            hinted: Arc::clone(&hinted),
        });
        Route {
            number,
            directory: directory.to_owned(),
            hinted,
        }
    }

    /// Makes a watch stand on whatever the path leads to now. Blocks for as long as the file system does.
    ///
    /// # Errors
    /// There is nothing, its file system tells of no changes, it may not be watched, or the kernel's limit is reached.
    pub fn stand(&self, route: &Route) -> Result<Stand, WatchError> {
        let directory = &route.directory;
        // A file system that hangs must hang here, where nobody waits for the lock.
        let identity = DirectoryIdentity::of(directory);
        let silent = identity.and_then(|_| silent_file_system(directory));
        let mut watcher = lock(&self.inner.watcher);
        let stale = {
            let mut table = lock(&self.inner.table);
            if std::mem::take(&mut table.is_broken) {
                *watcher = None;
                table.forget_all();
            }
            if table.stands(route.number, identity) {
                return Ok(Stand::Before);
            }
            table.leave(route.number);
            std::mem::take(&mut table.stale)
        };
        if let Some(watcher) = watcher.as_mut() {
            for it in &stale {
                watcher.unwatch(it);
            }
        }
        let identity = identity.ok_or(WatchError::Refused)?;
        if let Some(name) = silent {
            return Err(WatchError::Unsupported(name));
        }
        let is_watched = lock(&self.inner.table).join(route.number, identity);
        if !is_watched {
            self.standing(&mut watcher)?.watch(directory)?;
            lock(&self.inner.table).enter(route.number, identity, directory);
        }
        drop(watcher);
        if DirectoryIdentity::of(directory) != Some(identity) {
            // It was replaced in between, and nobody knows which of the two is watched.
            self.distrust(route);
            return Err(WatchError::Refused);
        }
        Ok(Stand::Fresh)
    }

    /// Gives up the watch that a source stands on, as it did not tell of a change. All who stand on it are hinted, and
    /// stand anew with their next look.
    pub fn distrust(&self, route: &Route) {
        let mut table = lock(&self.inner.table);
        let inode = table.inode_of(route.number);
        if let Some(inode) = inode {
            table.release(|_, it| it == inode);
        }
    }

    /// The watcher, made anew if there is none.
    fn standing<'a>(
        &self,
        watcher: &'a mut Option<Watcher>,
    ) -> Result<&'a mut Watcher, WatchError> {
        if let Some(watcher) = watcher {
            return Ok(watcher);
        }
        let epoch = {
            let mut table = lock(&self.inner.table);
            table.epoch += 1;
            table.epoch
        };
        let (table, metrics) = (
            Arc::clone(&self.inner.table),
            Arc::clone(&self.inner.metrics),
        );
        let fresh = Watcher::new(move |hint| {
            if lock(&table).hear(epoch, &hint) && hint != Hint::Broken {
                metrics.watch_hinted();
            }
        })?;
        if std::mem::replace(&mut lock(&self.inner.table).has_watched, true) {
            self.inner.metrics.watch_restarted();
            tracing::warn!("The watcher of directories had ended and was made anew");
        }
        Ok(watcher.insert(fresh))
    }
}

/// Who stands where.
#[derive(Default)]
struct Table {
    /// By the numbers of their routes.
    sources: Vec<Source>,
    /// What `notify` watches: the path that it was told, and where that led.
    watched: BTreeMap<PathBuf, Inode>,
    /// What `notify` may still watch, and nobody wants.
    stale: Vec<PathBuf>,
    /// Which watcher is listened to.
    epoch: u64,
    is_broken: bool,
    has_watched: bool,
}

struct Source {
    stands_on: Option<DirectoryIdentity>,
    hinted: Arc<Notify>,
}

impl Table {
    fn stands(&self, number: usize, identity: Option<DirectoryIdentity>) -> bool {
        let stands_on = self.sources.get(number).and_then(|it| it.stands_on);
        stands_on.is_some() && stands_on == identity
    }

    fn inode_of(&self, number: usize) -> Option<Inode> {
        Some(self.sources.get(number)?.stands_on?.inode())
    }

    /// A source leaves where it stood. The watch there goes, too, as its path is about to be watched elsewhere; who else
    /// stands on it is hinted.
    fn leave(&mut self, number: usize) {
        let inode = self.inode_of(number);
        if let Some(source) = self.sources.get_mut(number) {
            source.stands_on = None;
        }
        if let Some(inode) = inode {
            self.release(|_, it| it == inode);
        }
    }

    /// A source stands on a watch that is there already; whether there is one.
    fn join(&mut self, number: usize, identity: DirectoryIdentity) -> bool {
        let is_watched = self.watched.values().any(|it| *it == identity.inode());
        if let Some(source) = self.sources.get_mut(number).filter(|_| is_watched) {
            source.stands_on = Some(identity);
        }
        is_watched
    }

    fn enter(&mut self, number: usize, identity: DirectoryIdentity, directory: &Path) {
        self.watched.insert(directory.to_owned(), identity.inode());
        self.join(number, identity);
    }

    /// Gives up watches; who stands on them is hinted.
    fn release(&mut self, is_over: impl Fn(&Path, Inode) -> bool) {
        let over: Vec<(PathBuf, Inode)> = self
            .watched
            .iter()
            .filter(|(path, inode)| is_over(path, **inode))
            .map(|(path, inode)| (path.clone(), *inode))
            .collect();
        for (path, inode) in over {
            self.watched.remove(&path);
            self.stale.push(path);
            for source in &mut self.sources {
                if source.stands_on.is_some_and(|it| it.inode() == inode) {
                    source.stands_on = None;
                    source.hinted.notify_one();
                }
            }
        }
    }

    /// Whether the hint came from the watcher of now.
    fn hear(&mut self, epoch: u64, hint: &Hint) -> bool {
        if epoch != self.epoch {
            return false;
        }
        match hint {
            Hint::Touched(path) => self.hint(path),
            Hint::Lost(path) => {
                self.hint(path);
                // With a directory, `notify` forgets everything below it.
                self.release(|it, _| it.starts_with(path));
            }
            // Among the lost events may be the last one of a watch.
            Hint::Overflow => self.release(|_, _| true),
            Hint::Broken => {
                self.forget_all();
                self.is_broken = true;
            }
        }
        true
    }

    /// There is no watcher any more that watches anything.
    fn forget_all(&mut self) {
        self.release(|_, _| true);
        self.stale.clear();
    }

    /// Hints all who stand on this directory, or on the one that this is a name in.
    fn hint(&self, path: &Path) {
        for watched in [Some(path), path.parent()].into_iter().flatten() {
            let Some(inode) = self.watched.get(watched) else {
                continue;
            };
            let concerned = |it: &&Source| {
                it.stands_on
                    .is_some_and(|stands_on| stands_on.inode() == *inode)
            };
            self.sources
                .iter()
                .filter(concerned)
                .for_each(|it| it.hinted.notify_one());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
