//! The scheduled round: cron pulls the trigger, this task sees to it that it does.
//!
//! The scheduler in use never runs again after the wall clock was set back, and says nothing when its tasks die. So this
//! task compares the clocks by an [`Agenda`]: a round that does not come is made up for, and after a step of the wall
//! clock the job is made anew.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::adapter::cron::{Cron, CronError};
use crate::config::ScheduleSettings;
use crate::daemon::pulse::Pulse;
use crate::daemon::shared::{Shared, raised};
use crate::plan::agenda::{Agenda, Renew};

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
        let reconcile = self.settings.reconcile.clone();
        let mut agenda = Agenda::new(reconcile, &self.shared.clock.now());
        self.show(&agenda);
        loop {
            tokio::select! {
                () = raised(&self.stop) => break,
                Some(sign) = signs.recv() => match sign {
                    Sign::Beat => self.pulse.beat(SILENCE),
                    Sign::Round => {
                        let jitter = self.settings.jitter.mul_f64(fastrand::f64());
                        agenda.called(&self.shared.clock.now(), jitter);
                        self.show(&agenda);
                    }
                },
                () = sleep(LOOK_AROUND) => {}
            }
            let look = agenda.look(&self.shared.clock.now());
            if let Some(why) = look.renew {
                let why = match why {
                    Renew::ClockSet => "The clock was set",
                    Renew::NotCalled => "A round did not come when it was due",
                };
                tracing::warn!("{why}: the schedule is made anew, and a round starts");
                cron = self.start_cron(&sign).await?;
                self.show(&agenda);
            }
            if look.starts {
                (self.start)();
            }
        }
        drop(cron);
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

    fn show(&self, agenda: &Agenda) {
        let now = self.shared.clock.now().wall;
        self.shared.board.write(|it| {
            // That of a former configuration, unless the clock was ahead then.
            let before = it.schedule.last_due.filter(|it| *it <= now);
            it.schedule.next_run = agenda.next();
            it.schedule.last_due = agenda.last_due().or(before);
            it.schedule.round = agenda.round();
        });
    }
}
