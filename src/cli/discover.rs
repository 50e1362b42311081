//! `fieldgate discover`: a description of an API in, a proposed API map on standard output, what is left to do on the other.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
};

use super::{Failure, files};
use crate::{
    config::{self, Config},
    discover::{self, MAX_DOCUMENT_BYTES, Options, Proposal},
    model::ClassTable,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An OpenAPI 3 document (JSON), a HAR 1.2 file, or lines of `{"method", "url", "status", "request", "response"}`; `-` for
    /// standard input.
    file: PathBuf,
    /// The map's name.
    #[arg(long, default_value = "proposed")]
    name: String,
    /// A configuration whose classes are proposed; default: those that `init` writes.
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// From which confidence on a class is proposed; below, the place is marked `undecided`.
    #[arg(long, default_value_t = Options::MIN_CONFIDENCE, value_parser = clap::value_parser!(u8).range(1..=100))]
    min_confidence: u8,
    /// Print every place with its class, confidence and reason as JSON instead of the map.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let classes = classes(arguments)?;
    let input = input(arguments)?;
    let options = Options { name: arguments.name.clone(), min_confidence: arguments.min_confidence };
    let file = arguments.file.display();
    let Proposal { map, report } = discover::discover(&input, &options, &classes)
        .map_err(|error| Failure::usage(format!("{file}: {error}"), error.help()))?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::system(error, "report this as a mistake of `fieldgate`"))?
            + "\n"
    } else {
        map
    };
    let said = io::stdout().lock().write_all(text.as_bytes());
    said.map_err(|error| Failure::system(format!("standard output: {error}"), "give it room, or a reader that stays"))?;
    let (routes, fields, undecided, left) =
        (report.routes.len(), report.fields(), report.undecided(), report.left_out.len());
    eprintln!(
        "{file}: {routes} routes, {fields} places with a class, {undecided} undecided, {left} operations left out"
    );
    eprintln!("  next: read it, decide what is undecided, name it in `[[upstream]] map`, and run `fieldgate check`");
    Ok(())
}

fn classes(arguments: &Arguments) -> Result<ClassTable, Failure> {
    match &arguments.config {
        Some(path) => Ok(ClassTable::clone(&Config::load(path)?.classes)),
        None => config::classes(files::CLASSES)
            .map(|(classes, _)| classes)
            .map_err(|_| Failure::system("the built-in classes cannot be read", "give `--config`")),
    }
}

/// The bytes, one more than are read at most.
fn input(arguments: &Arguments) -> Result<Vec<u8>, Failure> {
    let (mut bytes, most) = (Vec::new(), MAX_DOCUMENT_BYTES as u64 + 1);
    let read = if arguments.file.as_os_str() == "-" {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(&arguments.file).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    let file = arguments.file.display();
    read.map_err(|error| {
        Failure::usage(format!("{file}: {error}"), "give an OpenAPI document or a recording, or `-` for standard input")
    })?;
    Ok(bytes)
}
