//! What an AI agent sees through MCP tools, and what it can write back: through the gateway, against the sample CRM as a server.

use fieldgate::sandbox::Crm;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Fake, Setup, World};

/// The shipped policy of assistants, with one difference: they may change customers.
pub(crate) fn policy() -> String {
    let shipped = include_str!("../../config/policies/ai_assistant.cedar");
    let never = "action in [Action::\"create\", Action::\"update\", Action::\"delete\", Action::\"export\"]";
    assert!(shipped.contains(never));
    let mut policy = shipped.replace(never, "action in [Action::\"create\", Action::\"delete\", Action::\"export\"]");
    policy.push_str(
        "@id(\"ai-updates-customers\") permit (principal in Role::\"ai_assistant\", action == Action::\"update\", resource == Resource::\"customer\");\n",
    );
    policy
}

fn world() -> World {
    Setup::of(Crm::canary(11, 20)).file("policies/ai_assistant.cedar", &policy()).start()
}

pub(crate) fn agent(world: &World) -> Client {
    let agent = world.ai().with("accept", "application/json, text/event-stream");
    agent.with("mcp-protocol-version", "2025-06-18").with("mcp-session-id", "4111-1111-1111-1111")
}

fn send(client: &Client, message: &Value) -> Answer {
    client.send(Method::POST, "/mcp", message)
}

pub(crate) fn call(client: &Client, tool: &str, arguments: &Value) -> Answer {
    let params = json!({ "name": tool, "arguments": arguments });
    send(client, &json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }))
}

/// The result of a call, whether it came as one message or as the last of a stream.
#[track_caller]
pub(crate) fn result(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let message = if answer.header("content-type").starts_with("text/event-stream") {
        messages(answer).pop().unwrap()
    } else {
        answer.json()
    };
    assert_eq!((&message["jsonrpc"], &message["id"]), (&json!("2.0"), &json!(7)));
    assert!(message.get("error").is_none(), "{message}");
    message["result"].clone()
}

fn messages(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    let events = text.split("\n\n").map(data).filter(|data| !data.is_empty());
    events.map(|data| serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect()
}

/// Why a call was refused.
#[track_caller]
fn refused(answer: &Answer) -> (i64, String) {
    let message = answer.json();
    let error = &message["error"];
    (error["code"].as_i64().unwrap(), error["data"]["code"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned())
}

/// The personal values of a customer, as the CRM holds them.
fn secrets(world: &World, id: &str) -> Vec<String> {
    let record = world.crm.stored(id).unwrap();
    let mut found = Vec::new();
    for pointer in ["/name", "/email", "/phone", "/birth_date", "/card/number", "/card/holder", "/card/expiry", "/iban"]
    {
        found.push(record.pointer(pointer).and_then(Value::as_str).unwrap().to_owned());
    }
    for part in record["address"].as_object().unwrap().values() {
        found.push(part.as_str().unwrap().to_owned());
    }
    let name = found[0].clone();
    found.extend(name.split(' ').map(str::to_owned));
    let card = found[4].clone();
    found.push(card.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four)).collect::<Vec<_>>().join(" "));
    found.push(found[1].replace('@', "%40"));
    found
}

#[track_caller]
fn shows_none(answer: &Answer, secrets: &[String]) {
    // Escapes are undone, so that nothing hides behind a `\u0040`.
    let mut texts = vec![answer.text()];
    fn walk(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                if let Ok(inner) = serde_json::from_str::<Value>(text) {
                    walk(&inner, texts);
                }
                texts.push(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, texts)),
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                texts.push(name.clone());
                walk(value, texts);
            }),
            _ => {}
        }
    }
    let parsed = if answer.header("content-type").starts_with("text/event-stream") {
        messages(answer)
    } else {
        serde_json::from_slice(&answer.bytes).into_iter().collect()
    };
    parsed.iter().for_each(|message| walk(message, &mut texts));
    for value in answer.headers.values() {
        texts.push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    for secret in secrets {
        for text in &texts {
            assert!(!text.contains(secret.as_str()), "`{secret}` is shown: {text}");
        }
    }
}

