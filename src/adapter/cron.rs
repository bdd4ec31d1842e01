//! The cron schedule, by `tokio-cron-scheduler`: it only pulls a trigger.
//!
//! The scheduler fixes a zone's offset for good, panics in a daylight-saving gap and never runs again after the wall
//! clock was set back past a run. So it knows UTC only, and who owns it makes it anew after a clock step.

use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio_cron_scheduler::{Job, JobScheduler};

/// The scheduler could not be started. Its own texts are of no help to anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the cron scheduler does not start")]
pub struct CronError;

/// A running schedule. It ends when this is dropped.
pub struct Cron {
    /// The scheduler's own, as it never ends its tasks by itself; none only while it is dropped.
    runtime: Option<Runtime>,
}

impl Cron {
    /// Starts calling `on_round` at the expression's instants (six fields, seconds first, UTC), and `on_beat` every second
    /// while the scheduler lives.
    ///
    /// # Errors
    /// The scheduler refuses the expression or does not start.
    pub async fn start(
        expression: &str,
        on_round: impl Fn() + Send + Sync + 'static,
        on_beat: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, CronError> {
        let round = Job::new(expression, move |_, _| on_round()).map_err(|_| CronError)?;
        let beat = Job::new("* * * * * *", move |_, _| on_beat()).map_err(|_| CronError)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("schedule")
            .enable_time()
            .build()
            .map_err(|_| CronError)?;
        let started = runtime.spawn(async move {
            let scheduler = JobScheduler::new().await?;
            scheduler.add(round).await?;
            scheduler.add(beat).await?;
            scheduler.start().await
        });
        let cron = Self {
            runtime: Some(runtime),
        };
        match started.await {
            Ok(Ok(())) => Ok(cron),
            Ok(Err(_)) | Err(_) => Err(CronError),
        }
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn it_calls_every_second_and_leaves_nothing_behind() {
        let (round, mut rounds) = mpsc::unbounded_channel();
        let (beat, mut beats) = mpsc::unbounded_channel();
        let cron = Cron::start(
            "* * * * * *",
            move || round.send(()).unwrap_or_default(),
            move || beat.send(()).unwrap_or_default(),
        );
        let cron = cron.await.unwrap();
        for _ in 0..2 {
            rounds.recv().await.unwrap();
            beats.recv().await.unwrap();
        }
        drop(cron);
        // Nobody holds what it called any more.
        let gone = async {
            while rounds.recv().await.is_some() {}
            while beats.recv().await.is_some() {}
        };
        timeout(Duration::from_secs(5), gone).await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_expression_is_an_error() {
        assert!(Cron::start("61 * * * * *", || {}, || {}).await.is_err());
    }
}
