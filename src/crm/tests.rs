//! Whole maps: targets to routes, mistakes to places, and the maps that are shipped.

use std::sync::LazyLock;

use http::Method;
use proptest::prelude::*;

use super::*;
use crate::model::{BodyFormat, Class, MaskStyle, Selector, Storage};

pub(super) fn classes() -> ClassTable {
    let names =
        ["name", "email", "phone", "address", "birth_date", "card_number", "card_expiry", "iban", "ssn", "free_text"];
    let class =
        |name: &str| Class { name: name.into(), mask: MaskStyle::Full, storage: Storage::CLEAR, detects: vec![] };
    ClassTable::new(names.into_iter().map(class).collect()).unwrap()
}

pub(super) const SANDBOX: &str = include_str!("../../config/crm/sandbox.toml");
pub(super) const REQUEST_TRACKER: &str = include_str!("../../config/crm/request-tracker.toml");

pub(super) fn shipped(text: &str) -> Api {
    Api::parse("map.toml", text, &classes())
        .unwrap_or_else(|found| panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

const MAP: &str = r#"
[map]
name = "test"
[[route]]
name = "root"
match = "GET /"
resource = "r"
action = "read"
response.format = "opaque"
[[route]]
name = "users"
match = "GET /api/users"
resource = "r"
action = "list"
query = { email = "email" }
query_pass = ["page"]
response.fields = {}
[[route]]
name = "me"
match = "GET /api/users/me"
resource = "r"
action = "read"
response.fields = {}
[[route]]
name = "user"
match = "GET /api/users/{id}"
resource = "r"
action = "read"
subject = "{id}"
path = { id = "email" }
response.fields = {}
[[route]]
name = "user.update"
match = "PATCH /api/users/{who}"
resource = "r"
action = "update"
request.fields = {}
response.fields = {}
[[route]]
name = "notes"
match = "GET /api/users/{id}/notes/{note}"
resource = "r"
action = "read"
subject = "{note}"
response.fields = {}
[[route]]
name = "search"
match = "GET /api/search"
resource = "r"
action = "list"
query = { phone = { class = "phone", several = "repeated" }, iban = { class = "iban", several = "commas" } }
query_pass = ["*"]
search = { in = ["query.$filter", "query.$orderby"], dialect = "odata", fields = { "Email" = "email" } }
response.fields = { "$.value[*].Email" = "email" }
[[route]]
name = "key"
match = "GET /odata/{key}"
resource = "r"
action = "read"
search = { in = "path.{key}", dialect = "odata", fields = { "people.Email" = "email" } }
response.fields = {}
[[route]]
name = "open"
match = "GET /api/open"
resource = "r"
action = "read"
query_pass = ["*"]
response.fields = {}
"#;

pub(super) fn api() -> Api {
    static API: LazyLock<Api> = LazyLock::new(|| shipped(MAP));
    API.clone()
}

fn route(method: &Method, target: &str) -> Result<(String, String), &'static str> {
    let matched = api().matches(method, target).map_err(|error| error.code())?;
    Ok((matched.route.name.to_string(), matched.target))
}

#[test]
fn a_mapped_target_finds_its_route_and_is_rebuilt() {
    for (target, name, canonical) in [
        ("/", "root", "/"),
        ("/api/users", "users", "/api/users"),
        ("/api/users?", "users", "/api/users"),
        ("/api/users?page=2&email=a@b", "users", "/api/users?page=2&email=a%40b"),
        ("/api/users/me", "me", "/api/users/me"),
        ("/api/users/42", "user", "/api/users/42"),
        ("/api/users/jane%40example.com", "user", "/api/users/jane@example.com"),
        ("/api/users/j%c3%bcrgen", "user", "/api/users/j%C3%BCrgen"),
        ("/api/users/a%20b", "user", "/api/users/a%20b"),
        ("/api/users/a+b", "user", "/api/users/a%2Bb"),
        ("/api/users/a%2Bb", "user", "/api/users/a%2Bb"),
        ("/api/users/100%25", "user", "/api/users/100%25"),
        ("/api/users/x/notes/y", "notes", "/api/users/x/notes/y"),
        ("/api/users/me/notes/y", "notes", "/api/users/me/notes/y"),
        ("/api/open?x=1&y", "open", "/api/open?x=1&y"),
    ] {
        assert_eq!(route(&Method::GET, target), Ok((name.to_owned(), canonical.to_owned())), "{target}");
    }
    assert_eq!(route(&Method::HEAD, "/api/users/42").unwrap().0, "user");
    assert_eq!(route(&Method::PATCH, "/api/users/42").unwrap().0, "user.update");
}

#[test]
fn what_no_route_maps_is_refused() {
    for (method, target) in [
        (Method::GET, "/api"),
        (Method::GET, "/api/users/x/notes"),
        (Method::GET, "/api/user"),
        (Method::POST, "/api/users"),
        (Method::HEAD, "/api/nothing"),
        // The template of `me` is the more specific one, and it has no PATCH.
        (Method::PATCH, "/api/users/me"),
        (Method::OPTIONS, "/api/users"),
    ] {
        assert_eq!(route(&method, target), Err("unmapped_route"), "{method} {target}");
    }
    for target in ["/api/users?limit=1", "/api/users/42?x", "/api/users?Page=1"] {
        assert_eq!(route(&Method::GET, target), Err("unmapped_parameter"), "{target}");
    }
}

#[test]
fn another_spelling_of_a_path_never_reaches_a_route() {
    for target in [
        "",
        "*",
        "api/users",
        "https://crm.example/api/users",
        "//api/users",
        "/api//users",
        "/api/users/",
        "/api/users//",
        "/api/./users",
        "/api/x/../users",
        "/api/users/..",
        "/api/users/%2e%2e",
        "/api/users/%2E",
        "/api/users/.%2e/users",
        "/api%2Fusers",
        "/api/users%2fme",
        "/api/users/x%2fnotes",
        "/api/users/x%5cnotes",
        "/api\\users",
        "/api/%75sers",
        "/api/users/m%65",
        "/api/users/%6De",
        "/api/users/%41",
        "/API/users",
        "/api/Users",
        "/api/users/ME",
        "/api/users/Me",
        "/api/users/me.",
        "/api/users/me%20",
        "/api/users/%20me",
        "/api/users/me%3Bx",
        "/api/users/me;x=1",
        "/api;v=1/users",
        "/api/users/%E2%84%AA",
        "/api/users#me",
        "/api/users/me#",
        "/api/users/a b",
        "/api/users/\u{e9}",
        "/api/users/%00",
        "/api/users/%0a",
        "/api/users/%7F",
        "/api/users/%C2%85",
        "/api/users/%ff",
        "/api/users/%c0%ae",
        "/api/users/%ED%A0%80",
        "/api/users/%",
        "/api/users/%4",
        "/api/users/%zz",
        "/api/users/%+1",
        "/api/users/%252e",
        "/api/users/%252F",
        "/api/users/a|b",
        "/api/users/{id}",
        "/api/users\t",
        "/api/users\r\nHost: x",
    ] {
        let expected = if target == "/api/users/%E2%84%AA" { Ok("user") } else { Err("bad_target") };
        assert_eq!(
            route(&Method::GET, target).as_ref().map(|(name, _)| name.as_str()).map_err(|code| *code),
            expected,
            "{target}"
        );
    }
}

#[test]
fn letters_whose_other_case_is_ascii_count_as_that_letter() {
    let map = shipped(
        "[map]\nname = 'k'\n[[route]]\nname = 'k'\nmatch = 'GET /ks'\nresource = 'r'\naction = 'read'\nresponse.fields = {}\n\
         [[route]]\nname = 'v'\nmatch = 'GET /{v}'\nresource = 'r'\naction = 'read'\nresponse.fields = {}\n",
    );
    for target in ["/%E2%84%AAs", "/k%C5%BF"] {
        assert_eq!(map.matches(&Method::GET, target).unwrap_err().code(), "bad_target", "{target}");
    }
}

#[test]
fn limits_hold_at_their_edge() {
    let long = |n: usize| format!("/api/users/{}", "a".repeat(n - "/api/users/".len()));
    assert!(route(&Method::GET, &long(MAX_TARGET_BYTES)).is_ok());
    assert_eq!(route(&Method::GET, &long(MAX_TARGET_BYTES + 1)), Err("bad_target"));
    assert_eq!(route(&Method::GET, &"/a".repeat(MAX_SEGMENTS)), Err("unmapped_route"));
    assert_eq!(route(&Method::GET, &"/a".repeat(MAX_SEGMENTS + 1)), Err("bad_target"));
}

#[test]
fn subject_and_protected_values_are_decoded() {
    let matched = api().matches(&Method::GET, "/api/users/jane%40example.com").unwrap();
    let email = classes().id("email").unwrap();
    assert_eq!(matched.subject.unwrap().expose(), "jane@example.com");
    assert_eq!(matched.protected, [(email, Sensitive::new("jane@example.com".to_owned()))]);
    let matched = api().matches(&Method::GET, "/api/users?Email=j+d%2b1").unwrap();
    assert_eq!(matched.protected, [(email, Sensitive::new("j d+1".to_owned()))]);
    let matched = api().matches(&Method::GET, "/api/users/a/notes/b").unwrap();
    assert_eq!((matched.subject.unwrap().expose().as_str(), matched.protected.len()), ("b", 0));
    assert!(api().routes()[3].classes().contains(email));
}

/// Pieces that paths and attacks on them are made of.
fn target() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/", "/", "/", "api", "users", "me", "notes", "open", "%2e", "%2F", "%c3%a9", "%20", "%25", "%41", ".", "..",
        ";", "?", "&", "=", "page", "email", "+", "a", "A", "API", "\\", "#", "@", ":", "~", "%", "é", "%3b", "*",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat()),
        "/api/users/[a-zA-Z0-9%./@;?=&+-]{0,12}",
        "[ -~]{0,24}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_target_reaches_the_route_that_its_canonical_form_reaches(target in target()) {
        let api = api();
        if let Ok(matched) = api.matches(&Method::GET, &target) {
            let again = api.matches(&Method::GET, &matched.target);
            prop_assert!(again.is_ok(), "{} became {}", target, matched.target);
            let again = again.unwrap();
            prop_assert_eq!(again.route.index, matched.route.index);
            prop_assert_eq!(&again.target, &matched.target);
            prop_assert_eq!(again.subject, matched.subject);
            prop_assert_eq!(again.protected, matched.protected);
            let path = matched.target.split('?').next().unwrap_or_default();
            prop_assert!(path == "/" || path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | "..")));
        }
    }

    #[test]
    fn an_escaped_spelling_of_a_literal_never_reaches_another_rule(at in 0usize..13, upper in any::<bool>()) {
        let path = "/api/users/me";
        let byte = path.as_bytes()[at];
        let escaped = if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        let target = format!("{}{escaped}{}", &path[..at], &path[at + 1..]);
        prop_assert_eq!(api().matches(&Method::GET, &target).unwrap_err().code(), "bad_target");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_map_is_refused_with_places_or_still_a_map(
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        piece in prop::sample::select(vec!["", "'", "\"", "[", "]]", "=", "\n", "{", "$", "é", "[[route]]\n", "\\u12", "1"]),
    ) {
        let boundary = |mut at: usize| {
            while !SANDBOX.is_char_boundary(at) {
                at += 1;
            }
            at
        };
        let start = boundary(at.index(SANDBOX.len()));
        let end = boundary((start + length).min(SANDBOX.len()));
        let text = format!("{}{piece}{}", &SANDBOX[..start], &SANDBOX[end..]);
        if let Err(found) = Api::parse("m.toml", &text, &classes()) {
            prop_assert!(!found.is_empty());
            prop_assert!(found.iter().all(|one| one.position.is_some()));
        }
    }
}