#[test]
fn a_tool_result_shows_pseudonyms_and_placeholders_in_every_place_as_json_and_as_a_stream() {
    let world = world();
    let secrets = secrets(&world, "C-1001");
    let agent = agent(&world);
    for client in [agent.clone(), agent.with("x-sandbox-stream", "1")] {
        let answer = call(&client, "get_customer", &json!({ "id": "C-1001" }));
        let result = result(&answer);
        shows_none(&answer, &secrets);
        let record = &result["structuredContent"];
        assert_eq!(record["id"], "C-1001");
        let (name, email) = (record["name"].as_str().unwrap(), record["email"].as_str().unwrap());
        assert!(name.starts_with("Person ") && email.ends_with("@pseudonym.invalid"), "{record}");
        assert!(record["phone"].as_str().unwrap().starts_with("+999"), "{record}");
        assert!(record["iban"].as_str().unwrap().starts_with("XX00"), "{record}");
        assert_eq!(record["birth_date"], "[birth_date •••]");
        assert_eq!(record["loyalty_points"], world.crm.stored("C-1001").unwrap()["loyalty_points"]);
        // The new member that no map knows.
        assert_eq!(record["household"], json!({ "head": "[unmapped •••]", "size": 0 }));
        let content = result["content"].as_array().unwrap();
        let text = |at: usize, pointer: &str| content[at].pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        assert_eq!(serde_json::from_str::<Value>(&text(0, "/text")).unwrap(), *record, "the JSON twin");
        assert!(text(0, "/text").contains("\n  \""), "the twin keeps its layout");
        let prose = text(1, "/text");
        assert!(prose.contains(name) && prose.contains(email) && prose.starts_with("Found "), "{prose}");
        assert!(prose.ends_with(" is a good customer."), "{prose}");
        assert_eq!(content[1]["annotations"], json!({ "audience": ["assistant"] }));
        assert_eq!(serde_json::from_str::<Value>(&text(2, "/resource/text")).unwrap(), *record, "the resource");
        assert_eq!(text(2, "/resource/uri"), "crm://customers/C-1001");
        assert_eq!(text(3, "/resource/text"), "[blob •••]");
        assert!(content[3]["resource"].get("blob").is_none());
        assert_eq!(text(4, "/uri"), "withheld://gateway.invalid/");
        assert_eq!(text(4, "/name"), format!("Record of {name}"));
        assert_eq!(content[5], json!({ "type": "text", "text": "[image •••]" }));
        assert_eq!(result["_meta"]["cachedFor"], "[unmapped •••]");
    }
    let reveals = world.wait_for("access.reveal", 3);
    // The stream recorded what it withheld of the log message, too.
    let of_record = |record: &&Value| record["subjects"][0]["ref"].is_string();
    assert_eq!(reveals.iter().filter(of_record).count(), 2, "{reveals:?}");
    world.verify();
}

#[test]
fn what_a_server_says_on_the_way_is_scanned() {
    let world = world();
    let email = world.crm.stored("C-1002").unwrap()["email"].as_str().unwrap().to_owned();
    let params = json!({ "name": "get_customer", "arguments": { "id": "C-1002" }, "_meta": { "progressToken": 1 } });
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
    let answer = send(&agent(&world).with("x-sandbox-quirk", "slow"), &message);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let said = messages(&answer);
    let methods: Vec<&str> = said.iter().map(|message| message["method"].as_str().unwrap_or("result")).collect();
    assert_eq!(methods, ["notifications/progress", "notifications/message", "result"]);
    assert_eq!(said[0]["params"]["progress"], 1);
    assert_eq!(said[1]["params"]["data"]["call"], "get_customer");
    shows_none(&answer, &[email]);
    assert!(answer.text().starts_with(":\n\n"), "what keeps a connection alive passes");
}

#[test]
fn an_event_leaves_before_the_next_one_comes() {
    let world = world();
    let params = json!({ "name": "get_customer", "arguments": { "id": "C-1002" }, "_meta": { "progressToken": 1 } });
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
    // The server sends six pieces with 40 ms between two of them; the first holds the first event.
    let client = agent(&world).with("x-sandbox-quirk", "slow").with("content-type", "application/json");
    let parts = client.parts(Method::POST, "/mcp", Some(message.to_string()));
    let (first, last) = (parts.first().unwrap(), parts.last().unwrap());
    assert!(first.1.starts_with(b":\n\n") && !String::from_utf8_lossy(&first.1).contains("structuredContent"));
    assert!(String::from_utf8_lossy(&last.1).contains("structuredContent"));
    assert!(last.0 - first.0 >= std::time::Duration::from_millis(60), "{:?}", last.0 - first.0);
}

