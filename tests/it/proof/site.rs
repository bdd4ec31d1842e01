//! One daemon in the model world: its ledger on a real file, and its gate. And the stage on which all of it plays.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sso_certd::adapter::ledger::{Ledger, LedgerError, Query};
use sso_certd::domain::{Certificate, CertificateId, Fingerprint, IntegrationId, Look, Skew};
use sso_certd::plan::book::{Book, Standing};
use sso_certd::plan::entry::{Entry, What};
use sso_certd::plan::gate::{Gate, GateSettings, GateState};
use sso_certd::plan::policy::Policy;
use tempfile::TempDir;

use super::hands::Fate;
use super::rules::{Rule, Violation, Witness};
use super::world::{World, read_certificate};

const GATE: GateSettings = GateSettings {
    requests_per_minute: 120,
    retry_first: Duration::from_secs(1),
    retry_cap: Duration::from_secs(15 * 60),
    probe: Duration::from_secs(5 * 60),
};

pub(super) fn integration() -> IntegrationId {
    IntegrationId::parse("b0b98502-9408-4b24-9e3d-31ed7cb15312").unwrap()
}

/// What all tasks of a trial share.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) sites: Vec<Site>,
    pub(super) violation: Option<Violation>,
    /// What happened, if somebody wants to know.
    pub(super) story: Option<Vec<String>>,
}

impl Stage {
    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!(
                "{:>10.3} s  {}",
                self.world.truth.as_secs_f64(),
                what()
            ));
        }
    }

    pub(super) fn judge(&mut self, verdict: Result<(), Violation>) {
        if let Err(violation) = verdict {
            self.violation.get_or_insert(violation);
        }
    }

    /// Whether something may have been carried out that no list has shown yet.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.sites.iter().any(|it| it.witness.is_in_doubt())
    }

    pub(super) fn broken(&mut self, rule: Rule, how: String) {
        self.judge(Err(Violation { rule, how }));
    }

    /// Time passes, and what was on the way to the store arrives there.
    pub(super) fn pass_time(&mut self, duration: Duration) {
        let arrived = self.world.pass_time(duration);
        self.welcome(arrived);
    }

    pub(super) fn reboot(&mut self) {
        let arrived = self.world.reboot();
        self.welcome(arrived);
    }

    /// What is believed to be enabled is enabled, as far as nobody else meddles.
    pub(super) fn check_enabled(&mut self) {
        let Self { world, sites, .. } = self;
        let [site] = sites.as_slice() else { return };
        let is_ours = |id: &&CertificateId| site.witness.enabled_it(id, 0, world);
        let ids = site
            .stored()
            .beliefs
            .values()
            .filter_map(|it| match &it.standing {
                Standing::Confirmed(id) => Some(id),
                _ => None,
            });
        let wrong = ids.filter(is_ours).find(|it| !world.stays_enabled(it));
        if let Some(id) = wrong.cloned() {
            self.broken(
                Rule::BelievedIsTrue,
                format!("row {id} is, or will be, disabled or gone"),
            );
        }
    }

    fn welcome(&mut self, arrived: Vec<(usize, Certificate)>) {
        for (by, certificate) in arrived {
            self.tell(|| format!("{} of daemon {by} is stored", certificate.subject()));
            let is_it = |row: &&super::world::Stored| {
                row.by == Some(by) && row.certificate.as_ref() == Some(&certificate)
            };
            let count = self.world.rows().iter().filter(is_it).count();
            if count > 1 {
                let how = format!("{count} rows of {} by daemon {by}", certificate.subject());
                self.broken(Rule::OneRow, how);
            }
        }
    }
}

/// What nobody can see in an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Misled {
    /// It came from another account.
    pub(super) elsewhere: bool,
    /// It was a list that was short.
    pub(super) short: bool,
}

pub(super) struct Site {
    pub(super) policy: Policy,
    pub(super) witness: Witness,
    pub(super) ledger: Option<Ledger>,
    directory: TempDir,
    state: PathBuf,
    images: u32,
    /// What the ledger was told last.
    stored: Book,
    pub(super) gate: Gate,
    pub(super) kept_gate: GateState,
    /// Until when SendGrid does not want to be asked, in true time.
    pub(super) word_until: Duration,
    /// The look that the running pass was given.
    pub(super) look: Option<Look>,
    pub(super) has_list: bool,
    /// How the running pass was misled.
    pub(super) misled: Misled,
    pub(super) last_fate: Option<Fate>,
    /// A POST is under way: the worst time to die.
    pub(super) is_posting: bool,
    /// Nearly every write gets lost on its way.
    pub(super) is_lossy: bool,
}

