//! `fieldgate scan`: text in, what the detectors find in it out, as JSON lines or to look at. Shows no value unless told to.

mod lines;

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use self::lines::{Lines, Piece, Unreadable};
use super::{Failure, files};
use crate::{
    config::{self, Config},
    detect::{
        Detector, Finding, Sought,
        notes::{Label, Note, Notes},
    },
    model::{ClassTable, Entity},
};

/// What to look at, and for what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 nothing was found; 1 something was; 64 wrong use; 65 no text (binary, UTF-16); \
                        66 the file cannot be read; 74 the output cannot be written.")]
pub(super) struct Arguments {
    /// The file; `-` is standard input.
    #[arg(required_unless_present = "example_notes")]
    file: Option<PathBuf>,
    /// The classes, and what they detect, are those of this configuration. Default: those that `init` writes.
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// Look for these only: entities (`card`, `pl_pesel`…), groups (`national_id`…), or `all`. Separated by commas.
    #[arg(long, value_delimiter = ',')]
    entities: Vec<String>,
    /// The least score of a finding, 1–100.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    threshold: Option<u8>,
    /// Show the lines with their findings marked, instead of JSON.
    #[arg(long)]
    view: bool,
    /// Show the values that were found.
    #[arg(long)]
    show_values: bool,
    /// Instead: write so many invented notes with labels, as JSON lines, to try things on.
    #[arg(long, value_name = "COUNT", conflicts_with = "file")]
    example_notes: Option<usize>,
    /// Other notes than those of seed 1.
    #[arg(long, default_value_t = 1, requires = "example_notes")]
    seed: u64,
    /// Lines with numbers of orders, parcels and the like, and nothing personal.
    #[arg(long, requires = "example_notes")]
    harmless: bool,
}

/// Something was found.
const FOUND: u8 = 1;
const EX_DATAERR: u8 = 65;
const EX_NOINPUT: u8 = 66;
const EX_IOERR: u8 = 74;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(count) = arguments.example_notes {
        return example_notes(count, arguments);
    }
    let path = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let (classes, sought) = classes(arguments.config.as_deref())?;
    let sought = narrowed(sought, arguments)?;
    let input = open(path)?;
    let scan = Scan { detector: Detector::of(sought), classes: &classes, values: arguments.show_values };
    let stdout = io::stdout();
    let style = match (arguments.view, stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none()) {
        (false, _) => Style::Json,
        (true, colour) => Style::View { colour },
    };
    let mut out = BufWriter::new(stdout.lock());
    let found = scan.run(Lines::new(input), style, &mut out).and_then(|found| {
        out.flush().map_err(Stopped::Output)?;
        Ok(found)
    });
    match found {
        Ok(0) => Ok(()),
        Ok(_) => Err(Failure::Silent(FOUND)),
        Err(stopped) => Err(stopped.failure(path)),
    }
}

/// A generated note as it is written.
#[derive(Debug, Serialize)]
struct ExampleNote<'a> {
    text: &'a str,
    labels: Vec<ExampleLabel>,
}

/// Bytes of the text.
#[derive(Debug, Serialize)]
struct ExampleLabel {
    start: usize,
    end: usize,
    entity: &'static str,
}

fn example_notes(count: usize, arguments: &Arguments) -> Result<(), Failure> {
    let notes = if arguments.harmless { Notes::harmless(arguments.seed) } else { Notes::new(arguments.seed) };
    let mut out = BufWriter::new(io::stdout().lock());
    let write = |note: &Note, out: &mut BufWriter<io::StdoutLock<'_>>| -> io::Result<()> {
        let label = |label: &Label| ExampleLabel { start: label.start, end: label.end, entity: label.entity.as_str() };
        serde_json::to_writer(
            &mut *out,
            &ExampleNote { text: &note.text, labels: note.labels.iter().map(label).collect() },
        )?;
        out.write_all(b"\n")
    };
    notes
        .take(count)
        .try_for_each(|note| write(&note, &mut out))
        .and_then(|()| out.flush())
        .map_err(|error| Stopped::Output(error).failure(Path::new("-")))
}

fn classes(config: Option<&Path>) -> Result<(ClassTable, Sought), Failure> {
    match config {
        Some(path) => {
            let config = Config::load(path)?;
            Ok(((*config.classes).clone(), config.sought))
        }
        None => config::classes(files::CLASSES)
            .map_err(|_| Failure::system("the built-in classes cannot be read", "give `--config`")),
    }
}

/// What `--entities` and `--threshold` leave or add.
fn narrowed(sought: Sought, arguments: &Arguments) -> Result<Sought, Failure> {
    let mut entities = Vec::new();
    for name in &arguments.entities {
        match (name.as_str(), Entity::named(name), Entity::group(name)) {
            ("all", ..) => entities.extend(Entity::ALL),
            (_, Some(entity), _) => entities.push(entity),
            (_, _, Some(group)) => entities.extend(group),
            _ => {
                let known = Entity::ALL.map(Entity::as_str).join(", ");
                let help = format!("use `all`, a group ({}), or some of {known}", Entity::GROUPS.join(", "));
                return Err(Failure::usage(format!("unknown entity `{name}`"), help));
            }
        }
    }
    if entities.is_empty() {
        entities.extend(Entity::ALL.into_iter().filter(|entity| sought.has(*entity)));
    }
    Ok(entities.into_iter().fold(Sought::nothing(), |narrowed, entity| {
        let configured = if sought.has(entity) { sought.least(entity) } else { Sought::THRESHOLD };
        narrowed.with(entity, arguments.threshold.unwrap_or(configured))
    }))
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
        true => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        false => Ok(file),
    });
    match file {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::System {
        what: format!("`{}` cannot be read: {error}", path.display()),
        help: "give the path of a text file, or `-` for standard input".to_owned(),
        code: EX_NOINPUT,
    }
}

