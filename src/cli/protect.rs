//! `fieldgate protect`, `unprotect` and `rewrap`: count first, then a pilot, then everything, then read it all again.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    Failure,
    bench::{Bench, Target, failure},
    progress::{Meter, grouped, spoken},
};
use crate::{
    gateway::{self, now},
    model::ClassSet,
    protect::Store,
    sweep::{
        Begin, Checked, Crm, Ended, Extent, Inventory, Journal, JournalError, JournalKeys, Report, Resume, Secrets,
        Settings, State, Stop, StoredForms, Sweep, Verb,
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Only these classes; default: every class that is not stored in clear (`unprotect`: every class of the resource).
    #[arg(long = "class")]
    classes: Vec<String>,
    /// Write. Without it nothing is changed.
    #[arg(long)]
    run: bool,
    /// Write this many records, read them again, and stop.
    #[arg(long, value_name = "RECORDS", conflicts_with = "verify", value_parser = clap::value_parser!(u64).range(1..))]
    pilot: Option<u64>,
    /// Read everything again and compare with the last run; exit code 65 while something is left to do, or is damaged.
    #[arg(long, conflicts_with = "run")]
    verify: bool,
    /// Leave an unfinished run as it is and begin another.
    #[arg(long)]
    new: bool,
    /// Records that are written at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// The folder of the journals; default: `sweep` beside the configuration.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Write the outcome to this file, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Seconds between two lines of progress where standard error is no terminal.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
}

pub(super) fn run(verb: Verb, arguments: &Arguments) -> Result<(), Failure> {
    let bench = Bench::open(&arguments.target)?;
    let settings = settings(verb, arguments, &bench)?;
    let (store, vault) = bench.store()?;
    let keys: Rc<dyn Secrets> =
        Rc::new(JournalKeys::new(gateway::keys(&bench.config)?.sweep, Arc::clone(store.keys())));
    let change = forms(verb, &bench, store, vault);
    let (stop, meter) = (Arc::new(Stop::default()), Meter::new(arguments.every));
    let crm = Crm {
        records: &bench.records,
        change: &change,
        budget: &bench.budget,
        settings: &settings,
        watch: &meter,
        stop: &stop,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::system(error, "free system resources and start again"))?;
    runtime.block_on(async {
        stop_on_signals(&stop).map_err(|error| Failure::system(error, "try again"))?;
        let folder = arguments.journal.clone().unwrap_or_else(|| bench.config.path("sweep".as_ref()));
        let journals = Journals { folder, stem: format!("{}.{}", bench.object.replace('/', "."), verb.as_str()), keys };
        if arguments.run || arguments.pilot.is_some() {
            write(crm, arguments, &journals, &meter).await
        } else if arguments.verify {
            verify(&crm, arguments, &journals, &meter).await
        } else {
            count(&crm, arguments, &bench, &meter).await
        }
    })
}

fn forms(verb: Verb, bench: &Bench, store: Store, vault: crate::vault::Vault) -> StoredForms {
    let classes = Arc::clone(&bench.config.classes);
    StoredForms { verb, resource: Arc::clone(&bench.rule.resource), classes, store, vault }
}

fn settings(verb: Verb, arguments: &Arguments, bench: &Bench) -> Result<Settings, Failure> {
    let classes = &bench.config.classes;
    let mapped: ClassSet = bench.fields().iter().map(|field| field.class).collect();
    let stored = |class| classes.get(class).is_some_and(|class| class.storage.is_protected());
    let scope: ClassSet = match arguments.classes.is_empty() {
        true => mapped.iter().filter(|class| verb == Verb::Unprotect || stored(*class)).collect(),
        false => arguments.classes.iter().map(|name| named(name, bench)).collect::<Result<_, _>>()?,
    };
    if scope.is_empty() {
        return Err(Failure::usage(
            format!("no class of `{}` is stored in another form than clear", bench.object),
            "set `storage` of the classes in the configuration first",
        ));
    }
    Ok(Settings {
        verb,
        object: bench.object.clone(),
        classes: Arc::clone(classes),
        scope,
        concurrency: arguments.concurrency.into(),
        extent: arguments.pilot.map_or(Extent::All, Extent::Pilot),
    })
}

fn named(name: &str, bench: &Bench) -> Result<crate::model::ClassId, Failure> {
    let known = bench.config.classes.id(name).filter(|id| bench.fields().iter().any(|field| field.class == *id));
    known.ok_or_else(|| {
        let help = "name a class that the map gives to a field of this resource";
        Failure::usage(format!("`{}` has no field of class `{name}`", bench.object), help)
    })
}

/// The first signal asks for a clean stop; the page in flight is finished.
fn stop_on_signals(stop: &Arc<Stop>) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = Arc::clone(stop);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.set();
            eprintln!("\nstopping after this page; the run can be resumed");
        }
    });
    Ok(())
}

