//! Batches that are JSON.

use super::*;

fn composite(client: &Client, calls: &Value) -> Answer {
    client.send(Method::POST, "/services/data/v60.0/composite", &json!({"allOrNone": true, "compositeRequest": calls}))
}

#[test]
fn a_composite_is_split_stored_and_shown_call_by_call() {
    let crm = Crm::start();
    let calls = json!([
        {"method": "POST", "url": "/services/data/v60.0/sobjects/Contact", "referenceId": "made",
         "body": {"LastName": "Canary", "Email": "canary1@mail.example"}},
        {"method": "POST", "url": "/services/data/v60.0/sobjects/Case", "referenceId": "case",
         "body": {"ContactId": "@{made.id}", "Description": "calls back"}},
        {"method": "GET", "url": "/services/data/v60.0/sobjects/Contact/@{made.id}", "referenceId": "read"},
        {"method": "GET", "url": "/services/data/v60.0/sobjects/Contact/003x", "referenceId": "gone",
         "httpHeaders": {"If-Match": "\"7\""}},
    ]);
    crm.says_json(&json!({"compositeResponse": [
        {"referenceId": "made", "httpStatusCode": 201, "body": {"id": "003a", "success": true, "errors": []},
         "httpHeaders": {"Location": "/services/data/v60.0/sobjects/Contact/003a"}},
        {"referenceId": "case", "httpStatusCode": 201, "body": {"id": "500a"}, "httpHeaders": {}, "extra": "canary4@mail.example"},
        {"referenceId": "read", "httpStatusCode": 200, "httpHeaders": {"X-Owner": "canary5@mail.example"},
         "body": {"Id": "003a", "LastName": "Canary", "Email": "canary1@mail.example", "Phone": "+49 30 5550111"}},
        {"referenceId": "gone", "httpStatusCode": 404, "httpHeaders": {},
         "body": [{"errorCode": "NOT_FOUND", "message": "no canary2@mail.example"}]},
    ]}));
    let answer = composite(&crm.world.supervisor(), &calls);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = answer.json();
    let list = shown["compositeResponse"].as_array().unwrap();
    assert_eq!(list.len(), 4);
    assert_eq!(list[2]["body"]["Email"], "canary1@mail.example", "a supervisor sees it");
    assert_eq!(list[0]["httpHeaders"]["Location"], "/services/data/v60.0/sobjects/Contact/003a");
    for canary in ["canary2@", "canary4@", "canary5@"] {
        assert!(!answer.text().contains(canary), "{canary}: {}", answer.text());
    }
    let asked: Value = serde_json::from_str(&crm.asked().body).unwrap();
    assert_eq!(asked["allOrNone"], true);
    assert_eq!(asked["compositeRequest"][1]["body"]["ContactId"], "@{made.id}");
    assert_eq!(asked["compositeRequest"][2]["url"], "/services/data/v60.0/sobjects/Contact/@{made.id}");
    let calls = crm.calls();
    let reveal = ("access.reveal".to_owned(), 3, "sf.contact.read".to_owned());
    assert!(calls.contains(&reveal) && calls[0].0 == "access.intent" && calls[1].0 == "access.intent", "{calls:?}");
    crm.world.verify();
}

