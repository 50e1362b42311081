//! What targets look for, and what comes of it: the test map and the maps that are shipped.

use http::Method;

use super::{
    tests::{REQUEST_TRACKER, SANDBOX, api, classes, shipped},
    *,
};

/// The stored forms of a value: two for `two`, a prefix for `index`, itself with `T` in front for others.
fn forms(search: &search::TargetSearch) -> Vec<Vec<search::Pattern>> {
    let equals = |text: &str| search::Pattern::Equals(text.to_owned());
    let forms = |value: &str| match value {
        "two" => vec![equals("t1"), equals("t&2")],
        "index" => vec![search::Pattern::StartsWith("fg1_".to_owned())],
        other => vec![equals(&format!("T{other}"))],
    };
    search.asks().iter().map(|ask| forms(ask.value.expose())).collect()
}

#[test]
fn what_a_target_looks_for_is_asked_and_written_again() {
    for (target, asked, rewritten) in [
        ("/api/users/42?", vec!["42"], "/api/users/T42"),
        ("/api/users/j%c3%bc@x", vec!["jü@x"], "/api/users/Tj%C3%BC@x"),
        ("/api/users?page=2&email=a%40b&email&email=", vec!["a@b"], "/api/users?page=2&email=Ta%40b&email&email="),
        ("/api/users?Email[]=a&email=b", vec!["a", "b"], "/api/users?Email%5B%5D=Ta&email=Tb"),
        ("/api/search?x=1&phone=two&y", vec!["two"], "/api/search?x=1&phone=t1&phone=t%262&y"),
        ("/api/search?iban=two", vec!["two"], "/api/search?iban=t1%2Ct%262"),
        (
            "/api/search?$filter=Email+eq+'two'&$orderby=Name&phone=5",
            vec!["two", "5"],
            "/api/search?%24filter=%28Email%20eq%20%27t1%27%20or%20Email%20eq%20%27t%262%27%29&%24orderby=Name&phone=T5",
        ),
        ("/odata/people(Email='a@b')", vec!["a@b"], "/odata/people(Email='Ta@b')"),
        ("/odata/people", vec![], "/odata/people"),
        ("/api/users/me", vec![], "/"),
    ] {
        let matched = api().matches(&Method::GET, target).unwrap();
        let search = matched.search().unwrap();
        let values: Vec<&str> = search.asks().iter().map(|ask| ask.value.expose().as_str()).collect();
        assert_eq!(values, asked, "{target}");
        if !asked.is_empty() {
            assert_eq!(search.rewritten(&forms(&search)).as_deref(), Ok(rewritten), "{target}");
        }
        let same: Vec<_> =
            search.asks().iter().map(|ask| vec![search::Pattern::Equals(ask.value.expose().clone())]).collect();
        if !matched.parts.is_empty() {
            assert_eq!(search.rewritten(&same), Ok(matched.target), "{target}");
        }
    }
}

#[test]
fn a_place_that_takes_one_form_refuses_several() {
    for target in ["/api/users/two", "/api/users/index", "/api/users?email=two", "/api/search?phone=index"] {
        let search = api().matches(&Method::GET, target).unwrap().search().unwrap();
        assert_eq!(search.rewritten(&forms(&search)).unwrap_err().code(), "ambiguous", "{target}");
        assert_eq!(search.rewritten(&[]).unwrap_err(), SearchError::Unanswered);
    }
    let search = api().matches(&Method::GET, "/api/users/42").unwrap().search().unwrap();
    for form in ["", "a/b", "a\nb"] {
        let answer = vec![vec![search::Pattern::Equals(form.to_owned())]];
        assert_eq!(search.rewritten(&answer).unwrap_err().code(), "ambiguous");
    }
    let long = vec![vec![search::Pattern::Equals("a".repeat(MAX_TARGET_BYTES - "/api/users/".len()))]];
    assert!(search.rewritten(&long).is_ok());
    let longer = vec![vec![search::Pattern::Equals("a".repeat(MAX_TARGET_BYTES - "/api/users/".len() + 1))]];
    assert_eq!(search.rewritten(&longer).unwrap_err().code(), "search_too_large");
}