type RealCrm<'a> = Crm<'a, crate::sweep::CrmRecords, StoredForms, crate::sweep::SystemClock>;

async fn count(crm: &RealCrm<'_>, arguments: &Arguments, bench: &Bench, meter: &Meter) -> Result<(), Failure> {
    let found = crm.inventory().await;
    meter.end();
    let Some(found) = found.map_err(|error| failure(&error))? else { return Err(Failure::Silent(STOPPED)) };
    report(arguments, &found)?;
    println!("{}: nothing was changed", crm.settings.object);
    print_inventory(&found);
    let verb = crm.settings.verb.as_str();
    let (values, records) = (grouped(found.to_do()), found.records);
    // A listing before and one after, and up to three calls per record.
    let calls = records.saturating_mul(3) + records / 50;
    let seconds = calls.saturating_mul(1_000) / bench.pace.calls_per_thousand_seconds().max(1);
    println!(
        "`{verb}` would change {values} values: about {} calls, {}",
        grouped(calls),
        spoken(Duration::from_secs(seconds))
    );
    println!("Next: `fieldgate {verb} --resource {} --pilot 100`, then with `--run`.", bench.rule.resource);
    Ok(())
}

async fn verify(crm: &RealCrm<'_>, arguments: &Arguments, journals: &Journals, meter: &Meter) -> Result<(), Failure> {
    let checked = match journals.last()? {
        Some(path) => {
            let (journal, _, resume) =
                Journal::open(&path, Rc::clone(&journals.keys)).map_err(|error| unusable(&path, &error))?;
            println!("compared with {}", path.display());
            crm.check(&journal.reader(), &resume.into_index()).await
        }
        None => crm
            .inventory()
            .await
            .map(|found| found.map(|found| Checked { inventory: Some(found), ..Checked::default() })),
    };
    meter.end();
    let Some(checked) = checked.map_err(|error| failure(&error))? else { return Err(Failure::Silent(STOPPED)) };
    report(arguments, &checked)?;
    conclude(crm.settings, &checked)
}

async fn write(crm: RealCrm<'_>, arguments: &Arguments, journals: &Journals, meter: &Meter) -> Result<(), Failure> {
    let settings = crm.settings;
    let (journal, resume) = journals.begin(settings, arguments)?;
    println!("{}: journal of this run", journal.path().display());
    let done = Sweep::new(crm, journal).run(resume, || now().to_string()).await;
    meter.end();
    let done = done.map_err(|error| failure(&error))?;
    report(arguments, &done)?;
    print_outcome(&done);
    match (&done.checked, done.ended) {
        (Some(checked), Ended::Finished) => conclude(settings, checked),
        _ => {
            println!("stopped; the same command goes on from here");
            Err(Failure::Silent(STOPPED))
        }
    }
}

fn print_outcome(done: &Report) {
    println!(
        "{}: {} records, {} calls, {} pauses, {}",
        done.object,
        grouped(done.records),
        grouped(done.calls),
        grouped(done.pauses),
        spoken(Duration::from_secs(done.seconds))
    );
    for (state, what) in [
        (State::Written, "written"),
        (State::Reformatted, "written, and kept in the CRM's own notation"),
        (State::Superseded, "changed by others meanwhile, and right as they are"),
        (State::Gone, "of records that were deleted meanwhile"),
        (State::DoesNotFit, "NOT written: too long for their column"),
        (State::Unreadable, "NOT written: protected, and cannot be opened"),
        (State::Refused, "NOT written: the CRM refused"),
        (State::Contended, "NOT written: changed by others, or not taken, at every try"),
        (State::Failed, "NOT written: the CRM failed at every try"),
    ] {
        let count = done.count(state);
        if count > 0 {
            println!("  {:>12} values {what}", grouped(count));
        }
    }
}

/// What reading again found, and whether the operator may go on.
fn conclude(settings: &Settings, checked: &Checked) -> Result<(), Failure> {
    println!(
        "read again: {} as written, {} changed since, {} damaged, {} records gone",
        grouped(checked.same),
        grouped(checked.changed_since),
        grouped(checked.damaged),
        grouped(checked.gone)
    );
    for place in &checked.damaged_places {
        println!("  damaged: {place}");
    }
    let Some(found) = &checked.inventory else {
        return if checked.damaged == 0 { Ok(()) } else { Err(Failure::Silent(LEFT)) };
    };
    print_inventory(found);
    let left = match settings.verb {
        Verb::Protect => found.clear(),
        Verb::Unprotect | Verb::Rewrap => found.to_do() + found.does_not_fit(),
    };
    if left == 0 && checked.damaged == 0 {
        if settings.verb == Verb::Protect {
            println!("No clear value is left: `phase = \"enforced\"` can be set for these classes.");
        }
        return Ok(());
    }
    println!(
        "{} values are left{}",
        grouped(left),
        match settings.verb {
            Verb::Protect => ": keep `phase = \"mixed\"`. docs/migration.md says what to do about each kind.",
            Verb::Unprotect | Verb::Rewrap => ".",
        }
    );
    Err(Failure::Silent(LEFT))
}

