//! What is accepted, rewritten and refused.

use super::super::{Dialect, SearchFields, testing::*};

fn ticket() -> SearchFields {
    fields(&[
        ("CF.{Customer Email}", "email"),
        ("CF.{Card}", "iban"),
        ("CF.{Straße}", "city"),
        ("Requestor", "email"),
        ("EmailAddress", "email"),
        ("RealName", "name"),
        ("Subject", "city"),
        ("Owner.EmailAddress", "-"),
    ])
}

#[test]
fn predicates_on_protected_fields_are_rewritten_and_the_rest_is_not() {
    check(
        Dialect::TicketSql,
        &ticket(),
        &[
            ("", ""),
            ("id = 5 AND Queue='Support'", "id = 5 AND Queue='Support'"),
            ("Status = open or Status = '__Active__'", "Status = open or Status = '__Active__'"),
            ("Requestor = 'jane@example.com'", "Requestor = 'T(jane@example.com)'"),
            (
                "requestor.emailaddress = \"a\"  OR Owner.EmailAddress='a'",
                "requestor.emailaddress = 'T(a)'  OR Owner.EmailAddress='a'",
            ),
            ("Watcher.EmailAddress != 'two'", r"(Watcher.EmailAddress != 't1' AND Watcher.EmailAddress != 't\'2')"),
            (
                "'CF.{Customer Email}' = 'two' AND id > 1",
                r"('CF.{Customer Email}' = 't1' OR 'CF.{Customer Email}' = 't\'2') AND id > 1",
            ),
            ("CF.{Customer Email} = 'a'", "CF.{Customer Email} = 'T(a)'"),
            ("CustomField.{Card} = 'index'", "CustomField.{Card} STARTSWITH 'fg1_p-'"),
            (
                "cf.Support.{card} != 'mixed'",
                "(cf.Support.{card} != 'mixed' AND cf.Support.{card} NOT STARTSWITH 'fg1_p-')",
            ),
            ("CF.Card = 4111111111111111", "CF.Card = 'T(4111111111111111)'"),
            ("CF.{Card}.Content = 'a'", "CF.{Card}.Content = 'T(a)'"),
            (r#""CF\.{Ca\rd}" = 'a'"#, r#""CF\.{Ca\rd}" = 'T(a)'"#),
            ("Requestor IN ('a', 'two')", r"Requestor IN ('T(a)', 't1', 't\'2')"),
            ("Requestor NOT IN ('a','b')", "Requestor NOT IN ('T(a)','T(b)')"),
            ("'CF.{Card}' IS NULL OR 'CF.{Card}' IS NOT NULL", "'CF.{Card}' IS NULL OR 'CF.{Card}' IS NOT NULL"),
            (r"Requestor = 'o\'brien\\'", r"Requestor = 'T(o\'brien\\)'"),
            (
                "Subject LIKE 'refund' AND Subject = 'a' AND Content NOT LIKE 'x'",
                "Subject LIKE 'refund' AND Subject = 'T(a)' AND Content NOT LIKE 'x'",
            ),
            (
                "'CF.{Straße}' ENDSWITH 'a' AND Due < CF.{Beta Date}",
                "'CF.{Straße}' ENDSWITH 'a' AND Due < CF.{Beta Date}",
            ),
            ("((id=1 OR Requestor='a'))", "((id=1 OR Requestor='T(a)'))"),
        ],
    );
}

#[test]
fn what_stored_values_cannot_answer_is_refused() {
    check_refused(
        Dialect::TicketSql,
        &ticket(),
        &[
            ("CF.{Customer Email} LIKE 'example'", "LIKE on CF.{Customer Email}"),
            ("'cf.{customer email}' NOT LIKE 'example'", "LIKE on CF.{Customer Email}"),
            ("Cc.EmailAddress STARTSWITH 'jane'", "STARTSWITH on EmailAddress"),
            ("CF.{Card} NOT ENDSWITH '1111'", "ENDSWITH on CF.{Card}"),
            ("CF.{Card} < '5'", "a range on CF.{Card}"),
            ("SHALLOW Requestor = 'a'", "8 an operator is expected"),
            ("Requestor SHALLOW = 'a'", "SHALLOW on Requestor"),
            ("Requestor.RealName = 'a'", "a comparison on RealName"),
            ("Due = CF.{Card}", "a comparison of two fields on CF.{Card}"),
            ("Due = 'CF.{Card}'", "a comparison of two fields on CF.{Card}"),
            ("CF.{Card} = 'CF.{Other}'", "a comparison of two fields on CF.{Card}"),
            ("CF.{Card} = Subject", "a comparison of two fields on CF.{Card}"),
        ],
    );
}

#[test]
fn what_rt_would_read_differently_is_refused_at_its_place() {
    check_refused(
        Dialect::TicketSql,
        &ticket(),
        &[
            ("id = 5;", "6 this character has no place"),
            ("id = 5 # x", "7 this character has no place"),
            ("Requestor = 'a", "12 this quoted text does not end"),
            (r"Requestor = 'a\'", "12 this quoted text does not end"),
            ("id = 5 AND", "10 a field or `(` is expected"),
            ("id = 5 Requestor = 'a'", "7 the end of the query"),
            ("(id = 5", "7 `)`, AND or OR"),
            ("id = 5)", "6 the end of the query"),
            ("()", "1 a field or `(` is expected"),
            ("Original = 'x'", "0 write this word in quotes"),
            ("Status = order", "9 write this word in quotes"),
            ("ANDRequestor = 'x'", "0 write this word in quotes"),
            ("NOT Requestor = 'x'", "4 an operator"),
            ("CF.{12} = 'x'", "0 name the custom field"),
            ("CustomField.12 = 'x'", "0 name the custom field"),
            ("'CF.{Card }' = 'x'", "0 the map has to list"),
            ("'CF.{C\u{e4}rd}' = 'x'", "0 the map has to list"),
            ("'CF.{{Card}}' = 'x'", "0 a custom field is"),
            ("'CF.x{Card}' = 'x'", "0 a custom field is"),
            ("'Req\u{fc}estor' = 'x'", "0 a field's name in ASCII"),
            ("CF.{Card = 'x'", "0 a custom field is"),
            ("CF.{Card} = NULL", "a comparison of two fields on CF.{Card}"),
            ("Requestor = 'a\nb'", "14 a control character"),
        ],
    );
}
