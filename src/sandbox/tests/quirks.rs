//! Claims about content codings and quirks.

use std::io::Read;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::{Crm, coding::Coding};
use super::{Answer, Running};

const ONE: &str = "/api/v1/customers/C-1001";

fn running() -> Running {
    Running::start(Crm::generate(7, 30))
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::bufread::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn decoded(answer: &Answer) -> Vec<u8> {
    let (body, mut out) = (&answer.body[..], Vec::new());
    match Coding::named(answer.header("content-encoding")).unwrap_or(Coding::Identity) {
        Coding::Identity => out.extend_from_slice(body),
        Coding::Gzip => out = gunzip(body),
        Coding::Deflate => drop(flate2::bufread::ZlibDecoder::new(body).read_to_end(&mut out).unwrap()),
        Coding::Brotli => drop(brotli::Decompressor::new(body, 4_096).read_to_end(&mut out).unwrap()),
        Coding::Zstd => out = zstd::stream::decode_all(body).unwrap(),
    }
    out
}

/// Everything one raw HTTP/1.1 request gets back until the connection ends, and the error that ended it.
async fn raw(crm: &Running, target: &str, quirk: &str) -> (String, Option<std::io::ErrorKind>) {
    let mut stream = crm.connect("http/1.1").await;
    let request = format!(
        "GET {target} HTTP/1.1\r\nhost: localhost\r\nte: trailers\r\nconnection: close\r\nx-sandbox-quirk: {quirk}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    (String::from_utf8_lossy(&bytes).into_owned(), end.err().map(|error| error.kind()))
}

#[tokio::test]
async fn each_coding_carries_the_same_body() {
    let crm = running();
    for target in [ONE, "/api/v1/export/customers?count=500"] {
        let plain = crm.get(target).await;
        assert_eq!(plain.header("content-encoding"), "");
        for coding in ["gzip", "br", "zstd", "deflate"] {
            let accepted = crm.send(Method::GET, target, &[("accept-encoding", coding)], "").await;
            assert_eq!(accepted.header("content-encoding"), coding);
            assert_eq!(accepted.header("vary"), "accept-encoding");
            assert!(accepted.body != plain.body && decoded(&accepted) == plain.body, "{coding}");
            let headers = [("accept-encoding", "identity"), ("x-sandbox-coding", coding)];
            assert_eq!(crm.send(Method::GET, target, &headers, "").await.header("content-encoding"), coding);
        }
    }
}

#[tokio::test]
async fn an_unknown_quirk_is_refused() {
    let answer = running().quirk(ONE, "bom, nonsense").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn truncated_sends_less_than_its_length_and_closes() {
    let crm = running();
    let whole = crm.get(ONE).await.body.len();
    let (text, end) = raw(&crm, ONE, "truncated").await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {whole}")), "{head}");
    assert!(!body.is_empty() && body.len() < whole);
    assert_eq!(end, None);
    assert!(crm.quirk(ONE, "truncated").await.broken);
    assert!(crm.quirk("/api/v1/export/customers?count=900", "truncated").await.broken);
    let coded = [("x-sandbox-quirk", "truncated"), ("x-sandbox-coding", "gzip")];
    assert!(crm.send(Method::GET, ONE, &coded, "").await.broken);
    assert!(crm.send_h2(Method::GET, ONE, &[("x-sandbox-quirk", "truncated")]).await.unwrap().broken);
}

#[tokio::test]
async fn reset_ends_the_connection_with_rst() {
    let crm = running();
    for target in [ONE, "/api/v1/export/customers?count=900"] {
        let (text, end) = raw(&crm, target, "reset").await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert_eq!(end, Some(std::io::ErrorKind::ConnectionReset));
    }
    let two = crm.send_h2(Method::GET, ONE, &[("x-sandbox-quirk", "reset")]).await;
    assert!(two.is_err() || two.is_ok_and(|answer| answer.broken));
    assert_eq!(crm.get(ONE).await.status, StatusCode::OK);
}

#[tokio::test]
async fn early_hints_come_before_the_answer() {
    let crm = running();
    let (text, _) = raw(&crm, ONE, "early-hints").await;
    assert!(text.starts_with("HTTP/1.1 103 Early Hints\r\n"), "{text}");
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 1);
    assert_eq!(crm.quirk(ONE, "early-hints").await.json(), crm.get(ONE).await.json());
}

#[tokio::test]
async fn trailers_follow_the_body_on_both_protocols() {
    let crm = running();
    let length = crm.get(ONE).await.body.len().to_string();
    let headers = [("x-sandbox-quirk", "trailers"), ("te", "trailers")];
    for answer in
        [crm.send(Method::GET, ONE, &headers, "").await, crm.send_h2(Method::GET, ONE, &headers).await.unwrap()]
    {
        assert_eq!(answer.header("content-length"), "");
        assert_eq!(answer.trailers.unwrap()["x-sandbox-length"], length.as_str());
    }
}

#[tokio::test]
async fn slow_sends_the_same_body() {
    let crm = running();
    assert_eq!(crm.quirk(ONE, "slow").await.body, crm.get(ONE).await.body);
}

#[tokio::test]
async fn codings_can_be_doubled_or_unknown() {
    let crm = running();
    let plain = crm.get(ONE).await.body;
    let twice = crm.quirk(ONE, "gzip-twice").await;
    assert_eq!(twice.header("content-encoding"), "gzip, gzip");
    assert_eq!(gunzip(&gunzip(&twice.body)), plain);
    let unknown = crm.quirk(ONE, "unknown-coding").await;
    assert_eq!((unknown.header("content-encoding"), &unknown.body), ("x-zap", &plain));
}

#[tokio::test]
async fn media_types_can_be_wrong_or_absent() {
    let crm = running();
    assert_eq!(crm.quirk(ONE, "text-plain").await.header("content-type"), "text/plain; charset=utf-8");
    assert!(!crm.quirk(ONE, "no-type").await.headers.contains_key("content-type"));
}

#[tokio::test]
async fn broken_json_still_carries_the_personal_values() {
    let crm = running();
    let email = crm.crm.stored("C-1001").unwrap()["email"].as_str().unwrap().to_owned();
    let depth = "[".repeat(20_000);
    for (quirk, sign) in [
        ("not-json", "Customer data: {"),
        ("bom", "\u{feff}{"),
        ("lone-surrogate", "\\ud83d\""),
        ("deep", depth.as_str()),
        ("big-numbers", "00000000000000000000,"),
    ] {
        let body = String::from_utf8(crm.quirk(ONE, quirk).await.body.to_vec()).unwrap();
        assert!(body.contains(sign), "{quirk}");
        assert!(body.contains(&email), "{quirk}");
        if quirk != "big-numbers" {
            assert!(serde_json::from_str::<Value>(&body).is_err(), "{quirk}");
        }
    }
    let twice = String::from_utf8(crm.quirk(ONE, "duplicates").await.body.to_vec()).unwrap();
    assert_eq!(twice.matches(&format!("\"email\":\"{email}\"")).count(), 2);
}

#[tokio::test]
async fn errors_carry_what_the_record_holds_and_the_client_sent() {
    let crm = running();
    let email = crm.crm.stored("C-1001").unwrap()["email"].as_str().unwrap().to_owned();
    for (quirk, status, media) in [
        ("html-error", 502, "text/html; charset=utf-8"),
        ("echo-error", 500, "application/json"),
        ("error-500", 500, "application/json"),
    ] {
        let answer = crm.quirk(ONE, quirk).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, media), "{quirk}");
        assert!(String::from_utf8(answer.body.to_vec()).unwrap().contains(&email), "{quirk}");
    }
    let headers = [("x-sandbox-quirk", "echo-error"), ("x-probe", "probe-value")];
    let echo = crm.send(Method::POST, "/api/v1/search?p=target-value", &headers, "body-value").await;
    let text = String::from_utf8(echo.body.to_vec()).unwrap();
    assert!(["probe-value", "target-value", "body-value"].iter().all(|value| text.contains(value)), "{text}");
}

#[tokio::test]
async fn redirects_point_away_or_back() {
    let crm = running();
    let away = crm.quirk(&format!("{ONE}?email=a%40b.example"), "redirect-away").await;
    assert_eq!(away.status, StatusCode::FOUND);
    assert_eq!(away.header("location"), format!("https://elsewhere.example{ONE}?email=a%40b.example"));
    let here = crm.quirk(ONE, "redirect-here").await;
    assert_eq!(here.header("location"), format!("https://localhost{ONE}?moved=1"));
}

#[tokio::test]
async fn partial_and_cookies_have_their_headers() {
    let crm = running();
    let whole = crm.get(ONE).await.body;
    let partial = crm.quirk(ONE, "partial").await;
    assert_eq!((partial.status, &partial.body), (StatusCode::PARTIAL_CONTENT, &whole.slice(..whole.len() / 2)));
    assert_eq!(partial.header("content-range"), format!("bytes 0-{}/{}", whole.len() / 2 - 1, whole.len()));
    assert_eq!(crm.quirk(ONE, "set-cookie").await.headers.get_all("set-cookie").iter().count(), 2);
}