#[test]
fn a_stream_whose_coding_is_cut_short_does_not_count_as_whole() {
    use std::io::Write;
    let events =
        json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": [], "structuredContent": { "id": "C-1002" } } });
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    write!(encoder, "data: {events}\n\n").unwrap();
    encoder.flush().unwrap();
    let flushed = encoder.get_ref().len();
    let coded = encoder.finish().unwrap();
    for (body, whole) in [(coded.clone(), true), (coded[..flushed].to_vec(), false)] {
        let fake = Fake::new(move |_| (200, "text/event-stream".to_owned(), body.clone()));
        fake.codes("zstd");
        let world = Setup::new().answered_by(&fake).file("policies/ai_assistant.cedar", &policy()).start();
        let params = json!({ "name": "get_customer", "arguments": { "id": "C-1002" } });
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
        let answer = agent(&world).try_call(Method::POST, "/mcp", Some(message.to_string()));
        assert_eq!(answer.as_ref().is_ok_and(|answer| answer.whole), whole, "{answer:?}");
        if whole {
            assert_eq!(result(&answer.unwrap())["structuredContent"]["id"], "C-1002");
        }
        let outcome = world.wait_for("access.outcome", 1).remove(0);
        assert_eq!(outcome["outcome"]["released"], whole, "{outcome}");
    }
}

#[test]
fn a_pseudonym_written_back_opens_into_the_same_field_of_the_same_record() {
    let world = world();
    let agent = agent(&world);
    let before = world.crm.stored("C-1003").unwrap();
    let secrets = secrets(&world, "C-1003");
    let record = result(&call(&agent, "get_customer", &json!({ "id": "C-1003" })))["structuredContent"].clone();
    let changes = json!({ "email": record["email"], "name": record["name"], "phone": "+1 202 555 0147" });
    let answer = call(&agent, "update_customer", &json!({ "id": "C-1003", "changes": changes }));
    let after = world.crm.stored("C-1003").unwrap();
    assert_eq!((&after["email"], &after["name"]), (&before["email"], &before["name"]));
    assert_eq!(after["phone"], "+1 202 555 0147");
    shows_none(&answer, &secrets);
    let shown = result(&answer);
    assert_eq!(shown["structuredContent"]["email"], record["email"]);
    let sent = world.crm.received();
    let sent = sent.iter().rev().find(|one| one.target == "/mcp").unwrap();
    assert!(!String::from_utf8_lossy(&sent.body).contains("pseudonym.invalid"));
    let intents = world.wait_for("access.intent", 1);
    assert_eq!(intents[0]["op"]["route"], "agent.tools/update_customer");
    world.verify();
}