#[test]
fn a_reference_moves_no_value_that_nobody_has_seen() {
    let crm = Crm::start();
    let read = json!({"method": "GET", "url": "/services/data/v60.0/sobjects/Contact/003a", "referenceId": "read"});
    let case = |body: Value| json!({"method": "POST", "url": "/services/data/v60.0/sobjects/Case", "referenceId": "case", "body": body});
    let get = |tail: &str| json!({"method": "GET", "url": format!("/services/data/v60.0/sobjects/Contact/{tail}"), "referenceId": "get"});
    for bad in [
        case(json!({"Subject": "@{read.Email}"})),
        case(json!({"Subject": "a @{read.Unmapped} b"})),
        case(json!({"Description": "@{read.Id}"})),
        case(json!({"Subject": "@{later.Id}"})),
        case(json!({"Subject": "@{case.id}"})),
        case(json!({"Subject": "@{read}"})),
        case(json!({"Subject": "@{read.Id"})),
        case(json!({"@{read.Id}": "x"})),
        case(json!({"Nested": [{"Deep": "@{read.attributes.url}"}]})),
        get("@{read.Email}"),
        get("%40%7Bread.Email%7D"),
        get("Email/@{read.Id}"),
        get("@{read.Id}@{read.Phone}"),
    ] {
        let answer = composite(&crm.world.supervisor(), &json!([read, bad]));
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (422, "batch_reference"),
            "{bad}: {}",
            answer.text()
        );
        assert_eq!(answer.json()["position"], 2);
        crm.not_asked(&answer);
    }
    let twice = case(json!({"Subject": "@{read.Email}"})).to_string().replace("}}", "},\"Subject\":\"x\"}}");
    assert!(twice.contains("@{read.Email}"));
    let twice = twice.replace("\"@{read.Email}\"},", "\"@{read.Email}\",");
    let deep = format!("{}\"@{{read.Email}}\"{}", "[".repeat(200), "]".repeat(200));
    let deep = case(json!({"Subject": "DEEP"})).to_string().replace("\"DEEP\"", &deep);
    for bad in [twice, deep] {
        let body = format!("{{\"compositeRequest\":[{read},{bad}]}}");
        let answer = crm.world.supervisor().call(Method::POST, "/services/data/v60.0/composite", Some(body.clone()));
        assert_eq!(answer.code(), "batch_reference", "{body}: {}", answer.text());
        crm.not_asked(&answer);
    }
    let escaped = case(json!({"Subject": "AT{read.Email}"})).to_string().replace("AT{", "\\u0040{");
    let body = format!("{{\"compositeRequest\":[{read},{escaped}]}}");
    let answer = crm.world.supervisor().call(Method::POST, "/services/data/v60.0/composite", Some(body));
    assert_eq!(answer.code(), "batch_reference");
    crm.not_asked(&answer);
}

#[test]
fn a_json_batch_with_members_nobody_knows_or_that_come_twice_is_refused() {
    let crm = Crm::start();
    let call = r#""method":"GET","url":"/services/data/v60.0/sobjects/Contact/003a","referenceId":"a""#;
    let nested = call.replace("GET", "POST").replace("sobjects/Contact/003a", "composite");
    for body in [
        format!("{{\"compositeRequest\":[{{{call}}}],\"compositeRequest\":[]}}"),
        format!("{{\"compositeRequest\":[{{{call},\"\\u0075rl\":\"/x\"}}]}}"),
        format!("{{\"compositeRequest\":[{{{call},\"binaryPartName\":\"x\"}}]}}"),
        format!("{{\"compositeRequest\":[{{{call}}}],\"allOrNone\":\"yes\"}}"),
        format!("{{\"compositeRequest\":[{{{call}}},{{{call}}}]}}"),
        format!("{{\"compositeRequest\":[{{{call}}}]}} x"),
        format!("{{\"compositeRequest\":[{}]}}", format!("{{{call}}},").repeat(26).trim_end_matches(',')),
        format!("{{\"compositeRequest\":[{{{nested},\"body\":{{}}}}]}}"),
        "{\"compositeRequest\":[]}".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
    ] {
        let answer = crm.world.supervisor().call(Method::POST, "/services/data/v60.0/composite", Some(body.clone()));
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid_batch"),
            "{body}: {}",
            answer.text()
        );
        crm.not_asked(&answer);
    }
    let answer = crm.world.supervisor().with("content-type", "multipart/mixed; boundary=a");
    let answer = answer.call(Method::POST, "/services/data/v60.0/composite", Some("--a--".to_owned()));
    assert_eq!(answer.code(), "unsupported_media_type");
}

