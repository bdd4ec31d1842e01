//! The model world: a clock, a certificate directory and a SendGrid, each as bad as the daemon promises to bear.
//!
//! What the promise is: a POST is stored no later than [`LATEST`] after it was given up, and a list or a GET is no older
//! than [`LAG`]. Together that stays below `delivery.settle`. A list that lies outright (empty or short, with a 200)
//! comes only while no answer to a POST is missing, as nobody could tell it from the truth.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use sso_certd::domain::{
    BootId, Certificate, CertificateId, CertificateParts, FileVerdict, Fingerprint, KeyAlgorithm,
    Look, LookedFile, Moment, Reason, Refusal, Row, RowContent, SignatureHash, Timestamp, Validity,
};
use sso_certd::plan::admission::issuers;
use sso_certd::plan::book::Belief;

/// 2026-11-24T09:00:00Z, when every trial begins.
pub(super) const START: Timestamp = Timestamp::from_secs(1_795_510_800);

/// How old a list or a GET may be.
pub(super) const LAG: Duration = Duration::from_secs(60);

/// How long after we gave a POST up it may still be stored.
pub(super) const LATEST: Duration = Duration::from_secs(60);

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Makes a certificate from what stands for its DER: `NAME KEY START END ISSUER SIGNER KIND`. Times are in seconds since
/// 1970, the signer is the key that signed it, and the kind is `ca` if it may issue others.
pub(super) fn read_certificate(der: &[u8]) -> Option<Certificate> {
    let words = words(der)?;
    let [name, key, start, end, issuer, signer, kind] = words[..] else {
        return None;
    };
    let second = |it: &str| Some(Timestamp::from_secs(it.parse().ok()?));
    let validity = Validity {
        not_before: second(start)?,
        not_after: second(end)?,
    };
    Some(Certificate::new(CertificateParts {
        der,
        subject_public_key_info: key.as_bytes(),
        validity,
        subject: format!("CN={name}"),
        issuer: format!("CN={issuer}"),
        self_signed: issuer == name && signer == key,
        may_issue: kind == "ca",
        serial: &[1],
        key: KeyAlgorithm::Rsa(2048),
        signature: SignatureHash::Sha256,
        remarks: Vec::new(),
    }))
}

fn words(der: &[u8]) -> Option<Vec<&str>> {
    Some(std::str::from_utf8(der).ok()?.split(' ').collect())
}

/// Whether the second certificate's key signed the first one, and its subject is the first one's issuer.
pub(super) fn signed_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    let signer = |it: &[&str]| it[5].to_owned();
    let key = |it: &[&str]| it[1].to_owned();
    let (signed, by) = (words(certificate.der()), words(issuer.der()));
    certificate.issuer() == issuer.subject()
        && signed.map(|it| signer(&it)) == by.map(|it| key(&it))
}

/// A self-signed certificate that is valid from `start` to `end`, in days from [`START`].
pub(super) fn certificate(name: &str, key: &str, start: i64, end: i64) -> Certificate {
    issued(name, key, start, end, &format!("{name} {key} leaf"))
}

/// The same, by this issuer and its key, and of this kind.
fn issued(name: &str, key: &str, start: i64, end: i64, issuer: &str) -> Certificate {
    let at = |days: i64| START.as_secs() + days * 86_400;
    let der = format!("{name} {key} {} {} {issuer}", at(start), at(end));
    read_certificate(der.as_bytes()).unwrap()
}

/// What the files and the rows of a trial are made of. Some share a key, one begins later, one ends during the trial. One
/// issued another and a third; one only bears the name of its supposed issuer.
pub(super) fn pool() -> Vec<Certificate> {
    vec![
        issued("root", "k10", -300, 900, "root k10 ca"),
        issued("leaf", "k11", -10, 300, "root k10 leaf"),
        issued("own", "k12", -20, 500, "own k12 ca"),
        issued("renewed", "k13", -1, 600, "own k12 leaf"),
        issued("alike", "k14", -1, 450, "solo k99 leaf"),
        issued("solo", "k15", -40, 650, "solo k15 ca"),
        certificate("a", "k1", -300, 60),
        certificate("b", "k2", -1, 365),
        certificate("b-again", "k2", -1, 400),
        certificate("c", "k3", -10, 700),
        certificate("next", "k4", 2, 800),
        certificate("old", "k5", -700, -1),
        certificate("brief", "k6", -30, 1),
        certificate("week", "k7", -30, 7),
    ]
}

