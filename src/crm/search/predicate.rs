//! Predicates on protected fields: collected while parsing, written again with the stored forms of what they look for.

use std::{ops::Range, sync::Arc};

use super::{
    Ask, Dialect, MAX_ASKS, Pattern, SearchError, SearchFields,
    fields::{Field, Finds},
    hubspot, odata, soql, ticketsql, zendesk,
};
use crate::model::Sensitive;

/// How a predicate compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    NotEqual,
    In,
    NotIn,
    /// A key that names one record: one form at most.
    Key,
}

impl Test {
    pub(super) fn is_negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotIn)
    }
}

/// A predicate on a protected field.
#[derive(Debug, Clone)]
pub(super) struct Predicate {
    /// All of it: field, operator, literals.
    pub(super) span: Range<usize>,
    /// The field as the query spells it.
    pub(super) subject: Range<usize>,
    /// The field as the map spells it.
    pub(super) name: Arc<str>,
    pub(super) test: Test,
    pub(super) items: Vec<Item>,
}

/// A literal of a predicate.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) span: Range<usize>,
    /// Which ask it is; absent for `null`, which stays.
    pub(super) ask: Option<usize>,
}

/// What a parser found so far.
pub(super) struct Found<'f> {
    pub(super) fields: &'f SearchFields,
    dialect: Dialect,
    asks: Vec<Ask>,
    predicates: Vec<Predicate>,
}

impl<'f> Found<'f> {
    pub(super) fn new(fields: &'f SearchFields, dialect: Dialect) -> Self {
        Self { fields, dialect, asks: Vec::new(), predicates: Vec::new() }
    }

    pub(super) fn finish(self) -> (Vec<Ask>, Vec<Predicate>) {
        (self.asks, self.predicates)
    }

    /// Adds what `field` is asked for; gives the number of the ask.
    pub(super) fn ask(&mut self, field: &Field, value: String) -> Result<usize, SearchError> {
        let value = Sensitive::new(value);
        if field.finds == Finds::NotAtAll {
            return Err(self.unsupported(field, "a comparison"));
        }
        if self.asks.len() == MAX_ASKS {
            return Err(SearchError::TooLarge { what: "values of protected fields", limit: MAX_ASKS });
        }
        self.asks.push(Ask { class: field.class, value });
        Ok(self.asks.len() - 1)
    }

    pub(super) fn push(&mut self, predicate: Predicate) {
        self.predicates.push(predicate);
    }

    /// Refuses what only clear values can answer.
    pub(super) fn needs_clear(&self, field: Option<&Field>, operator: &'static str) -> Result<(), SearchError> {
        match field {
            Some(field) if field.finds != Finds::InClear => Err(self.unsupported(field, operator)),
            _ => Ok(()),
        }
    }

    /// That `operator` does not work on `field`.
    pub(super) fn unsupported(&self, field: &Field, operator: &'static str) -> SearchError {
        let instead = match (field.finds, self.dialect) {
            (Finds::NotAtAll, _) => "equal values of its class are stored differently: search by another field",
            (_, Dialect::Soql) => "compare whole values with =, !=, IN or NOT IN",
            (_, Dialect::OData(_)) => "compare whole values with eq, ne or in in $filter",
            (_, Dialect::TicketSql) => "compare whole values with = or !=",
            (_, Dialect::Zendesk) => "compare whole values with field:value or -field:value",
            (_, Dialect::HubSpot) => "compare whole values with EQ, NEQ, IN or NOT_IN",
        };
        SearchError::Unsupported { field: field.name.to_string(), operator, instead }
    }
}

/// Whether `text` is the beginning of an indexed value as this gateway writes it into queries (field-protection.md §3, 32
/// characters): the links of an answer repeat the query, and their prefixes come back.
pub(super) fn is_stored_prefix(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == 32 && text.starts_with("fg1_") && text.bytes().all(plain)
}

/// A predicate about to be written: what its field may, or may not, be.
pub(super) struct Condition<'a> {
    /// The field as the query spells it.
    pub(super) field: &'a str,
    pub(super) test: Test,
    /// Literals, quoted; those that stay come first.
    pub(super) equals: Vec<String>,
    /// Beginnings, in clear.
    pub(super) prefixes: Vec<&'a str>,
}

impl Condition<'_> {
    /// Both kinds of conditions in one, in parentheses when there are several.
    pub(super) fn join(parts: &[String], connective: &str) -> String {
        match parts {
            [one] => one.clone(),
            several => format!("({})", several.join(connective)),
        }
    }
}

/// `text` with every predicate written with the answers to its asks.
pub(super) fn rewrite(
    dialect: Dialect,
    text: &str,
    predicates: &[Predicate],
    asks: &[Ask],
    answers: &[Vec<Pattern>],
) -> Result<String, SearchError> {
    let (mut out, mut done) = (String::with_capacity(text.len() + 64), 0);
    for predicate in predicates {
        let answer = |item: &Item| item.ask.and_then(|ask| Some((asks.get(ask)?, answers.get(ask)?.as_slice())));
        let single = predicate.items.iter().all(|item| matches!(answer(item), None | Some((_, [Pattern::Equals(_)]))));
        if !single {
            out.push_str(text.get(done..predicate.span.start).unwrap_or_default());
            out.push_str(&expanded(dialect, text, predicate, answers)?);
            done = predicate.span.end;
            continue;
        }
        for item in &predicate.items {
            let Some((ask, [Pattern::Equals(form)])) = answer(item) else { continue };
            if ask.value.expose() == form {
                continue;
            }
            out.push_str(text.get(done..item.span.start).unwrap_or_default());
            out.push_str(&quote(dialect, form)?);
            done = item.span.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Ok(out)
}

fn expanded(
    dialect: Dialect,
    text: &str,
    predicate: &Predicate,
    answers: &[Vec<Pattern>],
) -> Result<String, SearchError> {
    if predicate.test == Test::Key {
        return Err(SearchError::Ambiguous { field: predicate.name.to_string() });
    }
    let field = text.get(predicate.subject.clone()).unwrap_or_default();
    let mut condition = Condition { field, test: predicate.test, equals: Vec::new(), prefixes: Vec::new() };
    for item in &predicate.items {
        match item.ask.and_then(|ask| answers.get(ask)) {
            None => condition.equals.push(text.get(item.span.clone()).unwrap_or_default().to_owned()),
            Some(forms) => {
                for form in forms {
                    match form {
                        Pattern::Equals(form) => condition.equals.push(quote(dialect, form)?),
                        Pattern::StartsWith(form) => condition.prefixes.push(form),
                    }
                }
            }
        }
    }
    match dialect {
        Dialect::Soql => Ok(soql::write(&condition)),
        Dialect::OData(_) => Ok(odata::write(&condition)),
        Dialect::TicketSql => Ok(ticketsql::write(&condition)),
        Dialect::Zendesk => Ok(zendesk::write(&condition)),
        Dialect::HubSpot => hubspot::write(&condition, &predicate.name),
    }
}

fn quote(dialect: Dialect, text: &str) -> Result<String, SearchError> {
    match dialect {
        Dialect::Soql => Ok(soql::quote(text)),
        Dialect::OData(_) => Ok(odata::quote(text)),
        Dialect::TicketSql => ticketsql::quote(text),
        Dialect::Zendesk => zendesk::quote(text),
        Dialect::HubSpot => Ok(hubspot::quote(text)),
    }
}
