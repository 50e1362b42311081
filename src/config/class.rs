//! `[[class]]`: the data classes of a configuration.

use serde::Deserialize;

use crate::model::{Class, ClassTable, Entity, FREE_TEXT, MaskStyle, Problem, Storage, TooManyClasses};

/// One `[[class]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSettings {
    /// Lower-case letters, digits and `_`.
    pub name: String,
    /// `email`, `phone`, `card`, `iban`, `name`, `address`, `date`, `keep_first:N`, `keep_last:N` or `full` (default).
    #[serde(default = "full")]
    pub mask: String,
    /// `clear` (default): what the CRM holds.
    #[serde(default = "clear")]
    pub storage: String,
    /// Detector findings that count as this class: `card`, `email`, `phone`, `iban`, `us_ssn`.
    #[serde(default)]
    pub detects: Vec<String>,
}

fn full() -> String {
    "full".to_owned()
}

fn clear() -> String {
    "clear".to_owned()
}

/// The table of all classes, or every mistake in them.
pub(super) fn table(settings: &[ClassSettings]) -> Result<ClassTable, Vec<Problem>> {
    let mut problems = Vec::new();
    let classes: Vec<Class> =
        settings.iter().enumerate().filter_map(|(index, one)| class(one, index, &mut problems)).collect();
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

fn class(settings: &ClassSettings, index: usize, problems: &mut Vec<Problem>) -> Option<Class> {
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
    if settings.storage != "clear" {
        wrong(
            "storage",
            format!("storage `{}` is not available in this build", settings.storage),
            "write `storage = \"clear\"`; values are still masked per caller on the way out",
        );
    }
    let mut detects = Vec::new();
    for name in &settings.detects {
        match Entity::named(name) {
            Some(entity) => detects.push(entity),
            None => wrong("detects", format!("unknown entity `{name}`"), "one of card, email, phone, iban, us_ssn"),
        }
    }
    if problems.len() > before {
        return None;
    }
    let mask = if settings.name == FREE_TEXT { MaskStyle::Full } else { mask? };
    Some(Class { name: settings.name.as_str().into(), mask, storage: Storage::CLEAR, detects })
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
        ClassSettings { name: name.into(), mask: mask.into(), storage: storage.into(), detects: vec![] }
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let wrong =
            [settings("Bad", "email", "clear"), settings("a", "blur", "seal"), settings("b", "keep_last:4", "clear")];
        let paths: Vec<String> = table(&wrong).unwrap_err().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["class.0.name", "class.1.mask", "class.1.storage"]);
    }

    #[test]
    fn keep_masks_take_one_to_thirty_two_characters() {
        assert_eq!(mask_style("keep_last:32"), Some(MaskStyle::KeepLast(32)));
        assert_eq!(mask_style("keep_last:33"), None);
        assert_eq!(mask_style("keep_first:0"), None);
    }
}
