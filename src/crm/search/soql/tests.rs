//! What is accepted, rewritten and refused.

use super::super::{Dialect, SearchFields, testing::*};

fn contact() -> SearchFields {
    fields(&[
        ("Email", "email"),
        ("Phone", "phone"),
        ("IBAN__c", "iban"),
        ("LastName", "name"),
        ("MailingCity", "city"),
        ("Owner.Email", "-"),
        ("Contact.Code__c", "email"),
    ])
}

#[test]
fn predicates_on_protected_fields_are_rewritten_and_the_rest_is_not() {
    check(
        Dialect::Soql,
        &contact(),
        &[
            ("SELECT Id FROM Contact", "SELECT Id FROM Contact"),
            (
                "select  Id , Email\tfrom Contact\nwhere email='jane@example.com'  limit 5",
                "select  Id , Email\tfrom Contact\nwhere email='T(jane@example.com)'  limit 5",
            ),
            ("SELECT Id FROM Contact WHERE Email = 'two'", r"SELECT Id FROM Contact WHERE Email IN ('t1', 't\'2')"),
            (
                "SELECT Id FROM Contact WHERE Email != 'two' OR Name = 'two'",
                r"SELECT Id FROM Contact WHERE (Email != 't1' AND Email != 't\'2') OR Name = 'two'",
            ),
            ("SELECT Id FROM Contact WHERE IBAN__c = 'index'", r"SELECT Id FROM Contact WHERE IBAN__c LIKE 'fg1\_p-%'"),
            (
                "SELECT Id FROM Contact WHERE IBAN__c <> 'mixed'",
                r"SELECT Id FROM Contact WHERE (IBAN__c != 'mixed' AND (NOT IBAN__c LIKE 'fg1\_p-%'))",
            ),
            (
                "SELECT Id FROM Contact WHERE Email IN ('a', 'two' ,null)",
                r"SELECT Id FROM Contact WHERE Email IN ('T(a)', 't1', 't\'2', null)",
            ),
            (
                "SELECT Id FROM Contact WHERE Email in ('a' , null)",
                "SELECT Id FROM Contact WHERE Email in ('T(a)' , null)",
            ),
            (
                "SELECT Id FROM Contact WHERE IBAN__c NOT IN ('a', 'mixed')",
                r"SELECT Id FROM Contact WHERE (IBAN__c NOT IN ('T(a)', 'mixed') AND (NOT IBAN__c LIKE 'fg1\_p-%'))",
            ),
            (
                r"SELECT Id FROM Contact WHERE Email = 'o\'brien\\@example.com' AND Phone = null",
                r"SELECT Id FROM Contact WHERE Email = 'T(o\'brien\\@example.com)' AND Phone = null",
            ),
            (
                "SELECT Id FROM Contact WHERE (NOT Account.Owner.Manager.Email = 'a') AND (NOT (Phone = 'b'))",
                "SELECT Id FROM Contact WHERE (NOT Account.Owner.Manager.Email = 'T(a)') AND (NOT (Phone = 'T(b)'))",
            ),
            // A longer name is an exception, also through an alias; so is a name that belongs to one object.
            ("SELECT Id FROM Case WHERE Owner.Email = 'a'", "SELECT Id FROM Case WHERE Owner.Email = 'a'"),
            (
                "SELECT Id FROM Case c, c.Owner o, c.Contact k WHERE o.Email = 'a' AND k.Email = 'b'",
                "SELECT Id FROM Case c, c.Owner o, c.Contact k WHERE o.Email = 'a' AND k.Email = 'T(b)'",
            ),
            (
                "SELECT Id FROM Case c, c.Contact Owner WHERE Owner.Email = 'b'",
                "SELECT Id FROM Case c, c.Contact Owner WHERE Owner.Email = 'T(b)'",
            ),
            ("SELECT Id FROM Lead WHERE Code__c = 'a'", "SELECT Id FROM Lead WHERE Code__c = 'a'"),
            ("SELECT Id FROM Contact AS k WHERE Code__c = 'a'", "SELECT Id FROM Contact AS k WHERE Code__c = 'T(a)'"),
            (
                "SELECT Name, (SELECT Email FROM Contacts WHERE Phone = 'a') FROM Account WHERE Phone = 'b'",
                "SELECT Name, (SELECT Email FROM Contacts WHERE Phone = 'T(a)') FROM Account WHERE Phone = 'T(b)'",
            ),
            (
                "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Email = 'a')",
                "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Email = 'T(a)')",
            ),
            (
                "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact WHERE Email IN ('two'))",
                r"SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact WHERE Email IN ('t1', 't\'2'))",
            ),
            // Stored in clear: everything works, and whole values are asked for all the same.
            (
                "SELECT Id FROM Contact WHERE MailingCity LIKE 'B%\\_' AND MailingCity = 'a' ORDER BY MailingCity DESC NULLS LAST",
                "SELECT Id FROM Contact WHERE MailingCity LIKE 'B%\\_' AND MailingCity = 'T(a)' ORDER BY MailingCity DESC NULLS LAST",
            ),
        ],
    );
}

