//! Which regular look is due and when it starts, by clocks that may be set, stand still, or skip a night.
//!
//! The scheduler that calls never does again once the wall clock was set back past its next call. So the agenda knows by
//! itself what is due: it compares both clocks at each look, and says when a round starts and when the scheduler must be
//! made anew.

use std::time::Duration;

use crate::domain::{Moment, Timestamp};
use crate::plan::schedule::Schedule;

/// A step of the wall clock against the boot clock after which the scheduler is made anew. A smaller one back only delays
/// its next call by as much, and a smaller one ahead is what it notices by itself.
const STEP: Duration = Duration::from_secs(60);

/// How late a round may be called before it is made up for, and how early one may be.
const LATE: Duration = Duration::from_secs(5);

/// What is known between two looks at the clocks.
#[derive(Clone, Debug)]
pub struct Agenda {
    schedule: Schedule,
    seen: Moment,
    next: Option<Timestamp>,
    last_due: Option<Timestamp>,
    starts_at: Option<Moment>,
}

/// What a look at the clocks comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// A round starts now.
    pub starts: bool,
    /// The scheduler is of no use any more, and why.
    pub renew: Option<Renew>,
}

/// Why the scheduler is made anew. A round follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renew {
    /// The wall clock was set.
    ClockSet,
    /// A round was not called when it was due: the machine slept, or the scheduler is dead.
    NotCalled,
}

impl Agenda {
    /// Begins now. What was due before is the affair of whoever starts.
    pub fn new(schedule: Schedule, now: &Moment) -> Self {
        let next = schedule.next(now.wall);
        Self {
            schedule,
            seen: now.clone(),
            next,
            last_due: None,
            starts_at: None,
        }
    }

    /// The scheduler calls: a round starts `jitter` later. A call for what was made up for already is none.
    pub fn called(&mut self, now: &Moment, jitter: Duration) {
        if self.next.is_some_and(|it| it > now.wall.plus(LATE)) {
            return;
        }
        self.starts_at.get_or_insert_with(|| now.plus(jitter));
        let due = self.next.unwrap_or(now.wall);
        self.last_due = Some(due);
        self.next = self.schedule.next(now.wall.max(due));
    }

    /// Compares the clocks with what they said before.
    pub fn look(&mut self, now: &Moment) -> Look {
        let expected = self.seen.wall.plus(now.elapsed_since(&self.seen));
        let apart = now.wall.since(expected).max(expected.since(now.wall));
        self.seen = now.clone();
        let is_late = self.next.is_some_and(|it| it.plus(LATE) < now.wall);
        let renew = if apart > STEP {
            Some(Renew::ClockSet)
        } else {
            is_late.then_some(Renew::NotCalled)
        };
        if renew.is_some() {
            self.starts_at.get_or_insert_with(|| now.clone());
            self.last_due = if is_late {
                self.schedule.last(now.wall)
            } else {
                self.last_due.filter(|it| *it <= now.wall)
            };
            self.next = self.schedule.next(now.wall);
        }
        let is_time = |it: &mut Moment| now.since_boot >= it.since_boot;
        Look {
            starts: self.starts_at.take_if(is_time).is_some(),
            renew,
        }
    }

    /// When the next round is due; none past the calendar's end.
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// When the last one was.
    pub fn last_due(&self) -> Option<Timestamp> {
        self.last_due
    }

