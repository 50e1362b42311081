//! TOML text in, sections out; each section and each element of an array of tables reports its own mistake.

use std::{path::Path, sync::Arc};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    AdminSettings, BudgetSettings, ClassSettings, Config, DetectSettings, GatewaySettings, LimitSettings,
    ListenerSettings, TimeoutSettings, class, locate::Locator,
};
use crate::{
    audit, keyring,
    model::{ClassTable, Diagnostic, Problem},
    upstream, vault,
};

const HELP: &str = "compare with the commented reference `config/fieldgate.toml`";

pub(super) fn read(file: &str, base: &Path, text: String) -> Result<Config, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        let locator = Locator::new(file, &text);
        return Err(errors.iter().map(|error| locator.syntax(error, "correct the TOML syntax")).collect());
    }
    let mut sections = Sections {
        locator: Locator::new(file, &text),
        table: table.into_inner().into_iter().collect(),
        mistakes: Vec::new(),
        broken: Vec::new(),
    };
    let gateway: Option<GatewaySettings> = sections.required("gateway");
    let listeners: Vec<ListenerSettings> = sections.list("listener");
    let upstreams: Vec<upstream::Settings> = sections.list("upstream");
    let identity = sections.or_default("identity");
    let principals = sections.list("principal");
    let policy = sections.required("policy");
    let classes: Vec<ClassSettings> = sections.list("class");
    let detect: Option<DetectSettings> = sections.or_default("detect");
    let keys: Option<Option<keyring::Settings>> = sections.or_default("keys");
    let vault: Option<Option<vault::Settings>> = sections.or_default("vault");
    let audit: Option<audit::Settings> = sections.required("audit");
    let budget: Option<BudgetSettings> = sections.or_default("budget");
    let limits: Option<LimitSettings> = sections.or_default("limits");
    let timeouts: Option<TimeoutSettings> = sections.or_default("timeouts");
    let admin: Option<AdminSettings> = sections.or_default("admin");
    let log = sections.or_default("log");
    let ranges = [
        gateway.as_ref().map(GatewaySettings::problems),
        keys.as_ref().and_then(Option::as_ref).map(keyring::Settings::problems),
        vault.as_ref().and_then(Option::as_ref).map(vault::Settings::problems),
        audit.as_ref().map(audit::Settings::problems),
        detect.as_ref().map(DetectSettings::problems),
        budget.as_ref().map(BudgetSettings::problems),
        limits.as_ref().map(LimitSettings::problems),
        timeouts.as_ref().map(TimeoutSettings::problems),
        admin.as_ref().map(AdminSettings::problems),
    ];
    ranges.iter().flatten().for_each(|problems| sections.report(problems));
    let sought = detect.map(|detect| detect.sought(&classes));
    let classes = sections.classes(&classes);
    sections.cross_check(&listeners, &upstreams);
    if let (Some(keys), Some(vault)) = (&keys, &vault) {
        sections.report(&class::stores(&classes, keys.is_some(), vault.as_ref()));
    }
    sections.unknown();
    let mistakes = sections.mistakes;
    match (gateway, policy, sought, keys, vault, audit, identity, budget, limits, timeouts, admin, log) {
        (
            Some(gateway),
            Some(policy),
            Some(sought),
            Some(keys),
            Some(vault),
            Some(audit),
            Some(identity),
            Some(budget),
            Some(limits),
            Some(timeouts),
            Some(admin),
            Some(log),
        ) if mistakes.is_empty() => Ok(Config {
            file: file.to_owned(),
            base: base.to_path_buf(),
            gateway,
            listeners,
            upstreams,
            identity,
            principals,
            policy,
            classes: Arc::new(classes),
            sought,
            keys,
            vault,
            audit,
            budget,
            limits,
            timeouts,
            admin,
            log,
            text,
        }),
        _ => Err(mistakes),
    }
}

struct Sections<'a> {
    locator: Locator<'a>,
    table: Vec<(Spanned<toml::de::DeString<'a>>, Spanned<DeValue<'a>>)>,
    mistakes: Vec<Diagnostic>,
    /// Lists with an element that could not be read: what refers to them cannot be judged.
    broken: Vec<&'static str>,
}

