//! Claims about the routes.

use http::{Method, StatusCode};
use serde_json::json;

use super::super::Crm;
use super::Running;

const NEW: &str = r#"{"name":"Zoë O'Brien","email":"zoe@example.com","phone":null,"shoe_size":38}"#;

fn running() -> Running {
    Running::start(Crm::generate(7, 60).with_public_origin("https://crm.example".into()))
}

#[tokio::test]
async fn a_customer_is_read_in_the_documented_order_of_fields() {
    let crm = running();
    let answer = crm.get("/api/v1/customers/C-1001").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert!(answer.body.starts_with(b"{\"id\":\"C-1001\",\"name\":"));
    let customer = answer.json();
    assert_eq!(customer["self"], "https://crm.example/api/v1/customers/C-1001");
    for field in ["id", "name", "email", "birth_date", "created_at"] {
        assert!(customer[field].is_string(), "{field}");
    }
    for (outer, inner) in [("address", "zip"), ("card", "holder")] {
        assert!(customer[outer][inner].is_string());
    }
}

#[tokio::test]
async fn links_name_the_host_of_the_request_without_a_public_origin() {
    let crm = Running::start(Crm::generate(7, 3));
    let one = crm.get("/api/v1/customers/C-1001").await.json();
    assert_eq!(one["self"], "https://localhost/api/v1/customers/C-1001");
    let two = crm.send_h2(Method::GET, "/api/v1/customers/C-1001", &[]).await.unwrap().json();
    assert_eq!(two, one);
}

