//! OData `$batch` as `multipart/mixed`.

use super::*;

#[test]
fn each_answer_is_shown_as_its_own_call_may_see_it_and_recorded_before() {
    let crm = Crm::start();
    let error = json!({"error": {"message": "no contact canary9@mail.example"}}).to_string();
    crm.says_parts(&[
        reply("", "200 OK", JSON, &contact(1)),
        reply("", "200 OK", JSON, &format!("{{\"value\":[{},{}]}}", contact(2), contact(3))),
        reply("", "404 Not Found", JSON, &error),
    ]);
    let calls = [
        part("", "GET contacts(00000000-0000-0000-0000-000000000001)", ""),
        part("", &format!("GET {ROOT}/contacts?$filter=emailaddress1%20eq%20%27x@mail.test%27"), ""),
        part("", "GET contacts(00000000-0000-0000-0000-000000000009)", ""),
    ];
    for (client, shown, hidden) in [
        (crm.world.agent(), "Nadia Canary1", "canary1@"),
        (crm.world.supervisor(), "canary2@mail.example", "4000000000000002"),
        (crm.world.ai(), "\"contactid\"", "Nadia"),
    ] {
        let answer = send(&client, &calls);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        assert!(text.contains(shown) && !text.contains(hidden), "{text}");
        assert!(!text.contains("canary9@mail.example"), "an error echoes: {text}");
        assert!(!text.contains("400000000000000"), "{text}");
        assert!(!answer.header("fieldgate-audit-ref").is_empty());
        let asked = crm.asked();
        assert!(
            asked.target == format!("{ROOT}/$batch") && asked.body.contains("GET contacts(00000000"),
            "{}",
            asked.body
        );
    }
    let agent = send(&crm.world.agent(), &calls);
    shows_no_canary(&agent);
    let reveals = |route: &str, number| ("access.reveal".to_owned(), number, route.to_owned());
    let expected = [reveals("contact.read", 1), reveals("contact.list", 2), reveals("contact.read", 3)];
    assert_eq!(crm.calls(), expected.iter().cycle().take(12).cloned().collect::<Vec<_>>());
    let records = crm.world.records();
    let list = records.iter().find(|record| record["call"] == 2).unwrap();
    assert_eq!((list["subjects"].as_array().unwrap().len(), &list["searched"]), (2, &json!(["email"])));
    assert_eq!(list["op"]["verb"], "list");
    let kind = Some("access.reveal".to_owned());
    let query = fieldgate::audit::Query { route: Some("contact.list".to_owned()), kind, ..Default::default() };
    assert_eq!(fieldgate::audit::query(&crm.world.made.audit, &query).unwrap().len(), 4, "found by their own route");
    crm.world.verify();
}