#[test]
fn the_shipped_maps_load() {
    let sandbox = shipped(SANDBOX);
    assert_eq!((sandbox.name(), sandbox.file()), ("sandbox", "map.toml"));
    assert_eq!(sandbox.resources(), ["comment", "customer", "health", "order", "ticket", "tools"]);
    assert_eq!(sandbox.classes().len(), classes().iter().count());
    let tracker = shipped(REQUEST_TRACKER);
    assert_eq!(tracker.resources(), ["attachment", "comment", "custom_field", "customer", "queue", "system", "ticket"]);
    for api in [&sandbox, &tracker] {
        for (index, route) in api.routes().iter().enumerate() {
            assert_eq!(route.index, index);
            let writes = route.action.is_write();
            assert!(
                !writes || route.request.format != BodyFormat::Empty || route.action == Action::Delete,
                "{}",
                route.name
            );
        }
    }
}

#[test]
fn the_calls_of_the_sandbox_are_mapped() {
    let api = shipped(SANDBOX);
    for (method, target, name, subject) in [
        (Method::GET, "/api/v1/customers?page=2&per_page=25", "customer.list", None),
        (Method::GET, "/api/v1/customers/C-1001", "customer.read", Some("C-1001")),
        (Method::GET, "/api/v1/customers/C-1001/orders", "customer.orders", None),
        (Method::PUT, "/api/v1/customers/C-1001", "customer.replace", Some("C-1001")),
        (Method::PATCH, "/api/v1/customers/C-1001", "customer.update", Some("C-1001")),
        (Method::DELETE, "/api/v1/customers/C-1001", "customer.delete", Some("C-1001")),
        (Method::POST, "/api/v1/customers", "customer.create", None),
        (Method::GET, "/api/v1/export/customers?count=5", "customer.export", None),
        (Method::GET, "/api/v1/orders", "order.list", None),
        (Method::GET, "/api/v1/orders/O-1", "order.read", Some("O-1")),
        (Method::GET, "/api/v1/tickets", "ticket.list", None),
        (Method::POST, "/api/v1/tickets", "ticket.create", None),
        (Method::GET, "/api/v1/tickets/T-1", "ticket.read", Some("T-1")),
        (Method::PATCH, "/api/v1/tickets/T-1", "ticket.update", Some("T-1")),
        (Method::GET, "/api/v1/tickets/T-1/comments", "comment.list", Some("T-1")),
        (Method::POST, "/api/v1/tickets/T-1/comments", "comment.create", Some("T-1")),
        (Method::GET, "/api/v1/search?q=jane%20doe", "search.query", None),
        (Method::POST, "/api/v1/search", "search.field", None),
        (Method::HEAD, "/api/v1/health", "health", None),
    ] {
        let matched = api.matches(&method, target).unwrap();
        assert_eq!(&*matched.route.name, name);
        assert_eq!(matched.subject.map(|subject| subject.expose().clone()).as_deref(), subject);
        assert_eq!(matched.target, target);
    }
    let matched = api.matches(&Method::GET, "/api/v1/customers?email=jane@example.com").unwrap();
    assert_eq!(matched.protected.len(), 1);
}

