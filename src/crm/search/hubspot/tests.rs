//! What is accepted, rewritten and refused.

use super::{
    super::{Dialect, Pattern, Query, SearchFields, testing::*},
    *,
};

fn contact() -> SearchFields {
    let list = [("email", "email"), ("phone", "phone"), ("iban", "iban"), ("lastname", "name"), ("city", "city")];
    let (mut fields, classes) = (fields(&list), classes());
    fields.insert_free(classes.id("email").unwrap(), &classes);
    fields
}

fn body(filters: &str) -> String {
    format!(r#"{{ "limit" : 5, "filterGroups":[{{"filters":[{filters}]}}] ,"properties":["email"]}}"#)
}

#[test]
fn filters_on_protected_properties_are_rewritten_and_the_rest_is_not() {
    for (filter, expected) in [
        (r#"{"propertyName":"x","operator":"EQ","value":"a"}"#, r#"{"propertyName":"x","operator":"EQ","value":"a"}"#),
        (
            r#"{"operator": "EQ", "value": "Jane\u0040x.example", "propertyName": "Email"}"#,
            r#"{"operator": "EQ", "value": "t(jane@x.example)", "propertyName": "Email"}"#,
        ),
        (
            r#"{"propertyName":"email","operator":"EQ","value":"two"}, {"propertyName":"phone","operator":"HAS_PROPERTY"}"#,
            r#"{"propertyName":"email","operator":"IN","values":["t1","t'2"]}, {"propertyName":"phone","operator":"HAS_PROPERTY"}"#,
        ),
        (
            r#"{"propertyName":"email","operator":"NEQ","value":"two"}"#,
            r#"{"propertyName":"email","operator":"NOT_IN","values":["t1","t'2"]}"#,
        ),
        (
            r#"{"propertyName":"email","operator":"IN","values":["a" ,"b"]}"#,
            r#"{"propertyName":"email","operator":"IN","values":["t(a)" ,"t(b)"]}"#,
        ),
        (
            r#"{"propertyName":"phone","operator":"NOT_IN","values":["a","two"]}"#,
            r#"{"propertyName":"phone","operator":"NOT_IN","values":["t(a)","t1","t'2"]}"#,
        ),
        (
            r#"{"propertyName":"city","operator":"CONTAINS_TOKEN","value":"a*"}"#,
            r#"{"propertyName":"city","operator":"CONTAINS_TOKEN","value":"a*"}"#,
        ),
    ] {
        check(Dialect::HubSpot, &contact(), &[(&body(filter), &body(expected))]);
    }
    check(
        Dialect::HubSpot,
        &contact(),
        &[
            ("{}", "{}"),
            (
                r#"{"query":"jane@example.com","sorts":[{"propertyName":"city","direction":"ASCENDING"},"-createdate"]}"#,
                r#"{"query":"t(jane@example.com)","sorts":[{"propertyName":"city","direction":"ASCENDING"},"-createdate"]}"#,
            ),
        ],
    );
}

#[test]
fn what_stored_values_cannot_answer_is_refused() {
    for (filter, expected) in [
        (r#"{"propertyName":"email","operator":"CONTAINS_TOKEN","value":"*@x"}"#, "CONTAINS_TOKEN on email"),
        (r#"{"propertyName":"EMAIL","operator":"GTE","value":"a"}"#, "a range on email"),
        (r#"{"propertyName":"phone","operator":"BETWEEN","value":"a","highValue":"b"}"#, "a range on phone"),
        (r#"{"propertyName":"lastname","operator":"EQ","value":"a"}"#, "a comparison on lastname"),
        (r#"{"propertyName":"iban","operator":"EQ","value":"index"}"#, "an indexed form on iban"),
    ] {
        check_refused(Dialect::HubSpot, &contact(), &[(&body(filter), expected)]);
    }
    check_refused(
        Dialect::HubSpot,
        &contact(),
        &[
            (r#"{"sorts":[{"propertyName":"email"}]}"#, "sorts on email"),
            (r#"{"sorts":["-Phone"]}"#, "sorts on phone"),
            (r#"{"query":"call jane@example.com"}"#, "a free search term on free text"),
        ],
    );
}

#[test]
fn what_is_not_understood_is_refused_at_its_place() {
    check_refused(
        Dialect::HubSpot,
        &contact(),
        &[
            ("", "0 a value is expected"),
            ("[]", "0 an object is expected"),
            ("{} x", "3 the end of the body"),
            (r#"{"filterGroups":[],"filterGroups":[]}"#, "19 this name stands twice"),
            (r#"{"filterGroups":[],"filter\u0047roups":[]}"#, "19 this name stands twice"),
            (r#"{"filterGroups":{}}"#, "16 an array is expected"),
            (r#"{"filterGroups":[{"filters":[{"propertyName":"email"}]}]}"#, "29 `propertyName` and `operator`"),
            (r#"{"filters":[{"propertyName":"email","operator":"eq","value":"a"}]}"#, "47 this operator is not known"),
            (r#"{"filters":[{"propertyName":"email","operator":"EQ","value":5}]}"#, "60 a string is expected"),
            (
                r#"{"filters":[{"propertyName":"email","operator":"EQ","values":["a"]}]}"#,
                "12 this operator takes another",
            ),
            (
                r#"{"filters":[{"propertyName":"email","operator":"EQ","value":"a","x":1}]}"#,
                "68 this member is not known",
            ),
            (r#"{"scope":1}"#, "9 this member of a search"),
            (r#"{"query":"a}"#, "9 this string does not end"),
            (r#"{"query":"\x"}"#, "9 this string is not JSON"),
            (r#"{"limit":01}"#, "9 a value is expected"),
        ],
    );
}

#[test]
fn the_budget_of_filters_passes_and_one_more_does_not() {
    let filter = r#"{"propertyName":"email","operator":"EQ","value":"a"}"#;
    let group = |n: usize| format!(r#"{{"filters":[{}]}}"#, vec![filter; n].join(","));
    let groups = |sizes: &[usize]| {
        let groups: Vec<String> = sizes.iter().map(|n| group(*n)).collect();
        let text = format!(r#"{{"filterGroups":[{}]}}"#, groups.join(","));
        Query::parse(Dialect::HubSpot, &contact(), &text).map(|query| query.asks().len()).map_err(|error| short(&error))
    };
    assert_eq!(groups(&[1; MAX_GROUPS]), Ok(MAX_GROUPS));
    assert_eq!(groups(&[1; MAX_GROUPS + 1]), Err("more filter groups".to_owned()));
    assert_eq!(groups(&[MAX_GROUP_FILTERS]), Ok(MAX_GROUP_FILTERS));
    assert_eq!(groups(&[MAX_GROUP_FILTERS + 1]), Err("more filters in a group".to_owned()));
    assert_eq!(groups(&[10, 10, 5]), Ok(MAX_FILTERS));
    assert_eq!(groups(&[10, 10, 6]), Err("more filters".to_owned()));
    let query = Query::parse(Dialect::HubSpot, &contact(), &body(filter)).unwrap();
    let forms = |n: usize| vec![(0..n).map(|form| Pattern::Equals(form.to_string())).collect::<Vec<_>>()];
    assert!(query.rewrite(&forms(MAX_VALUES)).is_ok());
    assert_eq!(query.rewrite(&forms(MAX_VALUES + 1)).map_err(|e| short(&e)), Err("more values in a filter".to_owned()));
}
