//! The scheduled round: cron pulls the trigger, this task sees to it that it does.
//!
//! The scheduler in use never runs again after the wall clock was set back, and says nothing when its tasks die. So this
//! task knows by itself when the next round is due: a round that does not come is made up for, and after a step of the
//! wall clock the job is made anew.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::adapter::cron::{Cron, CronError};
use crate::config::ScheduleSettings;
use crate::daemon::pulse::Pulse;
use crate::daemon::shared::{Shared, raised};
use crate::domain::{Moment, Timestamp};

/// A step of the wall clock against the boot clock that makes the job anew.
const STEP: Duration = Duration::from_secs(60);

/// How late a round may come before it is made up for.
const LATE: Duration = Duration::from_secs(5);

/// How long the scheduler may give no sign of life.
const SILENCE: Duration = Duration::from_secs(90);

/// How often the clocks are compared.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// What the task needs.
pub struct Rounds {
    /// When rounds are due.
    pub settings: ScheduleSettings,
    /// Starts a round.
    pub start: Box<dyn Fn() + Send + Sync>,
    /// What it shares with the other tasks.
    pub shared: Shared,
    /// Whether the scheduler lives.
    pub pulse: Pulse,
    /// Becomes true when the task is to end.
    pub stop: watch::Receiver<bool>,
}

enum Sign {
    Round,
    Beat,
}

impl Rounds {
    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// The scheduler does not start.
    pub async fn run(self) -> Result<(), CronError> {
        let (sign, mut signs) = mpsc::channel(16);
        let mut cron = self.start_cron(&sign).await?;
        let mut base = self.shared.clock.now();
        let mut next = self.plan_next(None);
        let mut starts_at: Option<Moment> = None;
        loop {
            tokio::select! {
                () = raised(&self.stop) => break,
                Some(sign) = signs.recv() => match sign {
                    Sign::Beat => self.pulse.beat(SILENCE),
                    Sign::Round if next.is_none_or(|it| it <= self.shared.clock.now().wall.plus(LATE)) => {
                        starts_at.get_or_insert_with(|| self.jittered());
                        next = self.plan_next(next);
                    }
                    Sign::Round => {} // this one was made up for
                },
                () = sleep(LOOK_AROUND) => {}
            }
            let now = self.shared.clock.now();
            if starts_at
                .as_ref()
                .is_some_and(|it| now.since_boot >= it.since_boot)
            {
                starts_at = None;
                (self.start)();
            }
            let expected = base.wall.plus(now.elapsed_since(&base));
            let is_stepped = now.wall.since(expected).max(expected.since(now.wall)) > STEP;
            let is_late = next.is_some_and(|it| it.plus(LATE) < now.wall);
            if is_stepped || is_late {
                tracing::warn!(
                    "The clock was set or a round did not come: the schedule is made anew, and a round starts"
                );
                cron.stop().await;
                cron = self.start_cron(&sign).await?;
                starts_at.get_or_insert_with(|| now.clone());
                next = self.plan_next(next.filter(|_| is_late));
            }
            base = now;
        }
        cron.stop().await;
        Ok(())
    }

    async fn start_cron(&self, sign: &mpsc::Sender<Sign>) -> Result<Cron, CronError> {
        let (round, beat) = (sign.clone(), sign.clone());
        let send = |sender: &mpsc::Sender<Sign>, sign| {
            if sender.try_send(sign).is_err() {
                tracing::trace!("The schedule's task is busy");
            }
        };
        let on_round = move || send(&round, Sign::Round);
        let on_beat = move || send(&beat, Sign::Beat);
        Cron::start(self.settings.reconcile.six_fields(), on_round, on_beat).await
    }

    /// Notes that the round at `was_due` has come, and when the next one is due.
    fn plan_next(&self, was_due: Option<Timestamp>) -> Option<Timestamp> {
        let now = self.shared.clock.now().wall;
        let reconcile = &self.settings.reconcile;
        let next = reconcile.next(now);
        let after = next.and_then(|it| reconcile.next(it));
        self.shared.board.write(|it| {
            it.schedule.next_run = next;
            it.schedule.last_due = was_due.or(it.schedule.last_due);
            it.schedule.round = next.zip(after).map(|(next, after)| after.since(next));
        });
        next
    }

    fn jittered(&self) -> Moment {
        self.shared
            .clock
            .now()
            .plus(self.settings.jitter.mul_f64(fastrand::f64()))
    }
}
