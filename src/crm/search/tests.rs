//! Claims about every dialect: limits in pairs, links that come back, generated queries.

use proptest::prelude::*;

use super::{testing::*, *};

const ALL: [Dialect; 5] =
    [Dialect::Soql, Dialect::OData(Clause::Filter), Dialect::TicketSql, Dialect::Zendesk, Dialect::HubSpot];

fn known() -> SearchFields {
    fields(&[("Email", "email"), ("Phone", "phone"), ("IBAN", "iban"), ("City", "city"), ("Status", "-")])
}

/// A query with `conditions` on fields: positive or negative, field, value.
fn query(dialect: Dialect, conditions: &[(bool, &str, String)]) -> String {
    let each = |write: &dyn Fn(bool, &str, &str) -> String| {
        conditions.iter().map(|(positive, field, value)| write(*positive, field, value)).collect::<Vec<_>>()
    };
    let operator = |positive: bool, yes: &'static str, no: &'static str| if positive { yes } else { no };
    match dialect {
        Dialect::Soql => {
            let all = each(&|p, f, v| format!("{f} {} {}", operator(p, "=", "!="), soql::quote(v)));
            format!("SELECT Id, Email FROM Contact WHERE {} LIMIT 5", all.join(" AND "))
        }
        Dialect::OData(_) => {
            each(&|p, f, v| format!("{f} {} {}", operator(p, "eq", "ne"), odata::quote(v))).join(" or ")
        }
        Dialect::TicketSql => {
            let quote = |text: &str| ticketsql::quote(text).unwrap();
            each(&|p, f, v| format!("{f} {} {}", operator(p, "=", "!="), quote(v))).join(" AND ")
        }
        Dialect::Zendesk => each(&|p, f, v| format!("{}{f}:\"{v}\"", operator(p, "", "-"))).join("  "),
        Dialect::HubSpot => {
            let filters = each(&|p, f, v| {
                let value = serde_json::Value::from(v);
                format!(r#"{{"propertyName": "{f}", "operator": "{}", "value": {value}}}"#, operator(p, "EQ", "NEQ"))
            });
            format!(r#"{{"filterGroups": [{{"filters": [{}]}}]}}"#, filters.join(", "))
        }
    }
}

#[test]
fn the_limits_of_a_query_pass_and_one_more_does_not() {
    let parse = |text: &str| Query::parse(Dialect::TicketSql, &known(), text).map_err(|error| short(&error));
    let long = |n: usize| format!("City = '{}'", "a".repeat(n - 9));
    assert!(parse(&long(MAX_SEARCH_BYTES)).is_ok());
    assert_eq!(parse(&long(MAX_SEARCH_BYTES + 1)).unwrap_err(), "more bytes");
    let many = |n: usize| vec!["City='a'"; n].join(" AND ");
    assert_eq!(parse(&many(MAX_ASKS)).unwrap().asks().len(), MAX_ASKS);
    assert_eq!(parse(&many(MAX_ASKS + 1)).unwrap_err(), "more values of protected fields");
    let grown = parse("Email = 'a'").unwrap();
    let fit = |n: usize| grown.rewrite(&[vec![Pattern::Equals("a".repeat(n - "Email = ''".len()))]]);
    assert!(fit(MAX_SEARCH_BYTES).is_ok());
    assert!(fit(MAX_SEARCH_BYTES + 1).is_err());
}

#[test]
fn the_deepest_nesting_passes_and_one_level_more_does_not() {
    let nested = |dialect, n: usize| {
        let (open, close) = ("(".repeat(n), ")".repeat(n));
        let text = match dialect {
            Dialect::Soql => format!("SELECT Id FROM Contact WHERE {open}Id='a'{close}"),
            Dialect::OData(_) => format!("{open}x eq 'a'{close}"),
            Dialect::HubSpot => format!("{{\"properties\":{}{}}}", "[".repeat(n), "]".repeat(n)),
            _ => format!("{open}id='a'{close}"),
        };
        Query::parse(dialect, &known(), &text).map(|_| ()).map_err(|error| short(&error))
    };
    // A SELECT and the innermost condition are levels, too.
    for (dialect, deepest) in
        [(ALL[0], MAX_SEARCH_DEPTH - 2), (ALL[1], MAX_SEARCH_DEPTH), (ALL[2], MAX_SEARCH_DEPTH - 1)]
    {
        assert_eq!(nested(dialect, deepest), Ok(()));
        assert_eq!(nested(dialect, deepest + 1), Err("more levels of parentheses".to_owned()));
    }
    assert_eq!(nested(Dialect::HubSpot, MAX_SEARCH_DEPTH), Ok(()));
    assert_eq!(nested(Dialect::HubSpot, MAX_SEARCH_DEPTH + 1), Err("more levels of JSON".to_owned()));
    let nots = format!("{}x", "not ".repeat(1000));
    assert!(Query::parse(ALL[1], &known(), &nots).is_err());
}

#[test]
fn asks_that_are_not_answered_are_refused() {
    let query = Query::parse(Dialect::TicketSql, &known(), "Email = 'a' AND Phone = 'b'").unwrap();
    let one = || vec![Pattern::Equals("x".to_owned())];
    for answers in [vec![], vec![one()], vec![one(), vec![]], vec![one(), one(), one()]] {
        assert_eq!(query.rewrite(&answers), Err(SearchError::Unanswered));
    }
}

#[test]
fn the_prefixes_of_a_link_come_back_and_no_others_do() {
    let prefix = "fg1_abcdefghijklmnopqrstuvwxyz-_";
    let forms = vec![Pattern::StartsWith(prefix.to_owned()), Pattern::Equals("x".to_owned())];
    for dialect in [ALL[0], ALL[1], ALL[2], ALL[3]] {
        for positive in [true, false] {
            let asked = query(dialect, &[(positive, "IBAN", "DE1".to_owned())]);
            let first = Query::parse(dialect, &known(), &asked).unwrap().rewrite(std::slice::from_ref(&forms)).unwrap();
            assert_eq!(unchanged(dialect, &known(), &first), Ok(first.clone()), "{dialect:?}");
            for other in [&prefix[..31], "fg1_abcdefghijklmnopqrstuvwxyz-%", "DE893704004405320130001234567890"] {
                let other = first.replace(prefix, other).replace(&prefix.replace('_', "\\_"), other);
                assert!(unchanged(dialect, &known(), &other).is_err(), "{other}");
            }
        }
    }
}

fn conditions() -> impl Strategy<Value = Vec<(bool, &'static str, String)>> {
    let field = prop::sample::select(vec!["Email", "Phone", "IBAN", "City", "Status", "email"]);
    // No quote: Zendesk's syntax cannot write it. No control characters: refused in literals.
    let value = prop_oneof![
        "[a-z0-9@.+' %_\\\\-]{1,24}",
        "CF[a-z]{0,4}",
        "[äß€😀]{1,4}",
        Just("two".to_owned()),
        Just("mixed".to_owned())
    ]
    .prop_filter("none and * mean something to Zendesk", |value| value != "none");
    prop::collection::vec((any::<bool>(), field, value), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_of_a_protected_field_is_asked_and_none_stays(conditions in conditions(), at in 0usize..5) {
        let dialect = ALL[at];
        let text = query(dialect, &conditions);
        let parsed = Query::parse(dialect, &known(), &text);
        let parsed = parsed.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let asked: Vec<&str> = parsed.asks().iter().map(|ask| ask.value.expose().as_str()).collect();
        let expected: Vec<&str> =
            conditions.iter().filter(|(_, field, _)| *field != "Status").map(|(_, _, value)| value.as_str()).collect();
        prop_assert_eq!(asked, expected);
        // The same values give the same bytes.
        prop_assert_eq!(unchanged(dialect, &known(), &text), Ok(text.clone()));
        // Other values leave none of the old ones, and what is written means the new ones.
        let numbered: Vec<_> = (0..parsed.asks().len()).map(|n| vec![Pattern::Equals(format!("#{n}#"))]).collect();
        let out = parsed.rewrite(&numbered).unwrap();
        let again = Query::parse(dialect, &known(), &out).unwrap();
        let values: Vec<&str> = again.asks().iter().map(|ask| ask.value.expose().as_str()).collect();
        prop_assert_eq!(values, (0..parsed.asks().len()).map(|n| format!("#{n}#")).collect::<Vec<_>>());
        // Several forms: each is among what the written query asks for.
        let doubled: Vec<_> = numbered.iter().map(|one| [one.clone(), vec![Pattern::Equals("#x#".to_owned())]].concat()).collect();
        let out = parsed.rewrite(&doubled).unwrap();
        let again = Query::parse(dialect, &known(), &out).unwrap();
        prop_assert_eq!(again.asks().len(), 2 * parsed.asks().len());
        prop_assert!(again.asks().iter().all(|ask| ask.value.expose().starts_with('#')));
    }

    #[test]
    fn a_damaged_query_is_refused_or_asks_for_what_it_says(
        conditions in conditions(), at in 0usize..5, cut in any::<prop::sample::Index>(), piece in "[ -~]{0,3}",
    ) {
        let dialect = ALL[at];
        let text = query(dialect, &conditions);
        let cut = (0..=text.len()).rev().filter(|cut| text.is_char_boundary(*cut)).nth(cut.index(text.chars().count())).unwrap_or(0);
        let text = format!("{}{piece}{}", &text[..cut], &text[cut..]);
        match Query::parse(dialect, &known(), &text) {
            Ok(parsed) => {
                prop_assert_eq!(unchanged(dialect, &known(), &text), Ok(text.clone()));
                prop_assert!(parsed.asks().len() <= conditions.len() + 1);
            }
            Err(SearchError::Syntax { at, .. }) => prop_assert!(at <= text.len()),
            Err(error) => prop_assert!(!error.to_string().contains(&conditions[0].2) || conditions[0].2.len() < 9),
        }
    }
}
