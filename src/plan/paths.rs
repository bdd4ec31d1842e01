//! Where the certificates of a plan lie.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::{Fingerprint, Look};
use crate::plan::rollover::Plan;

/// The plan with its files where they lie by this look, as the integration reads it; none if they lie where it says. That
/// needs no list: a file that was renamed changes nothing else in it. What came or went is for a pass to see.
pub fn relocated(plan: &Plan, look: &Look) -> Option<Plan> {
    let mut now_in: BTreeMap<Fingerprint, Vec<PathBuf>> = BTreeMap::new();
    for file in &look.files {
        for certificate in file.verdict.accepted() {
            let known = now_in.entry(certificate.fingerprint()).or_default();
            known.push(file.path.clone());
        }
    }
    let mut relocated: Option<Plan> = None;
    for (index, item) in plan.items.iter().enumerate() {
        let found = item.fingerprint.and_then(|it| now_in.get(&it));
        let Some(found) = found.filter(|it| !item.paths.is_empty() && **it != item.paths) else {
            continue;
        };
        let plan = relocated.get_or_insert_with(|| plan.clone());
        if let Some(item) = plan.items.get_mut(index) {
            item.paths.clone_from(found);
        }
    }
    relocated
}