#[test]
fn answers_of_a_composite_that_name_other_calls_are_blocked() {
    let crm = Crm::start();
    let call =
        |id: &str| json!({"method": "GET", "url": "/services/data/v60.0/sobjects/Contact/003a", "referenceId": id});
    let told = |id: &str| json!({"referenceId": id, "httpStatusCode": 200, "httpHeaders": {}, "body": {"Id": "003a", "LastName": "Canary"}});
    for replies in [
        json!([told("b"), told("a")]),
        json!([told("a")]),
        json!([told("a"), told("b"), told("c")]),
        json!([told("a"), {"referenceId": "b", "body": {}}]),
        json!([told("a"), {"referenceId": "b", "httpStatusCode": 200, "body": ["x"], "httpHeaders": {"A": 1}}]),
    ] {
        crm.says_json(&json!({"compositeResponse": replies}));
        let answer = composite(&crm.world.agent(), &json!([call("a"), call("b")]));
        assert_eq!(answer.code(), "invalid_response", "{replies}: {}", answer.text());
    }
}

#[test]
fn a_salesforce_batch_and_an_odata_json_batch_are_split_too() {
    let crm = Crm::start();
    crm.says_json(&json!({"hasErrors": false, "results": [
        {"statusCode": 200, "result": {"Id": "003a", "LastName": "Canary", "Email": "canary1@mail.example"}},
        {"statusCode": 404, "result": [{"errorCode": "NOT_FOUND", "message": "no canary2@mail.example"}]},
    ]}));
    let read = |url: &str| json!({"method": "GET", "url": url});
    let calls = json!({"haltOnError": false, "batchRequests": [read("v60.0/sobjects/Contact/003a"), read("/services/data/v60.0/sobjects/Contact/003b")]});
    let answer = crm.world.agent().send(Method::POST, "/services/data/v60.0/composite/batch", &calls);
    assert_eq!(answer.status, 200, "{}", answer.text());
    shows_no_canary(&answer);
    assert_eq!(
        (&answer.json()["hasErrors"], &answer.json()["results"][0]["result"]["LastName"]),
        (&json!(true), &json!("Canary"))
    );
    let asked: Value = serde_json::from_str(&crm.asked().body).unwrap();
    assert_eq!(asked["batchRequests"][0]["url"], "v60.0/sobjects/Contact/003a");

    let calls = json!({"requests": [
        {"id": "1", "atomicityGroup": "g", "method": "post", "url": "contacts", "body": {"fullname": "New Canary"}},
        {"id": "2", "atomicityGroup": "g", "method": "patch", "url": "$1", "body": {"telephone1": "+49 30 5550111"}},
        {"id": "3", "method": "get", "url": format!("{ROOT}/contacts(00000000-0000-0000-0000-000000000002)"), "dependsOn": ["g"]},
    ]});
    crm.says_json(&json!({"responses": [
        {"id": "3", "status": 200, "headers": {"content-type": "application/json"}, "body": serde_json::from_str::<Value>(&contact(2)).unwrap()},
        {"id": "2", "status": 204},
        {"id": "1", "status": 201, "body": serde_json::from_str::<Value>(&contact(1)).unwrap()},
    ]}));
    let answer = crm.world.supervisor().send(Method::POST, &format!("{ROOT}/$batch"), &calls);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = answer.json();
    assert_eq!(
        (&shown["responses"][0]["body"]["emailaddress1"], &shown["responses"][1]["id"]),
        (&json!("canary2@mail.example"), &json!("2"))
    );
    assert!(!answer.text().contains("400000000000000"), "{}", answer.text());
    let asked: Value = serde_json::from_str(&crm.asked().body).unwrap();
    assert_eq!((&asked["requests"][0]["method"], &asked["requests"][1]["url"]), (&json!("POST"), &json!("$1")));
}