impl<'a> Sections<'a> {
    fn take(&mut self, name: &str) -> Option<Spanned<DeValue<'a>>> {
        let index = self.table.iter().position(|(key, _)| key.get_ref() == name)?;
        Some(self.table.swap_remove(index).1)
    }

    fn read<T: DeserializeOwned>(&mut self, value: Spanned<DeValue<'a>>) -> Option<T> {
        let start = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(section) => Some(section),
            Err(error) if error.span().is_some() => {
                self.mistakes.push(self.locator.syntax(&error, HELP));
                None
            }
            Err(error) => {
                self.mistakes.push(self.locator.at(start, error.message(), HELP));
                None
            }
        }
    }

    fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.take(name) {
            Some(value) => self.read(value),
            None => {
                let problem = Problem::new("", format!("section `[{name}]` is missing"), HELP);
                self.mistakes.push(self.locator.whole(&problem));
                None
            }
        }
    }

    fn or_default<T: DeserializeOwned + Default>(&mut self, name: &str) -> Option<T> {
        match self.take(name) {
            Some(value) => self.read(value),
            None => Some(T::default()),
        }
    }

    fn list<T: DeserializeOwned>(&mut self, name: &'static str) -> Vec<T> {
        let Some(value) = self.take(name) else { return Vec::new() };
        let start = value.span().start;
        match value.into_inner() {
            DeValue::Array(items) => {
                let wanted = items.len();
                let read: Vec<T> = items.into_iter().filter_map(|item| self.read(item)).collect();
                if read.len() < wanted {
                    self.broken.push(name);
                }
                read
            }
            _ => {
                self.broken.push(name);
                let what = format!("`{name}` is not a list of tables");
                self.mistakes.push(self.locator.at(start, &what, &format!("write `[[{name}]]`")));
                Vec::new()
            }
        }
    }

    fn classes(&mut self, settings: &[ClassSettings]) -> ClassTable {
        class::table(settings).unwrap_or_else(|problems| {
            let found: Vec<_> = problems.iter().map(|problem| self.locator.diagnose(problem)).collect();
            self.mistakes.extend(found);
            ClassTable::default()
        })
    }

    fn cross_check(&mut self, listeners: &[ListenerSettings], upstreams: &[upstream::Settings]) {
        let mut problems = Vec::new();
        let mut wrong = |path: String, what: String, help: &str| problems.push(Problem::new(path, what, help));
        // An element that could not be read shifts the places of those behind it.
        let whole = |name: &str| !self.broken.contains(&name);
        let listeners = if whole("listener") { listeners } else { &[] };
        let (known, upstreams) = (whole("upstream"), if whole("upstream") { upstreams } else { &[] });
        for (index, listener) in listeners.iter().enumerate() {
            if known && !upstreams.iter().any(|upstream| upstream.name == listener.upstream) {
                let what = format!("no `[[upstream]]` is called `{}`", listener.upstream);
                wrong(format!("listener.{index}.upstream"), what, "name one of the upstreams of this file");
            }
            if listeners.iter().take(index).any(|other| other.name == listener.name) {
                let what = format!("two listeners are called `{}`", listener.name);
                wrong(format!("listener.{index}.name"), what, "give each its own name");
            }
            if !is_origin(&listener.public_url) {
                wrong(
                    format!("listener.{index}.public_url"),
                    "not an origin".to_owned(),
                    "write scheme, host and port only, such as `https://crm.example.com` or `https://localhost:8443`",
                );
            }
        }
        for (index, upstream) in upstreams.iter().enumerate() {
            if upstreams.iter().take(index).any(|other| other.name == upstream.name) {
                let what = format!("two upstreams are called `{}`", upstream.name);
                wrong(format!("upstream.{index}.name"), what, "give each its own name");
            }
        }
        if listeners.is_empty() && self.mistakes.is_empty() {
            let problem = Problem::new("", "there is no `[[listener]]`, so nobody could connect", HELP);
            self.mistakes.push(self.locator.whole(&problem));
        }
        self.report(&problems);
    }

    fn report(&mut self, problems: &[Problem]) {
        let found: Vec<_> = problems.iter().map(|problem| self.locator.diagnose(problem)).collect();
        self.mistakes.extend(found);
    }

    fn unknown(&mut self) {
        for (key, _) in std::mem::take(&mut self.table) {
            let what = format!("unknown section `{}`", key.get_ref());
            self.mistakes.push(self.locator.at(key.span().start, &what, HELP));
        }
    }
}

fn is_origin(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let scheme = matches!(uri.scheme_str(), Some("https" | "http"));
    scheme
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.path() == "/"
        && !url.ends_with('/')
}
