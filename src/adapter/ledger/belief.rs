//! One belief as a row of `beliefs`, and back.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{FromSql, Value, ValueRef};
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::domain::{BootId, CertificateId, Credit, Fingerprint, IntegrationId, Moment, Timestamp};
use crate::plan::book::{
    Attempts, Belief, Deleting, Hold, InSource, Intent, PostAnswer, Rejection, Standing,
};

use super::ReadCertificate;
use super::error::Fault;
use super::words::{
    hold_word, order_word, parse_hold, parse_order, parse_word, word, word_speaks_for_key,
};

/// Replaces what stands there of this certificate; none takes it away.
pub(super) fn put(
    connection: &Connection,
    integration: IntegrationId,
    fingerprint: Fingerprint,
    belief: Option<&Belief>,
) -> Result<(), Fault> {
    let (integration, fingerprint) = (integration.to_string(), fingerprint.hex());
    connection
        .prepare_cached("DELETE FROM beliefs WHERE integration_id = ?1 AND fingerprint = ?2")?
        .execute([&integration, &fingerprint])?;
    let Some(belief) = belief else { return Ok(()) };
    let mut columns = Columns::default();
    columns.put("integration_id", integration.clone());
    columns.put("fingerprint", fingerprint.clone());
    columns.put_belief(belief);
    columns.insert(connection)?;
    if let InSource::Present { paths, .. } = &belief.source {
        let mut statement =
            connection.prepare_cached("INSERT INTO source_paths VALUES (?1, ?2, ?3, ?4)")?;
        for (position, path) in paths.iter().enumerate() {
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            statement.execute(params![
                integration,
                fingerprint,
                position,
                path_value(path)
            ])?;
        }
    }
    Ok(())
}

/// Everything believed about the certificates of one integration.
pub(super) fn all(
    connection: &Connection,
    integration: IntegrationId,
    read: ReadCertificate,
) -> Result<Vec<(Fingerprint, Belief)>, Fault> {
    let integration = integration.to_string();
    let mut statement =
        connection.prepare_cached("SELECT * FROM beliefs WHERE integration_id = ?1")?;
    let mut rows = statement.query([&integration])?;
    let mut beliefs = Vec::new();
    while let Some(row) = rows.next()? {
        let fingerprint: String = row.get("fingerprint")?;
        let paths = paths(connection, &integration, &fingerprint)?;
        let fingerprint = parse_fingerprint(&fingerprint)?;
        let belief = belief(row, fingerprint, paths, read)?;
        beliefs.push((fingerprint, belief));
    }
    Ok(beliefs)
}

/// Reads what [`Fingerprint::hex`] wrote.
pub(super) fn parse_fingerprint(text: &str) -> Result<Fingerprint, Fault> {
    Fingerprint::parse(text).map_err(|_| Fault::Content("a fingerprint in it is none".to_owned()))
}

/// Columns of a row that is to be written, by name.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    values: Vec<Value>,
}