#[test]
fn one_refused_call_refuses_the_batch_before_anything_is_sent_and_names_its_position() {
    let crm = Crm::start();
    let good = || part("", "GET contacts(00000000-0000-0000-0000-000000000001)", "");
    let update = |body: &str| part("", "PATCH contacts(00000000-0000-0000-0000-000000000001)", body);
    for (client, bad, code) in [
        (crm.world.agent(), part("", "GET accounts", ""), "unmapped_route"),
        (crm.world.agent(), part("", "DELETE contacts(00000000-0000-0000-0000-000000000001)", ""), "unmapped_route"),
        (crm.world.agent(), part("", "POST contacts", "{}"), "forbidden"),
        (crm.world.ai(), update("{}"), "forbidden"),
        (crm.world.agent(), part("", "POST $batch", ""), "invalid_batch"),
        (crm.world.agent(), part("", "GET https://evil.example/api/data/v9.2/contacts", ""), "invalid_batch"),
        (crm.world.agent(), part("", "GET //evil.example/api/data/v9.2/contacts", ""), "invalid_batch"),
        (crm.world.agent(), part("", "GET ../v9.2/contacts", ""), "bad_target"),
        (crm.world.agent(), part("", "GET contacts?$expand=parentcustomerid", ""), "unmapped_parameter"),
        (crm.world.agent(), part("", "TRACE contacts", ""), "invalid_batch"),
        (crm.world.agent(), update("{\"emailaddress1\":"), "invalid_json"),
        (
            crm.world.agent(),
            part("", "GET contacts?$filter=emailaddress1%20eq%20%27c%E2%80%A2%E2%80%A2%40x%27", ""),
            "masked_value",
        ),
        (
            crm.world.supervisor(),
            part("", "POST contacts", "{\"emailaddress1\":\"c\u{2022}\u{2022}@mail.example\"}"),
            "masked_value",
        ),
        (crm.world.agent(), part("", "GET contacts", "{}"), "unexpected_request_body"),
        (crm.world.agent(), part("", "GET $7/notes", ""), "batch_reference"),
    ] {
        let answer = send(&client, &[good(), bad.clone()]);
        assert!(answer.status.is_client_error(), "{bad}: {}", answer.text());
        assert_eq!((answer.code().as_str(), &answer.json()["position"]), (code, &json!(2)), "{bad}: {}", answer.text());
        assert!(!answer.text().contains("evil") && !answer.text().contains("accounts"), "{}", answer.text());
        crm.not_asked(&answer);
    }
    let records = crm.world.records();
    let denied: Vec<_> = records.iter().filter(|record| record["kind"] == "access.deny").collect();
    assert!(denied.len() == 15 && denied.iter().all(|record| record["call"] == 2), "{denied:?}");
    assert_eq!(denied[2]["op"]["route"], "contact.create");
    assert!(records.iter().all(|record| record["kind"] != "access.intent" && record["kind"] != "access.reveal"));
}

#[test]
fn headers_that_would_make_the_crm_serve_something_else_are_refused_inside() {
    let crm = Crm::start();
    for header in [
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: MERGE",
        "X-Method-Override: PUT",
        "X-Original-URL: /x",
        "Authorization: Bearer x",
        "Cookie: a=b",
        "Transfer-Encoding: chunked",
        "Content-Encoding: gzip",
        "X-Forwarded-For: 10.0.0.1",
        "Fieldgate-Purpose: support",
        "Accept: a\r\nAccept: b",
        "Content-ID: 9\r\nContent-Length: 7000",
    ] {
        let bad = format!("Content-Type: application/http\r\n\r\nGET contacts HTTP/1.1\r\n{header}\r\n\r\n");
        let answer = send(&crm.world.agent(), &[bad]);
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["position"]),
            (400, &json!(1)),
            "{header}: {}",
            answer.text()
        );
        crm.not_asked(&answer);
    }
    for header in [
        "Content-Type: message/rfc822",
        "Content-Type: application/http\r\nContent-Transfer-Encoding: base64",
        "X-A: b",
    ] {
        let answer = send(&crm.world.agent(), &[format!("{header}\r\n\r\nGET contacts HTTP/1.1\r\n\r\n")]);
        assert_eq!(answer.code(), "invalid_batch", "{header}");
        crm.not_asked(&answer);
    }
    let hosted = "Content-Type: application/http\r\n\r\nGET /api/data/v9.2/contacts HTTP/1.1\r\nHost: evil.example\r\nPrefer: x\r\n\r\n";
    crm.says_parts(&[reply("", "200 OK", JSON, "{\"value\":[]}")]);
    assert_eq!(send(&crm.world.agent(), &[hosted.to_owned()]).status, 200);
    let asked = crm.asked().body;
    assert!(!asked.contains("evil.example") && asked.contains("Prefer: x"), "{asked}");
}

