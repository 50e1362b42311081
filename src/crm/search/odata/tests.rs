//! What is accepted, rewritten and refused.

use super::super::{Clause, Dialect, SearchFields, testing::*};

const FILTER: Dialect = Dialect::OData(Clause::Filter);

fn contact() -> SearchFields {
    fields(&[
        ("emailaddress1", "email"),
        ("mobilephone", "phone"),
        ("iban", "iban"),
        ("lastname", "name"),
        ("city", "city"),
        ("emails", "email"),
        ("owner/emailaddress1", "-"),
        ("people/$key", "email"),
    ])
}

#[test]
fn predicates_on_protected_fields_are_rewritten_and_the_rest_is_not() {
    check(
        FILTER,
        &contact(),
        &[
            ("statecode eq 0", "statecode eq 0"),
            (
                "emailaddress1 eq 'jane@example.com'  and  statecode eq 0",
                "emailaddress1 eq 'T(jane@example.com)'  and  statecode eq 0",
            ),
            ("'a' eq EmailAddress1", "'T(a)' eq EmailAddress1"),
            ("emailaddress1 eq 'two' and x eq 1", "(emailaddress1 eq 't1' or emailaddress1 eq 't''2') and x eq 1"),
            ("not (emailaddress1 eq 'o''brien')", "not (emailaddress1 eq 'T(o''brien)')"),
            ("(emailaddress1) ne 'two'", "((emailaddress1) ne 't1' and (emailaddress1) ne 't''2')"),
            ("iban eq 'index'", "(iban eq 'fg1_p-' or (iban ne null and startswith(iban,'fg1_p-')))"),
            (
                "iban ne 'mixed'",
                "(iban ne 'mixed' and ((iban ne null and not startswith(iban,'fg1_p-')) or (iban eq null and iban ne 'fg1_p-')))",
            ),
            (
                "iban in ('a','mixed',null)",
                "(iban in ('T(a)','mixed',null) or (iban eq 'fg1_p-' or (iban ne null and startswith(iban,'fg1_p-'))))",
            ),
            (
                "mobilephone in ('a','b') or mobilephone eq null",
                "mobilephone in ('T(a)','T(b)') or mobilephone eq null",
            ),
            (
                "parent/owner/emailaddress1 eq 'a' or parent/emailaddress1 eq 'a'",
                "parent/owner/emailaddress1 eq 'a' or parent/emailaddress1 eq 'T(a)'",
            ),
            (
                "contacts/any(c:c/emailaddress1 eq 'a' and c/x eq 'a')",
                "contacts/any(c:c/emailaddress1 eq 'T(a)' and c/x eq 'a')",
            ),
            ("emails/any(e:e eq 'a') and e eq 'a'", "emails/any(e:e eq 'T(a)') and e eq 'a'"),
            ("owner/all(c : c/emailaddress1 eq 'a')", "owner/all(c : c/emailaddress1 eq 'a')"),
            (
                "contains(city,'x') and city eq 'a' and length(name) gt 5",
                "contains(city,'x') and city eq 'T(a)' and length(name) gt 5",
            ),
            (
                "id eq e3a5b6c7-0000-4000-8000-00000000000a and on ge 2024-01-01T00:00:00Z and d eq duration'P1D' and n sub 1 gt -2.5",
                "id eq e3a5b6c7-0000-4000-8000-00000000000a and on ge 2024-01-01T00:00:00Z and d eq duration'P1D' and n sub 1 gt -2.5",
            ),
        ],
    );
}