impl Columns {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.names.push(format!("\"{name}\""));
        self.values.push(value.into());
    }

    fn put_moment(&mut self, name: &str, moment: Option<&Moment>) {
        let Some(moment) = moment else { return };
        self.put(&format!("{name}_wall_ms"), moment.wall.as_millis());
        self.put(&format!("{name}_boot_id"), moment.boot.as_str().to_owned());
        self.put(&format!("{name}_boot_ns"), nanos(moment.since_boot));
    }

    fn put_credit(&mut self, name: &str, credit: Option<&Credit>) {
        let Some(credit) = credit else { return };
        self.put(&format!("{name}_looks"), credit.looks);
        self.put(&format!("{name}_for_ns"), nanos(credit.total));
        self.put_moment(&format!("{name}_last"), credit.last.as_ref());
    }

    fn put_belief(&mut self, belief: &Belief) {
        self.put("standing", standing_word(&belief.standing).to_owned());
        self.put(
            "certificate_id",
            belief.id().map(|it| it.as_str().to_owned()),
        );
        match &belief.standing {
            Standing::Intent(intent) => {
                self.put_moment("intent", Some(&intent.at));
                self.put("intent_lists", intent.lists);
                self.put("intent_answer", answer_word(intent.answer).to_owned());
                self.put("intent_hurried", intent.is_hurried);
            }
            Standing::Foreign { inherited, .. } => self.put("inherited", *inherited),
            Standing::Disabled {
                ordered, unsure, ..
            } => {
                self.put("ordered", *ordered);
                self.put("unsure", *unsure);
            }
            Standing::Deleting(deleting) => {
                self.put("ordered", deleting.ordered);
                self.put("was_disabled", deleting.was_disabled);
                self.put("unsure", deleting.was_unsure);
                self.put_moment("deleting", Some(&deleting.at));
            }
            Standing::Retired { ordered } => self.put("ordered", *ordered),
            Standing::Seen | Standing::Confirmed(_) | Standing::Removed { .. } => {}
        }
        let (source, since, credit) = match &belief.source {
            InSource::Never => ("never", None, None),
            InSource::Present { since, credit, .. } => ("present", Some(since), Some(credit)),
            InSource::Gone { since, credit } => ("gone", Some(since), Some(credit)),
        };
        self.put("source", source.to_owned());
        self.put_moment("source", since);
        self.put_credit("source", credit);
        self.put_moment("missing", belief.missing.as_ref());
        self.put("posts", belief.posts);
        self.put_moment("last_post", belief.last_post.as_ref());
        if let Some(attempts) = &belief.attempts {
            self.put_moment("attempts", Some(&attempts.first));
            self.put("attempts_posts", attempts.posts);
            self.put("attempts_accepted", attempts.accepted);
            self.put("attempts_unanswered", attempts.unanswered);
        }
        if let Some(rejection) = &belief.rejection {
            self.put_moment("rejected", Some(&rejection.at));
        }
        self.put_moment("new_key", belief.new_key.as_ref());
        self.put_moment("trusted", belief.trusted_since.as_ref());
        self.put_credit("trusted", belief.trusted_for.as_ref());
        if let Some(hold) = &belief.hold {
            self.put("hold", hold_word(hold.kind).to_owned());
            self.put_moment("hold", Some(&hold.since));
        }
        self.put("issued", belief.issued.map(|it| it.hex()));
        self.put("order", belief.order.map(|it| order_word(it).to_owned()));
        self.put("word", belief.word.map(|it| word(it).to_owned()));
        let speaks_for_key = belief.word.and_then(word_speaks_for_key);
        self.put("word_for_key", speaks_for_key.map(i64::from));
        if let Some(certificate) = &belief.certificate {
            self.put("subject", certificate.subject().to_owned());
            self.put(
                "not_before_ms",
                certificate.validity().not_before.as_millis(),
            );
            self.put("not_after_ms", certificate.validity().not_after.as_millis());
            self.put("der", certificate.der().to_vec());
        }
    }

    fn insert(self, connection: &Connection) -> Result<(), Fault> {
        let names = self.names.join(", ");
        let places = vec!["?"; self.values.len()].join(", ");
        connection
            .prepare_cached(&format!("INSERT INTO beliefs ({names}) VALUES ({places})"))?
            .execute(params_from_iter(self.values))?;
        Ok(())
    }
}