#[test]
fn a_set_is_included_below_its_place() {
    let api = shipped(SANDBOX);
    let search = api.routes().iter().find(|route| &*route.name == "search.query").unwrap();
    let class = |selector: &str| {
        search.response.fields.iter().find(|rule| rule.selector.as_str() == selector).map(|rule| rule.class)
    };
    assert_eq!(class("$.results[*].customer.card.number"), classes().id("card_number"));
    assert_eq!(class("$.results[*].ticket.comments[*].body"), classes().id("free_text"));
    let links: Vec<&str> = search.response.links.iter().map(Selector::as_str).collect();
    assert!(links.contains(&"$.results[*].customer.self") && links.contains(&"$.next"));
}

#[test]
fn the_calls_of_request_tracker_are_mapped_and_fields_cannot_be_renamed() {
    let api = shipped(REQUEST_TRACKER);
    let get = |target: &str| api.matches(&Method::GET, target);
    let search = "/REST/2.0/tickets?query=Queue%3D%27Support%27&fields=Subject,Status,Requestor,CustomFields&orderby=id\
                  &fields[Requestor]=EmailAddress,RealName";
    let matched = get(search).unwrap();
    assert_eq!(&*matched.route.name, "ticket.search");
    assert_eq!(matched.protected[0].1.expose(), "Queue='Support'");
    for target in
        ["tickets?fields=RequestorX", "tickets?fields=CcSubject", "tickets?search=5", "ticket/1/history?fields=x"]
    {
        assert_eq!(get(&format!("/REST/2.0/{target}")).unwrap_err().code(), "unmapped_parameter", "{target}");
    }
    for (target, name) in [
        ("ticket/1", "ticket.read"),
        ("ticket/1/history?fields=Type,Created,Creator", "ticket.history"),
        ("ticket/1/attachments?fields=Filename,ContentType,ContentLength", "ticket.attachments"),
        ("attachment/8", "attachment.read"),
        ("user/jane@example.com", "user.read"),
        ("queues/all", "queue.list"),
        ("rt", "system"),
    ] {
        assert_eq!(&*get(&format!("/REST/2.0/{target}")).unwrap().route.name, name);
    }
    let attachment = get("/REST/2.0/attachment/8").unwrap();
    assert!(attachment.route.response.fields.iter().any(|rule| rule.base64 && rule.selector.as_str() == "$.Content"));
    let update = api.matches(&Method::PUT, "/REST/2.0/ticket/1").unwrap();
    assert_eq!(update.route.write_back, Some(WriteBackRule::Drop));
}

