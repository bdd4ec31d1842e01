//! What looks at a directory, on a thread that may block: a hung network mount must not hold anybody else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Sight;
use crate::adapter::certificate_directory::{CertificateDirectory, DirectorySettings};
use crate::adapter::clock::Clock;
use crate::adapter::watcher::WatchError;
use crate::daemon::watch::{Route, Stand, Watch};
use crate::domain::text::printable_path;
use crate::domain::{Look, Moment, Reason, Refusal, SourceError};
use crate::intake::{judge_file, signed_by};
use crate::plan::admission::issuers;

/// How long a look may read no file before it is taken for hung, as on a network mount whose server is gone. A look at a
/// thousand files may take longer on a slow machine, but reads them one by one.
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait for a look that is taken for hung already.
const HUNG_TIMEOUT: Duration = Duration::from_millis(200);

/// Looks, and waits for a look that hangs before it looks again.
pub(super) struct Eye {
    settings: DirectorySettings,
    /// None where nobody wants events.
    watch: Option<Watch>,
    route: Route,
    clock: Clock,
    directory: Option<CertificateDirectory>,
    /// How many files were read so far.
    reads: Arc<AtomicU64>,
    /// A look that was taken for hung.
    hung: Option<JoinHandle<Back>>,
}

/// What one look came to.
pub(super) struct Glance {
    /// Whether a watch stood; none where nobody wanted one, or nobody knows.
    pub(super) stand: Option<Result<Stand, WatchError>>,
    pub(super) sight: Sight,
    /// Who could change the directory itself, if anybody; none if it was not looked at.
    pub(super) way: Option<Result<(), Refusal>>,
}

/// What comes back from the other thread.
type Back = (Option<CertificateDirectory>, Glance);

impl Eye {
    pub(super) fn new(
        settings: DirectorySettings,
        watch: Option<Watch>,
        route: Route,
        clock: Clock,
    ) -> Self {
        Self {
            settings,
            watch,
            route,
            clock,
            directory: None,
            reads: Arc::default(),
            hung: None,
        }
    }

    /// One look. If it hangs it is left alone, and nothing is seen until it comes back; `alive` is called while it reads.
    pub(super) async fn look(&mut self, alive: impl Fn()) -> Glance {
        loop {
            let hung = self.hung.take();
            let is_old = hung.is_some();
            let patience = if is_old { HUNG_TIMEOUT } else { LOOK_TIMEOUT };
            let mut job = hung.unwrap_or_else(|| self.start());
            match attend(&mut job, patience, &self.reads, &alive).await {
                Some(Ok((directory, glance))) => {
                    self.directory = directory;
                    if !is_old {
                        return glance;
                    }
                }
                Some(Err(_)) => return self.blind("the look itself stopped"),
                None => {
                    self.hung = Some(job);
                    return self.blind("its file system does not answer");
                }
            }
        }
    }

    fn start(&mut self) -> JoinHandle<Back> {
        let (settings, watch, route) = (
            self.settings.clone(),
            self.watch.clone(),
            self.route.clone(),
        );
        let mut directory = self.directory.take();
        let reads = Arc::clone(&self.reads);
        let now = self.clock.now();
        tokio::task::spawn_blocking(move || {
            // The watch comes before the look, so that a change in between is found by the look.
            let stand = watch.map(|it| it.stand(&route));
            let sight = look(&mut directory, settings, reads, &now).map(Arc::new);
            let way = directory.as_ref().filter(|_| sight.is_ok()).map(way);
            (directory, Glance { stand, sight, way })
        })
    }

    fn blind(&self, why: &str) -> Glance {
        Glance {
            stand: None,
            sight: Err(unreadable(&self.settings.directory, why)),
            way: None,
        }
    }
}

/// What comes of a job, which is waited for while it reads: none if it read nothing for as long as `patience`.
async fn attend<T>(
    job: &mut (impl Future<Output = T> + Unpin),
    patience: Duration,
    reads: &AtomicU64,
    alive: impl Fn(),
) -> Option<T> {
    loop {
        let before = reads.load(Ordering::Relaxed);
        if let Ok(done) = timeout(patience, &mut *job).await {
            return Some(done);
        }
        if reads.load(Ordering::Relaxed) == before {
            return None;
        }
        alive();
    }
}

fn look(
    known: &mut Option<CertificateDirectory>,
    settings: DirectorySettings,
    reads: Arc<AtomicU64>,
    now: &Moment,
) -> Result<Look, SourceError> {
    let directory = match known {
        Some(directory) => directory,
        none => {
            let path = settings.directory.clone();
            let directory = CertificateDirectory::new(settings, judge_file)
                .map_err(|it| unreadable(&path, &it.to_string()))?;
            none.insert(directory.counting(reads))
        }
    };
    let look = directory.look(now)?;
    Ok(Look {
        issuers: issuers(look.certificates(), signed_by),
        ..look
    })
}

/// What refuses every file of a directory, now and later.
fn way(directory: &CertificateDirectory) -> Result<(), Refusal> {
    match directory.judge_path() {
        Err(refusal) if refusal.reason == Reason::UnsafePermissions => Err(refusal),
        _ => Ok(()),
    }
}

pub(super) fn unreadable(path: &Path, why: &str) -> SourceError {
    SourceError::Unreadable {
        path: printable_path(path),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::sleep;

    use super::*;

    /// What comes of a job that reads these many files, one in so many seconds, and how often it was found alive.
    async fn attended(files: u64, secs_each: u64) -> (Option<()>, u64) {
        let (reads, beats) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut job = pin!(async {
            for _ in 0..files {
                sleep(Duration::from_secs(secs_each)).await;
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        let alive = || {
            beats.fetch_add(1, Ordering::Relaxed);
        };
        let done = attend(&mut job, LOOK_TIMEOUT, &reads, alive).await;
        (done, beats.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_is_waited_for_while_it_reads_and_taken_for_hung_when_it_does_not() {
        assert_eq!(attended(3, 1).await, (Some(()), 0));
        assert_eq!(attended(10, 15).await, (Some(()), 7), "150 s in all");
        assert_eq!(attended(1, 25).await, (None, 0));
    }
}
