//! `fieldgate probe`: what the CRM's columns take, and the lines of the map that say so.

use serde_json::{Map, Value};

use super::{
    Failure,
    bench::{Bench, Target, failure},
};
use crate::{
    model::{ClassSet, Sensitive},
    sweep::{Fate, Length, Probe, Profile, RecordId, Restored},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// A scratch record, every field of it filled in; its values are put back. Default: one is made (`create` and
    /// `scratch` of the map) and removed (`delete`).
    #[arg(long)]
    record: Option<String>,
    /// Only fields of these classes; default: all.
    #[arg(long = "class")]
    classes: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bench = Bench::open(&arguments.target)?;
    let chosen = |name: &str| arguments.classes.is_empty() || arguments.classes.iter().any(|class| class == name);
    let classes = bench.fields().iter().map(|field| field.class);
    let scope: ClassSet = classes.filter(|class| chosen(bench.config.classes.name(*class))).collect();
    if scope.is_empty() {
        let what = format!("`{}` has no field of these classes", bench.object);
        return Err(Failure::usage(what, "name classes that the map gives to fields of this resource"));
    }
    let domain = if bench.token_domain().is_empty() { DOMAIN } else { bench.token_domain() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::system(error, "free system resources and start again"))?;
    runtime.block_on(async {
        let (id, made) = record(arguments, &bench).await?;
        let probe = Probe { records: &bench.records, budget: &bench.budget, token_domain: domain, scope };
        let found = probe.run(&id).await;
        if made == Made::ByUs && bench.records.delete(&id).await.is_err() {
            eprintln!("the scratch record could not be removed; remove it by hand");
        }
        print(&bench, &found.map_err(|error| failure(&error))?)
    })
}

/// Whose the scratch record is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    ByUs,
    ByTheOperator,
}

async fn record(arguments: &Arguments, bench: &Bench) -> Result<(RecordId, Made), Failure> {
    if let Some(id) = &arguments.record {
        return Ok((Sensitive::new(id.clone()), Made::ByTheOperator));
    }
    if bench.rule.create.is_none() || bench.rule.delete.is_none() {
        return Err(Failure::usage(
            "no scratch record is named, and the map names no routes to make and remove one",
            "give `--record ID`, or add `create`, `delete` and `scratch` to the map",
        ));
    }
    let members = bench.rule.scratch.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str())));
    let body = Value::Object(members.collect::<Map<_, _>>());
    let id = bench.records.create(&body).await.map_err(|fault| {
        let help = "add to `scratch` in the map what the CRM needs of a new record, or give `--record ID`";
        Failure::system(format!("the scratch record could not be made: {fault}"), help)
    })?;
    Ok((id, Made::ByUs))
}

fn print(bench: &Bench, profiles: &[Profile]) -> Result<(), Failure> {
    let mut damaged = Vec::new();
    for profile in profiles {
        println!("{} ({})", profile.place, bench.config.classes.name(profile.class));
        match profile.length {
            Length::Exactly(chars) => println!("  longest text: {chars} characters"),
            Length::AtLeast(chars) => println!("  longest text: {chars} characters or more"),
            Length::Unknown => println!("  longest text: unknown, no text of the gateway's is kept"),
        }
        for (canary, fate) in profile.fates.iter().filter(|(_, fate)| **fate != Fate::Kept) {
            println!("  {}: {}", canary.as_str(), fate.as_str());
        }
        match profile.fitting().as_slice() {
            [] => println!("  fits: nothing; keep the value in a custom text field and map that one"),
            fitting => println!("  fits: {}", fitting.join(", ")),
        }
        match profile.restored {
            Restored::Yes => {}
            Restored::Emptied => println!("  it was not filled in, and now holds an empty text"),
            Restored::No => damaged.push(&profile.place),
        }
    }
    println!("\nLines for the map:");
    for profile in profiles {
        println!("{}", profile.map_line(&bench.config.classes));
    }
    if damaged.is_empty() {
        return Ok(());
    }
    let places: Vec<&str> = damaged.iter().map(|place| &***place).collect();
    Err(Failure::system(
        format!("these fields of the scratch record could not be put back: {}", places.join(", ")),
        "put them right by hand",
    ))
}

/// Stands for the token domain where none is configured yet: 14 characters that validators take.
const DOMAIN: &str = "fg.example.com";
