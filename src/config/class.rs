//! `[[class]]`: the data classes of a configuration.

use serde::Deserialize;

use super::{DetectSettings, detect};
use crate::detect::Sought;
use crate::model::{
    Class, ClassTable, Entity, FREE_TEXT, KeyScope, Linkage, MaskStyle, Mode, Normaliser, Phase, Problem, Storage,
    TokenShape, TooManyClasses,
};
use crate::vault;

/// One `[[class]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSettings {
    /// Lower-case letters, digits and `_`.
    pub name: String,
    /// `email`, `phone`, `card`, `iban`, `name`, `address`, `date`, `keep_first:N`, `keep_last:N` or `full` (default).
    #[serde(default = "full")]
    pub mask: String,
    /// What the CRM holds: `clear` (default), `seal`, `seal:class`, `seal:indexed`, `token`, `token:email`, `token:phone`
    /// or `det`.
    #[serde(default = "clear")]
    pub storage: String,
    /// How equal values are recognised: `text-1`, `email-1`, `phone-1`, `id-1` or `name-1`. Default: what fits the mask.
    #[serde(default)]
    pub normalise: Option<String>,
    /// `enforced` (default): clear values of the CRM are masked for everybody. `mixed`: they are viewed like any other,
    /// and searched for, until they have been migrated.
    #[serde(default)]
    pub phase: PhaseSetting,
    /// `relaxed` (default): a sealed value found on another record than its own is opened and counted. `strict`: it is not.
    #[serde(default)]
    pub linkage: LinkageSetting,
    /// Sealed texts are padded to a multiple of 16, 32 or 64 bytes; 0 (default) lets their length show.
    #[serde(default)]
    pub padding: u8,
    /// Detector findings that count as this class: entities, and groups such as `national_id`.
    #[serde(default)]
    pub detects: Vec<String>,
    /// The least score of those findings, 1–100. Default: that of `[detect]`.
    #[serde(default)]
    pub threshold: Option<u8>,
}

/// `phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseSetting {
    /// Clear values are expected.
    Mixed,
    /// They are not.
    #[default]
    Enforced,
}

/// `linkage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkageSetting {
    /// Opened and counted.
    #[default]
    Relaxed,
    /// Not opened.
    Strict,
}

fn full() -> String {
    "full".to_owned()
}

fn clear() -> String {
    "clear".to_owned()
}

/// The classes of `text`, which has `[[class]]` tables and nothing else, and what they detect.
///
/// # Errors
/// Every mistake in them.
pub fn classes(text: &str) -> Result<(ClassTable, Sought), Vec<Problem>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Classes {
        class: Vec<ClassSettings>,
    }
    let read: Classes = toml::from_str(text)
        .map_err(|error| vec![Problem::new("class", error.message(), "write `[[class]]` tables and nothing else")])?;
    Ok((table(&read.class)?, DetectSettings::default().sought(&read.class)))
}

/// The table of all classes, or every mistake in them.
pub(super) fn table(settings: &[ClassSettings]) -> Result<ClassTable, Vec<Problem>> {
    let mut problems = Vec::new();
    let claims = detect::claims(settings);
    let classes: Vec<Class> = settings
        .iter()
        .zip(claims)
        .enumerate()
        .filter_map(|(index, (one, detects))| class(one, detects, index, &mut problems))
        .collect();
    match ClassTable::new(classes) {
        Ok(table) if problems.is_empty() => return Ok(table),
        Ok(_) => {}
        Err(TooManyClasses::Duplicate(name)) => {
            let index = settings.iter().rposition(|one| one.name == name).unwrap_or_default();
            problems.push(Problem::new(
                format!("class.{index}.name"),
                format!("class `{name}` is defined twice"),
                "remove or rename one of them",
            ));
        }
        Err(limit @ TooManyClasses::Limit) => {
            problems.push(Problem::new("class", limit.to_string(), "one class per way of showing a value is enough"));
        }
    }
    Err(problems)
}