/// Why a scan ended before the text did.
#[derive(Debug)]
enum Stopped {
    Input(Unreadable),
    Output(io::Error),
}

impl Stopped {
    fn failure(&self, path: &Path) -> Failure {
        match self {
            Self::Input(Unreadable::Io(error)) => unreadable(path, error),
            Self::Input(Unreadable::Binary { line }) => Failure::System {
                what: format!("`{}` is no text: there is a NUL byte in line {line}", path.display()),
                help: "give plain text; convert UTF-16 with `iconv -f UTF-16 -t UTF-8`, unpack archives first"
                    .to_owned(),
                code: EX_DATAERR,
            },
            // Whoever reads has seen enough (`| head`).
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Failure::Silent(FOUND),
            Self::Output(error) => Failure::System {
                what: format!("the findings cannot be written: {error}"),
                help: "check the space of the disk that standard output goes to".to_owned(),
                code: EX_IOERR,
            },
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Style {
    Json,
    View { colour: bool },
}

struct Scan<'c> {
    detector: Detector,
    classes: &'c ClassTable,
    values: bool,
}

/// One finding as it is written.
#[derive(Debug, Serialize)]
struct Row<'a> {
    /// From 1.
    line: u64,
    /// In characters, from 1.
    column: u64,
    /// Bytes of the line, from 0.
    start: u64,
    end: u64,
    /// Bytes of the whole text, from 0.
    offset: u64,
    entity: &'static str,
    class: &'a str,
    score: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

impl Scan<'_> {
    /// Writes the findings of all `lines`; returns how many there were.
    fn run(&self, mut lines: Lines<impl Read>, style: Style, out: &mut impl Write) -> Result<u64, Stopped> {
        let (mut found, mut findings) = (0, Vec::new());
        while let Some(piece) = lines.next().map_err(Stopped::Input)? {
            self.detector.scan(piece.text(), &mut findings);
            findings.retain(|finding| piece.owns(finding.start));
            found += findings.len() as u64;
            if findings.is_empty() {
                continue;
            }
            let written = match style {
                Style::Json => self.rows(&piece, &findings, out),
                Style::View { colour } => self.view(&piece, &findings, colour, out),
            };
            written.map_err(Stopped::Output)?;
        }
        Ok(found)
    }

    fn class(&self, entity: Entity) -> &str {
        self.classes.of_entity(entity).map_or("free_text", |id| self.classes.name(id))
    }

    fn rows(&self, piece: &Piece<'_>, findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
        let (mut column, mut before) = (piece.column, 0);
        for finding in findings {
            column += chars(piece.text(), before, finding.start);
            before = finding.start;
            let start = piece.start + finding.start as u64;
            let row = Row {
                line: piece.line,
                column,
                start,
                end: piece.start + finding.end as u64,
                offset: piece.line_offset + start,
                entity: finding.entity.as_str(),
                class: self.class(finding.entity),
                score: finding.score,
                value: piece.text().get(finding.start..finding.end).filter(|_| self.values),
            };
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The text from a little before the first finding to the end of what the piece owns, findings marked.
    fn view(&self, piece: &Piece<'_>, findings: &[Finding], colour: bool, out: &mut impl Write) -> io::Result<()> {
        let (on, off) = if colour { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
        write!(out, "{}: ", piece.line)?;
        let (from, to) = piece.owned();
        let mut at = from;
        for finding in findings {
            write_plain(out, piece.text().get(at..finding.start).unwrap_or_default())?;
            let class = self.class(finding.entity);
            match piece.text().get(finding.start..finding.end).filter(|_| self.values) {
                Some(value) => {
                    write!(out, "{on}[{class} ")?;
                    write_plain(out, value)?;
                    write!(out, "]{off}")?;
                }
                None => write!(out, "{on}[{class} •••]{off}")?,
            }
            at = finding.end;
        }
        write_plain(out, piece.text().get(at..to.max(at)).unwrap_or_default())?;
        out.write_all(b"\n")
    }
}

/// Control characters are shown as pictures of themselves: a terminal obeys them.
fn write_plain(out: &mut impl Write, text: &str) -> io::Result<()> {
    for part in text.split_inclusive(|c: char| c.is_control() && c != '\t') {
        let mut chars = part.chars();
        match chars.next_back() {
            Some(last) if last.is_control() && last != '\t' => {
                let picture = char::from_u32(0x2400 + u32::from(last)).filter(|_| last.is_ascii() && last < ' ');
                write!(out, "{}{}", chars.as_str(), picture.unwrap_or('\u{2421}'))?;
            }
            _ => out.write_all(part.as_bytes())?,
        }
    }
    Ok(())
}

fn chars(text: &str, from: usize, to: usize) -> u64 {
    text.get(from..to).map_or(0, |text| text.chars().count() as u64)
}

#[cfg(test)]
mod tests;