impl Site {
    pub(super) fn new(policy: Policy, is_lossy: bool) -> Self {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let state = directory.path().join("0");
        Self {
            policy,
            witness: Witness::default(),
            ledger: Some(open(&state)),
            directory,
            state,
            images: 0,
            stored: Book::default(),
            gate: Gate::new(GATE),
            kept_gate: GateState::default(),
            word_until: Duration::ZERO,
            look: None,
            has_list: false,
            misled: Misled::default(),
            last_fate: None,
            is_posting: false,
            is_lossy,
        }
    }

    /// The process is gone and another one starts. What it believes then is what the ledger says.
    pub(super) fn restart(&mut self, is_killed: bool) -> Result<Book, Violation> {
        if is_killed {
            self.images += 1;
            let image = self.directory.path().join(self.images.to_string());
            fs::create_dir(&image).unwrap();
            for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
                fs::copy(self.state.join(file), image.join(file)).unwrap();
            }
            self.ledger = None;
            fs::remove_dir_all(&self.state).unwrap();
            self.state = image;
        } else {
            self.ledger = None;
        }
        let ledger = open(&self.state);
        let book = ledger.load(integration()).unwrap();
        self.ledger = Some(ledger);
        self.gate = Gate::restore(GATE, self.kept_gate.clone());
        self.has_list = false;
        self.is_posting = false;
        self.witness.writes.restarted();
        if book != self.stored {
            let how = format!("stored {:?}, loaded {book:?}", self.stored);
            return Err(Violation {
                rule: Rule::NothingIsForgotten,
                how,
            });
        }
        Ok(book)
    }

    /// How many certificates the ledger remembers.
    pub(super) fn beliefs(&self) -> usize {
        self.stored.beliefs.len()
    }

    /// The ledger and what stands beside it, in bytes.
    pub(super) fn ledger_size(&self) -> u64 {
        let files = fs::read_dir(&self.state).unwrap();
        files.map(|it| it.unwrap().metadata().unwrap().len()).sum()
    }

    /// What differs was written; what does not, was not.
    pub(super) fn note_stored(&mut self, before: &Book, after: &Book) {
        let mut stored = after.clone();
        for (fingerprint, belief) in &mut stored.beliefs {
            if before.beliefs.get(fingerprint) == Some(belief) {
                belief.clone_from(&self.stored.beliefs[fingerprint]);
            }
        }
        self.stored = stored;
    }

    /// What the history says of each certificate, oldest first.
    pub(super) fn history(&self) -> Vec<Entry> {
        let everything = Query {
            integrations: None,
            since: None,
            fingerprint: None,
            limit: u32::MAX,
        };
        let history = self.ledger.as_ref().unwrap().history(&everything).unwrap();
        history
            .records
            .into_iter()
            .rev()
            .map(|it| it.entry)
            .collect()
    }

    /// What the ledger was told last.
    pub(super) const fn stored(&self) -> &Book {
        &self.stored
    }

    /// What another process reads in the ledger's file: does it know of this request?
    pub(super) fn announces(&self, fingerprint: Fingerprint, what: What) -> bool {
        let ledger = Ledger::open_reading(&self.state, read_certificate).unwrap();
        let book = ledger.load(integration()).unwrap();
        let standing = book.beliefs.get(&fingerprint).map(|it| &it.standing);
        let is_noted = match (what, standing) {
            (What::Accepted, it) => matches!(it, Some(Standing::Intent(_))),
            (What::Retiring, it) => matches!(
                it,
                Some(Standing::Disabled { unsure: true, .. } | Standing::Deleting(_))
            ),
            (_, it) => it.is_some(),
        };
        let last = Query {
            integrations: None,
            since: None,
            fingerprint: Some(fingerprint.hex()),
            limit: 1,
        };
        let last = ledger.history(&last).unwrap();
        is_noted && last.records.first().map(|it| it.entry.what) == Some(what)
    }

    /// How far SendGrid's clock and the daemon's are known to disagree.
    pub(super) fn skew(&self, world: &World) -> Skew {
        self.gate.skew(&world.now)
    }

    /// A person decides; it is durable at once.
    pub(super) fn decide(&mut self, before: &Book, after: &Book, entries: &[Entry]) {
        let ledger = self.ledger.as_mut().unwrap();
        ledger.save(integration(), before, after, entries).unwrap();
        if before != after || !entries.is_empty() {
            self.note_stored(before, after);
        }
    }
}

/// Opens a ledger that nobody has. A process that another test starts shares every lock of this one (flock(2)) until it
/// runs its own program, and so one that was just given back can seem taken for a moment.
fn open(state: &Path) -> Ledger {
    for _ in 0..5000 {
        match Ledger::open(state, read_certificate) {
            Err(LedgerError::Held { .. }) => std::thread::park_timeout(Duration::from_millis(1)),
            other => return other.unwrap(),
        }
    }
    panic!("the ledger stays taken");
}