/// A row as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) id: CertificateId,
    /// None: garbage.
    pub(super) certificate: Option<Certificate>,
    /// What the row says cannot be read for now.
    pub(super) is_garbled: bool,
    /// Which daemon's POST made it; none: somebody else.
    pub(super) by: Option<usize>,
    /// Whether it allows a login, which no answer tells.
    pub(super) is_enabled: bool,
}

impl Stored {
    fn shown(&self) -> Row {
        let certificate = self.certificate.clone().filter(|_| !self.is_garbled);
        let content = certificate.map_or(RowContent::Undecodable, |it| {
            RowContent::Certificate(Box::new(it))
        });
        Row {
            id: Some(self.id.clone()),
            content,
        }
    }
}

/// What is on its way into the store.
#[derive(Clone, Debug)]
struct Commit {
    at: Duration,
    id: CertificateId,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Store {
        certificate: Box<Certificate>,
        by: usize,
    },
    Enable(bool),
    Delete,
}

pub(super) struct World {
    pub(super) dice: Rng,
    pub(super) now: Moment,
    /// Time as it really passes, since the start; no clock of the daemon shows it.
    pub(super) truth: Duration,
    /// By how much the daemon's wall clock is wrong, in seconds.
    wrong_by: i64,
    boots: u32,
    /// Nothing goes wrong any more.
    pub(super) is_calm: bool,
    pub(super) files: BTreeMap<String, FileVerdict>,
    pub(super) source_up: bool,
    edits: u32,
    rows: Vec<Stored>,
    /// The store as it was, from when on.
    past: Vec<(Duration, Vec<Stored>)>,
    on_the_way: Vec<Commit>,
    next_id: u64,
    /// The key reaches another account for now: there, nothing is known of our certificates.
    pub(super) is_elsewhere: bool,
    /// What the list of that account shows.
    others: Vec<Stored>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Rng::with_seed(seed),
            now: Moment {
                wall: START,
                boot: BootId::new("boot-0"),
                since_boot: Duration::from_secs(1000),
            },
            truth: Duration::ZERO,
            wrong_by: 0,
            boots: 0,
            is_calm: false,
            files: BTreeMap::new(),
            source_up: true,
            edits: 0,
            rows: Vec::new(),
            past: vec![(Duration::ZERO, Vec::new())],
            on_the_way: Vec::new(),
            next_id: 66_138_975,
            is_elsewhere: false,
            others: Vec::new(),
        }
    }

    /// True in so many of a thousand cases; never once all is calm.
    pub(super) fn goes_wrong(&mut self, per_mille: u32) -> bool {
        let drawn = self.dice.u32(0..1000);
        !self.is_calm && drawn < per_mille
    }

    pub(super) fn chance(&mut self, per_cent: u32) -> bool {
        self.dice.u32(0..100) < per_cent
    }

    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap();
        Duration::from_millis(self.dice.u64(0..=most))
    }
}

/// The clock.
impl World {
    /// Time passes, and what was on the way arrives.
    pub(super) fn pass_time(&mut self, duration: Duration) -> Vec<(usize, Certificate)> {
        self.truth += duration;
        self.now = self.now.plus(duration);
        self.arrive()
    }

    /// The wall clock is set to something else; a second jump sets it right.
    pub(super) fn jump(&mut self) {
        let by = if self.wrong_by == 0 {
            let years = self.dice.i64(-12..=12);
            years * 365 * 86_400 + self.dice.i64(-90_000..=90_000)
        } else {
            -self.wrong_by
        };
        self.wrong_by += by;
        self.now.wall = Timestamp::from_millis(self.now.wall.as_millis() + by * 1000);
    }