fn print_inventory(found: &Inventory) {
    println!("{} records", grouped(found.records));
    println!(
        "  {:<16} {:>11} {:>11} {:>11} {:>11} {:>11} {:>9} {:>9} {:>8} {:>8}",
        "class", "to do", "clear", "protected", "old keys", "unreadable", "empty", "too long", "no text", "longest"
    );
    for (name, tally) in &found.classes {
        let unreadable: u64 = tally.unreadable.values().sum();
        println!(
            "  {name:<16} {:>11} {:>11} {:>11} {:>11} {:>11} {:>9} {:>9} {:>8} {:>8}",
            grouped(tally.to_do),
            grouped(tally.clear),
            grouped(tally.current),
            grouped(tally.stale),
            grouped(unreadable),
            grouped(tally.empty),
            grouped(tally.does_not_fit),
            grouped(tally.not_text),
            grouped(tally.longest_chars)
        );
    }
    for (key, values) in &found.keys {
        println!("  under key {key}: {} values", grouped(*values));
    }
    if found.classes.values().any(|tally| tally.unprobed > 0) {
        println!("  Some fields have no `max_chars`: run `fieldgate probe` before you trust that everything fits.");
    }
}

fn report(arguments: &Arguments, value: &impl serde::Serialize) -> Result<(), Failure> {
    let Some(path) = &arguments.report else { return Ok(()) };
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::system(error, "report this"))?;
    std::fs::write(path, text + "\n").map_err(|error| {
        Failure::system(format!("`{}`: {error}", path.display()), "name a file that can be written with `--report`")
    })
}

/// The journals of one verb on one resource: `crm.contact.protect.0001.journal`.
struct Journals {
    folder: PathBuf,
    stem: String,
    keys: Rc<dyn Secrets>,
}

impl Journals {
    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{}.{number:04}.journal", self.stem))
    }

    /// The number of the newest one.
    fn newest(&self) -> Result<Option<u32>, Failure> {
        let listing = match std::fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&self.folder, &error.into())),
        };
        let number = |name: &str| {
            let rest = name.strip_prefix(&self.stem)?.strip_prefix('.')?.strip_suffix(".journal")?;
            rest.parse::<u32>().ok()
        };
        Ok(listing.filter_map(|entry| number(entry.ok()?.file_name().to_str()?)).max())
    }

    fn last(&self) -> Result<Option<PathBuf>, Failure> {
        Ok(self.newest()?.map(|number| self.path(number)))
    }

    /// The unfinished run, else a new one.
    fn begin(&self, settings: &Settings, arguments: &Arguments) -> Result<(Journal, Resume), Failure> {
        let newest = self.newest()?;
        let begin = Begin {
            format: 1,
            verb: settings.verb,
            object: settings.object.clone(),
            classes: settings.class_names(),
            pilot: arguments.pilot,
            at: now().to_string(),
        };
        if let Some(path) = newest.map(|number| self.path(number)).filter(|_| !arguments.new) {
            let opened = Journal::open(&path, Rc::clone(&self.keys)).map_err(|error| unusable(&path, &error))?;
            let (journal, before, resume) = opened;
            if resume.finished().is_none() {
                if (before.classes, before.pilot) != (begin.classes, begin.pilot) {
                    let what = format!("`{}` is an unfinished run over other classes or another pilot", path.display());
                    return Err(Failure::usage(what, "give the same options to go on with it, or `--new` to leave it"));
                }
                println!("going on with the run of {}", before.at);
                return Ok((journal, resume));
            }
        }
        make_folder(&self.folder)?;
        let path = self.path(newest.unwrap_or(0) + 1);
        let journal = Journal::create(&path, Rc::clone(&self.keys), begin).map_err(|error| unusable(&path, &error))?;
        Ok((journal, Resume::default()))
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error.into()))
}

fn unusable(path: &Path, error: &JournalError) -> Failure {
    let help = match error {
        JournalError::Locked => "wait for the other run, or stop it",
        JournalError::Damaged { .. } | JournalError::Keys => {
            "keep the file for whoever looks into it, and begin anew with `--new`: what is protected stays as it is"
        }
        JournalError::Io(_) | JournalError::Broken => "name a folder that can be written with `--journal`",
    };
    Failure::System { what: format!("`{}`: {error}", path.display()), help: help.to_owned(), code: 74 }
}

/// Stopped, and can be gone on with (`EX_TEMPFAIL`).
const STOPPED: u8 = 75;
/// Something is left to do, or damaged (`EX_DATAERR`).
const LEFT: u8 = 65;