#[test]
fn a_pseudonym_opens_nowhere_else() {
    let world = world();
    let agent = agent(&world);
    let record = result(&call(&agent, "get_customer", &json!({ "id": "C-1004" })))["structuredContent"].clone();
    let other = result(&call(&agent, "get_customer", &json!({ "id": "C-1005" })))["structuredContent"].clone();
    let (name, email) = (&record["name"], &record["email"]);
    let secrets = secrets(&world, "C-1004");
    let forms = |id: &str| world.crm.stored(id).unwrap();
    let before = (forms("C-1004"), forms("C-1005"));
    world.crm.clear_received();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (why, tool, arguments) in [
        ("another record", "update_customer", json!({ "id": "C-1005", "changes": { "email": email } })),
        ("another field", "update_customer", json!({ "id": "C-1004", "changes": { "name": email } })),
        (
            "another field of its class",
            "update_customer",
            json!({ "id": "C-1004", "changes": { "card": { "holder": name } } }),
        ),
        ("free text", "add_note", json!({ "id": "C-1004", "text": format!("mail {}", text(email)) })),
        ("free text that is nothing else", "add_note", json!({ "id": "C-1004", "text": email })),
        (
            "a part of a value",
            "update_customer",
            json!({ "id": "C-1004", "changes": { "email": format!("x{}", text(email)) } }),
        ),
        (
            "an unknown argument",
            "update_customer",
            json!({ "id": "C-1004", "changes": {}, "callback": format!("https://x.example/?m={}", text(email)) }),
        ),
        ("a name", "update_customer", json!({ "id": "C-1004", "changes": { text(email): "x" } })),
        ("the id", "get_customer", json!({ "id": email })),
        ("a search", "search_customers", json!({ "query": email })),
        ("no record", "update_customer", json!({ "changes": { "email": email } })),
        (
            "one nobody was shown",
            "update_customer",
            json!({ "id": "C-1004", "changes": { "email": "p-0123456789abcdef@pseudonym.invalid" } }),
        ),
        ("another's", "update_customer", json!({ "id": "C-1004", "changes": { "email": other["email"] } })),
        ("a mask", "update_customer", json!({ "id": "C-1004", "changes": { "birth_date": record["birth_date"] } })),
    ] {
        let answer = call(&agent, tool, &arguments);
        assert_eq!(refused(&answer), (-32_602, "masked_value".to_owned()), "{why}: {}", answer.text());
        shows_none(&answer, &secrets);
    }
    // Two ids, or one that stands twice: nobody can say whose the field is.
    let params = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"update_customer","arguments":{arguments}}}}}"#
        )
    };
    let twice = params(&format!(r#"{{"id":"C-1004","id":"C-1005","changes":{{"email":{email}}}}}"#));
    let answer = agent.call(Method::POST, "/mcp", Some(twice));
    assert_eq!((answer.status.as_u16(), refused(&answer)), (400, (-32_600, "invalid_message".to_owned())));
    // A caller that was not shown it.
    let answer = call(&agent.clone().with("fieldgate-key", "x"), "get_customer", &json!({ "id": "C-1004" }));
    assert_ne!(answer.status, 200);
    assert_eq!(world.crm.received().iter().filter(|one| one.method == Method::POST).count(), 0, "nothing was sent");
    assert_eq!(before, (forms("C-1004"), forms("C-1005")));
}

#[test]
fn a_gateway_that_forgot_a_pseudonym_asks_for_the_record_to_be_read_again() {
    let mut world = world();
    let change = |world: &World| {
        let client = agent(world);
        move |email: &Value| call(&client, "update_customer", &json!({ "id": "C-1006", "changes": { "email": email } }))
    };
    let email =
        result(&call(&agent(&world), "get_customer", &json!({ "id": "C-1006" })))["structuredContent"]["email"].clone();
    result(&change(&world)(&email));
    world.stop();
    world.start();
    let answer = change(&world)(&email);
    assert_eq!(refused(&answer).1, "masked_value");
    assert!(answer.text().contains("read the record again, or leave the field out"), "{}", answer.text());
    call(&agent(&world), "get_customer", &json!({ "id": "C-1006" }));
    result(&change(&world)(&email));
}

#[test]
fn a_list_of_records_is_shown_record_by_record_and_each_can_be_written_back() {
    let world = world();
    let agent = agent(&world);
    let listed = result(&call(&agent, "search_customers", &json!({ "query": "C-100" })));
    let items = listed["structuredContent"]["items"].as_array().unwrap();
    assert!(items.len() > 5);
    for (item, text) in items.iter().zip(listed["content"].as_array().unwrap()) {
        assert_eq!(serde_json::from_str::<Value>(text["text"].as_str().unwrap()).unwrap(), *item);
    }
    let item = &items[2];
    let answer = call(&agent, "update_customer", &json!({ "id": item["id"], "changes": { "email": item["email"] } }));
    assert_eq!(result(&answer)["structuredContent"]["email"], item["email"]);
    let crossed =
        call(&agent, "update_customer", &json!({ "id": items[3]["id"], "changes": { "email": item["email"] } }));
    assert_eq!(refused(&crossed).1, "masked_value");
}

#[test]
fn failures_repeat_nothing_that_was_sent_or_opened() {
    let world = world();
    let agent = agent(&world);
    let answer = call(&agent, "fail", &json!({ "mail": "jane.roe@example.net" }));
    let failed = result(&answer);
    assert_eq!(failed["isError"], true);
    shows_none(&answer, &["jane.roe@example.net".to_owned()]);
    let answer =
        call(&agent, "update_customer", &json!({ "id": "C-9999", "changes": { "name": "Rosamunde Quirrenbach" } }));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["error"]["code"], -32_000);
    shows_none(&answer, &["Rosamunde".to_owned(), "Quirrenbach".to_owned()]);
}

