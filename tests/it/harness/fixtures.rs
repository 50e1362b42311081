//! A CRM that answers from recorded shapes: fixture files in, exchanges with unique values in every place out, served over
//! TLS. What the files write as `{{email:3}}` is a value of that class, `{{text.email:3}}` one inside of free text,
//! `{{text:3}}` a harmless text, `{{secret:3}}` something that no map knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::TcpListener,
    sync::{
        Arc, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::watch;

/// What RFC 3986 §2.3 lets stand as it is does.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One recorded exchange.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub file: String,
    pub method: String,
    pub target: String,
    pub send: Option<String>,
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The values in its answer.
    pub canaries: BTreeSet<Canary>,
}

/// A unique value and what it is: a class, or `text.` and a class where it stands in free text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Canary {
    pub class: String,
    pub value: String,
}

/// The exchanges of one world.
#[derive(Debug, Default)]
pub struct Fixtures {
    pub exchanges: RwLock<Vec<Recorded>>,
    /// Requests that arrived.
    pub hits: AtomicUsize,
}

impl Fixtures {
    /// The files of `tests/data/worlds/<world>`; `origin` stands where they write `{{origin}}`.
    pub fn load(world: &str, origin: &str) -> Self {
        let dir = format!("{}/tests/data/worlds/{world}", env!("CARGO_MANIFEST_DIR"));
        let mut exchanges = Vec::new();
        let mut files = super::walk(std::path::Path::new(&dir));
        files.sort();
        for path in files {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let list: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            exchanges.extend(list.iter().map(|one| Recorded::read(&file, one, origin)));
        }
        assert!(!exchanges.is_empty(), "no fixtures in {dir}");
        Self { exchanges: RwLock::new(exchanges), hits: AtomicUsize::new(0) }
    }

    pub fn all(&self) -> Vec<Recorded> {
        self.exchanges.read().unwrap().clone()
    }

    /// The exchange for a request: of its path and query, of its path at least; of several, the one with its body.
    fn find(&self, method: &str, target: &str, body: &[u8]) -> Option<Recorded> {
        let exchanges = self.exchanges.read().unwrap();
        let (path, query) = parts(target);
        let on_path: Vec<&Recorded> =
            exchanges.iter().filter(|one| one.method == method && parts(&one.target).0 == path).collect();
        let exact: Vec<&Recorded> = on_path.iter().copied().filter(|one| parts(&one.target).1 == query).collect();
        let body: Option<Value> = serde_json::from_slice(body).ok();
        let sent =
            |one: &&&Recorded| one.send.as_ref().and_then(|send| serde_json::from_str::<Value>(send).ok()) == body;
        let with_body = exact.iter().find(sent).or_else(|| on_path.iter().find(sent));
        with_body.or(exact.first()).or(on_path.first()).map(|one| (*one).clone())
    }

