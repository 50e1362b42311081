//! Each row: a query and the records it finds (by the last digit of their ids), or that it is refused.

use serde_json::{Value, json};

use super::super::super::World;
use super::super::super::object::Object;
use super::super::{hubspot, odata, odata_filter, soql, soql_query, ticket_sql, zendesk};
use super::{ends, small};

fn soql_ends(world: &World, text: &str) -> Result<String, &'static str> {
    let query = soql_query::Query::parse(text).map_err(|fault| fault.code())?;
    Ok(ends(&soql::find(world, &query)))
}

#[test]
fn soql_finds_what_salesforce_would() {
    let world = small(World::empty());
    for (condition, found) in [
        ("Email = 'jane@example.COM'", "1"),
        ("email = null", "2"),
        ("Email != null", "13"),
        ("Email != 'jane@example.com'", "23"),
        ("Email <> 'jane@example.com'", "23"),
        ("NOT Email = 'jane@example.com'", "23"),
        ("Email IN ('jane@example.com', 'x')", "1"),
        ("Email NOT IN ('jane@example.com','x')", "23"),
        ("FirstName = 'jane'", "13"),
        ("FirstName = 'jane' AND (Card__c = '42' OR Card__c = '43')", "3"),
        ("(FirstName = 'jane' AND Card__c = '42') OR LastName = 'ng'", "23"),
        ("NOT (FirstName = 'jane' AND Card__c = '42')", "12"),
        ("LastName = 'O\\'Brien \\\\ Co'", "3"),
        ("LastName LIKE 'o%co'", "3"),
        ("LastName LIKE '_oe'", "1"),
        ("Email LIKE 'jane\\_x@%'", "3"),
        ("(NOT Email LIKE 'jane%')", "2"),
        ("LastName > 'e'", "23"),
        ("LastName = '\\u0044oe'", "1"),
        ("Id IN (SELECT ContactId FROM Case WHERE Status = 'open')", "1"),
        ("Id NOT IN (SELECT ContactId FROM Case)", "2"),
        ("Id IN (SELECT ContactId FROM Case c WHERE c.Status != 'open') AND Email != null", "3"),
        ("LastName != null ORDER BY LastName DESC", "321"),
        ("LastName != null ORDER BY Email, LastName LIMIT 2", "21"),
        ("LastName != null ORDER BY Email NULLS LAST", "132"),
        ("LastName != null LIMIT 1 OFFSET 1", "2"),
    ] {
        assert_eq!(
            soql_ends(&world, &format!("SELECT Id FROM Contact WHERE {condition}")).as_deref(),
            Ok(found),
            "{condition}"
        );
    }
    for (text, found) in [
        ("SELECT Id, c.Email FROM Contact c WHERE c.Email = 'JANE@example.com'", "1"),
        ("SELECT Id FROM Contact AS c WHERE c.LastName = 'ng'", "2"),
        ("SELECT FIELDS(ALL) FROM Case WHERE Contact.Email = 'jane@example.com'", "1"),
        ("SELECT Id FROM Case WHERE Contact.Email = null", "3"),
        ("SELECT Id FROM Case WHERE ContactId IN (SELECT Id FROM Contact WHERE FirstName = 'Jane')", "12"),
        ("SELECT COUNT() FROM Case", "123"),
    ] {
        assert_eq!(soql_ends(&world, text).as_deref(), Ok(found), "{text}");
    }
}