#[test]
fn what_the_map_does_not_name_is_refused_in_json_rpc() {
    let world = world();
    let agent = agent(&world);
    let answer = call(&agent, "drop_database", &json!({}));
    assert_eq!((answer.status.as_u16(), refused(&answer)), (200, (-32_602, "unmapped_tool".to_owned())));
    assert_eq!(answer.json()["id"], 7);
    for method in ["resources/read", "prompts/list", "completion/complete", "tools/call2"] {
        let answer = send(&agent, &json!({ "jsonrpc": "2.0", "id": "x", "method": method, "params": {} }));
        assert_eq!(refused(&answer), (-32_601, "unmapped_method".to_owned()), "{method}");
        assert_eq!(answer.json()["id"], "x");
    }
    let bad = |body: &str| agent.call(Method::POST, "/mcp", Some(body.to_owned()));
    for (body, code) in [
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping""#, -32_700),
        (r#"{"id":1,"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fail","arguments":[]}}"#, -32_600),
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"fail"}}"#, -32_601),
        (r#""ping""#, -32_600),
    ] {
        let answer = bad(body);
        assert_eq!((answer.status.is_client_error(), refused(&answer).0), (true, code), "{body}");
    }
    assert_eq!(world.crm.received().iter().filter(|one| one.method == Method::POST).count(), 0, "nothing was sent");
    // A human's role that may not call tools at all is told so; nothing else speaks this protocol.
    assert_eq!(world.stranger().send(Method::POST, "/mcp", &json!({})).status, 401);
    assert_eq!(agent.call(Method::PUT, "/mcp", None).status, 404);
    assert_eq!(agent.get("/mcp").status, 405, "the server offers no stream");
    assert_eq!(agent.call(Method::DELETE, "/mcp", None).status, 200);
}

#[test]
fn an_agent_is_offered_the_tools_that_it_may_call() {
    let names = |world: &World| {
        let list = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" });
        let answer = send(&agent(world), &list);
        shows_none(&answer, &["jane.roe@example.net".to_owned()]);
        let listed = result(&answer);
        let names = listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&world()), ["get_customer", "search_customers", "update_customer", "add_note", "fail"]);
    let read_only = Setup::of(Crm::canary(11, 2)).start();
    assert_eq!(names(&read_only), ["get_customer", "search_customers", "fail"]);
    let answer = call(&agent(&read_only), "update_customer", &json!({ "id": "C-1001", "changes": { "name": "x" } }));
    assert_eq!(refused(&answer), (-32_000, "forbidden".to_owned()));
}

#[test]
fn a_session_begins_and_goes_on() {
    let world = world();
    let params =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let client = world.ai().with("accept", "application/json, text/event-stream");
    let answer = send(&client, &json!({ "jsonrpc": "2.0", "id": 7, "method": "initialize", "params": params }));
    assert_eq!(result(&answer)["serverInfo"]["name"], "sandbox-crm");
    let session = answer.header("mcp-session-id");
    assert_eq!(session, "4111-1111-1111-1111", "opaque, whatever it looks like");
    let client = client.with("mcp-session-id", &session);
    let answer = send(&client, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (202, 0));
    assert_eq!(result(&send(&client, &json!({ "jsonrpc": "2.0", "id": 7, "method": "ping" }))), json!({}));
}

#[test]
fn values_are_counted_and_masked_by_budgets_in_texts_too() {
    let budget = "\n[[budget.rule]]\nname = \"few\"\nroles = [\"supervisor\"]\nper = \"hour\"\nmask_after = 1\n";
    let world = Setup::of(Crm::canary(11, 4)).append(budget).start();
    let client = world.supervisor().with("accept", "application/json").with("mcp-session-id", "s");
    let first = call(&client, "get_customer", &json!({ "id": "C-1001" }));
    let name = |id: &str| world.crm.stored(id).unwrap()["name"].as_str().unwrap().to_owned();
    assert!(first.text().contains(&name("C-1001")), "{}", first.text());
    let second = call(&client, "get_customer", &json!({ "id": "C-1002" }));
    shows_none(&second, &secrets(&world, "C-1002"));
    assert!(result(&second)["structuredContent"]["name"].as_str().unwrap().contains('•'));
}
