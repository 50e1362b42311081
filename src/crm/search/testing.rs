//! What the tests of every dialect share: classes of each kind, stored forms by the value that is asked for.

use super::*;
use crate::model::{Class, ClassTable, Entity, KeyScope, MaskStyle, Mode, Storage, TokenShape};

/// `email` and `phone` are tokens, `iban` has an index, `name` cannot be searched for, `city` is stored in clear.
pub(super) fn classes() -> ClassTable {
    let class = |name: &str, mode| Class {
        name: name.into(),
        mask: MaskStyle::Full,
        storage: Storage { mode, ..Storage::CLEAR },
        detects: Entity::named(name).into_iter().collect(),
    };
    let modes = [
        ("email", Mode::Token(TokenShape::Email)),
        ("phone", Mode::Token(TokenShape::Phone)),
        ("iban", Mode::SealIndexed),
        ("name", Mode::Seal(KeyScope::Subject)),
        ("city", Mode::Clear),
    ];
    ClassTable::new(modes.into_iter().map(|(name, mode)| class(name, mode)).collect()).unwrap()
}

/// Fields by name; the class `-` is an exception.
pub(super) fn fields(list: &[(&str, &str)]) -> SearchFields {
    let (mut fields, classes) = (SearchFields::default(), classes());
    for (name, class) in list {
        fields.insert(name, classes.id(class), &classes);
    }
    fields
}

/// The stored forms of a value: `two` has two, `index` a prefix, `mixed` itself and a prefix, others one.
pub(super) fn forms(value: &str) -> Vec<Pattern> {
    let equals = |text: &str| Pattern::Equals(text.to_owned());
    match value {
        "two" => vec![equals("t1"), equals("t'2")],
        "index" => vec![Pattern::StartsWith("fg1_p-".to_owned())],
        "mixed" => vec![equals("mixed"), Pattern::StartsWith("fg1_p-".to_owned())],
        other => vec![equals(&format!("T({other})"))],
    }
}

/// The query with every ask answered by [`forms`].
pub(super) fn rewritten(dialect: Dialect, fields: &SearchFields, text: &str) -> Result<String, SearchError> {
    let query = Query::parse(dialect, fields, text)?;
    let answers: Vec<_> = query.asks().iter().map(|ask| forms(ask.value.expose())).collect();
    query.rewrite(&answers)
}

/// The query with every ask answered by itself.
pub(super) fn unchanged(dialect: Dialect, fields: &SearchFields, text: &str) -> Result<String, SearchError> {
    let query = Query::parse(dialect, fields, text)?;
    let answers: Vec<_> = query.asks().iter().map(|ask| vec![Pattern::Equals(ask.value.expose().clone())]).collect();
    query.rewrite(&answers)
}

/// What is wrong, in short: `LIKE on Email`, `aliased Email`, `12 a literal is expected`.
pub(super) fn short(error: &SearchError) -> String {
    match error {
        SearchError::Unsupported { field, operator, .. } => format!("{operator} on {field}"),
        SearchError::Aliased { field } => format!("aliased {field}"),
        SearchError::Syntax { at, what } => format!("{at} {what}"),
        SearchError::TooLarge { what, .. } => format!("more {what}"),
        SearchError::Ambiguous { field } => format!("ambiguous {field}"),
        SearchError::Unanswered => "unanswered".to_owned(),
    }
}

/// Checks a table of queries: each comes out unchanged when its values are, and as written when they are not.
pub(super) fn check(dialect: Dialect, fields: &SearchFields, table: &[(&str, &str)]) {
    for (query, expected) in table {
        let same = unchanged(dialect, fields, query).map_err(|error| short(&error));
        assert_eq!(same.as_deref(), Ok(*query), "unchanged");
        let out = rewritten(dialect, fields, query).map_err(|error| short(&error));
        assert_eq!(out.as_deref(), Ok(*expected), "{query}");
        // Prefixes are refused from callers, so only clear fields show that what is written is of the dialect.
        let again = unchanged(dialect, &fields.in_clear(), expected).map_err(|error| short(&error));
        assert_eq!(again.as_deref(), Ok(*expected), "what is written is not accepted again");
    }
}

/// Checks a table of queries that are refused.
pub(super) fn check_refused(dialect: Dialect, fields: &SearchFields, table: &[(&str, &str)]) {
    for (query, expected) in table {
        let found = rewritten(dialect, fields, query).map_err(|error| short(&error));
        let found = found.expect_err(query);
        assert!(found.starts_with(expected), "{query}: {found}");
    }
}
