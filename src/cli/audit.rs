//! `fieldgate audit`: makes a log, verifies one offline, and reads it.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use super::{Failure, init::write_private};
use crate::{
    audit::{self, AuditError, Query},
    config::Config,
    crypto::SigningKey,
    gateway::{self, now},
    model::{Sensitive, Timestamp},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make an empty log, and its signing key when there is none.
    Init {
        /// The configuration file: `[audit]` says where.
        #[arg(long, short, default_value = "fieldgate/fieldgate.toml")]
        config: PathBuf,
    },
    /// Check every line of a log against its signed checkpoint. Needs the folder and the public key, nothing else.
    Verify {
        /// The log's folder, or a copy of it.
        #[arg(long)]
        dir: PathBuf,
        /// A file with the verification key, as `init` wrote it.
        #[arg(long)]
        key: PathBuf,
        /// How to print the report.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show one record with everything of its exchange, and the proof that the log includes it.
    Show {
        /// The log's folder.
        #[arg(long)]
        dir: PathBuf,
        /// The record's index, or what `Fieldgate-Audit-Ref` said.
        record: String,
        /// How to print it.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Find records. Filters are joined by "and".
    Query(Box<Filters>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Filters {
    /// The configuration file: needed for `--subject` and `--case`, whose keyed references only its root key can make.
    #[arg(long, short, required_unless_present = "dir")]
    config: Option<PathBuf>,
    /// The log's folder; default: that of the configuration.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// From this time on, RFC 3339 or a date.
    #[arg(long, value_parser = time)]
    since: Option<Timestamp>,
    /// Before this time.
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
    /// The principal's id.
    #[arg(long)]
    actor: Option<String>,
    /// Whose data: `RESOURCE:ID`, such as `customer:C-1001`.
    #[arg(long, requires = "config")]
    subject: Option<String>,
    /// The case that was named.
    #[arg(long, requires = "config")]
    case: Option<String>,
    /// `access.reveal`, `access.deny`, …
    #[arg(long)]
    kind: Option<String>,
    /// A data class that was seen or written.
    #[arg(long)]
    class: Option<String>,
    /// The route's name.
    #[arg(long)]
    route: Option<String>,
    /// The purpose that was claimed.
    #[arg(long)]
    purpose: Option<String>,
    /// The exchange, as a problem or a record names it.
    #[arg(long)]
    request: Option<String>,
    /// Records at most.
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    /// How to print them; JSON is one record per line, exactly as it stands in the log.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Init { config } => init(&config),
        Verb::Verify { dir, key, format } => verify(&dir, &key, format),
        Verb::Show { dir, record, format } => show(&dir, &record, format),
        Verb::Query(filters) => query(&filters),
    }
}

fn init(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path)?;
    let (dir, key_file) = (config.path(&config.audit.dir), config.path(&config.audit.signing_key));
    let key = match std::fs::read_to_string(&key_file) {
        Ok(text) => SigningKey::parse(&text).map_err(|error| {
            Failure::usage(
                format!("`{}`: {error}", key_file.display()),
                "name the right file, or remove it for a new key",
            )
        })?,
        Err(_) => {
            let key = SigningKey::generate().map_err(|error| Failure::system(error, "try again"))?;
            write_private(&key_file, key.to_text().expose())?;
            println!("{}: a new signing key", key_file.display());
            key
        }
    };
    audit::init(&dir, &config.audit.origin, &key, now()).map_err(|error| unreadable(&dir, &error))?;
    println!("{}: an empty log", dir.display());
    println!("Verify it with this key, which auditors should have from you and not from the log:");
    println!("{}", audit::verification_key(&config.audit.origin, &key.verifying_key()));
    Ok(())
}

fn verify(dir: &Path, key: &Path, format: Format) -> Result<(), Failure> {
    let text = std::fs::read_to_string(key).map_err(|error| {
        Failure::usage(format!("`{}`: {error}", key.display()), "give the file with the verification key")
    })?;
    let report = audit::verify(dir, text.trim()).map_err(|error| unreadable(dir, &error))?;
    match format {
        Format::Text => println!("{}", report.to_text().trim_end()),
        Format::Json => println!("{}", report.to_json()),
    }
    match report.exit_code() {
        0 => Ok(()),
        code => Err(Failure::Silent(code)),
    }
}

fn show(dir: &Path, record: &str, format: Format) -> Result<(), Failure> {
    let index = record.parse().ok().or_else(|| audit::parse_reference(record)).ok_or_else(|| {
        Failure::usage(format!("`{record}` is neither an index nor a reference"), "write `17` or `gw-1.e1/17`")
    })?;
    let shown = audit::show(dir, index).map_err(|error| unreadable(dir, &error))?;
    match format {
        Format::Text => println!("{}", shown.to_text().trim_end()),
        Format::Json => println!("{}", shown.to_json()),
    }
    Ok(())
}

fn query(filters: &Filters) -> Result<(), Failure> {
    let config = filters.config.as_deref().map(Config::load).transpose()?;
    let dir = match (&filters.dir, &config) {
        (Some(dir), _) => dir.clone(),
        (None, Some(config)) => config.path(&config.audit.dir),
        (None, None) => return Err(Failure::usage("no log is named", "give `--config` or `--dir`")),
    };
    let base = Query {
        since: filters.since,
        until: filters.until,
        actor: filters.actor.clone(),
        kind: filters.kind.clone(),
        class: filters.class.clone(),
        route: filters.route.clone(),
        purpose: filters.purpose.clone(),
        request: filters.request.clone(),
        limit: Some(filters.limit),
        ..Query::default()
    };
    let mut rows = Vec::new();
    for query in keyed(filters, config.as_ref(), base)? {
        rows.extend(audit::query(&dir, &query).map_err(|error| unreadable(&dir, &error))?);
    }
    rows.sort_by_key(|row| row.index);
    rows.dedup_by_key(|row| row.index);
    for row in rows.iter().take(filters.limit) {
        match filters.format {
            Format::Text => println!("{}", row.to_text()),
            Format::Json => println!("{}", row.line),
        }
    }
    if filters.format == Format::Text {
        let cut = if rows.len() >= filters.limit { "; there may be more, see `--limit`" } else { "" };
        eprintln!("{} records{cut}", rows.len().min(filters.limit));
    }
    Ok(())
}

/// A subject is known by a reference per upstream, so each upstream makes a query of its own.
fn keyed(filters: &Filters, config: Option<&Config>, base: Query) -> Result<Vec<Query>, Failure> {
    let Some(config) = config else { return Ok(vec![base]) };
    if filters.subject.is_none() && filters.case.is_none() {
        return Ok(vec![base]);
    }
    let key = gateway::keys(config)?.subject_ref;
    let case = filters.case.as_ref().map(|case| audit::case_reference(&key, &Sensitive::new(case.clone())));
    let base = Query { case, ..base };
    let Some(subject) = &filters.subject else { return Ok(vec![base]) };
    let (kind, id) = subject.split_once(':').ok_or_else(|| {
        Failure::usage(format!("`{subject}` names no resource"), "write `RESOURCE:ID`, such as `customer:C-1001`")
    })?;
    let id = Sensitive::new(id.to_owned());
    let reference = |upstream: &str| audit::subject_reference(&key, kind, upstream, &id);
    let upstreams = config.upstreams.iter().map(|upstream| upstream.name.as_str());
    Ok(upstreams.map(|name| Query { subject: Some(reference(name)), ..base.clone() }).collect())
}

fn unreadable(dir: &Path, error: &AuditError) -> Failure {
    Failure::System {
        what: format!("the log in `{}`: {error}", dir.display()),
        help: "give the folder of a log; `fieldgate audit verify` says what is wrong with a damaged one".to_owned(),
        code: 74,
    }
}

/// RFC 3339, or a date that means its first instant in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let parsed: jiff::Timestamp = full.parse().map_err(|_| "write 2026-03-01 or 2026-03-01T09:00:00Z".to_owned())?;
    Ok(Timestamp::from_micros(parsed.as_microsecond()))
}