#[test]
fn searches_are_refused_by_the_search_and_other_spellings_by_the_target() {
    let get = |target: &str| api().matches(&Method::GET, target).map(|matched| matched.search().map(|_| ()));
    // The classes of these tests are stored in clear.
    assert_eq!(get("/api/search?$orderby=Email"), Ok(Ok(())));
    assert_eq!(get("/api/search?$filter=").unwrap().unwrap_err().code(), "bad_search");
    for target in ["/api/search?filter=x", "/api/search?$Filter=x", "/api/search?orderby[]=x"] {
        assert_eq!(get(target).unwrap_err().code(), "unmapped_parameter", "{target}");
    }
    assert_eq!(get("/odata/accounts(Email='a@b')").unwrap_err().code(), "unmapped_route");
}

#[test]
fn the_searches_of_the_shipped_maps_ask_for_what_they_compare() {
    let asked = |map: &str, target: &str| {
        let search = shipped(map).matches(&Method::GET, target).map_err(|error| error.code())?.search();
        let search = search.map_err(|error| error.code())?;
        let ask = |ask: &search::Ask| format!("{}={}", classes().name(ask.class), ask.value.expose());
        Ok(search.asks().iter().map(ask).collect::<Vec<_>>().join(" "))
    };
    let tickets = "/REST/2.0/tickets?query=";
    for (map, target, expected) in [
        (
            REQUEST_TRACKER,
            format!("{tickets}'CF.{{Customer+Email}}'='a@b'+AND+Requestor='c'+AND+id=5"),
            Ok("email=a@b email=c"),
        ),
        (
            REQUEST_TRACKER,
            format!("{tickets}CF.{{Card}}='4'+OR+Owner.EmailAddress='x'+OR+Cc.City='y'"),
            Ok("card_number=4 address=y"),
        ),
        (REQUEST_TRACKER, format!("{tickets}CF.{{7}}='4'"), Err("bad_search")),
        (REQUEST_TRACKER, format!("{tickets}x&simple=1"), Err("unmapped_parameter")),
        (REQUEST_TRACKER, format!("{tickets}id=5&orderby=CF.{{Card}}"), Err("unmapped_parameter")),
        (SANDBOX, "/world/query?q=SELECT+Id+FROM+Case+WHERE+Contact.Email='a'".to_owned(), Ok("email=a")),
        (SANDBOX, "/world/query?q=SELECT+Email+e+FROM+Contact".to_owned(), Err("aliased")),
        (SANDBOX, "/world/odata/contacts?$filter=Phone+eq+'1'&$orderby=Id&$top=5".to_owned(), Ok("phone=1")),
        (SANDBOX, "/world/odata/contacts?$apply=x".to_owned(), Err("unmapped_parameter")),
        (SANDBOX, "/world/odata/contacts(Email='a',Card__c='4')".to_owned(), Ok("email=a card_number=4")),
        (SANDBOX, "/world/odata/cases(SuppliedEmail='a')".to_owned(), Err("unmapped_route")),
        (
            SANDBOX,
            "/world/zendesk/search?query=requester:a+-card:4+type:ticket".to_owned(),
            Ok("email=a card_number=4"),
        ),
        (SANDBOX, "/world/rt/tickets?query=Requestor='a'".to_owned(), Ok("email=a")),
        (SANDBOX, "/api/v1/customers?email=a&phone=1".to_owned(), Ok("email=a phone=1")),
    ] {
        assert_eq!(
            asked(map, &target.replace('{', "%7B").replace('}', "%7D")),
            expected.map(str::to_owned),
            "{target}"
        );
    }
    let body = shipped(SANDBOX).matches(&Method::POST, "/world/hubspot/contacts/search").unwrap();
    let query = body.route.search[0].parse(r#"{"filters":[{"propertyName":"iban","operator":"EQ","value":"DE1"}]}"#);
    assert_eq!((&body.route.search[0].place, query.unwrap().asks().len()), (&SearchPlace::Body, 1));
}