    /// A wrong clock is set right, an unreadable directory is readable again, now and then.
    pub(super) fn mend(&mut self) -> Vec<String> {
        let mut mended = Vec::new();
        if self.wrong_by != 0 && self.chance(6) {
            self.jump();
            mended.push(format!("the wall clock is set right, to {}", self.now.wall));
        }
        if !self.source_up && self.chance(8) {
            self.source_up = true;
            mended.push("the directory is readable again".to_owned());
        }
        mended
    }

    /// The machine is off for a while, and another boot begins.
    pub(super) fn reboot(&mut self) -> Vec<(usize, Certificate)> {
        self.boots += 1;
        let off = Duration::from_secs(self.dice.u64(5..4000));
        let arrived = self.pass_time(off);
        self.now.boot = BootId::new(&format!("boot-{}", self.boots));
        // No boot is older than the time since the machine went off.
        self.now.since_boot = Duration::from_secs(self.dice.u64(3..40)).min(off);
        arrived
    }

    /// SendGrid's own clock, which is right.
    pub(super) fn server_time(&self) -> Timestamp {
        START.plus(self.truth)
    }
}

/// The certificate directory.
impl World {
    pub(super) fn look(&self) -> Option<Look> {
        let file = |(name, verdict): (&String, &FileVerdict)| LookedFile {
            path: PathBuf::from(format!("/certificates/{name}")),
            owner: "root 0644".to_owned(),
            stamp: format!("{name} {}", self.edits),
            changed: START,
            content: None,
            verdict: verdict.clone(),
        };
        let mut look = Look {
            files: self.files.iter().map(file).collect(),
            ..Look::default()
        };
        look.issuers = issuers(look.certificates(), signed_by);
        self.source_up.then_some(look)
    }

    /// Somebody does something to the directory.
    pub(super) fn edit_source(&mut self) -> String {
        self.edits += 1;
        let name = format!("file-{}.pem", self.dice.u32(0..8));
        let verdict = match self.dice.u32(0..16) {
            0 | 12..16 => {
                self.files.remove(&name);
                return format!("{name} is gone");
            }
            1 => {
                self.files.clear();
                return "every file is gone".to_owned();
            }
            2 => {
                self.source_up = !self.source_up;
                let how = if self.source_up { "back" } else { "unreadable" };
                return format!("the directory is {how}");
            }
            3 => FileVerdict::refused(Refusal::new(Reason::PemMalformed, "the text stops")),
            4 => FileVerdict::Waiting {
                until: self.now.wall.plus(Duration::from_millis(500)),
                otherwise: None,
            },
            _ => {
                let pool = pool();
                let count = self.dice.usize(1..=2);
                let certificates: Vec<Certificate> = (0..count)
                    .map(|_| pool[self.dice.usize(0..pool.len())].clone())
                    .collect();
                accepted(certificates)
            }
        };
        let told = match &verdict {
            FileVerdict::Accepted { certificates, .. } => {
                let names: Vec<&str> = certificates.iter().map(Certificate::subject).collect();
                format!("{name} holds {}", names.join(" and "))
            }
            FileVerdict::Refused { .. } => format!("{name} is refused"),
            FileVerdict::Waiting { .. } => format!("{name} is being written"),
        };
        self.files.insert(name, verdict);
        told
    }
}

pub(super) fn accepted(mut certificates: Vec<Certificate>) -> FileVerdict {
    certificates.dedup_by_key(|it| it.fingerprint());
    FileVerdict::Accepted {
        certificates,
        refused: Vec::new(),
        issuers: Vec::new(),
        notes: Vec::new(),
    }
}

/// SendGrid.
impl World {
    /// The rows as they truly are.
    pub(super) fn rows(&self) -> &[Stored] {
        &self.rows
    }

    /// The rows as some replica has them.
    fn replica(&mut self) -> Vec<Stored> {
        if self.is_elsewhere {
            return self.others.clone();
        }
        let lag = if self.goes_wrong(300) {
            self.up_to(LAG)
        } else {
            Duration::ZERO
        };
        let at = self.truth.saturating_sub(lag);
        let then = self.past.iter().rev().find(|(from, _)| *from <= at);
        then.map_or_else(Vec::new, |(_, rows)| rows.clone())
    }

