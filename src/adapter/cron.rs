//! The cron schedule, by `tokio-cron-scheduler`: it only pulls a trigger.
//!
//! The scheduler fixes a zone's offset for good, panics in a daylight-saving gap and never runs again after the wall
//! clock was set back past a run. So it knows UTC only, and who owns it makes it anew after a clock step.

use thiserror::Error;
use tokio_cron_scheduler::{Job, JobScheduler};

/// The scheduler could not be started. Its own texts are of no help to anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the cron scheduler does not start")]
pub struct CronError;

/// A running schedule.
pub struct Cron {
    scheduler: JobScheduler,
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
        let scheduler = JobScheduler::new().await.map_err(|_| CronError)?;
        let round = Job::new(expression, move |_, _| on_round()).map_err(|_| CronError)?;
        let beat = Job::new("* * * * * *", move |_, _| on_beat()).map_err(|_| CronError)?;
        scheduler.add(round).await.map_err(|_| CronError)?;
        scheduler.add(beat).await.map_err(|_| CronError)?;
        scheduler.start().await.map_err(|_| CronError)?;
        Ok(Self { scheduler })
    }

    /// Stops calling.
    pub async fn stop(mut self) {
        if self.scheduler.shutdown().await.is_err() {
            tracing::debug!("The cron scheduler was already gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn it_calls_every_second_and_stops() {
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
        cron.stop().await;
    }

    #[tokio::test]
    async fn a_wrong_expression_is_an_error() {
        assert!(Cron::start("61 * * * * *", || {}, || {}).await.is_err());
    }
}