/// What classes that are not stored in clear need besides.
pub(super) fn stores(classes: &ClassTable, keys: bool, vault: Option<&vault::Settings>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let stored: Vec<&Class> =
        classes.iter().map(|(_, class)| class).filter(|class| class.storage.is_protected()).collect();
    let Some(first) = stored.first() else { return problems };
    let name = &first.name;
    if !keys {
        let what = format!("class `{name}` is not stored in clear, and there is no `[keys]`");
        problems.push(Problem::new("class", what, "add `[keys]`, then make the keys with `fieldgate keys new`"));
    }
    let Some(vault) = vault else {
        let what = format!("class `{name}` is not stored in clear, and there is no `[vault]`");
        problems.push(Problem::new("class", what, "add `[vault]`, then make it with `fieldgate vault init`"));
        return problems;
    };
    let email = stored.iter().find(|class| class.storage.mode == Mode::Token(TokenShape::Email));
    if let (Some(class), None) = (email, &vault.token_domain) {
        let what = format!("class `{}` is stored as e-mail tokens, and they have no domain", class.name);
        let help = "add `token_domain = \"fg.example.com\"`: a domain of yours that takes no mail (RFC 7505)";
        problems.push(Problem::new("vault", what, help));
    }
    problems
}

fn class(settings: &ClassSettings, detects: Vec<Entity>, index: usize, problems: &mut Vec<Problem>) -> Option<Class> {
    let before = problems.len();
    let mut wrong = |key: &str, what: String, help: &str| {
        problems.push(Problem::new(format!("class.{index}.{key}"), what, help));
    };
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if settings.name.is_empty() || settings.name.len() > 64 || !settings.name.bytes().all(lower) {
        wrong("name", "not a class name".to_owned(), "use 1–64 lower-case letters, digits and `_`");
    }
    let mask = mask_style(&settings.mask);
    if mask.is_none() {
        wrong(
            "mask",
            format!("unknown mask `{}`", settings.mask),
            "one of email, phone, card, iban, name, address, date, keep_first:N, keep_last:N, full",
        );
    }
    let mode = mode(&settings.storage);
    if mode.is_none() {
        let help = "one of clear, seal, seal:class, seal:indexed, token, token:email, token:phone, det";
        wrong("storage", format!("unknown storage `{}`", settings.storage), help);
    }
    if settings.name == FREE_TEXT && mode.is_some_and(|mode| !matches!(mode, Mode::Clear | Mode::Seal(_))) {
        let help = "store free text as `clear` or `seal`: prose is not searched for by equality";
        wrong("storage", format!("free text cannot be stored as `{}`", settings.storage), help);
    }
    let normaliser = match &settings.normalise {
        None => Some(default_normaliser(mask)),
        Some(name) => Normaliser::named(name),
    };
    if normaliser.is_none() {
        wrong("normalise", "unknown normaliser".to_owned(), "one of text-1, email-1, phone-1, id-1, name-1");
    }
    if !matches!(settings.padding, 0 | 16 | 32 | 64) {
        wrong("padding", format!("padding {} is not available", settings.padding), "one of 0, 16, 32, 64");
    }
    problems.extend(detect::problems(settings, index));
    if problems.len() > before {
        return None;
    }
    let mask = if settings.name == FREE_TEXT { MaskStyle::Full } else { mask? };
    let storage = Storage {
        mode: mode?,
        normaliser: normaliser?,
        phase: match settings.phase {
            PhaseSetting::Mixed => Phase::Mixed,
            PhaseSetting::Enforced => Phase::Enforced,
        },
        linkage: match settings.linkage {
            LinkageSetting::Relaxed => Linkage::Relaxed,
            LinkageSetting::Strict => Linkage::Strict,
        },
        padding: settings.padding,
    };
    Some(Class { name: settings.name.as_str().into(), mask, storage, detects })
}