fn belief(
    row: &Row<'_>,
    fingerprint: Fingerprint,
    paths: Vec<PathBuf>,
    read: ReadCertificate,
) -> Result<Belief, Fault> {
    let damaged =
        |what: &str| Fault::Content(format!("{what} of certificate {}", fingerprint.brief()));
    let certificate = match row.get::<_, Option<Vec<u8>>>("der")? {
        Some(der) => {
            let certificate = read(&der).filter(|it| it.fingerprint() == fingerprint);
            Some(certificate.ok_or_else(|| damaged("the stored bytes are not those"))?)
        }
        None => None,
    };
    let (since, seen) = (moment(row, "source")?, credit(row, "source")?);
    let source = match (text(row, "source")?.as_str(), since, seen) {
        ("never", None, None) => InSource::Never,
        ("present", Some(since), Some(credit)) => InSource::Present {
            since,
            credit,
            paths,
        },
        ("gone", Some(since), Some(credit)) => InSource::Gone { since, credit },
        _ => return Err(damaged("nobody knows the source")),
    };
    let word = match row.get::<_, Option<String>>("word")?.as_deref() {
        None => None,
        Some(text) => {
            let speaks_for_key = newer(row, "word_for_key")?;
            let word = parse_word(text, speaks_for_key);
            Some(word.ok_or_else(|| damaged("nobody knows the word"))?)
        }
    };
    let order = match row.get::<_, Option<String>>("order")?.as_deref() {
        None => None,
        Some(text) => Some(parse_order(text).ok_or_else(|| damaged("nobody knows the order"))?),
    };
    let hold = match (moment(row, "hold")?, row.get::<_, Option<String>>("hold")?) {
        (None, None) => None,
        (Some(since), Some(text)) => {
            let kind = parse_hold(&text).ok_or_else(|| damaged("nobody knows the hold"))?;
            Some(Hold { since, kind })
        }
        _ => return Err(damaged("half the hold is missing")),
    };
    let issued: Option<String> = newer(row, "issued")?;
    let issued = issued.as_deref().map(parse_fingerprint).transpose()?;
    Ok(Belief {
        certificate,
        standing: standing(row)?.ok_or_else(|| damaged("nobody knows the standing"))?,
        source,
        missing: moment(row, "missing")?,
        posts: row.get("posts")?,
        last_post: moment(row, "last_post")?,
        attempts: attempts(row)?,
        rejection: moment(row, "rejected")?.map(|at| Rejection { at }),
        new_key: moment(row, "new_key")?,
        trusted_since: moment(row, "trusted")?,
        trusted_for: credit(row, "trusted")?,
        hold,
        issued,
        word,
        order,
    })
}

/// A column that older ledgers lack, which are opened as they are for reading alone; none also if it is empty.
pub(super) fn newer<T: FromSql>(row: &Row<'_>, name: &str) -> Result<Option<T>, rusqlite::Error> {
    match row.get(name) {
        Err(rusqlite::Error::InvalidColumnName(_)) => Ok(None),
        other => other,
    }
}

fn attempts(row: &Row<'_>) -> Result<Option<Attempts>, Fault> {
    if newer::<i64>(row, "attempts_wall_ms")?.is_none() {
        return Ok(None);
    }
    let first = moment(row, "attempts")?;
    let (posts, accepted, unanswered) = (
        row.get("attempts_posts")?,
        row.get("attempts_accepted")?,
        row.get("attempts_unanswered")?,
    );
    Ok(first.map(|first| Attempts {
        first,
        posts,
        accepted,
        unanswered,
    }))
}

const fn answer_word(answer: PostAnswer) -> &'static str {
    match answer {
        PostAnswer::Missing => "missing",
        PostAnswer::Error => "error",
        PostAnswer::Accepted => "accepted",
        PostAnswer::Refused => "refused",
    }
}

/// What is not known was not answered: that waits longest.
fn parse_answer(text: &str) -> PostAnswer {
    let answers = [PostAnswer::Error, PostAnswer::Accepted, PostAnswer::Refused];
    let known = answers.into_iter().find(|it| answer_word(*it) == text);
    known.unwrap_or(PostAnswer::Missing)
}

const fn standing_word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Seen => "seen",
        Standing::Intent(_) => "intent",
        Standing::Confirmed(_) => "confirmed",
        Standing::Disabled { .. } => "disabled",
        Standing::Deleting(_) => "deleting",
        Standing::Retired { .. } => "retired",
        Standing::Foreign { .. } => "foreign",
        Standing::Removed { .. } => "removed",
    }
}

