//! What two looks at one directory have in common.

use super::Sight;
use crate::domain::{FileVerdict, Look, LookedFile};

/// Whether the files themselves are others, or other versions. What time alone makes of a file is no change of it.
pub(super) fn has_other_versions(before: &Sight, after: &Sight) -> bool {
    let (Ok(before), Ok(after)) = (before, after) else {
        return false;
    };
    let versions = |look: &Look| {
        let version = |it: &LookedFile| (it.path.clone(), it.stamp.clone());
        look.files.iter().map(version).collect::<Vec<_>>()
    };
    versions(before) != versions(after) || before.surplus != after.surplus
}

/// Whether two sights differ in anything that a plan could care about. A file that still waits is nothing yet.
pub(super) fn differs(before: &Sight, after: &Sight) -> bool {
    match (before, after) {
        (Ok(before), Ok(after)) => {
            let settled = |look: &Look| {
                let is_settled =
                    |it: &&LookedFile| !matches!(it.verdict, FileVerdict::Waiting { .. });
                look.files
                    .iter()
                    .filter(is_settled)
                    .cloned()
                    .collect::<Vec<_>>()
            };
            settled(before) != settled(after) || before.surplus != after.surplus
        }
        (Err(before), Err(after)) => before != after,
        _ => true,
    }
}