    /// The answer to a list, in any order, and whether it is a lie: `may_lie` lets it be short of rows, or empty.
    pub(super) fn listed(&mut self, may_lie: bool) -> (Vec<Row>, bool) {
        let mut rows: Vec<Row> = self.replica().iter().map(Stored::shown).collect();
        let lies = may_lie && self.goes_wrong(60);
        if lies {
            let keep = if self.chance(50) { 0 } else { rows.len() / 2 };
            rows.truncate(keep);
        }
        if self.goes_wrong(30) {
            rows.extend(rows.last().cloned());
        }
        self.dice.shuffle(&mut rows);
        (rows, lies)
    }

    /// The answer to a GET; none: 404.
    pub(super) fn read(&mut self, id: &CertificateId) -> Option<Row> {
        let rows = self.replica();
        rows.iter().find(|it| it.id == *id).map(Stored::shown)
    }

    /// A POST is to be stored in a while. Its id is what the answer says.
    pub(super) fn send(
        &mut self,
        certificate: &Certificate,
        by: usize,
        after: Duration,
    ) -> CertificateId {
        let id = self.new_id();
        let certificate = Box::new(certificate.clone());
        self.change(&id, Change::Store { certificate, by }, after);
        id
    }

    /// A PATCH is to be carried out in a while.
    pub(super) fn enable(&mut self, id: &CertificateId, enabled: bool, after: Duration) {
        self.change(id, Change::Enable(enabled), after);
    }

    /// A DELETE is to be carried out in a while.
    pub(super) fn delete(&mut self, id: &CertificateId, after: Duration) {
        self.change(id, Change::Delete, after);
    }

    fn change(&mut self, id: &CertificateId, change: Change, after: Duration) {
        self.on_the_way.push(Commit {
            at: self.truth + after,
            id: id.clone(),
            change,
        });
    }

    /// Whether the row of this id is there, allows a login, and will go on doing so.
    pub(super) fn stays_enabled(&self, id: &CertificateId) -> bool {
        let ends = |it: &Commit| {
            it.id == *id && matches!(it.change, Change::Enable(false) | Change::Delete)
        };
        let row = self.rows.iter().find(|it| it.id == *id);
        row.is_none_or(|it| it.is_enabled) && !self.on_the_way.iter().any(ends)
    }

    fn new_id(&mut self) -> CertificateId {
        self.next_id += 1;
        CertificateId::parse(&self.next_id.to_string()).unwrap()
    }

    /// Stores what has arrived by now; whose each is.
    fn arrive(&mut self) -> Vec<(usize, Certificate)> {
        let truth = self.truth;
        let due = |it: &Commit| it.at <= truth;
        let mut arrived: Vec<Commit> = self
            .on_the_way
            .iter()
            .filter(|it| due(it))
            .cloned()
            .collect();
        self.on_the_way.retain(|it| !due(it));
        arrived.sort_by_key(|it| it.at);
        let mut stored = Vec::new();
        for Commit { at, id, change } in arrived {
            match change {
                Change::Store { certificate, by } => {
                    stored.push((by, Certificate::clone(&certificate)));
                    self.rows.push(Stored {
                        id,
                        certificate: Some(*certificate),
                        is_garbled: false,
                        by: Some(by),
                        is_enabled: true,
                    });
                }
                Change::Enable(enabled) => {
                    for row in self.rows.iter_mut().filter(|it| it.id == id) {
                        row.is_enabled = enabled;
                    }
                }
                Change::Delete => self.rows.retain(|it| it.id != id),
            }
            // Replicas see it from when it was stored, though time went on in one leap.
            self.remember(at);
        }
        stored
    }

    fn remember(&mut self, at: Duration) {
        let at = at.max(self.past.last().map_or(Duration::ZERO, |(from, _)| *from));
        self.past.push((at, self.rows.clone()));
        let old = self.truth.saturating_sub(2 * LAG);
        let keep = self.past.iter().rposition(|(from, _)| *from <= old);
        self.past.drain(..keep.unwrap_or(0));
    }