#[test]
fn soql_refuses_what_it_does_not_have() {
    let world = small(World::empty());
    for (text, code) in [
        ("", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account", "INVALID_TYPE"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Contact.Email FROM Contact x", "INVALID_FIELD"),
        ("SELECT MAX(Email) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = jane", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'x\\q'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = \"x\"", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'x' AND Phone = '1' OR Phone = '2'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'x' OR Phone = '1' AND Phone = '2'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email < null", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email IN (SELECT SuppliedEmail FROM Case)", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Id IN (SELECT Subject FROM Case)", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'x') ", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact ORDER Email", "MALFORMED_QUERY"),
    ] {
        assert_eq!(soql_ends(&world, text), Err(code), "{text}");
    }
    let deep =
        |levels: usize| format!("SELECT Id FROM Contact WHERE {}Email = 'x'{}", "(".repeat(levels), ")".repeat(levels));
    assert!(soql_ends(&world, &deep(49)).is_ok());
    assert_eq!(soql_ends(&world, &deep(50)), Err("MALFORMED_QUERY"));
}

#[test]
fn odata_finds_what_dataverse_would() {
    let world = small(World::empty());
    let run = |text: &str| {
        let filter = odata_filter::filter(text, Object::Contact).map_err(|fault| fault.code())?;
        Ok(ends(&odata::find(&world, Object::Contact, &filter)))
    };
    for (text, found) in [
        ("Email eq 'JANE@example.com'", "1"),
        ("Email ne 'jane@example.com'", "23"),
        ("Email eq null", "2"),
        ("Email in ('jane@example.com','z')", "1"),
        ("not (Email in ('jane@example.com','z'))", "23"),
        ("LastName eq 'O''Brien \\ Co'", "3"),
        ("FirstName eq 'jane' and Card__c eq '42' or LastName eq 'ng'", "23"),
        ("FirstName eq 'jane' and (Card__c eq '42' or LastName eq 'ng')", "3"),
        ("contains(Email,'E_X')", "3"),
        ("startswith(LastName,'D') or endswith(LastName,'co')", "13"),
        ("tolower(Email) eq 'jane@example.com'", "1"),
        ("LastName gt 'e' and LastName le 'ng'", "2"),
        ("not contains(Email,'zzz')", "13"),
        ("(Email eq null or not startswith(Email,'Jane@'))", "23"),
    ] {
        assert_eq!(run(text).as_deref(), Ok(found), "{text}");
    }
    for text in ["", "Email", "Email eq x", "Email eq 'x", "Email is 'x'", "length(Email,'x')", "Email eq 'x' Email"] {
        assert_eq!(run(text), Err("MALFORMED_QUERY"), "{text}");
    }
    assert_eq!(run("Nope eq 'x'"), Err("INVALID_FIELD"));
}

#[test]
fn odata_keys_are_read_or_refused() {
    let keys = |text: &str| odata_filter::keys(text, Object::Contact).map_err(|fault| fault.code());
    assert_eq!(keys("Email='a''b@c.example'"), Ok(vec![("Email", "a'b@c.example".to_owned())]));
    assert_eq!(keys("FirstName='J',Email='x'"), Ok(vec![("FirstName", "J".into()), ("Email", "x".into())]));
    assert_eq!(keys("003000000000001"), Ok(vec![("Id", "003000000000001".into())]));
    for text in ["", "Email=x", "Email='x',", "Email='x' y", "Nope='x'"] {
        assert!(keys(text).is_err(), "{text}");
    }
}

#[test]
fn zendesk_terms_find_users_and_tickets() {
    let world = small(World::empty());
    let run = |text: &str| {
        let query = zendesk::Query::parse(text).map_err(|fault| fault.code())?;
        Ok(zendesk::find(&world, &query)
            .iter()
            .map(|(object, row)| format!("{}{}", &object.name()[..2], ends(&[row])))
            .collect::<String>())
    };
    for (text, found) in [
        ("type:user email:JANE@example.com", "Co1"),
        ("email:jane@example.com", "Co1"),
        ("type:user -email:jane@example.com", "Co2Co3"),
        ("email:jane@example.com email:jane_x@example.com", "Co1Co3"),
        ("email:jane* card:42", "Co3"),
        ("email:\"jane*\"", ""),
        ("type:user email:\"none\"", ""),
        ("type:user -email:jane*", "Co2"),
        ("name:ob*", ""),
        ("name:o'b*", "Co3"),
        ("type:user email:none", "Co2"),
        ("name:\"jane doe\"", "Co1"),
        ("type:user jane", "Co1Co3"),
        ("type:user jane doe", "Co1"),
        ("type:ticket requester:jane@example.com", "Ca1"),
        ("type:ticket -requester:jane@example.com", "Ca2Ca3"),
        ("status:open status:closed", "Ca1Ca2"),
        ("subject:\"100% lost\"", "Ca2"),
        ("card:4111", "Co1Ca3"),
        ("type:ticket card:4111", "Ca3"),
    ] {
        assert_eq!(run(text).as_deref(), Ok(found), "{text}");
    }
    for text in ["colour:red", "email:", "type:group", "email:\"x"] {
        assert_eq!(run(text), Err("MALFORMED_QUERY"), "{text}");
    }
}

#[test]
fn hubspot_filters_find_contacts() {
    let world = small(World::empty());
    let run = |body: &Value| {
        let query = hubspot::Query::read(body.as_object().unwrap()).map_err(|fault| fault.code())?;
        Ok(ends(&hubspot::find(&world, &query)))
    };
    let filter = |name: &str, operator: &str, value: Value| {
        let key = if value.is_array() { "values" } else { "value" };
        json!({ "propertyName": name, "operator": operator, key: value })
    };
    let group = |filters: &[Value]| json!({ "filters": filters });
    for (filter, found) in [
        (filter("email", "EQ", "JANE@example.com".into()), "1"),
        (filter("email", "NEQ", "jane@example.com".into()), "3"),
        (filter("email", "IN", json!(["jane@example.com", "z"])), "1"),
        (filter("email", "IN", json!(["Jane@Example.com"])), ""),
        (filter("email", "NOT_IN", json!(["jane@example.com"])), "3"),
        (filter("email", "HAS_PROPERTY", Value::Null), "13"),
        (filter("email", "NOT_HAS_PROPERTY", Value::Null), "2"),
        (filter("email", "CONTAINS_TOKEN", "*@example.com".into()), "13"),
        (filter("lastname", "CONTAINS_TOKEN", "co".into()), "3"),
        (filter("email", "NOT_CONTAINS_TOKEN", "jane@*".into()), "3"),
        (filter("lastname", "GT", "E".into()), "23"),
    ] {
        assert_eq!(
            run(&json!({ "filterGroups": [group(std::slice::from_ref(&filter))] })).as_deref(),
            Ok(found),
            "{filter}"
        );
    }
    let jane = filter("firstname", "EQ", "jane".into());
    let card = filter("card", "EQ", "42".into());
    let ng = filter("lastname", "EQ", "ng".into());
    assert_eq!(run(&json!({ "filterGroups": [group(&[jane, card]), group(&[ng])] })).as_deref(), Ok("23"));
    assert_eq!(
        run(&json!({ "query": "EXAMPLE", "sorts": [{ "propertyName": "lastname", "direction": "DESCENDING" }] }))
            .as_deref(),
        Ok("31")
    );
    for bad in [
        json!({ "filterGroups": [group(&[filter("email", "LIKE", "x".into())])] }),
        json!({ "filterGroups": [group(&[])] }),
        json!({ "filterGroups": [group(&[filter("email", "EQ", Value::Null)])] }),
        json!({ "filter": [] }),
    ] {
        assert_eq!(run(&bad), Err("MALFORMED_QUERY"), "{bad}");
    }
}

#[test]
fn hubspot_takes_its_limits_and_not_one_filter_more() {
    let body = |groups: &[usize]| {
        let filter = json!({ "propertyName": "email", "operator": "HAS_PROPERTY" });
        let groups: Vec<Value> =
            groups.iter().map(|count| json!({ "filters": vec![filter.clone(); *count] })).collect();
        json!({ "filterGroups": groups })
    };
    for (groups, fits) in [
        (&[1; 5][..], true),
        (&[1; 6][..], false),
        (&[10][..], true),
        (&[11][..], false),
        (&[10, 10, 5][..], true),
        (&[10, 10, 6][..], false),
    ] {
        assert_eq!(hubspot::Query::read(body(groups).as_object().unwrap()).is_ok(), fits, "{groups:?}");
    }
}

#[test]
fn ticket_sql_finds_what_request_tracker_would() {
    let world = small(World::empty());
    let run = |text: &str| {
        let condition = ticket_sql::parse(text).map_err(|fault| fault.code())?;
        Ok(ends(&ticket_sql::find(&world, &condition)))
    };
    for (text, found) in [
        ("Status = 'open'", "1"),
        ("Status = open OR Status = closed", "12"),
        ("Requestor = 'JANE@example.com'", "1"),
        ("Requestor.EmailAddress != 'jane@example.com'", "23"),
        ("Requestor.EmailAddress IS NULL", "3"),
        ("Subject LIKE '100%'", "2"),
        ("Subject NOT LIKE 'first'", "23"),
        ("Subject STARTSWITH 'no' OR Subject ENDSWITH 'LOST'", "23"),
        ("'CF.{Card}' = '4111'", "3"),
        ("CF.{Card} = 4111", "3"),
        ("CustomField.{card} IS NOT NULL", "3"),
        ("Subject = 'Nobody\\'s'", "3"),
        ("Subject = \"Nobody's\"", "3"),
        ("id = 2", "2"),
        ("Status IN ('open', 'new')", "1"),
        ("Status NOT IN ('open', 'new')", "23"),
        ("Status = 'open' OR Status = 'closed' AND Subject = 'x'", "1"),
        ("(Status = 'open' OR Status = 'closed') AND Subject LIKE 'lost'", "2"),
    ] {
        assert_eq!(run(text).as_deref(), Ok(found), "{text}");
    }
    for text in ["", "Status", "Status = ", "Status == 'x'", "Status = 'x", "Status = 'x' Subject"] {
        assert_eq!(run(text), Err("MALFORMED_QUERY"), "{text}");
    }
    for text in ["CF.{Nope} = '1'", "NOT Status = 'x'"] {
        assert_eq!(run(text), Err("INVALID_FIELD"), "{text}");
    }
}

#[test]
fn null_can_be_as_in_sql() {
    let world = small(World::empty().with_sql_nulls());
    let one = |text: &str| soql_ends(&world, &format!("SELECT Id FROM Contact WHERE {text}")).unwrap();
    assert_eq!(one("Email != 'jane@example.com'"), "3");
    assert_eq!(one("NOT Email = 'jane@example.com'"), "3");
    assert_eq!(one("Email NOT IN ('jane@example.com')"), "3");
    assert_eq!(one("Email = null"), "2");
    let filter = odata_filter::filter("Email ne 'jane@example.com'", Object::Contact).unwrap();
    assert_eq!(ends(&odata::find(&world, Object::Contact, &filter)), "3");
    let condition = ticket_sql::parse("Requestor != 'jane@example.com'").unwrap();
    assert_eq!(ends(&ticket_sql::find(&world, &condition)), "2");
}