#[test]
fn what_speaks_of_no_protected_field_passes() {
    for query in [
        "SELECT FIELDS(ALL) FROM Contact LIMIT 200",
        "SELECT COUNT() FROM Contact WHERE Name LIKE 'A%'",
        "SELECT COUNT(Email), COUNT(Id) total FROM Contact",
        "SELECT Name n, MAX(Amount) FROM Opportunity GROUP BY ROLLUP(Name) HAVING COUNT(Id) > 1 AND MAX(Amount) >= 2.5e3",
        "SELECT toLabel(Status), FORMAT(convertCurrency(Amount)) a FROM Opportunity WHERE Amount > USD5000",
        "SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount ELSE Name END FROM Event",
        "SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01T00:00:00+01:00 AND CreatedDate = LAST_N_DAYS:30 OR Birthdate < TODAY",
        "SELECT Id FROM Contact USING SCOPE mine WHERE Tags__c INCLUDES ('a;b','c') WITH SECURITY_ENFORCED ORDER BY Name, Id ASC LIMIT 5 OFFSET 10 FOR VIEW",
        "SELECT Title FROM Q WITH DATA CATEGORY Geo__c ABOVE usa__c AND Prod__c AT (a__c, b__c) UPDATE VIEWSTAT",
        "SELECT Id FROM Case WHERE DISTANCE(Loc__c, GEOLOCATION(37.775,-122.418), 'mi') < 20 AND CALENDAR_YEAR(CreatedDate) = 2024 ALL ROWS",
        "SELECT Id FROM Contact WHERE Note__c = 'SELECT Email e FROM x -- \\' OR Email = \\'a'",
    ] {
        let found = unchanged(Dialect::Soql, &contact(), query).map_err(|error| short(&error));
        assert_eq!(found.as_deref(), Ok(query));
    }
}

#[test]
fn what_stored_values_cannot_answer_is_refused() {
    check_refused(
        Dialect::Soql,
        &contact(),
        &[
            ("SELECT Id FROM Contact WHERE Email LIKE '%@example.com'", "LIKE on Email"),
            ("SELECT Id FROM Contact WHERE Account.Contact.email > 'a'", "a range on Email"),
            ("SELECT Id FROM Contact WHERE Email INCLUDES ('a')", "INCLUDES or EXCLUDES on Email"),
            ("SELECT Id FROM Contact WHERE LastName = 'Doe'", "a comparison on LastName"),
            ("SELECT Id FROM Contact WHERE toLabel(Email) = 'a'", "a function on Email"),
            ("SELECT Id FROM Contact WHERE Email IN (SELECT Email FROM Lead)", "a sub-select on Email"),
            ("SELECT Id FROM Contact WHERE Name IN (SELECT Phone FROM Lead)", "a sub-select on Phone"),
            ("SELECT Id FROM Contact ORDER BY Name, Email", "ORDER BY on Email"),
            ("SELECT Email FROM Contact GROUP BY Email", "GROUP BY on Email"),
            ("SELECT Id FROM Contact GROUP BY CUBE(Id, c.Phone)", "GROUP BY on Phone"),
            ("SELECT MAX(Email) FROM Contact", "a function on Email"),
            ("SELECT COUNT_DISTINCT(Phone) FROM Contact", "a function on Phone"),
            ("SELECT (SELECT Id FROM Contacts ORDER BY Phone) FROM Account", "ORDER BY on Phone"),
            (
                "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Phone LIKE '1%')",
                "LIKE on Phone",
            ),
            ("SELECT Id, COUNT(Id) FROM Contact GROUP BY Id HAVING MIN(Email) = 'a'", "a function on Email"),
            ("SELECT Email e FROM Contact", "aliased Email"),
            ("SELECT c.Owner.Contact.Phone p FROM Case c", "aliased Phone"),
            ("SELECT MailingCity e FROM Contact", "aliased MailingCity"),
            ("SELECT MAX(MailingCity) FROM Contact", "aliased MailingCity"),
            ("SELECT FORMAT(toLabel(MailingCity)) x FROM Contact", "aliased MailingCity"),
        ],
    );
}