fn mode(text: &str) -> Option<Mode> {
    Some(match text {
        "clear" => Mode::Clear,
        "seal" => Mode::Seal(KeyScope::Subject),
        "seal:class" => Mode::Seal(KeyScope::Class),
        "seal:indexed" => Mode::SealIndexed,
        "token" => Mode::Token(TokenShape::Opaque),
        "token:email" => Mode::Token(TokenShape::Email),
        "token:phone" => Mode::Token(TokenShape::Phone),
        "det" => Mode::Det,
        _ => return None,
    })
}

/// A class that is masked like an e-mail address is compared like one.
fn default_normaliser(mask: Option<MaskStyle>) -> Normaliser {
    match mask {
        Some(MaskStyle::Email) => Normaliser::Email,
        Some(MaskStyle::Phone) => Normaliser::Phone,
        Some(MaskStyle::Card | MaskStyle::Iban | MaskStyle::KeepLast(_)) => Normaliser::Id,
        Some(MaskStyle::Name) => Normaliser::Name,
        _ => Normaliser::Text,
    }
}

fn mask_style(text: &str) -> Option<MaskStyle> {
    let kept = |rest: &str| rest.parse::<u8>().ok().filter(|n| (1..=32).contains(n));
    Some(match text {
        "email" => MaskStyle::Email,
        "phone" => MaskStyle::Phone,
        "card" => MaskStyle::Card,
        "iban" => MaskStyle::Iban,
        "name" => MaskStyle::Name,
        "address" => MaskStyle::Address,
        "date" => MaskStyle::Date,
        "full" => MaskStyle::Full,
        other => match other.split_once(':') {
            Some(("keep_first", n)) => MaskStyle::KeepFirst(kept(n)?),
            Some(("keep_last", n)) => MaskStyle::KeepLast(kept(n)?),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, mask: &str, storage: &str) -> ClassSettings {
        ClassSettings {
            name: name.into(),
            mask: mask.into(),
            storage: storage.into(),
            normalise: None,
            phase: PhaseSetting::default(),
            linkage: LinkageSetting::default(),
            padding: 0,
            detects: vec![],
            threshold: None,
        }
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let wrong = [
            settings("Bad", "email", "clear"),
            settings("a", "blur", "scramble"),
            settings("b", "keep_last:4", "seal"),
        ];
        let paths: Vec<String> = table(&wrong).unwrap_err().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["class.0.name", "class.1.mask", "class.1.storage"]);
    }

    #[test]
    fn storage_says_what_the_crm_holds_and_how_equal_values_are_recognised() {
        for (name, mask, storage, mode, normaliser) in [
            ("email", "email", "token:email", Mode::Token(TokenShape::Email), Normaliser::Email),
            ("iban", "iban", "seal:indexed", Mode::SealIndexed, Normaliser::Id),
            ("note", "full", "seal:class", Mode::Seal(KeyScope::Class), Normaliser::Text),
            ("free_text", "full", "seal", Mode::Seal(KeyScope::Subject), Normaliser::Text),
            ("plain", "name", "clear", Mode::Clear, Normaliser::Name),
        ] {
            let table = table(&[settings(name, mask, storage)]).unwrap();
            let stored = table.get(table.id(name).unwrap()).unwrap().storage;
            assert_eq!((stored.mode, stored.normaliser, stored.phase), (mode, normaliser, Phase::Enforced), "{name}");
        }
        let prose = table(&[settings("free_text", "full", "token")]).unwrap_err();
        assert_eq!(prose.len(), 1, "prose is not a token");
        let padded = ClassSettings { padding: 17, ..settings("a", "full", "seal") };
        assert_eq!(table(&[padded]).unwrap_err()[0].path, "class.0.padding");
    }

    #[test]
    fn keep_masks_take_one_to_thirty_two_characters() {
        assert_eq!(mask_style("keep_last:32"), Some(MaskStyle::KeepLast(32)));
        assert_eq!(mask_style("keep_last:33"), None);
        assert_eq!(mask_style("keep_first:0"), None);
    }
}
