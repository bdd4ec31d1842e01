//! What is to become of an old certificate, in words: the same in plan, status and explain.

use crate::domain::Timestamp;
use crate::plan::retire::{Block, How, Retirement};

use super::when::day_and_clock;

/// What a certificate is after it was taken away like this.
pub(crate) const fn taken(how: How) -> &'static str {
    match how {
        How::Disable => "disabled",
        How::Delete => "deleted",
    }
}

/// What happens to it and when, or what stands in the way, for a column; none if nobody wants it taken away.
pub(crate) fn in_short(it: &Retirement, now: Timestamp) -> Option<String> {
    let how = taken(it.how?);
    Some(match (it.date(now), standing_block(it)) {
        _ if would_go(it) => format!("would be {how} (observe)"),
        (Some(date), _) if date <= now => format!("to be {how} with the next pass"),
        (Some(date), _) => format!("to be {how} {}", on(date, now)),
        (None, Some(block)) => format!("not {how}: {}", reason(block)),
        (None, None) => format!("not {how} yet"),
    })
}

/// The same with everything that stands in the way, for a line of its own.
pub(crate) fn in_full(it: &Retirement, now: Timestamp) -> String {
    let Some(how) = it.how.map(taken) else {
        return "retire.action = \"keep\"".to_owned();
    };
    let order = if it.ordered {
        ", as a person ordered"
    } else {
        ""
    };
    let Some(date) = it.date(now) else {
        let blocks: Vec<String> = it.blocks.iter().map(ToString::to_string).collect();
        return format!("not {how} yet{order}: {}", blocks.join("; "));
    };
    if date <= now {
        return format!("to be {how}{order}; one goes in a day");
    }
    let last = it
        .blocks
        .iter()
        .find(|block| block.until().is_some_and(|until| until == date));
    let once = last.map_or_else(String::new, |block| format!(", once {}", reason(block)));
    format!("to be {how} {}{order}{once}", on(date, now))
}

/// Why it may go now.
pub(crate) fn why_now(it: &Retirement, is_over: bool) -> &'static str {
    match (it.again, it.ordered, is_over) {
        (true, _, _) => "again: nobody knows what became of the last request",
        (_, true, _) => "a person ordered it",
        (_, _, true) => "over for longer than retire.expired_after",
        _ => "gone from the source, and its successor is trusted, each for long enough",
    }
}

/// Whether only `mode = "observe"` keeps it.
pub(crate) fn would_go(it: &Retirement) -> bool {
    it.how.is_some() && it.blocks == [Block::Observe]
}

/// The first block that no time lifts.
fn standing_block(it: &Retirement) -> Option<&Block> {
    it.blocks.iter().find(|block| block.until().is_none())
}

fn on(date: Timestamp, now: Timestamp) -> String {
    if date.date() == now.date() {
        day_and_clock(date, now)
    } else {
        format!("on {}", date.date())
    }
}

/// A block without its date.
const fn reason(block: &Block) -> &'static str {
    match block {
        Block::Keep => "retire.action is \"keep\"",
        Block::Observe => "it is only observed",
        Block::Paused => "paused",
        Block::IdChanged => "its integration_id changed",
        Block::NotAsOurs => "it is not listed as ours",
        Block::SourceDown => "its directory cannot be read",
        Block::ClockInDoubt => "the clocks disagree",
        Block::TooYoung { .. } => "it is over for long enough",
        Block::FileThere => "its file is still there",
        Block::SourceUnhealthy => "a file is refused",
        Block::Absence { .. } => "its file is gone for long enough",
        Block::NoSuccessor => "no successor is trusted",
        Block::Overlap { .. } => "its successor is trusted for long enough",
        Block::Last => "the last valid one",
        Block::OneADay { .. } => "a day has passed since the last one",
        Block::AdditionsFirst => "additions come first",
        Block::Refused { .. } => "SendGrid may be asked again",
        Block::OneAtATime | Block::Unsettled { .. } => "the request before is settled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::book::Write;
    use crate::view::testing::{at, now};

    fn retirement(how: Option<How>, blocks: Vec<Block>) -> Retirement {
        Retirement {
            how,
            ordered: false,
            again: false,
            blocks,
        }
    }

    #[test]
    fn what_time_alone_lifts_has_a_date() {
        let until = at("2026-12-31 07:00:00");
        let absence = Block::Absence {
            until: at("2026-12-01 00:00:00"),
            next: at("2026-11-25 00:00:00"),
        };
        let it = retirement(Some(How::Disable), vec![absence, Block::Overlap { until }]);
        assert_eq!(
            in_short(&it, now()).unwrap(),
            "to be disabled on 2026-12-31"
        );
        assert_eq!(
            in_full(&it, now()),
            "to be disabled on 2026-12-31, once its successor is trusted for long enough"
        );
        let until = at("2026-11-24 21:40:00");
        let it = retirement(Some(How::Delete), vec![Block::OneADay { until }]);
        assert_eq!(
            in_short(&it, now()).unwrap(),
            "to be deleted today 21:40 UTC"
        );
    }

    #[test]
    fn what_no_time_lifts_is_named() {
        let until = at("2026-12-31 07:00:00");
        let mut it = retirement(
            Some(How::Delete),
            vec![Block::Overlap { until }, Block::Last],
        );
        assert_eq!(
            in_short(&it, now()).unwrap(),
            "not deleted: the last valid one"
        );
        it.ordered = true;
        assert_eq!(
            in_full(&it, now()),
            "not deleted yet, as a person ordered: its successor has been trusted for long enough from 2026-12-31; \
             no other certificate of ours is trusted and valid for 7 days more"
        );
    }

    #[test]
    fn what_nobody_wants_away_stays() {
        let until = at("2026-12-31 07:00:00");
        let it = retirement(None, vec![Block::Keep, Block::TooYoung { until }]);
        assert_eq!(in_short(&it, now()), None);
        assert_eq!(in_full(&it, now()), "retire.action = \"keep\"");
    }

    #[test]
    fn what_may_go_goes_with_the_next_pass_or_would() {
        let it = retirement(Some(How::Disable), Vec::new());
        assert_eq!(
            in_short(&it, now()).unwrap(),
            "to be disabled with the next pass"
        );
        let it = retirement(Some(How::Disable), vec![Block::Observe]);
        assert_eq!(in_short(&it, now()).unwrap(), "would be disabled (observe)");
        let until = at("2026-11-25 09:00:00");
        let refused = Block::Refused {
            write: Write::Update,
            is_forbidden: true,
            until,
        };
        let it = retirement(Some(How::Disable), vec![refused]);
        assert_eq!(
            in_full(&it, now()),
            "to be disabled on 2026-11-25, once SendGrid may be asked again"
        );
    }
}