    /// Somebody else does something at SendGrid.
    pub(super) fn administer(&mut self) -> String {
        let some = (!self.rows.is_empty()).then(|| self.dice.usize(0..self.rows.len()));
        let told = match (self.dice.u32(0..12), some) {
            (0..=2, _) | (_, None) => {
                let pool = pool();
                let certificate = pool[self.dice.usize(0..pool.len())].clone();
                self.put(Some(certificate))
            }
            (3, _) => {
                let number = self.dice.u32(0..9);
                let certificate = certificate(&format!("stranger-{number}"), "k9", -1, 500);
                self.put(Some(certificate))
            }
            (4, _) => self.put(None),
            (5..=7, Some(at)) => {
                let row = self.rows.remove(at);
                format!("row {} is deleted", row.id)
            }
            (8, Some(at)) => {
                let pool = pool();
                let certificate = pool[self.dice.usize(0..pool.len())].clone();
                let told = format!(
                    "row {} now holds {}",
                    self.rows[at].id,
                    certificate.subject()
                );
                self.rows[at].certificate = Some(certificate);
                self.rows[at].by = None;
                told
            }
            (9, Some(_)) if self.chance(30) => {
                self.rows.clear();
                "every row is deleted".to_owned()
            }
            (_, Some(at)) => {
                let row = &mut self.rows[at];
                row.is_garbled = !row.is_garbled;
                let how = if row.is_garbled {
                    "garbled"
                } else {
                    "readable"
                };
                format!("row {} is {how}", row.id)
            }
        };
        self.remember(self.truth);
        told
    }

    fn put(&mut self, certificate: Option<Certificate>) -> String {
        let id = self.new_id();
        let what = certificate.as_ref().map_or("garbage", Certificate::subject);
        let is_enabled = self.chance(50);
        let how = if is_enabled { "enabled" } else { "disabled" };
        let told = format!("somebody else puts {what} in row {id}, {how}");
        self.rows.push(Stored {
            id,
            certificate,
            is_garbled: false,
            by: None,
            is_enabled,
        });
        told
    }

    /// A daemon had every reason to think that this row is gone: it is nobody's now.
    pub(super) fn disown(&mut self, id: &CertificateId) {
        for row in self.rows.iter_mut().filter(|it| it.id == *id) {
            row.by = None;
        }
    }

    /// From here on the key reaches another account, which has nothing, or rows of its own.
    pub(super) fn go_elsewhere(&mut self) {
        self.is_elsewhere = true;
        let number = self.dice.u32(0..3);
        self.others = (0..number)
            .map(|it| Stored {
                id: self.new_id(),
                certificate: self
                    .chance(90)
                    .then(|| certificate(&format!("tenant-{it}"), "k8", -1, 500)),
                is_garbled: false,
                by: None,
                is_enabled: true,
            })
            .collect();
    }

    /// Whether nothing that these books have heard of is there.
    pub(super) fn is_all_strange(&self, beliefs: &BTreeMap<Fingerprint, Belief>) -> bool {
        self.rows.iter().all(|row| {
            let certificate = row.certificate.as_ref().map(Certificate::fingerprint);
            !certificate.is_some_and(|it| beliefs.contains_key(&it))
                && !beliefs.values().any(|it| it.id() == Some(&row.id))
        })
    }

    /// What others put there is taken away, and this comes instead.
    pub(super) fn replace_strangers(&mut self, certificate: Certificate) {
        self.rows.retain(|it| it.by.is_some());
        self.put(Some(certificate));
        self.remember(self.truth);
    }

    /// From here on nothing goes wrong, and what can be mended is mended.
    pub(super) fn calm_down(&mut self) {
        self.is_calm = true;
        self.is_elsewhere = false;
        self.source_up = true;
        self.edits += 1;
        self.files
            .retain(|_, it| matches!(it, FileVerdict::Accepted { .. }));
        self.rows.retain(|it| it.certificate.is_some());
        for row in &mut self.rows {
            row.is_garbled = false;
        }
        self.remember(self.truth);
        if self.wrong_by != 0 {
            self.jump();
        }
    }
}
