//! Forms of parts: fields and text files are guarded like JSON, other files pass only where the map says so.

use std::sync::Arc;

use http::Method;

use crate::harness::{Answer, Fake, Setup, World};

const MAP: &str = r#"
[map]
name = "uploads"
resources = ["customer", "ticket", "comment"]

[[route]]
name = "ticket.comment"
match = "POST /ticket/{id}/comment"
resource = "comment"
action = "create"
request.format = "multipart"
request.fields = { "$.Text" = "free_text", "$.Requestor" = "email", "$.People" = "email" }
request.part."JSON".fields = { "$.Requestor" = "email" }
response.fields = {}

[[route]]
name = "ticket.attach"
match = "PATCH /ticket/{id}/attachments"
resource = "ticket"
action = "update"
request.format = "multipart"
request.fields = { "$.Requestor" = "email" }
request.files = "pass"
response.format = "empty"
"#;

fn start() -> (Arc<Fake>, World) {
    let fake = Fake::new(|asked| match asked.method {
        Method::PATCH => (204, String::new(), Vec::new()),
        _ => (201, "application/json".to_owned(), b"{\"id\":\"1\"}".to_vec()),
    });
    let mut world = Setup::new().answered_by(&fake).prepare();
    world.map(MAP);
    world.start();
    (fake, world)
}

fn part(disposition: &str, media: &str, body: &str) -> String {
    let media = if media.is_empty() { String::new() } else { format!("Content-Type: {media}\r\n") };
    format!("--form\r\nContent-Disposition: form-data; {disposition}\r\n{media}\r\n{body}\r\n")
}

fn send(world: &World, method: Method, parts: &[String]) -> Answer {
    let target = if method == Method::PATCH { "/ticket/7/attachments" } else { "/ticket/7/comment" };
    let client = world.supervisor().with("content-type", "multipart/form-data; boundary=form");
    client.call(method, target, Some(format!("{}--form--\r\n", parts.concat())))
}

#[test]
fn fields_files_and_json_parts_reach_the_crm_and_are_recorded() {
    let (fake, world) = start();
    let answer = send(
        &world,
        Method::POST,
        &[
            part("name=\"Text\"", "", "hello\r\nagain"),
            part("name=\"JSON\"", "application/json", "{\"Requestor\":\"jane@mail.example\",\"Queue\":\"x\"}"),
            part("name=\"Attachments\"; filename=\"notes.csv\"", "text/csv; charset=utf-8", "a,b\r\nc,d"),
            part("name=\"Other\"", "", "plain"),
        ],
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
    let asked = fake.received().remove(0);
    for expected in [
        "name=\"Text\"\r\n\r\nhello\r\nagain\r\n",
        "{\"Requestor\":\"jane@mail.example\",\"Queue\":\"x\"}",
        "filename=\"notes.csv\"\r\nContent-Type: text/csv; charset=utf-8\r\n\r\na,b\r\nc,d\r\n",
        "name=\"Other\"\r\n\r\nplain\r\n",
    ] {
        assert!(asked.body.contains(expected), "{expected}: {}", asked.body);
    }
    let media = asked.headers["content-type"].to_str().unwrap();
    let boundary = media.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(asked.body.ends_with(&format!("--{boundary}--\r\n")));
    let intent = world.wait_for("access.intent", 1).remove(0);
    let written: Vec<&str> = intent["written"].as_array().unwrap().iter().filter_map(|class| class.as_str()).collect();
    assert!(written.contains(&"email") && written.contains(&"free_text"), "{written:?}");
}

#[test]
fn masked_values_are_kept_out_of_fields_files_json_parts_and_names() {
    let (fake, world) = start();
    let masked = "j\u{2022}\u{2022}\u{2022}@mail.example";
    for bad in [
        part("name=\"Requestor\"", "", masked),
        part("name=\"JSON\"", "application/json", &format!("{{\"Requestor\":\"{masked}\"}}")),
        part("name=\"Attachments\"; filename=\"a.txt\"", "text/plain", masked),
        part("name=\"Text\"; filename=\"a.txt\"", "text/plain", masked),
        part(&format!("name=\"Attachments\"; filename=\"{masked}\""), "text/plain", "x"),
    ] {
        let answer = send(&world, Method::POST, &[part("name=\"Text\"", "", "x"), bad.clone()]);
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "masked_value"), "{bad}: {}", answer.text());
        assert!(fake.received().is_empty());
    }
    // A partial update leaves the field out.
    let parts = [part("name=\"Requestor\"", "", masked), part("name=\"Status\"", "", "open")];
    assert_eq!(send(&world, Method::PATCH, &parts).status, 204);
    let asked = fake.received().remove(0).body;
    assert!(asked.contains("open") && !asked.contains("Requestor"), "{asked}");
}

#[test]
fn a_file_that_nobody_can_read_passes_only_where_the_map_says_so() {
    let (fake, world) = start();
    for bad in [
        part("name=\"A\"; filename=\"a.png\"", "image/png", "PNG"),
        part("name=\"A\"; filename=\"a.txt\"", "text/plain; charset=utf-16", "x"),
        part("name=\"A\"; filename=\"a.txt\"", "text/plain", "a\0b"),
    ] {
        let answer = send(&world, Method::POST, std::slice::from_ref(&bad));
        assert_eq!((answer.code().as_str(), &answer.json()["position"]), ("unreadable_file", &1.into()), "{bad}");
        assert!(fake.received().is_empty());
        assert_eq!(send(&world, Method::PATCH, &[bad]).status, 204);
        assert_eq!(fake.received().len(), 1);
    }
    let binary_field = part("name=\"A\"", "", "a\0b");
    assert_eq!(send(&world, Method::PATCH, &[binary_field]).code(), "unreadable_file");
}

#[test]
fn parts_that_servers_could_read_differently_are_refused() {
    let (fake, world) = start();
    for bad in [
        part("name=\"A\"; name=\"B\"", "", "x"),
        part("name=\"A\\\"; filename=\\\"x\"", "", "x"),
        part("name=\"A\"; filename*=utf-8''x", "", "x"),
        part("name=\"\"", "", "x"),
        part("filename=\"x\"", "", "x"),
        part("name=\"A\"", "", "x").replace("form-data", "attachment"),
        part("name=\"A\"", "", "x").replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        part("name=\"A\"", "", "x\n--form\r\nContent-Disposition: form-data; name=\"Requestor\"\r\n\r\ny"),
        part("name=\"JSON\"; filename=\"a\"", "application/json", "{}"),
        part("name=\"JSON\"", "text/plain", "{}"),
    ] {
        let answer = send(&world, Method::POST, std::slice::from_ref(&bad));
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_form"), "{bad}: {}", answer.text());
        assert!(fake.received().is_empty());
    }
    let client = world.supervisor().with("content-type", "multipart/mixed; boundary=form");
    let answer = client.call(Method::POST, "/ticket/7/comment", Some("--form--".to_owned()));
    assert_eq!(answer.code(), "unsupported_media_type");
}