#[test]
fn a_trailing_slash_is_taken_where_the_map_says_so_and_stays_on_the_way_to_the_crm() {
    let open =
        Api::parse("m.toml", &MAP.replace("name = \"test\"", "name = \"test\"\ntrailing_slash = true"), &classes())
            .unwrap();
    let closed = shipped(MAP);
    for (target, there) in [
        ("/api/users/?page=2", "/api/users/?page=2"),
        ("/api/users/a%40b/", "/api/users/a@b/"),
        ("/api/users/me/", "/api/users/me/"),
        ("/", "/"),
    ] {
        let matched = open.matches(&Method::GET, target).unwrap();
        assert_eq!(matched.target, there);
        let search = matched.search().unwrap();
        if !search.asks().is_empty() {
            let answers: Vec<_> =
                search.asks().iter().map(|_| vec![search::Pattern::Equals("x@y".to_owned())]).collect();
            assert_eq!(search.rewritten(&answers).unwrap(), "/api/users/x@y/");
        }
        assert!(target == "/" || closed.matches(&Method::GET, target).is_err());
    }
    for target in ["/api/users//", "//", "/api//users/"] {
        assert!(open.matches(&Method::GET, target).is_err(), "{target}");
    }
}

#[test]
fn the_maps_of_well_known_crms_load() {
    for (name, text) in [
        ("salesforce", include_str!("../../config/crm/salesforce.toml")),
        ("hubspot", include_str!("../../config/crm/hubspot.toml")),
        ("zendesk", include_str!("../../config/crm/zendesk.toml")),
        ("dynamics", include_str!("../../config/crm/dynamics.toml")),
        ("zoho", include_str!("../../config/crm/zoho.toml")),
    ] {
        let api = shipped(text);
        assert_eq!(api.name(), name);
        // Whatever a map calls readable is closed, or has no fields at all.
        for route in api.routes() {
            let open = route.response.format == BodyFormat::Json && route.response.closed.is_empty();
            assert!(
                !open || route.response.fields.is_empty() && route.response.subject.is_none(),
                "{name}: {}",
                route.name
            );
        }
    }
}
