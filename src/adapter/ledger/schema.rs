//! The ledger's tables, as `sqlite3 ledger.sqlite` shows them.
//!
//! A moment is three columns: `…_wall_ms` (milliseconds since 1970, UTC), `…_boot_id` and `…_boot_ns` (which boot, and
//! its clock). The views `readable_beliefs` and `readable_history` say the same for people.

/// The newest schema this program knows: `PRAGMA user_version`.
///
/// It grows with every change of the tables **and** with every new word in them, so that an older program refuses what
/// it could not read.
pub(super) const VERSION: u32 = 4;

/// `PRAGMA application_id` of every ledger: "ssoc". Another SQLite file is not mistaken for one.
pub(super) const APPLICATION_ID: u32 = 0x7373_6f63;

/// Entries of the history that are kept, in all; the triggers of the schema know the same number.
pub(super) const HISTORY_KEPT: u32 = 100_000;

/// The steps from an empty file to [`VERSION`]; step n leads to version n + 1. A step that was published never changes.
/// `meta` must outlive them all: older programs read from it which program wrote the ledger.
pub(super) const STEPS: [&str; 4] = [
    r#"
CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE integrations (
    integration_id TEXT PRIMARY KEY NOT NULL,
    name TEXT,                      -- what the configuration called it last
    account TEXT,
    first_list_ms INTEGER,          -- when SendGrid's list was first read whole
    last_list_ms INTEGER,
    paused_ms INTEGER,              -- since when a person has paused it; empty if nobody has
    paused_by TEXT,
    retired_wall_ms INTEGER, retired_boot_id TEXT, retired_boot_ns INTEGER,
                                    -- when the last request was made that took a certificate of ours away
    patched_wall_ms INTEGER, patched_boot_id TEXT, patched_boot_ns INTEGER
                                    -- when the last one was made to enable or disable, if its outcome is not known
) STRICT;

CREATE TABLE refused_writes (       -- writes that SendGrid did not carry out, not tried again for a while
    integration_id TEXT NOT NULL REFERENCES integrations,
    operation TEXT NOT NULL CHECK (operation IN ('update', 'delete')),
    forbidden INTEGER NOT NULL CHECK (forbidden IN (0, 1)),
    at_wall_ms INTEGER NOT NULL, at_boot_id TEXT NOT NULL, at_boot_ns INTEGER NOT NULL,
    PRIMARY KEY (integration_id, operation)
) STRICT;

CREATE TABLE unreadable_rows (      -- rows of SendGrid's last list that could not be read
    integration_id TEXT NOT NULL REFERENCES integrations,
    certificate_id TEXT NOT NULL,
    PRIMARY KEY (integration_id, certificate_id)
) STRICT;

CREATE TABLE beliefs (
    integration_id TEXT NOT NULL REFERENCES integrations,
    fingerprint TEXT NOT NULL,      -- SHA-256 of the DER
    standing TEXT NOT NULL CHECK (standing IN
        ('seen', 'intent', 'confirmed', 'disabled', 'deleting', 'retired', 'foreign', 'removed')),
    certificate_id TEXT,            -- SendGrid's id
    ordered INTEGER CHECK (ordered IN (0, 1)),              -- a person had it disabled or deleted
    unsure INTEGER CHECK (unsure IN (0, 1)),                -- whether it is, or was, disabled is not known
    was_disabled INTEGER CHECK (was_disabled IN (0, 1)),    -- before it was deleted
    deleting_wall_ms INTEGER, deleting_boot_id TEXT, deleting_boot_ns INTEGER,
    inherited INTEGER CHECK (inherited IN (0, 1)),
    intent_wall_ms INTEGER, intent_boot_id TEXT, intent_boot_ns INTEGER,
    intent_lists INTEGER,           -- whole lists since the POST that lacked it
    source TEXT NOT NULL CHECK (source IN ('never', 'present', 'gone')),
    source_wall_ms INTEGER, source_boot_id TEXT, source_boot_ns INTEGER,
    source_looks INTEGER,           -- looks that saw it there, or gone, and for how long that adds up
    source_for_ns INTEGER,
    source_last_wall_ms INTEGER, source_last_boot_id TEXT, source_last_boot_ns INTEGER,
    missing_wall_ms INTEGER, missing_boot_id TEXT, missing_boot_ns INTEGER,
    posts INTEGER NOT NULL,
    last_post_wall_ms INTEGER, last_post_boot_id TEXT, last_post_boot_ns INTEGER,
    rejected_wall_ms INTEGER, rejected_boot_id TEXT, rejected_boot_ns INTEGER,
    rejected_stamp TEXT,            -- the version of the files that SendGrid rejected
    new_key_wall_ms INTEGER, new_key_boot_id TEXT, new_key_boot_ns INTEGER,
    trusted_wall_ms INTEGER, trusted_boot_id TEXT, trusted_boot_ns INTEGER,
    trusted_looks INTEGER,          -- lists that showed it, and for how long that adds up
    trusted_for_ns INTEGER,
    trusted_last_wall_ms INTEGER, trusted_last_boot_id TEXT, trusted_last_boot_ns INTEGER,
    hold TEXT CHECK (hold IN ('approval', 'pin', 'key_budget')),    -- what it waits for of a person
    hold_wall_ms INTEGER, hold_boot_id TEXT, hold_boot_ns INTEGER,
    "order" TEXT CHECK ("order" IN ('adopt', 'restore', 'disable', 'delete')),
    word TEXT CHECK (word IN ('approved', 'denied', 'acknowledged')),
    subject TEXT,                   -- for people, as are the two below: they are in the DER
    not_before_ms INTEGER,
    not_after_ms INTEGER,
    der BLOB,
    PRIMARY KEY (integration_id, fingerprint)
) STRICT;

CREATE TABLE source_paths (         -- in which files a certificate was last seen
    integration_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    position INTEGER NOT NULL,
    path ANY NOT NULL,              -- text; a blob if its name is no UTF-8
    PRIMARY KEY (integration_id, fingerprint, position),
    FOREIGN KEY (integration_id, fingerprint) REFERENCES beliefs ON DELETE CASCADE
) STRICT;

CREATE TABLE waits (                -- why an account asks nothing now, and for how long
    account TEXT NOT NULL,
    barrier TEXT NOT NULL,
    integration_id TEXT NOT NULL,   -- empty if it concerns the whole account
    since_wall_ms INTEGER NOT NULL, since_boot_id TEXT NOT NULL, since_boot_ns INTEGER NOT NULL,
    wait_ns INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (account, barrier, integration_id)
) STRICT;

CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    integration_id TEXT NOT NULL,
    what TEXT NOT NULL,
    fingerprint TEXT,
    "by" TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- The history is append-only. Only what is older than the newest 100,000 entries may be dropped.
CREATE TRIGGER history_is_never_changed BEFORE UPDATE ON history
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER history_keeps_its_newest BEFORE DELETE ON history
WHEN OLD.id > (SELECT max(id) FROM history) - 100000
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE VIEW readable_beliefs AS
SELECT coalesce(i.name, b.integration_id) AS integration,
    b.fingerprint,
    b.standing,
    b.certificate_id,
    b.source,
    b.word,
    b.hold,
    b."order",
    strftime('%Y-%m-%dT%H:%M:%SZ', b.not_before_ms / 1000, 'unixepoch') AS not_before,
    strftime('%Y-%m-%dT%H:%M:%SZ', b.not_after_ms / 1000, 'unixepoch') AS not_after,
    strftime('%Y-%m-%dT%H:%M:%SZ', b.trusted_wall_ms / 1000, 'unixepoch') AS trusted_since,
    strftime('%Y-%m-%dT%H:%M:%SZ', b.last_post_wall_ms / 1000, 'unixepoch') AS last_post,
    b.subject
FROM beliefs b JOIN integrations i USING (integration_id)
ORDER BY 1, b.not_after_ms;

CREATE VIEW readable_history AS
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', h.at_ms / 1000, 'unixepoch') AS at,
    coalesce(i.name, h.integration_id) AS integration,
    h.what,
    h.fingerprint,
    h."by",
    h.detail
FROM history h LEFT JOIN integrations i USING (integration_id)
ORDER BY h.id DESC;
"#,
    // Whether a request that writes was under way at the last word of a process. Of an older ledger that is not known.
    "ALTER TABLE integrations ADD COLUMN sending INTEGER NOT NULL DEFAULT 1 CHECK (sending IN (0, 1));",
    // A certificate of the source that this one issued: it is there only for that. The history says `ignored` of it.
    "ALTER TABLE beliefs ADD COLUMN issued TEXT;",
    // How POSTs were answered; what was taken away at SendGrid; changed integration ids; whether a word about a certificate
    // speaks for its key; whether logins once worked, until when what was listed last is valid, and since when trust is lost.
    "
ALTER TABLE integrations ADD COLUMN trust_has_counted INTEGER NOT NULL DEFAULT 0 CHECK (trust_has_counted IN (0, 1));
ALTER TABLE integrations ADD COLUMN trust_valid_until_ms INTEGER;
ALTER TABLE integrations ADD COLUMN trust_lost_ms INTEGER;
ALTER TABLE beliefs ADD COLUMN intent_answer TEXT
    CHECK (intent_answer IN ('missing', 'error', 'accepted', 'refused'));
ALTER TABLE beliefs ADD COLUMN intent_hurried INTEGER CHECK (intent_hurried IN (0, 1));
ALTER TABLE beliefs ADD COLUMN attempts_wall_ms INTEGER;   -- the first POST since it was last known to be listed
ALTER TABLE beliefs ADD COLUMN attempts_boot_id TEXT;
ALTER TABLE beliefs ADD COLUMN attempts_boot_ns INTEGER;
ALTER TABLE beliefs ADD COLUMN attempts_posts INTEGER;     -- the POSTs since then; of them answered by a 2xx; not answered
ALTER TABLE beliefs ADD COLUMN attempts_accepted INTEGER;
ALTER TABLE beliefs ADD COLUMN attempts_unanswered INTEGER;
ALTER TABLE beliefs ADD COLUMN word_for_key INTEGER CHECK (word_for_key IN (0, 1));
ALTER TABLE integrations ADD COLUMN moved_from TEXT;        -- the id that its name had before, until that is accepted
CREATE TABLE accepted_ids (         -- the id that each name of the configuration had when it was last accepted
    name TEXT PRIMARY KEY NOT NULL,
    integration_id TEXT NOT NULL
) STRICT;
CREATE TABLE gone (                 -- what left SendGrid and not by policy: neither it nor its key goes up by itself
    integration_id TEXT NOT NULL REFERENCES integrations,
    fingerprint TEXT NOT NULL,
    key_id TEXT NOT NULL,           -- SHA-256 of its SubjectPublicKeyInfo
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (integration_id, fingerprint)
) STRICT;
",
];
