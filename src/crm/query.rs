//! Query rules of a route: decoded parameters in, the canonical query and the protected values out.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    search::{
        rule::Whole,
        target::{Meaning, Part},
    },
    target::{Query, TargetError, write_parameter},
};
use crate::model::{ClassId, Sensitive};

/// What a route does with each parameter. A parameter that no entry names is refused.
#[derive(Debug, Default)]
pub(super) struct QueryRule {
    /// Parameters that carry a class, under their folded names.
    pub(super) protected: BTreeMap<String, Whole>,
    /// Parameters that are queries: their names, and the numbers of their search rules.
    pub(super) searches: Vec<(String, usize)>,
    /// Parameters that pass.
    pub(super) pass: Vec<PassRule>,
    /// Parameters that are lists of field names, separated by commas, and the names they may hold: some CRMs give a field back
    /// under the name it was asked for, and no selector would know that name.
    pub(super) lists: Vec<(PassRule, BTreeSet<String>)>,
}

/// A parameter name that passes; one `*` stands for any characters: `fields[*]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PassRule {
    Exact(String),
    Between(String, String),
}

impl PassRule {
    /// Absent when there is more than one `*`, or nothing at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once('*') {
            _ if text.is_empty() => None,
            None => Some(Self::Exact(text.to_owned())),
            Some((_, after)) if after.contains('*') => None,
            Some((before, after)) => Some(Self::Between(before.to_owned(), after.to_owned())),
        }
    }

    fn admits(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Between(before, after) => {
                name.strip_prefix(before.as_str()).is_some_and(|rest| rest.ends_with(after.as_str()))
            }
        }
    }
}

impl QueryRule {
    /// Appends the canonical query to `out`, the values that carry a class to `protected`, every parameter to `parts` when
    /// they are wanted.
    pub(super) fn apply(
        &self,
        query: Query,
        out: &mut String,
        protected: &mut Vec<(ClassId, Sensitive<String>)>,
        mut parts: Option<&mut Vec<Part>>,
    ) -> Result<(), TargetError> {
        let mut separator = '?';
        for (name, value) in query.0 {
            let whole = self.protected.get(&fold_name(&name));
            let rule = self.search(&name)?;
            if let Some(whole) = whole {
                protected.extend(value.iter().map(|value| (whole.class(), Sensitive::new(value.clone()))));
            } else if rule.is_none()
                && !self.in_lists(&name, value.as_deref())?
                && !self.pass.iter().any(|rule| rule.admits(&name))
            {
                return Err(TargetError::UnmappedParameter);
            }
            out.push(separator);
            write_parameter(&name, value.as_deref(), out);
            separator = '&';
            if let Some(parts) = parts.as_deref_mut() {
                let meaning = match (rule, whole) {
                    (Some(rule), _) => Meaning::Query(rule),
                    (None, Some(whole)) => Meaning::Whole(whole.clone()),
                    (None, None) => Meaning::Plain,
                };
                parts.push(Part::Parameter(name, value.map(Sensitive::new), meaning));
            }
        }
        Ok(())
    }

    /// The search rule of the parameter `name`; refused when it is another spelling of a name that has one.
    fn search(&self, name: &str) -> Result<Option<usize>, TargetError> {
        let plain = |name: &str| fold_name(name).trim_start_matches('$').to_owned();
        match self.searches.iter().find(|(known, _)| plain(known) == plain(name)) {
            None => Ok(None),
            Some((known, rule)) if known == name => Ok(Some(*rule)),
            Some(_) => Err(TargetError::UnmappedParameter),
        }
    }

    /// Whether a list governs the parameter; refused when it holds another name.
    fn in_lists(&self, name: &str, value: Option<&str>) -> Result<bool, TargetError> {
        let Some((_, names)) = self.lists.iter().find(|(rule, _)| rule.admits(name)) else { return Ok(false) };
        let known = |item: &str| item.is_empty() || names.contains(item);
        if value.unwrap_or_default().split(',').all(known) { Ok(true) } else { Err(TargetError::UnmappedParameter) }
    }
}

/// `Email`, `email[]` and `email` are one parameter to many servers, so they carry the same class.
pub(super) fn fold_name(name: &str) -> String {
    name.split('[').next().unwrap_or_default().trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crm::search::rule::Several;

    fn apply(query: &str) -> Result<(String, Vec<String>), TargetError> {
        let whole =
            Whole::new("email", ClassId::new(1).unwrap(), Several::Refused, &crate::model::ClassTable::default());
        let rule = QueryRule {
            protected: [("email".to_owned(), whole)].into(),
            searches: vec![("$filter".to_owned(), 0)],
            lists: vec![(PassRule::parse("only[*]").unwrap(), ["Name".to_owned(), "Zip".to_owned()].into())],
            pass: ["page", "only*", "fields[*]", "q*"].iter().filter_map(|text| PassRule::parse(text)).collect(),
        };
        let (mut out, mut protected) = (String::new(), Vec::new());
        rule.apply(Query::parse(query)?, &mut out, &mut protected, None)?;
        Ok((out, protected.iter().map(|(_, value)| value.expose().clone()).collect()))
    }

    #[test]
    fn parameters_are_decoded_checked_and_spelled_one_way() {
        for (query, canonical, values) in [
            ("", "", vec![]),
            ("&&", "", vec![]),
            ("page=2", "?page=2", vec![]),
            ("p%61ge=2&page", "?page=2&page", vec![]),
            ("email=jane%40example.com", "?email=jane%40example.com", vec!["jane@example.com"]),
            ("%65mail=a+b%2bc", "?email=a%20b%2Bc", vec!["a b+c"]),
            ("Email=x&email[]=y", "?Email=x&email%5B%5D=y", vec!["x", "y"]),
            ("email=a;page=b", "?email=a%3Bpage%3Db", vec!["a;page=b"]),
            ("fields[Owner]=Name", "?fields%5BOwner%5D=Name", vec![]),
            ("only[a]=Name,Zip&only[b]=", "?only%5Ba%5D=Name%2CZip&only%5Bb%5D=", vec![]),
            ("q=a?b/c", "?q=a%3Fb%2Fc", vec![]),
            ("$filter=x+eq+1", "?%24filter=x%20eq%201", vec![]),
        ] {
            let values: Vec<String> = values.into_iter().map(String::from).collect();
            assert_eq!(apply(query), Ok((canonical.to_owned(), values)), "{query}");
        }
    }

    #[test]
    fn unknown_and_unreadable_parameters_are_refused() {
        for query in [
            "x=1",
            "Page=2",
            "page;x=1",
            "=1",
            "fields[Owner=1",
            "page[]=1",
            "only[a]=Name,Names",
            "only[a]=name",
            // Another spelling of a parameter that is a query.
            "filter=x",
            "$Filter=x",
            "$filter[]=x",
            "only[a]=Name%2CSsn",
        ] {
            assert_eq!(apply(query), Err(TargetError::UnmappedParameter), "{query}");
        }
        for query in ["page=%", "page=%4", "page=%zz", "page=%ff", "page=%00", "page%0a=1"] {
            assert_eq!(apply(query).unwrap_err().code(), "bad_target", "{query}");
        }
    }

    #[test]
    fn the_limit_of_parameters_passes_and_one_more_does_not() {
        let query = |n: usize| vec!["page=1"; n].join("&");
        assert!(apply(&query(crate::crm::MAX_PARAMETERS)).is_ok());
        assert!(apply(&query(crate::crm::MAX_PARAMETERS + 1)).is_err());
    }
}