#[test]
fn what_is_not_understood_is_refused_at_its_place() {
    check_refused(
        Dialect::Soql,
        &contact(),
        &[
            ("", "0 SELECT is expected"),
            ("FIND {jane} IN ALL FIELDS", "5 this character has no place"),
            ("SELECT Id", "9 FROM is expected"),
            ("SELECT Id FROM Contact WHERE", "28 a condition is expected"),
            ("SELECT Id FROM Contact WHERE Email = :email", "37 a literal is expected"),
            ("SELECT Id FROM Contact WHERE Email = Phone", "37 a literal is expected"),
            ("SELECT Id FROM Contact WHERE Email = 5", "37 a quoted text is expected"),
            ("SELECT Id FROM Contact WHERE Email = 'a' -- x", "41 a number or a date is expected"),
            ("SELECT Id FROM Contact /* x */", "23 this character has no place"),
            ("SELECT Id FROM Contact WHERE Email = 'a", "37 this quoted text does not end"),
            (r"SELECT Id FROM Contact WHERE Email = 'a\'", "37 this quoted text does not end"),
            (r"SELECT Id FROM Contact WHERE Email = 'a\x41'", "39 this escape does not exist"),
            (r"SELECT Id FROM Contact WHERE Email = 'a\_'", "39 this escape does not exist"),
            (r"SELECT Id FROM Contact WHERE Email = '\u00zz'", "38 `\\u` takes four digits"),
            ("SELECT Id FROM Contact WHERE Email = \"a\"", "37 this character has no place"),
            ("SELECT Id FROM Contact WHERE (Email = 'a'", "41 `)`, AND or OR is expected"),
            ("SELECT Id FROM Contact WHERE Email = 'a')", "40 the end of the query is expected"),
            ("SELECT Id FROM Contact WHERE Email = 'a'; DELETE", "40 this character has no place"),
            ("SELECT Id FROM Contact WHERE Email NOT LIKE 'a'", "39 IN is expected after NOT"),
            ("SELECT Id FROM Contact WHERE Email IS NULL", "35 an operator is expected"),
            ("SELECT Id FROM Contact WHERE Email = 'a' UNION SELECT Id FROM Lead", "41 the end of the query"),
            ("SELECT Id FROM Contact FOR SHARE", "27 VIEW, REFERENCE or UPDATE is expected"),
            ("SELECT Id FROM Contact WHERE \u{a0}Email = 'a'", "29 this character has no place"),
            ("SELECT Id FROM Contact WHERE E\u{200b}mail = 'a'", "30 this character has no place"),
            ("SELECT Id FROM Contact c, c.Account c WHERE c.Email = 'a'", "38 each alias names one object"),
            ("SELECT Id FROM Contact WHERE Contact..Email = 'a'", "29 a path of names is expected"),
        ],
    );
}

#[test]
fn escapes_are_read_and_written() {
    let query = r"SELECT Id FROM C WHERE Email = '\u00e9\n\t\\\'\x'";
    assert!(unchanged(Dialect::Soql, &contact(), query).is_err());
    let parsed =
        super::super::Query::parse(Dialect::Soql, &contact(), r#"SELECT Id FROM C WHERE Email = '\u00E9\N\t\\\'\"'"#);
    assert_eq!(parsed.unwrap().asks()[0].value.expose(), "é\n\t\\'\"");
    assert_eq!(super::quote("é\n\t\\'\"\u{1}"), "'é\\n\\t\\\\\\'\"\\u0001'");
}