#[test]
fn a_change_set_is_recorded_before_it_is_sent_and_its_references_stay() {
    let crm = Crm::start();
    let origin = format!("https://localhost:{}", crm.world.crm_address.port());
    let changes = [
        part("1", "POST contacts", "{\"fullname\":\"Nadia New\",\"emailaddress1\":\"new@mail.example\"}"),
        part("2", "PATCH $1", "{\"telephone1\":\"+49 30 5550111\"}"),
        part("3", "POST $1/notes", "{\"text\":\"hello\",\"regarding@odata.bind\":\"$1\"}"),
    ];
    // In another order, so that only the Content-ID says which is which.
    let location = format!("OData-EntityId: {origin}{ROOT}/contacts(00000000-0000-0000-0000-000000000001)\r\n");
    crm.says_parts(&[
        set(
            "changes",
            &[
                reply("3", "201 Created", JSON, "{\"text\":\"mail to canary5@mail.example\"}"),
                reply("1", "201 Created", &format!("{JSON}{location}"), &contact(1)),
                reply("2", "204 No Content", "", ""),
            ],
        ),
        reply("", "200 OK", JSON, &contact(4)),
    ]);
    let last = part(
        "",
        &format!(
            "GET https://localhost:{}{ROOT}/contacts(00000000-0000-0000-0000-000000000004)",
            crm.world.address.port()
        ),
        "",
    );
    let answer = send(&crm.world.supervisor(), &[set("ours", &changes), last]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let public = format!("https://localhost:{}{ROOT}/contacts(", crm.world.address.port());
    assert!(text.contains(&public) && !text.contains(&origin), "a link leads past the gateway: {text}");
    let order: Vec<usize> =
        ["Content-ID: 3", "Content-ID: 1", "Content-ID: 2"].map(|id| text.find(id).unwrap()).to_vec();
    assert!(order.is_sorted(), "{text}");
    let asked = crm.asked().body;
    for expected in ["POST contacts HTTP/1.1", "PATCH $1 HTTP/1.1", "POST $1/notes HTTP/1.1", "\"$1\"", "Content-ID: 2"]
    {
        assert!(asked.contains(expected), "{expected}: {asked}");
    }
    assert!(asked.contains(&format!("GET {origin}{ROOT}/contacts(")), "{asked}");
    let calls = crm.calls();
    let kinds: Vec<(&str, u64)> = calls.iter().map(|(kind, number, _)| (kind.as_str(), *number)).collect();
    let expected = [("access.intent", 1), ("access.intent", 2), ("access.intent", 3)];
    assert_eq!(kinds[..3], expected, "{kinds:?}");
    assert_eq!(kinds[3..], [("access.reveal", 3), ("access.reveal", 1), ("access.reveal", 4)], "{kinds:?}");
    let records = crm.world.records();
    let intent = records.iter().find(|record| record["kind"] == "access.intent").unwrap();
    assert_eq!((&intent["written"], &intent["op"]["route"]), (&json!(["name", "email"]), &json!("contact.create")));
}

#[test]
fn answers_of_a_change_set_without_names_are_blocked_where_another_map_could_be_theirs() {
    let crm = Crm::start();
    let create = |id: &str| part(id, "POST contacts", "{}");
    let update = part("2", "PATCH contacts(00000000-0000-0000-0000-000000000001)", "{}");
    let made = || reply("", "201 Created", JSON, &contact(1));
    crm.says_parts(&[set("made", &[made(), reply("", "204 No Content", "", "")])]);
    let answer = send(&crm.world.supervisor(), &[set("ours", &[create("1"), update])]);
    assert_eq!(answer.code(), "invalid_response", "{}", answer.text());
    shows_no_canary(&answer);
    crm.says_parts(&[set("made", &[made(), made()])]);
    let answer = send(&crm.world.supervisor(), &[set("ours", &[create("1"), create("2")])]);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_change_set_that_failed_is_one_error_in_which_nothing_is_echoed() {
    let crm = Crm::start();
    let changes = [
        part("1", "POST contacts", "{\"emailaddress1\":\"canary1@mail.example\",\"fullname\":\"Quentin Rare\"}"),
        part("2", "PATCH contacts(00000000-0000-0000-0000-000000000002)", "{\"fullname\":\"Zelda Rarer\"}"),
    ];
    let error = json!({"error": {"message": "duplicate: Quentin Rare, Zelda Rarer, canary1@mail.example"}}).to_string();
    let single = reply("", "400 Bad Request", JSON, &error);
    for parts in [vec![single.clone()], vec![set("failed", std::slice::from_ref(&single))]] {
        crm.says(400, "multipart/mixed; boundary=answer", &mixed("answer", &parts));
        let answer = send(&crm.world.supervisor(), &[set("ours", &changes), part("", "GET contacts", "")]);
        assert_eq!(answer.status, 400, "{}", answer.text());
        let text = answer.text();
        assert!(text.contains("HTTP/1.1 400 Bad Request"), "{text}");
        assert!(!text.contains("Rare") && !text.contains("canary1@"), "{text}");
        crm.fake.received();
    }
}

#[test]
fn an_answer_that_does_not_fit_the_batch_is_blocked() {
    let crm = Crm::start();
    let calls = [part("7", "GET contacts(00000000-0000-0000-0000-000000000001)", ""), part("8", "GET contacts", "")];
    let one = || reply("", "200 OK", JSON, &contact(1));
    let list = || reply("", "200 OK", JSON, "{\"value\":[]}");
    let parts = |parts: &[String]| mixed("answer", parts);
    for (why, body) in [
        ("more answers than calls", parts(&[one(), list(), one()])),
        ("an answer is missing", parts(&[one()])),
        ("no answers", "--answer--\r\n".to_owned()),
        ("another call is named", parts(&[reply("8", "200 OK", JSON, &contact(1)), list()])),
        ("an unknown call is named", parts(&[reply("9", "200 OK", JSON, &contact(1)), list()])),
        ("a set where none was", parts(&[set("inner", &[one()]), list()])),
        ("not HTTP", parts(&[format!("Content-Type: text/plain\r\n\r\n{}", contact(1)), list()])),
        ("cut short", parts(&[one(), list()]).trim_end_matches("--answer--\r\n").to_owned()),
        ("a delimiter that is none", format!("--answer x\r\n\r\n{}", parts(&[one(), list()]))),
        ("broken JSON", parts(&[reply("", "200 OK", JSON, "{\"fullname\":"), list()])),
        ("not JSON", parts(&[reply("", "200 OK", "Content-Type: text/plain\r\n", "Nadia"), list()])),
        ("a redirect elsewhere", parts(&[reply("", "302 Found", "Location: https://evil.example/\r\n", ""), list()])),
    ] {
        crm.says(200, "multipart/mixed; boundary=answer", &body);
        let answer = send(&crm.world.agent(), &calls);
        assert_eq!(answer.status, 502, "{why}: {}", answer.text());
        assert!(!answer.text().contains("Nadia"), "{why}: {}", answer.text());
    }
    crm.says(200, "application/json", &contact(1));
    assert_eq!(send(&crm.world.agent(), &calls).status, 502);
    crm.says(503, "application/json", "{\"error\":\"try canary1@mail.example\"}");
    let answer = send(&crm.world.agent(), &calls);
    assert!(answer.status == 503 && !answer.text().contains("canary1"), "{}", answer.text());
}

#[test]
fn an_answer_that_is_not_in_the_format_of_its_route_is_blocked() {
    let crm = Crm::start();
    for media in [JSON, "Content-Type: text/csv\r\n"] {
        crm.says_parts(&[reply("", "200 OK", media, "{\"Email\":\"canary1@mail.example\"}")]);
        let answer = send(&crm.world.supervisor(), &[part("", "GET export", "")]);
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (502, "unexpected_media_type"),
            "{}",
            answer.text()
        );
        shows_no_canary(&answer);
    }
}

#[test]
fn bodies_that_servers_could_split_differently_are_refused() {
    let crm = Crm::start();
    let call = part("", "GET contacts", "");
    let hidden = part("", "PATCH contacts(00000000-0000-0000-0000-000000000001)", "{}");
    for body in [
        format!("--batch\r\n{call}\n--batch\r\n{hidden}\r\n--batch--\r\n"),
        format!("--batch\r\n{call}\r\n--batch \r\n{hidden}\r\n--batch--\r\n"),
        format!("--batch\r\n{call}\r\n--batch--\r\n--batch\r\n{hidden}\r\n--batch--\r\n"),
        format!("--batch\r\n{call}\r\n--batch2\r\n{hidden}\r\n--batch--\r\n"),
        format!("--batch\r\n{call}\r\n"),
        "--batch--\r\n".to_owned(),
        String::new(),
        mixed("batch", &[set("outer", &[set("inner", std::slice::from_ref(&call))])]),
        mixed("batch", &[set("nameless", &[call.clone(), call.clone()])]),
        mixed("batch", &[set("twice", &[part("1", "GET contacts", ""), part("1", "GET contacts", "")])]),
    ] {
        let client = crm.world.agent().with("content-type", "multipart/mixed; boundary=batch");
        let answer = client.call(Method::POST, &format!("{ROOT}/$batch"), Some(body.clone()));
        assert_eq!(answer.code(), "invalid_batch", "{body}: {}", answer.text());
        crm.not_asked(&answer);
    }
    // Inside of a line, a boundary is text.
    crm.says_parts(&[set("changes", &[reply("1", "201 Created", JSON, &contact(1))])]);
    let text =
        part("1", "POST $batch", "").replace("POST $batch", "POST contacts") + "{\"description\":\"x--batch--\"}";
    let text = text.replace("\r\n\r\n{", "\r\nContent-Type: application/json\r\n\r\n{");
    let answer = send(&crm.world.supervisor(), &[set("ours", &[text])]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(crm.asked().body.contains("x--batch--"));
}

#[test]
fn a_batch_has_its_limits_at_them_and_not_one_past_them() {
    let crm = Crm::with(Setup::new().append("\n[limits]\nbatch_body_bytes = 200000\n"));
    let call = "Content-Type: application/http\r\n\r\nGET contacts HTTP/1.1\r\n\r\n".to_owned();
    let answer = send(&crm.world.agent(), &vec![call.clone(); 1_001]);
    assert_eq!(answer.code(), "invalid_batch", "{}", answer.text());
    crm.not_asked(&answer);
    crm.says_parts(&vec![reply("", "200 OK", JSON, "{\"value\":[]}"); 1_000]);
    let answer = send(&crm.world.agent(), &vec![call.clone(); 1_000]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(crm.calls().len(), 1_000);
    crm.fake.received();
    let answer = send(&crm.world.agent(), &[call.clone(), "x".repeat(200_000)]);
    assert_eq!(answer.status, 413);
    crm.not_asked(&answer);
    crm.says_parts(&[reply("", "200 OK", JSON, &format!("{{\"value\":[],\"x\":\"{}\"}}", "x".repeat(200_000)))]);
    let answer = send(&crm.world.agent(), &[call]);
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "response_too_large"));
}

#[test]
fn a_budget_counts_the_people_of_all_calls_together() {
    let budget = "\n[[budget.rule]]\nname = \"few\"\nroles = [\"supervisor\"]\nper = \"hour\"\ncounts = [\"reveal\"]\nstop_after = 2\n";
    let crm = Crm::with(Setup::new().append(budget));
    let read = |number: usize| part("", &format!("GET contacts(00000000-0000-0000-0000-00000000000{number})"), "");
    crm.says_parts(&[1, 2].map(|number| reply("", "200 OK", JSON, &contact(number))));
    let answer = send(&crm.world.supervisor(), &[read(1), read(2)]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    crm.says_parts(&[1, 2, 3].map(|number| reply("", "200 OK", JSON, &contact(number))));
    let answer = send(&crm.world.supervisor(), &[read(1), read(2), read(3)]);
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "budget_exceeded"), "{}", answer.text());
    shows_no_canary(&answer);
}
