//! What ten years leave behind.

use super::trial::{Trial, plain_policy};
use super::world::{DAY, accepted, certificate};

/// A look a day, a new certificate twice a year, a stranger's row that comes and goes every month: what the ledger
/// remembers is what is there, and the file stays small.
#[test]
fn ten_years_of_passes_leave_a_small_ledger() {
    let mut trial = Trial::new(0, 1, false);
    trial.stage().sites[0].policy = plain_policy();
    trial.stage().world.calm_down();
    let mut sizes = Vec::new();
    for day in 0..3650_i64 {
        {
            let world = &mut trial.stage().world;
            if day % 180 == 0 {
                let next = certificate(
                    &format!("okta-{day}"),
                    &format!("key-{day}"),
                    day - 1,
                    day + 365,
                );
                let name = format!("okta-{}.pem", day / 180 % 2);
                world.files.insert(name, accepted(vec![next]));
            }
            if day % 30 == 0 {
                let stranger = certificate(&format!("stranger-{day}"), "key", day - 1, day + 60);
                world.replace_strangers(stranger);
            }
        }
        trial.whole_pass(0).unwrap().ok();
        trial.stage().pass_time(DAY);
        if day % 365 == 364 {
            sizes.push(trial.stage().sites[0].ledger_size());
        }
    }
    let mut stage = trial.stage();
    let rows = stage.world.rows().len();
    let site = &mut stage.sites[0];
    let beliefs = site.beliefs();
    assert_eq!(site.witness.posts, 21, "one for each certificate");
    assert!(beliefs <= rows + 2, "{beliefs} beliefs of {rows} rows");
    let largest = *sizes.iter().max().unwrap();
    assert!(largest < 5 << 20, "with the log, in bytes: {sizes:?}");
    site.restart(false).unwrap();
    let folded = site.ledger_size();
    assert!(folded < 256 << 10, "without the log, in bytes: {folded}");
}