fn standing(row: &Row<'_>) -> Result<Option<Standing>, Fault> {
    let id = match row.get::<_, Option<String>>("certificate_id")? {
        Some(text) => Some(parse_certificate_id(&text)?),
        None => None,
    };
    Ok(match (text(row, "standing")?.as_str(), id) {
        ("seen", None) => Some(Standing::Seen),
        ("intent", id) => match moment(row, "intent")? {
            Some(at) => {
                let answer: Option<String> = newer(row, "intent_answer")?;
                Some(Standing::Intent(Intent {
                    at,
                    id,
                    lists: row.get("intent_lists")?,
                    answer: answer.as_deref().map_or(PostAnswer::Missing, parse_answer),
                    is_hurried: newer(row, "intent_hurried")?.unwrap_or_default(),
                }))
            }
            None => None,
        },
        ("confirmed", Some(id)) => Some(Standing::Confirmed(id)),
        ("disabled", Some(id)) => Some(Standing::Disabled {
            id,
            ordered: row.get("ordered")?,
            unsure: row.get("unsure")?,
        }),
        ("deleting", Some(id)) => match moment(row, "deleting")? {
            Some(at) => Some(Standing::Deleting(Deleting {
                id,
                ordered: row.get("ordered")?,
                was_disabled: row.get("was_disabled")?,
                was_unsure: row.get("unsure")?,
                at,
            })),
            None => None,
        },
        ("retired", None) => Some(Standing::Retired {
            ordered: row.get("ordered")?,
        }),
        ("foreign", id) => {
            let inherited = row.get("inherited")?;
            Some(Standing::Foreign { id, inherited })
        }
        ("removed", id) => Some(Standing::Removed { id }),
        _ => None,
    })
}

/// Reads what [`CertificateId::as_str`] wrote.
pub(super) fn parse_certificate_id(text: &str) -> Result<CertificateId, Fault> {
    CertificateId::parse(text)
        .ok_or_else(|| Fault::Content("a certificate id in it is none".to_owned()))
}

/// The credit in the columns that begin with `name`; none if they are empty.
fn credit(row: &Row<'_>, name: &str) -> Result<Option<Credit>, Fault> {
    let looks: Option<u32> = column(row, name, "looks")?;
    let total: Option<i64> = column(row, name, "for_ns")?;
    let last = moment(row, &format!("{name}_last"))?;
    Ok(looks.zip(total).map(|(looks, total)| Credit {
        looks,
        total: Duration::from_nanos(total.unsigned_abs()),
        last,
    }))
}

/// The moment in the three columns that begin with `name`; none if they are empty.
pub(super) fn moment(row: &Row<'_>, name: &str) -> Result<Option<Moment>, Fault> {
    let wall: Option<i64> = column(row, name, "wall_ms")?;
    let boot: Option<String> = column(row, name, "boot_id")?;
    let since_boot: Option<i64> = column(row, name, "boot_ns")?;
    match (wall, boot, since_boot) {
        (None, None, None) => Ok(None),
        (Some(wall), Some(boot), Some(since_boot)) => Ok(Some(Moment {
            wall: Timestamp::from_millis(wall),
            boot: BootId::new(&boot),
            since_boot: Duration::from_nanos(since_boot.unsigned_abs()),
        })),
        _ => Err(Fault::Content("a moment in it is not whole".to_owned())),
    }
}

fn column<T: FromSql>(row: &Row<'_>, name: &str, suffix: &str) -> Result<T, rusqlite::Error> {
    row.get(format!("{name}_{suffix}").as_str())
}

fn text(row: &Row<'_>, name: &str) -> Result<String, rusqlite::Error> {
    row.get(name)
}

/// Nanoseconds as SQLite's integer; it ends after 292 years without a reboot.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn paths(
    connection: &Connection,
    integration: &str,
    fingerprint: &str,
) -> Result<Vec<PathBuf>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT path FROM source_paths WHERE integration_id = ?1 AND fingerprint = ?2 ORDER BY position",
    )?;
    let mut rows = statement.query([integration, fingerprint])?;
    let mut paths = Vec::new();
    while let Some(row) = rows.next()? {
        let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(0)? else {
            return Err(Fault::Content("a path in it is none".to_owned()));
        };
        paths.push(PathBuf::from(OsString::from_vec(bytes.to_vec())));
    }
    Ok(paths)
}

fn path_value(path: &Path) -> Value {
    match path.to_str() {
        Some(text) => Value::Text(text.to_owned()),
        None => Value::Blob(path.as_os_str().as_bytes().to_vec()),
    }
}
