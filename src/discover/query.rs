//! Parameters in, what a map says about the query out. A map knows parameters by their names before `[`, in any case.

use std::collections::BTreeMap;

use super::{
    Options,
    body::{class_of, judged},
    leaf::{Concept, Kind},
    operation::Parameter,
    words::Words,
};
use crate::model::{ClassTable, FREE_TEXT};

/// A parameter with a class.
#[derive(Debug, Clone)]
pub(super) struct Classed {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) several: Option<&'static str>,
    pub(super) confidence: u8,
    pub(super) reason: String,
}

/// The query of a route.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) classed: Vec<Classed>,
    pub(super) pass: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Proposes what a map says about `parameters`.
pub(super) fn propose(parameters: &[Parameter], options: &Options, classes: &ClassTable) -> Query {
    let mut families: BTreeMap<String, Vec<&Parameter>> = BTreeMap::new();
    for parameter in parameters {
        let family = parameter.name.split('[').next().unwrap_or_default().trim().to_lowercase();
        families.entry(family).or_default().push(parameter);
    }
    let mut query = Query::default();
    for family in families.values() {
        let name = family
            .first()
            .map(|first| first.name.split('[').next().unwrap_or_default().trim().to_owned())
            .unwrap_or_default();
        let found: Vec<Classed> =
            family.iter().flat_map(|parameter| self::classed(parameter, &name, options, classes)).collect();
        if let Some(classed) = merged(found) {
            if classed.class == FREE_TEXT && Words::of(&name).has("filter") {
                query.notes.push(format!(
                    "`{}`: where it is a query language, write a `search` rule",
                    super::openapi::printable(&name)
                ));
            }
            query.classed.push(classed);
            continue;
        }
        for parameter in family {
            let star = parameter.object && !parameter.name.contains('[');
            let name = if star { format!("{}[*]", parameter.name) } else { parameter.name.clone() };
            if name.matches('*').count() > usize::from(star) {
                query.notes.push(format!("`{}` is not mapped: its name holds `*`", super::openapi::printable(&name)));
            } else if !query.pass.contains(&name) {
                query.pass.push(name);
            }
        }
    }
    query
}

/// What the leaves of one parameter are, each that has a class.
fn classed(parameter: &Parameter, name: &str, options: &Options, classes: &ClassTable) -> Vec<Classed> {
    let several = parameter.several;
    let make = |class: String, confidence: u8, reason: String| Classed {
        name: name.to_owned(),
        class,
        several,
        confidence,
        reason,
    };
    let found: Vec<Classed> = parameter
        .leaves
        .iter()
        .filter_map(|leaf| judged(leaf, options, classes))
        .filter_map(|field| Some(make(field.class?, field.confidence, field.reason)))
        .collect();
    let searches = Words::of(name).trimmed().last().is_some_and(|(word, _)| SEARCHES.contains(&word.as_str()));
    let takes_text = parameter.leaves.is_empty()
        || parameter.leaves.iter().any(|leaf| matches!(leaf.kind, Kind::Text | Kind::Open) && !leaf.enumerated);
    if found.is_empty() && searches && takes_text && !parameter.object {
        let (class, _) = class_of(Concept::FreeText, classes);
        return vec![make(class, 70, "people search with it".to_owned())];
    }
    found
}

/// One class for all members of a parameter: their own where they agree.
fn merged(found: Vec<Classed>) -> Option<Classed> {
    let mut found = found.into_iter();
    let mut first = found.next()?;
    for other in found {
        first.several = first.several.or(other.several);
        if other.class != first.class {
            first.class = FREE_TEXT.to_owned();
            first.reason = "its members have several classes".to_owned();
        }
        first.confidence = first.confidence.min(other.confidence);
    }
    Some(first)
}

const SEARCHES: [&str; 12] =
    ["q", "query", "search", "term", "terms", "keyword", "keywords", "filter", "where", "text", "searchterm", "suche"];