    /// From the next round to the one after it.
    pub fn round(&self) -> Option<Duration> {
        let next = self.next?;
        Some(self.schedule.next(next)?.since(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BootId;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);

    /// A machine with both clocks, a scheduler that behaves like the one in use, and the agenda.
    struct Machine {
        now: Moment,
        agenda: Agenda,
        /// When the scheduler calls next. It looks at the wall clock only, and reckons from the last call.
        call: Option<Timestamp>,
        is_dead: bool,
        jitter: Duration,
        /// What happened, as wall times.
        rounds: Vec<String>,
        renewals: Vec<Renew>,
    }

    impl Machine {
        /// An hourly round.
        fn at(wall: i64) -> Self {
            let now = Moment {
                wall: Timestamp::from_secs(wall),
                boot: BootId::new("boot"),
                since_boot: Duration::from_secs(100),
            };
            let schedule = Schedule::parse("0 * * * *").unwrap();
            let agenda = Agenda::new(schedule.clone(), &now);
            Self {
                call: schedule.next(now.wall),
                now,
                agenda,
                is_dead: false,
                jitter: Duration::ZERO,
                rounds: Vec::new(),
                renewals: Vec::new(),
            }
        }

        /// Time goes by, a second at a time.
        fn live(&mut self, how_long: Duration) {
            for _ in 0..how_long.as_secs() {
                self.now = self.now.plus(SECOND);
                self.tick();
            }
        }

        /// The machine sleeps: both clocks go on, and nothing runs.
        fn sleep(&mut self, how_long: Duration) {
            self.now = self.now.plus(how_long);
        }

        /// Somebody sets the wall clock.
        fn set(&mut self, wall: Timestamp) {
            self.now.wall = wall;
        }

        fn tick(&mut self) {
            let schedule = self.agenda.schedule.clone();
            if !self.is_dead && self.call.is_some_and(|it| it <= self.now.wall) {
                self.call = schedule.next(self.now.wall);
                self.agenda.called(&self.now, self.jitter);
            }
            let look = self.agenda.look(&self.now);
            if look.starts {
                self.rounds.push(self.now.wall.to_string());
            }
            if let Some(renew) = look.renew {
                self.call = schedule.next(self.now.wall);
                self.is_dead = false;
                self.renewals.push(renew);
            }
        }

        #[track_caller]
        fn assert(&self, rounds: &[&str], renewals: &[Renew]) {
            assert_eq!((&*self.rounds, &*self.renewals), (&*text(rounds), renewals));
        }

        fn last_due(&self) -> Option<String> {
            self.agenda.last_due().map(|it| it.to_string())
        }
    }

    fn text(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    /// 2026-11-24T09:14:30Z
    const MORNING: i64 = 1_795_511_670;
    /// The same, in 2030.
    const AHEAD: i64 = MORNING + 4 * 365 * 86_400;

    #[test]
    fn on_a_good_day_each_round_is_called_once_and_nothing_is_made_anew() {
        let mut machine = Machine::at(MORNING);
        machine.live(2 * HOUR);
        machine.assert(&["2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"], &[]);
        assert_eq!(machine.last_due().unwrap(), "2026-11-24T11:00:00Z");
        assert_eq!(machine.agenda.round(), Some(HOUR));
    }

    #[test]
    fn a_clock_that_was_years_ahead_and_is_corrected_stops_no_round() {
        let mut machine = Machine::at(AHEAD);
        machine.live(HOUR);
        assert_eq!(machine.rounds.len(), 1);
        machine.set(Timestamp::from_secs(MORNING));
        machine.live(HOUR);
        let rounds = ["2026-11-24T09:14:31Z", "2026-11-24T10:00:00Z"];
        assert_eq!(machine.rounds[1..], text(&rounds));
        assert_eq!(machine.renewals, [Renew::ClockSet]);
        // None that lies in a future that was none.
        assert_eq!(machine.last_due().unwrap(), "2026-11-24T10:00:00Z");
    }

    #[test]
    fn a_clock_that_began_in_1970_and_is_corrected_makes_one_round() {
        let mut machine = Machine::at(30);
        machine.live(60 * SECOND);
        machine.set(Timestamp::from_secs(MORNING));
        machine.live(HOUR);
        let rounds = ["2026-11-24T09:14:31Z", "2026-11-24T10:00:00Z"];
        machine.assert(&rounds, &[Renew::ClockSet]);
    }

    #[test]
    fn a_step_just_past_the_limit_is_one_either_way_and_a_smaller_one_is_none() {
        for (secs, is_step) in [(62, true), (-62, true), (58, false), (-58, false)] {
            let mut machine = Machine::at(MORNING);
            machine.live(10 * SECOND);
            machine.set(Timestamp::from_secs(MORNING + 10 + secs));
            machine.live(10 * SECOND);
            let renewals: &[Renew] = if is_step { &[Renew::ClockSet] } else { &[] };
            assert_eq!(machine.renewals, renewals, "{secs}");
            machine.live(HOUR);
            let round = "2026-11-24T10:00:00Z".to_owned();
            assert_eq!(machine.rounds.last(), Some(&round), "{secs}");
        }
    }

    #[test]
    fn small_steps_back_over_a_round_repeat_it_never() {
        let mut machine = Machine::at(MORNING);
        machine.live(Duration::from_secs(45 * 60 + 31));
        machine.assert(&["2026-11-24T10:00:00Z"], &[]);
        machine.set(machine.now.wall.minus(50 * SECOND));
        machine.live(HOUR + 60 * SECOND);
        let rounds = ["2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"];
        machine.assert(&rounds, &[]);
    }

    #[test]
    fn however_many_rounds_a_suspend_missed_one_makes_up_for_them() {
        let mut machine = Machine::at(MORNING);
        machine.live(60 * SECOND);
        machine.sleep(50 * HOUR);
        // The scheduler wakes with its call, and is heard only after the clocks were compared.
        machine.is_dead = true;
        machine.tick();
        machine.assert(&["2026-11-26T11:15:30Z"], &[Renew::NotCalled]);
        assert_eq!(machine.last_due().unwrap(), "2026-11-26T11:00:00Z");
        machine.agenda.called(&machine.now, Duration::ZERO);
        machine.live(HOUR);
        let rounds = ["2026-11-26T11:15:30Z", "2026-11-26T12:00:00Z"];
        machine.assert(&rounds, &[Renew::NotCalled]);
    }

    #[test]
    fn a_scheduler_that_calls_at_once_after_a_suspend_is_enough() {
        let mut machine = Machine::at(MORNING);
        machine.live(60 * SECOND);
        machine.sleep(HOUR);
        machine.live(60 * SECOND);
        machine.assert(&["2026-11-24T10:15:31Z"], &[]);
    }

    #[test]
    fn a_suspend_over_no_round_is_nothing() {
        let mut machine = Machine::at(MORNING);
        machine.sleep(30 * 60 * SECOND);
        machine.live(30 * SECOND);
        machine.assert(&[], &[]);
    }

    #[test]
    fn a_dead_scheduler_is_made_anew_at_the_first_call_that_does_not_come() {
        let mut machine = Machine::at(MORNING);
        machine.is_dead = true;
        machine.live(2 * HOUR);
        let rounds = ["2026-11-24T10:00:06Z", "2026-11-24T11:00:00Z"];
        machine.assert(&rounds, &[Renew::NotCalled]);
    }

    #[test]
    fn a_call_a_moment_too_early_is_the_round_it_is_for() {
        let mut machine = Machine::at(MORNING);
        machine.is_dead = true;
        machine.set(Timestamp::from_secs(MORNING + 45 * 60 + 27));
        machine.agenda = Agenda::new(machine.agenda.schedule.clone(), &machine.now);
        machine.agenda.called(&machine.now, Duration::ZERO);
        machine.live(60 * SECOND);
        machine.assert(&["2026-11-24T09:59:58Z"], &[]);
    }

    #[test]
    fn jitter_is_waited_for_on_the_clock_that_nobody_sets() {
        let mut machine = Machine::at(MORNING);
        machine.jitter = 120 * SECOND;
        machine.live(Duration::from_secs(46 * 60));
        machine.assert(&[], &[]);
        machine.set(Timestamp::from_secs(AHEAD));
        machine.live(30 * SECOND);
        machine.assert(&[], &[Renew::ClockSet]);
        machine.live(HOUR / 2);
        assert_eq!(machine.rounds.len(), 1, "{:?}", machine.rounds);
    }
}
