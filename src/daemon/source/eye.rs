//! What looks at a directory, on a thread that may block: a hung network mount must not hold anybody else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::Sight;
use crate::adapter::certificate_directory::{CertificateDirectory, DirectorySettings};
use crate::adapter::clock::Clock;
use crate::adapter::watcher::WatchError;
use crate::daemon::watch::{Route, Stand, Watch};
use crate::domain::text::printable_path;
use crate::domain::{Look, Moment, SourceError};
use crate::intake::judge_file;

/// The longest a look may take before it is taken for hung, as on a network mount whose server is gone.
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
    /// A look that was taken for hung.
    hung: Option<JoinHandle<Back>>,
}

/// What one look came to.
pub(super) struct Glance {
    /// Whether a watch stood; none where nobody wanted one, or nobody knows.
    pub(super) stand: Option<Result<Stand, WatchError>>,
    pub(super) sight: Sight,
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
            hung: None,
        }
    }

    /// One look. If it hangs it is left alone, and nothing is seen until it comes back.
    pub(super) async fn look(&mut self) -> Glance {
        let patience = if self.hung.is_some() {
            HUNG_TIMEOUT
        } else {
            LOOK_TIMEOUT
        };
        let deadline = Instant::now() + patience;
        loop {
            let is_old = self.hung.is_some();
            let mut job = self.hung.take().unwrap_or_else(|| self.start());
            match timeout_at(deadline, &mut job).await {
                Ok(Ok((directory, glance))) => {
                    self.directory = directory;
                    if !is_old {
                        return glance;
                    }
                }
                Ok(Err(_)) => return self.blind("the look itself stopped"),
                Err(_) => {
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
        let now = self.clock.now();
        tokio::task::spawn_blocking(move || {
            // The watch comes before the look, so that a change in between is found by the look.
            let stand = watch.map(|it| it.stand(&route));
            let sight = look(&mut directory, settings, &now).map(Arc::new);
            (directory, Glance { stand, sight })
        })
    }

    fn blind(&self, why: &str) -> Glance {
        Glance {
            stand: None,
            sight: Err(unreadable(&self.settings.directory, why)),
        }
    }
}

fn look(
    known: &mut Option<CertificateDirectory>,
    settings: DirectorySettings,
    now: &Moment,
) -> Result<Look, SourceError> {
    let directory = match known {
        Some(directory) => directory,
        none => {
            let path = settings.directory.clone();
            let directory = CertificateDirectory::new(settings, judge_file)
                .map_err(|it| unreadable(&path, &it.to_string()))?;
            none.insert(directory)
        }
    };
    directory.look(now)
}

pub(super) fn unreadable(path: &Path, why: &str) -> SourceError {
    SourceError::Unreadable {
        path: printable_path(path),
        why: why.to_owned(),
    }
}
