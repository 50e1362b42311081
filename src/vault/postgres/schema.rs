//! The tables of a vault in PostgreSQL, and every statement. All of it is parametrised; names lie in the schema
//! `fieldgate`.

/// Made by `fieldgate vault init`. Two gateways that mint a token for the same text meet at `fg_token.text`.
pub(super) const CREATE: &str = "
CREATE SCHEMA fieldgate;
CREATE TABLE fieldgate.meta (key text PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE fieldgate.shelf (number int PRIMARY KEY, key bytea NOT NULL);
CREATE TABLE fieldgate.subject (name bytea PRIMARY KEY, shelf int NOT NULL, sealed bytea);
CREATE INDEX ON fieldgate.subject (shelf);
CREATE TABLE fieldgate.link (subject bytea NOT NULL REFERENCES fieldgate.subject, record bytea NOT NULL,
    resource text NOT NULL, PRIMARY KEY (subject, record));
CREATE INDEX ON fieldgate.link (record);
CREATE TABLE fieldgate.token (name bytea PRIMARY KEY, shelf int NOT NULL, sealed bytea, text bytea UNIQUE,
    lookup bytea);
CREATE INDEX ON fieldgate.token (shelf);
CREATE INDEX ON fieldgate.token (lookup);
CREATE TABLE fieldgate.holder (token bytea NOT NULL REFERENCES fieldgate.token, subject bytea NOT NULL,
    PRIMARY KEY (token, subject));
CREATE INDEX ON fieldgate.holder (subject);
CREATE TABLE fieldgate.erasure (number bigserial PRIMARY KEY, stored bytea NOT NULL);";

pub(super) const THERE: &str = "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'fieldgate'";
pub(super) const META: &str = "SELECT key, value FROM fieldgate.meta";
pub(super) const SET_META: &str =
    "INSERT INTO fieldgate.meta VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
pub(super) const DROP_META: &str = "DELETE FROM fieldgate.meta WHERE key = $1";
/// Big-endian numbers of 8 bytes compare like their bytes.
pub(super) const RAISE_EPOCH: &str =
    "UPDATE fieldgate.meta SET value = greatest(value, $1) WHERE key = 'epoch' RETURNING value";

/// Writers share it; an erasure, a roll or a page of a reindex has it alone, so that none of them sees half of
/// another's work. The number is `fieldgat` in ASCII.
pub(super) const LOCK_SHARED: &str = "SELECT pg_advisory_xact_lock_shared(7379540980638638452)";
pub(super) const LOCK_ALONE: &str = "SELECT pg_advisory_xact_lock(7379540980638638452)";
/// Spellings of one value are counted and minted by one gateway at a time.
pub(super) const LOCK_VALUES: &str = "SELECT pg_advisory_xact_lock(one) FROM unnest($1::bigint[]) AS ones(one)";

pub(super) const SHELVES: &str = "SELECT number, key FROM fieldgate.shelf WHERE number = ANY($1)";
pub(super) const ALL_SHELVES: &str = "SELECT number, key FROM fieldgate.shelf ORDER BY number";
pub(super) const ADD_SHELVES: &str = "INSERT INTO fieldgate.shelf SELECT * FROM unnest($1::int[], $2::bytea[]) \
    ON CONFLICT (number) DO UPDATE SET key = excluded.key";

pub(super) const SUBJECTS: &str = "SELECT s.name, s.sealed, h.number, h.key FROM fieldgate.subject s \
    JOIN fieldgate.shelf h ON h.number = s.shelf WHERE s.name = ANY($1)";
pub(super) const LINKS: &str = "SELECT subject, record, resource FROM fieldgate.link WHERE subject = ANY($1)";
pub(super) const RECORDS: &str = "SELECT l.record, s.name, s.sealed, h.number, h.key FROM fieldgate.link l \
    JOIN fieldgate.subject s ON s.name = l.subject JOIN fieldgate.shelf h ON h.number = s.shelf \
    WHERE l.record = ANY($1) ORDER BY s.name";
pub(super) const ADD_SUBJECTS: &str =
    "INSERT INTO fieldgate.subject SELECT * FROM unnest($1::bytea[], $2::int[], $3::bytea[])";
pub(super) const ADD_LINKS: &str = "INSERT INTO fieldgate.link \
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[]) ON CONFLICT DO NOTHING";

pub(super) const FIND: &str = "SELECT t.name, t.sealed, h.number, h.key, t.lookup FROM fieldgate.token t \
    JOIN fieldgate.shelf h ON h.number = t.shelf WHERE t.lookup = ANY($1)";
pub(super) const OPEN: &str = "SELECT t.name, t.sealed, h.number, h.key FROM fieldgate.token t \
    JOIN fieldgate.shelf h ON h.number = t.shelf WHERE t.name = ANY($1)";
pub(super) const HOLDERS: &str = "SELECT a.token, s.subject \
    FROM (SELECT DISTINCT unnest($1::bytea[]) AS token) AS a, LATERAL \
    (SELECT subject FROM fieldgate.holder h WHERE h.token = a.token LIMIT $2) AS s";
pub(super) const HOLDS: &str = "SELECT h.token, h.subject FROM fieldgate.holder h \
    JOIN unnest($1::bytea[], $2::bytea[]) AS a(token, subject) ON h.token = a.token AND h.subject = a.subject";
pub(super) const ADD_TOKEN: &str = "INSERT INTO fieldgate.token (name, shelf, sealed, text, lookup) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
pub(super) const ADD_HOLDERS: &str =
    "INSERT INTO fieldgate.holder SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING";

pub(super) const ERASE_SUBJECTS: &str = "UPDATE fieldgate.subject SET sealed = NULL WHERE name = ANY($1)";
/// Tokens that lose a holder; those left without one are erased next.
pub(super) const DROP_HOLDERS: &str = "DELETE FROM fieldgate.holder WHERE subject = ANY($1) RETURNING token";
pub(super) const ERASE_TOKENS: &str = "UPDATE fieldgate.token t SET sealed = NULL, text = NULL, lookup = NULL \
    WHERE name = ANY($1) AND NOT EXISTS (SELECT FROM fieldgate.holder h WHERE h.token = t.name) RETURNING name";
pub(super) const SUBJECTS_ON: &str =
    "SELECT name, sealed FROM fieldgate.subject WHERE shelf = $1 AND sealed IS NOT NULL";
pub(super) const TOKENS_ON: &str = "SELECT name, sealed FROM fieldgate.token WHERE shelf = $1 AND sealed IS NOT NULL";
pub(super) const SEAL_SUBJECTS: &str = "UPDATE fieldgate.subject s SET sealed = n.sealed \
    FROM unnest($1::bytea[], $2::bytea[]) AS n(name, sealed) WHERE s.name = n.name";
pub(super) const SEAL_TOKENS: &str = "UPDATE fieldgate.token t SET sealed = n.sealed \
    FROM unnest($1::bytea[], $2::bytea[]) AS n(name, sealed) WHERE t.name = n.name";
pub(super) const ADD_ERASURE: &str = "INSERT INTO fieldgate.erasure (stored) VALUES ($1)";
pub(super) const ERASURES: &str = "SELECT stored FROM fieldgate.erasure ORDER BY number";

pub(super) const PAGE: &str = "SELECT t.name, t.sealed, h.number, h.key FROM fieldgate.token t \
    JOIN fieldgate.shelf h ON h.number = t.shelf WHERE t.name > $1 ORDER BY t.name LIMIT $2";
pub(super) const SET_LOOKUPS: &str = "UPDATE fieldgate.token t SET sealed = n.sealed, lookup = n.lookup \
    FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS n(name, sealed, lookup) WHERE t.name = n.name";
pub(super) const COUNTS: &str = "SELECT (SELECT count(*) FROM fieldgate.subject), \
    (SELECT count(*) FROM fieldgate.link), (SELECT count(*) FROM fieldgate.token), \
    (SELECT count(*) FROM fieldgate.erasure), \
    (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'fieldgate' AND c.relkind = 'r')";
