//! What is accepted, rewritten and refused.

use super::{
    super::{Dialect, Query, SearchError, SearchFields, testing::*},
    MAX_TERMS,
};

fn users() -> SearchFields {
    let mut fields = fields(&[
        ("email", "email"),
        ("phone", "phone"),
        ("iban", "iban"),
        ("name", "name"),
        ("city", "city"),
        ("id", "-"),
    ]);
    let classes = classes();
    for class in ["email", "phone"] {
        fields.insert_free(classes.id(class).unwrap(), &classes);
    }
    fields
}

#[test]
fn terms_on_protected_fields_are_rewritten_and_the_rest_is_not() {
    check(
        Dialect::Zendesk,
        &users(),
        &[
            ("", ""),
            (
                " type:ticket  status<solved created>=2024-01-01T00:00:00Z ",
                " type:ticket  status<solved created>=2024-01-01T00:00:00Z ",
            ),
            ("type:user email:jane@example.com", "type:user email:\"T(jane@example.com)\""),
            ("Email:\"jane doe\" -phone:5", "Email:\"T(jane doe)\" -phone:\"T(5)\""),
            ("email:two city:\"a b\"", "email:\"t1\" email:\"t'2\" city:\"T(a b)\""),
            ("refund -email:two", "refund -email:\"t1\" -email:\"t'2\""),
            ("iban:index", "iban:fg1_p-*"),
            ("-iban:mixed", "-iban:\"mixed\" -iban:fg1_p-*"),
            ("email:none -phone:none", "email:none -phone:none"),
            ("jane@example.com refund 123456", "\"T(jane@example.com)\" refund 123456"),
            ("-\"+49 30 901820\"", "-\"T(+49 30 901820)\""),
            ("call 030-901820 city:b* city>a", "call \"T(030-901820)\" city:b* city>a"),
            ("id:1234567890 order-12 \"jane doe\"", "id:1234567890 order-12 \"jane doe\""),
            ("iban:fg1_abcdefghijklmnopqrstuvwxyz-_*", "iban:fg1_abcdefghijklmnopqrstuvwxyz-_*"),
        ],
    );
}

#[test]
fn what_stored_values_cannot_answer_is_refused() {
    check_refused(
        Dialect::Zendesk,
        &users(),
        &[
            ("email:*@example.com", "a wildcard on email"),
            ("iban:fg1_abc*", "a wildcard on iban"),
            ("phone>5", "a range on phone"),
            ("email:<5", "a range on email"),
            ("status:open order_by:Email sort:desc", "order_by on email"),
            ("name:Doe", "a comparison on name"),
            ("requester:jane@example.com", "a free search term on free text"),
            ("~email:jane@example.com", "a free search term on free text"),
            ("\"mail jane@example.com\"", "a free search term on free text"),
            ("a@b@c", "a free search term on free text"),
            ("4111111111111111", "a free search term on free text"),
            ("DE89370400440532013000", "a free search term on free text"),
            ("ref1234567", "a free search term on free text"),
        ],
    );
    // A free term takes one form.
    let query = Query::parse(Dialect::Zendesk, &users(), "a@b").unwrap();
    let several = query.rewrite(&[forms("two")]).map_err(|error| short(&error));
    assert_eq!(several, Err("ambiguous email".to_owned()));
}

#[test]
fn what_is_not_understood_is_refused_at_its_place() {
    check_refused(
        Dialect::Zendesk,
        &users(),
        &[
            ("email:", "6 a value is expected"),
            ("email: a", "6 a value is expected"),
            ("a -", "3 a value is expected"),
            ("email::a", "5 an operator is expected"),
            ("email:=a", "5 an operator is expected"),
            ("email:\"a", "6 this quoted text does not end"),
            ("email:\"a\"b", "9 a blank is expected"),
            ("email:a\"b", "7 this character cannot stand"),
            ("a\u{a0}email:b", "1 this character cannot stand"),
        ],
    );
}

#[test]
fn the_limit_of_terms_passes_and_one_more_does_not() {
    assert!(Query::parse(Dialect::Zendesk, &users(), &"a ".repeat(MAX_TERMS)).is_ok());
    let error = Query::parse(Dialect::Zendesk, &users(), &"a ".repeat(MAX_TERMS + 1)).unwrap_err();
    assert_eq!(error, SearchError::TooLarge { what: "search terms", limit: MAX_TERMS });
}