#[tokio::test]
async fn walking_the_pages_gives_every_customer_once() {
    let crm = running();
    let mut target = String::from("/api/v1/customers");
    let mut ids = Vec::new();
    loop {
        let answer = crm.get(&target).await;
        let body = answer.json();
        assert_eq!(body["total"], 60);
        ids.extend(body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = body["next"].as_str() else { break };
        assert!(answer.header("link").contains(&format!("<{next}>; rel=\"next\"")));
        target = next.strip_prefix("https://crm.example").unwrap().to_owned();
    }
    assert_eq!(ids, crm.crm.customer_ids());
    let last = crm.get("/api/v1/customers?page=3&per_page=25").await;
    assert_eq!(last.json()["previous"], "https://crm.example/api/v1/customers?page=2&per_page=25");
    assert_eq!(last.header("link"), "<https://crm.example/api/v1/customers?page=2&per_page=25>; rel=\"prev\"");
}

#[tokio::test]
async fn pages_out_of_range_are_refused_with_the_input() {
    let crm = running();
    for wrong in ["page=0", "per_page=101", "per_page=x"] {
        let answer = crm.get(&format!("/api/v1/orders?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(crm.get("/api/v1/orders?per_page=100").await.status, StatusCode::OK);
    let answer = crm.get("/api/v1/orders?per_page=x").await.json();
    assert_eq!(answer["error"]["input"], json!({ "per_page": "x" }));
}

#[tokio::test]
async fn filters_find_and_stay_in_the_page_links() {
    let crm = running();
    let customer = crm.crm.stored("C-1005").unwrap();
    let email = customer["email"].as_str().unwrap().to_uppercase();
    let found = crm.get(&format!("/api/v1/customers?email={}", super::super::call::escape(&email))).await.json();
    assert_eq!((&found["total"], &found["items"][0]["id"]), (&json!(1), &json!("C-1005")));
    assert_eq!(crm.get("/api/v1/customers?email=nobody%40example.com").await.json()["total"], 0);
    assert_eq!(crm.get("/api/v1/customers?phone=none").await.json()["total"], 0);
    let paged = crm.get("/api/v1/customers?name=e&per_page=1").await.json();
    assert_eq!(paged["next"], "https://crm.example/api/v1/customers?page=2&per_page=1&name=e");
}

#[tokio::test]
async fn the_token_is_asked_for_everywhere_but_at_health() {
    let crm = Running::start(Crm::generate(1, 2).with_token("t0ken".into()));
    assert_eq!(crm.get("/api/v1/customers").await.status, StatusCode::UNAUTHORIZED);
    let wrong = crm.send(Method::DELETE, "/api/v1/customers/C-1001", &[("x-api-token", "t0ke")], "").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(crm.crm.stored("C-1001").is_some());
    let right = crm.send(Method::GET, "/api/v1/customers", &[("x-api-token", "t0ken")], "").await;
    assert_eq!(right.status, StatusCode::OK);
    assert_eq!(crm.get("/api/v1/health").await.json(), json!({ "status": "ok" }));
}

#[tokio::test]
async fn a_customer_is_created_changed_replaced_and_deleted() {
    let crm = running();
    let made = crm.send(Method::POST, "/api/v1/customers", &[], NEW).await;
    assert_eq!(
        (made.status, made.header("location")),
        (StatusCode::CREATED, "https://crm.example/api/v1/customers/C-1061")
    );
    assert_eq!((&made.json()["shoe_size"], &made.json()["iban"]), (&json!(38), &json!(null)));

    let patch = r#"{"id":"C-1","address":{"city":"Köln"},"notes":"x","phone":"+493023125001"}"#;
    let before = crm.crm.stored("C-1002").unwrap();
    let patched = crm.send(Method::PATCH, "/api/v1/customers/C-1002", &[], patch).await;
    assert_eq!(patched.status, StatusCode::OK);
    let after = crm.crm.stored("C-1002").unwrap();
    assert_eq!((&after["address"]["city"], &after["address"]["zip"]), (&json!("Köln"), &before["address"]["zip"]));
    assert_eq!((&after["id"], &after["name"]), (&json!("C-1002"), &before["name"]));

    let put = crm.send(Method::PUT, "/api/v1/customers/C-1002", &[], r#"{"name":"A","email":"a@example.com"}"#).await;
    assert_eq!(put.status, StatusCode::OK);
    let replaced = crm.crm.stored("C-1002").unwrap();
    assert_eq!((&replaced["address"], &replaced["created_at"]), (&json!(null), &before["created_at"]));

    let orders = crm.get("/api/v1/customers/C-1002/orders").await.json()["total"].as_u64().unwrap();
    let held = crm.crm.order_ids().len() as u64;
    let gone = crm.send(Method::DELETE, "/api/v1/customers/C-1002", &[], "").await;
    assert_eq!((gone.status, gone.body.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(crm.get("/api/v1/customers/C-1002").await.status, StatusCode::NOT_FOUND);
    assert_eq!(crm.crm.order_ids().len() as u64, held - orders);
}

#[tokio::test]
async fn refusals_repeat_the_input() {
    let crm = running();
    let taken = crm.crm.stored("C-1001").unwrap()["email"].as_str().unwrap().to_uppercase();
    let duplicate = json!({ "name": "Jane", "email": taken }).to_string();
    let cases = [
        (Method::POST, "/api/v1/customers", duplicate.as_str(), 409, "duplicate"),
        (Method::POST, "/api/v1/customers", r#"{"name":"Jane","email":"jane@"}"#, 422, "invalid"),
        (Method::POST, "/api/v1/customers", r#"{"email":"jane@example.com"}"#, 422, "invalid"),
        (Method::PATCH, "/api/v1/customers/C-1002", r#"{"card":"4111"}"#, 422, "invalid"),
        (Method::POST, "/api/v1/tickets", r#"{"customer_id":"C-1","subject":"s"}"#, 422, "invalid"),
        (Method::POST, "/api/v1/search", r#"{"field":"email","value":"jane@example.com"}"#, 404, "not_found"),
        (Method::POST, "/api/v1/search", r#"{"field":"colour","value":"red"}"#, 422, "invalid"),
    ];
    for (method, target, body, status, code) in cases {
        let answer = crm.send(method, target, &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{target} {body}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], code);
        assert_eq!(error["input"], serde_json::from_str::<serde_json::Value>(body).unwrap());
    }
    let broken = crm.send(Method::POST, "/api/v1/customers", &[], "name=Jane Roe").await;
    assert_eq!((broken.status.as_u16(), &broken.json()["error"]["input"]), (400, &json!({ "body": "name=Jane Roe" })));
    let missing = crm.get("/api/v1/customers/jane%40example.com").await;
    assert_eq!(
        (missing.status.as_u16(), &missing.json()["error"]["message"]),
        (404, &json!("no customer with id jane@example.com"))
    );
    let method = crm.send(Method::DELETE, "/api/v1/tickets/T-5001", &[], "").await;
    assert_eq!((method.status.as_u16(), method.header("allow")), (405, "GET, HEAD, PATCH"));
}

#[tokio::test]
async fn own_e_mail_address_is_no_duplicate() {
    let crm = running();
    let email = crm.crm.stored("C-1003").unwrap()["email"].clone();
    let answer = crm.send(Method::PATCH, "/api/v1/customers/C-1003", &[], &json!({ "email": email }).to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn tickets_and_comments_are_written_and_read() {
    let crm = running();
    let made = crm.send(Method::POST, "/api/v1/tickets", &[], r#"{"customer_id":"C-1004","subject":"Hello"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let target = made.header("location").strip_prefix("https://crm.example").unwrap().to_owned();
    let ticket = made.json();
    assert_eq!(
        (&ticket["status"], &ticket["requester"]["name"]),
        (&json!("open"), &crm.crm.stored("C-1004").unwrap()["name"])
    );
    let comments = format!("{target}/comments");
    let comment = crm.send(Method::POST, &comments, &[], r#"{"author":"Ines","body":"call 030 23125-001"}"#).await;
    assert_eq!(comment.status, StatusCode::CREATED);
    assert_eq!(crm.get(&comments).await.json()["items"], json!([comment.json()]));
    let solved = crm.send(Method::PATCH, &target, &[], r#"{"status":"solved","comments":[]}"#).await;
    assert_eq!((&solved.json()["status"], solved.json()["comments"].as_array().unwrap().len()), (&json!("solved"), 1));
    let wrong = crm.send(Method::PATCH, &target, &[], r#"{"status":"gone"}"#).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn search_finds_customers_and_tickets() {
    let crm = Running::start(Crm::canary(7, 5));
    let ticket = crm.crm.stored("T-5003").unwrap();
    let email = ticket["requester"]["email"].as_str().unwrap();
    let found = crm.get(&format!("/api/v1/search?q={email}")).await.json();
    assert_eq!(found["results"][0]["type"], "ticket");
    assert_eq!(found["results"][0]["ticket"]["id"], "T-5003");
    let card = crm.crm.stored("C-1002").unwrap()["card"]["number"].as_str().unwrap().to_owned();
    let body = json!({ "field": "card_number", "value": super::super::shape::grouped(&card, ' ') }).to_string();
    let found = crm.send(Method::POST, "/api/v1/search", &[], &body).await.json();
    assert_eq!(
        (&found["results"][0]["type"], &found["results"][0]["customer"]["id"]),
        (&json!("customer"), &json!("C-1002"))
    );
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let crm = running();
    let get = crm.get("/api/v1/orders/O-3001").await;
    let head = crm.send(Method::HEAD, "/api/v1/orders/O-3001", &[], "").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    for name in ["content-length", "etag", "content-type"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
        assert!(!get.header(name).is_empty());
    }
}

#[tokio::test]
async fn an_entity_tag_saves_the_body_until_the_record_changes() {
    let crm = running();
    let target = "/api/v1/customers/C-1001";
    let tag = crm.get(target).await.header("etag").to_owned();
    let held = [("if-none-match", tag.as_str())];
    let unchanged = crm.send(Method::GET, target, &held, "").await;
    assert_eq!((unchanged.status, unchanged.body.len()), (StatusCode::NOT_MODIFIED, 0));
    crm.send(Method::PATCH, target, &[], r#"{"notes":"changed"}"#).await;
    assert_eq!(crm.send(Method::GET, target, &held, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn both_protocols_carry_the_same_export() {
    let crm = running();
    let target = "/api/v1/export/customers?count=1000";
    let one = crm.get(target).await;
    assert_eq!(one.json()["items"].as_array().unwrap().len(), 1_000);
    let two = crm.send_h2(Method::GET, target, &[]).await.unwrap();
    assert!(one.body.len() > 300_000 && one.body == crm.get(target).await.body);
    assert_eq!(two.json()["items"][999]["name"], one.json()["items"][999]["name"]);
    assert_eq!(crm.get("/api/v1/export/customers").await.json()["items"].as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn what_reached_the_crm_can_be_searched() {
    let crm = running();
    crm.send(Method::POST, "/api/v1/customers?q=abc", &[("x-probe", "probe-value")], NEW).await;
    let received = crm.crm.received();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].method.clone(), received[0].target.as_str()), (Method::POST, "/api/v1/customers?q=abc"));
    assert_eq!((received[0].body.as_ref(), received[0].header("x-probe")), (NEW.as_bytes(), Some("probe-value")));
    assert!(
        received[0].contains("zoe@example.com") && received[0].contains("q=abc") && !received[0].contains("nothing")
    );
    crm.crm.clear_received();
    assert!(crm.crm.received().is_empty());
}

#[tokio::test]
async fn shutdown_ends_the_server() {
    let crm = running();
    let mut idle = crm.connect("http/1.1").await;
    crm.stop.send(true).unwrap();
    crm.task.await.unwrap().unwrap();
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut rest).await.ok();
    assert!(tokio::net::TcpStream::connect(crm.address).await.is_err());
}

#[tokio::test]
async fn a_body_is_taken_up_to_its_limit_and_refused_beyond() {
    let crm = running();
    let limit = super::super::server::MAX_BODY;
    for (size, status) in [(limit, StatusCode::UNPROCESSABLE_ENTITY), (limit + 1, StatusCode::PAYLOAD_TOO_LARGE)] {
        let body = format!("\"{}\"", "x".repeat(size - 2));
        assert_eq!(crm.send(Method::POST, "/api/v1/customers", &[], &body).await.status, status, "{size}");
    }
}
