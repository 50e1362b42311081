//! The searches of one request target: its decoded parts in, all asks and the rewritten target out.

use super::{
    super::target::{MAX_TARGET_BYTES, write_parameter, write_segment},
    Ask, Pattern, Query, SearchError, SearchRule,
    fields::Finds,
    rule::{Several, Whole},
};
use crate::model::Sensitive;

/// A part of a target and what is looked for in it.
#[derive(Debug, Clone)]
pub(in super::super) enum Part {
    Segment(Sensitive<String>, Meaning),
    Parameter(String, Option<Sensitive<String>>, Meaning),
}

/// What a part means.
#[derive(Debug, Clone)]
pub(in super::super) enum Meaning {
    /// Nothing protected.
    Plain,
    /// Its whole value is compared.
    Whole(Whole),
    /// It is a query; the number of the rule in [`super::super::Route::search`].
    Query(usize),
}

/// Everything a request target looks for in protected fields.
#[derive(Debug, Clone)]
pub struct TargetSearch {
    parts: Vec<(Part, Found)>,
    asks: Vec<Ask>,
}

#[derive(Debug, Clone)]
enum Found {
    Nothing,
    /// The ask of this number.
    Whole(usize),
    /// As many asks as the query has, from this number on.
    Query(Box<Query>, usize),
}

impl TargetSearch {
    /// Parses the queries of `parts` with the `rules` of the route.
    pub(in super::super) fn parse(parts: &[Part], rules: &[SearchRule]) -> Result<Self, SearchError> {
        let mut search = Self { parts: Vec::with_capacity(parts.len()), asks: Vec::new() };
        for part in parts {
            let (value, meaning) = match part {
                Part::Segment(value, meaning) | Part::Parameter(_, Some(value), meaning) => (value, meaning),
                Part::Parameter(_, None, _) => {
                    search.parts.push((part.clone(), Found::Nothing));
                    continue;
                }
            };
            let found = match meaning {
                Meaning::Whole(whole) if !value.expose().is_empty() => {
                    if whole.field.finds == Finds::NotAtAll {
                        let instead = "equal values of its class are stored differently: search by another field";
                        let field = whole.field.name.to_string();
                        return Err(SearchError::Unsupported { field, operator: "a comparison", instead });
                    }
                    search.asks.push(Ask { class: whole.class(), value: value.clone() });
                    Found::Whole(search.asks.len() - 1)
                }
                Meaning::Query(rule) => {
                    let query = rules.get(*rule).ok_or(SearchError::Unanswered)?.parse(value.expose())?;
                    let first = search.asks.len();
                    search.asks.extend(query.asks().iter().cloned());
                    Found::Query(Box::new(query), first)
                }
                _ => Found::Nothing,
            };
            search.parts.push((part.clone(), found));
        }
        Ok(search)
    }

    /// The values looked for, in order.
    #[must_use]
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// The target for the CRM, in canonical form; `answers` as for [`Query::rewrite`].
    ///
    /// # Errors
    /// As [`Query::rewrite`]; a place takes one stored form and the value has several; the target grows past its limit.
    pub fn rewritten(&self, answers: &[Vec<Pattern>]) -> Result<String, SearchError> {
        if answers.len() != self.asks.len() || answers.iter().any(Vec::is_empty) {
            return Err(SearchError::Unanswered);
        }
        let (mut path, mut query) = (String::new(), String::new());
        for (part, found) in &self.parts {
            match part {
                Part::Segment(value, meaning) => {
                    let forms = forms(value, meaning, found, answers)?;
                    path.push('/');
                    // What follows a trailing slash.
                    if value.expose().is_empty() && matches!(meaning, Meaning::Plain) {
                        continue;
                    }
                    match forms.as_slice() {
                        [one] if one.is_empty() || one.contains(['/', '\\']) || one.chars().any(char::is_control) => {
                            return Err(ambiguous(meaning));
                        }
                        [one] => write_segment(one, &mut path),
                        _ => return Err(ambiguous(meaning)),
                    }
                }
                Part::Parameter(name, value, meaning) => {
                    let forms = match value {
                        Some(value) => forms(value, meaning, found, answers)?.into_iter().map(Some).collect(),
                        None => vec![None],
                    };
                    for form in forms {
                        query.push(if query.is_empty() { '?' } else { '&' });
                        write_parameter(name, form.as_deref(), &mut query);
                    }
                }
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        path.push_str(&query);
        if path.len() > MAX_TARGET_BYTES {
            return Err(SearchError::TooLarge { what: "bytes of the request target", limit: MAX_TARGET_BYTES });
        }
        Ok(path)
    }
}

/// What stands in place of `value`: one text, or several where the place takes them.
fn forms(
    value: &Sensitive<String>,
    meaning: &Meaning,
    found: &Found,
    answers: &[Vec<Pattern>],
) -> Result<Vec<String>, SearchError> {
    match found {
        Found::Nothing => Ok(vec![value.expose().clone()]),
        Found::Query(query, first) => {
            let answers = answers.get(*first..*first + query.asks().len()).ok_or(SearchError::Unanswered)?;
            Ok(vec![query.rewrite(answers)?])
        }
        Found::Whole(ask) => {
            let several = match meaning {
                Meaning::Whole(whole) => whole.several,
                _ => Several::Refused,
            };
            let forms = answers.get(*ask).ok_or(SearchError::Unanswered)?.iter().map(|form| match form {
                Pattern::Equals(text) => Ok(text.clone()),
                Pattern::StartsWith(_) => Err(ambiguous(meaning)),
            });
            let forms: Vec<String> = forms.collect::<Result<_, _>>()?;
            match (several, forms.len()) {
                (_, 1) | (Several::Repeated, _) => Ok(forms),
                (Several::Commas, _) if forms.iter().all(|form| !form.contains(',')) => Ok(vec![forms.join(",")]),
                _ => Err(ambiguous(meaning)),
            }
        }
    }
}

fn ambiguous(meaning: &Meaning) -> SearchError {
    let field = match meaning {
        Meaning::Whole(whole) => whole.field.name.to_string(),
        _ => "path".to_owned(),
    };
    SearchError::Ambiguous { field }
}