    fn answer(&self, method: &str, target: &str, body: &[u8]) -> Response<Full<Bytes>> {
        self.hits.fetch_add(1, Ordering::SeqCst);
        let Some(found) = self.find(method, target, body) else {
            let body = Full::new(Bytes::from_static(b"{\"message\":\"no such fixture\"}"));
            return Response::builder().status(404).header("content-type", "application/json").body(body).unwrap();
        };
        let mut response = Response::builder().status(found.status);
        for (name, value) in &found.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(Bytes::from(found.body))).unwrap()
    }

    /// Serves until `closing`'s sender is gone.
    pub async fn serve(
        self: Arc<Self>,
        socket: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        mut closing: watch::Receiver<bool>,
    ) {
        socket.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(socket).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(tls);
        loop {
            let stream = tokio::select! {
                _ = closing.changed() => return,
                accepted = listener.accept() => accepted.unwrap().0,
            };
            let (acceptor, world) = (acceptor.clone(), Arc::clone(&self));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request: Request<Incoming>| {
                    let world = Arc::clone(&world);
                    async move {
                        let (head, body) = request.into_parts();
                        let body = read(body).await;
                        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
                        Ok::<_, Infallible>(world.answer(head.method.as_str(), target, &body))
                    }
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

async fn read(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = http_body_util::BodyExt::frame(&mut body).await {
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    bytes
}

/// The decoded path, and the decoded parameters in order of their names.
fn parts(target: &str) -> (String, BTreeSet<String>) {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = percent_decode_str(path.trim_end_matches('/')).decode_utf8_lossy().into_owned();
    (path, query.split('&').filter(|pair| !pair.is_empty()).map(decode).collect())
}

impl Recorded {
    fn read(file: &str, one: &Value, origin: &str) -> Self {
        let request = one["request"].as_str().unwrap_or_else(|| panic!("{file}: `request` is missing"));
        let (method, target) = request.split_once(' ').unwrap();
        let mut nobody = BTreeSet::new();
        let mut canaries = BTreeSet::new();
        let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let target = expand(target, origin, &mut nobody, encoded);
        let plain = |text: &str| text.to_owned();
        let send = one.get("send").map(|body| expand(&body.to_string(), origin, &mut nobody, plain));
        let body = match (one.get("text"), one.get("body")) {
            (Some(Value::String(text)), _) => text.clone(),
            (_, Some(body)) => body.to_string(),
            _ => String::new(),
        };
        let body = expand(&body, origin, &mut canaries, plain);
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in one["headers"].as_object().into_iter().flatten() {
            headers.insert(name.to_lowercase(), expand(value.as_str().unwrap(), origin, &mut canaries, encoded));
        }
        if !body.is_empty() {
            headers.entry("content-type".to_owned()).or_insert_with(|| "application/json;charset=UTF-8".to_owned());
        }
        let status = one["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
        Self { file: file.to_owned(), method: method.to_owned(), target, send, status, headers, body, canaries }
    }
}

/// Replaces `{{class:number}}` by values; texts outside stay.
fn expand(text: &str, origin: &str, canaries: &mut BTreeSet<Canary>, spell: impl Fn(&str) -> String) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or_else(|| panic!("`{{{{` is not closed: {after}"));
        out.push_str(before);
        if name == "origin" {
            out.push_str(origin);
        } else {
            let (class, number) = name.split_once(':').unwrap_or_else(|| panic!("`{name}` is not `class:number`"));
            let value = value(class.trim_start_matches("text."), number.parse().unwrap());
            out.push_str(&spell(&value));
            canaries.insert(Canary { class: class.to_owned(), value });
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The value `number` of `class`, which no other is part of.
fn value(class: &str, number: u64) -> String {
    let letters: String =
        (0..4).map(|at| char::from(b'a' + u8::try_from(number / 26_u64.pow(at) % 26).unwrap())).collect();
    match class {
        "email" => format!("canary.{letters}{number}@customers.example.org"),
        "phone" => format!("+1415555{:04}", 2000 + number),
        "name" => format!("Ada{letters} Canary{letters}"),
        "address" => format!("{}7 Canary Row {letters}", 1000 + number),
        "birth_date" => format!("19{:02}-{:02}-{:02}", 20 + number % 60, 1 + number % 12, 1 + number % 28),
        "card_number" => luhn(&format!("41111122{:07}", number * 13)),
        "iban" => iban(&format!("5001051754{:08}", 7_324_931 + number)),
        "ssn" => format!("536-{:02}-{:04}", 20 + number % 70, 1000 + number),
        "text" => format!("prefers parcel station {letters}{number}"),
        "secret" => format!("unmapped-{letters}-{number}"),
        other => panic!("no values of `{other}`"),
    }
}

fn luhn(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2 == 0, u32::from(digit - b'0')) {
            (true, digit) => digit * 2 / 10 + digit * 2 % 10,
            (false, digit) => digit,
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// ISO 13616: `DE` and its check digits before `bban`.
fn iban(bban: &str) -> String {
    let rest = format!("{bban}131400").bytes().fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{bban}", 98 - rest)
}