#[test]
fn what_stored_values_cannot_answer_is_refused() {
    check_refused(
        FILTER,
        &contact(),
        &[
            ("contains(emailaddress1,'x')", "a function on emailaddress1"),
            ("tolower(emailaddress1) eq 'x'", "a function on emailaddress1"),
            ("startswith((parent/mobilephone),'x')", "a function on mobilephone"),
            ("contacts/any(c:endswith(c/mobilephone,'x'))", "a function on mobilephone"),
            ("emailaddress1 gt 'a'", "a range on emailaddress1"),
            ("'a' le emailaddress1", "a range on emailaddress1"),
            ("emailaddress1 eq mobilephone", "a comparison with anything but a quoted text on "),
            ("emailaddress1 eq city", "a comparison of two fields on emailaddress1"),
            ("city eq emailaddress1", "a comparison"),
            ("emailaddress1 eq name", "a comparison with anything but a quoted text"),
            ("emailaddress1 eq 5", "a comparison with anything but a quoted text"),
            ("emailaddress1 eq concat('a','b')", "a comparison with anything but a quoted text"),
            ("mobilephone add 1 eq 2", "arithmetic on mobilephone"),
            ("mobilephone has 'x'", "has on mobilephone"),
            ("not mobilephone", "not on mobilephone"),
            ("mobilephone and x eq 1", "a condition without an operator on mobilephone"),
            ("lastname eq 'x'", "a comparison on lastname"),
            ("lastname in ('x')", "a comparison on lastname"),
        ],
    );
    let table = [
        (Clause::OrderBy, "createdon desc,parent/emailaddress1 asc", "$orderby on emailaddress1"),
        (Clause::OrderBy, "tolower(mobilephone)", "a function on mobilephone"),
        (Clause::Apply, "groupby((emailaddress1),aggregate($count as n))", "$apply on emailaddress1"),
        (Clause::Apply, "aggregate(city with max as top)", "aliased city"),
        (Clause::Key, "contacts(emailaddress1='two')", "ambiguous emailaddress1"),
        (Clause::Key, "contacts(iban='index')", "ambiguous iban"),
        (Clause::Key, "contacts(emailaddress1=5)", "23 a quoted text is expected"),
    ];
    for (clause, query, expected) in table {
        check_refused(Dialect::OData(clause), &contact(), &[(query, expected)]);
    }
}

#[test]
fn the_other_clauses_pass_and_keys_are_rewritten() {
    for (clause, query, expected) in [
        (Clause::OrderBy, "city desc, createdon", "city desc, createdon"),
        (Clause::Select, "emailaddress1,owner/lastname,*", "emailaddress1,owner/lastname,*"),
        (Clause::Apply, "groupby((statecode),aggregate($count as n))", "groupby((statecode),aggregate($count as n))"),
        (Clause::Key, "contacts", "contacts"),
        (Clause::Key, "contacts()", "contacts()"),
        (
            Clause::Key,
            "contacts(e3a5b6c7-0000-4000-8000-00000000000a)",
            "contacts(e3a5b6c7-0000-4000-8000-00000000000a)",
        ),
        (
            Clause::Key,
            "contacts(firstname='Joe',emailaddress1='a@b.c')",
            "contacts(firstname='Joe',emailaddress1='T(a@b.c)')",
        ),
        (Clause::Key, "people('a')", "people('T(a)')"),
    ] {
        check(Dialect::OData(clause), &contact(), &[(query, expected)]);
    }
}

#[test]
fn what_is_not_understood_is_refused_at_its_place() {
    check_refused(
        FILTER,
        &contact(),
        &[
            ("", "0 a value or a field is expected"),
            ("emailaddress1 eq @p", "17 this character has no place"),
            ("emailaddress1 eq 'a", "17 this quoted text does not end"),
            ("emailaddress1 eq 'a' //", "21 this character"),
            ("(emailaddress1 eq 'a'", "21 `)` or an operator"),
            ("emailaddress1 eq 'a')", "20 the end of the query"),
            ("statecode is 'a'", "10 the end of the query"),
            ("not x eq 'a'", "6 the end of the query"),
            ("Microsoft.Dynamics.CRM.In(PropertyName='emailaddress1',PropertyValues=['a'])", "70 this character"),
            ("Microsoft.Dynamics.CRM.In(p)", "0 this function is not known"),
            ("contacts/any(c c/x eq 1)", "15 `:` is expected"),
            ("x in ()", "6 a quoted text is expected"),
            ("e\u{301}mail eq 'a'", "1 this character"),
            ("x eq 'a\nb'", "7 a control character"),
        ],
    );
}
