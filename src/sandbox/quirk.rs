//! What real CRMs and the machines in front of them get wrong, on request (`X-Sandbox-Quirk`).

use http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Content, Reply};
use super::sheet::escaped;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quirk {
    Truncated,
    NotJson,
    LoneSurrogate,
    Bom,
    TextPlain,
    NoType,
    GzipTwice,
    RedirectAway,
    RedirectHere,
    BigNumbers,
    Duplicates,
    Partial,
    HtmlError,
    EchoError,
    SoapFault,
    TableError,
    LinesError,
    Slow,
    Error500,
    UnknownCoding,
    Reset,
    EarlyHints,
    Deep,
    SetCookie,
    Trailers,
}

impl Quirk {
    /// The quirks a request names, separated by commas.
    ///
    /// # Errors
    /// The first name that is none.
    pub(super) fn wanted(call: &Call) -> Result<Vec<Self>, String> {
        let Some(names) = call.header("x-sandbox-quirk") else { return Ok(Vec::new()) };
        names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| NAMES.iter().find(|(known, _)| *known == name).map(|(_, quirk)| *quirk).ok_or(name.into()))
            .collect()
    }

    /// Changes `reply` as far as a quirk lies in status, header fields or plain body; the server does the others.
    pub(super) fn apply(self, call: &Call, reply: &mut Reply) {
        match self {
            Self::NotJson => edit(reply, |text| format!("Customer data: {text}").into_bytes()),
            Self::LoneSurrogate => rewrite(reply, Style::LoneSurrogate),
            Self::Bom => edit(reply, |text| format!("\u{feff}{text}").into_bytes()),
            Self::TextPlain => {
                reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            }
            Self::NoType => drop(reply.headers.remove(CONTENT_TYPE)),
            Self::RedirectAway => {
                let away = format!("https://elsewhere.example{}", call.target);
                *reply = replaced(StatusCode::FOUND, &json!({})).with(LOCATION, &away);
            }
            Self::RedirectHere => {
                let mark = if call.target.contains('?') { '&' } else { '?' };
                let here = format!("{}{}{mark}moved=1", call.origin, call.target);
                *reply = replaced(StatusCode::TEMPORARY_REDIRECT, &json!({})).with(LOCATION, &here);
            }
            Self::BigNumbers => rewrite(reply, Style::BigNumbers),
            Self::Duplicates => rewrite(reply, Style::Duplicates),
            Self::Partial => {
                if let Content::Whole(body) = &mut reply.body {
                    let (total, half) = (body.len(), body.len() / 2);
                    body.truncate(half);
                    reply.status = StatusCode::PARTIAL_CONTENT;
                    let range = format!("bytes 0-{}/{total}", half.saturating_sub(1));
                    reply.headers.extend(HeaderValue::from_str(&range).map(|range| (CONTENT_RANGE, range)));
                }
            }
            Self::HtmlError => {
                let page = format!("<html><body><h1>502 Bad Gateway</h1><pre>{}</pre></body></html>", plain(reply));
                *reply = Reply::text(StatusCode::BAD_GATEWAY, "text/html; charset=utf-8", page.into_bytes());
            }
            Self::EchoError => {
                let headers: Vec<String> = call
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
                    .collect();
                let body = json!({ "error": {
                    "code": "internal",
                    "message": format!("{} {} failed", call.method, call.target),
                    "input": {
                        "method": call.method.as_str(),
                        "target": call.target,
                        "headers": headers,
                        "body": String::from_utf8_lossy(&call.body),
                    },
                    "trace": [format!("at Crm::handle({})", plain(reply))],
                } });
                *reply = replaced(StatusCode::INTERNAL_SERVER_ERROR, &body);
            }
            Self::SoapFault => {
                let body = String::from_utf8_lossy(&call.body);
                let text = format!(
                    "<?xml version=\"1.0\"?><!-- {0} --><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
                     <s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>cannot take {0}</faultstring>\
                     <detail near=\"{1}\">{2}</detail></s:Fault></s:Body></s:Envelope>",
                    escaped(&body).replace("--", "- -"),
                    escaped(&call.target),
                    escaped(&plain(reply)),
                );
                *reply = Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "text/xml; charset=utf-8", text.into_bytes());
            }
            Self::TableError => {
                let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
                let body = String::from_utf8_lossy(&call.body);
                let text = format!("sf__Error,Row\r\nINVALID_EMAIL,{}\r\n{},\r\n", cell(&body), cell(&plain(reply)));
                *reply = Reply::text(StatusCode::BAD_REQUEST, "text/csv", text.into_bytes());
            }
            Self::LinesError => {
                let body = String::from_utf8_lossy(&call.body);
                let text =
                    format!("{}\n{}\n", json!({ "error": "invalid", "row": body }), json!({ "at": plain(reply) }));
                *reply = Reply::text(StatusCode::BAD_REQUEST, "application/x-ndjson", text.into_bytes());
            }
            Self::Error500 => {
                let message = format!("cannot save {}", plain(reply));
                let body = json!({ "error": { "code": "internal", "message": message, "input": {} } });
                *reply = replaced(StatusCode::INTERNAL_SERVER_ERROR, &body);
            }
            Self::Deep => {
                edit(reply, |text| {
                    format!("{{\"data\":{}{text}{}}}", "[".repeat(DEPTH), "]".repeat(DEPTH)).into_bytes()
                });
            }
            Self::SetCookie => {
                for cookie in ["crm_session=5f2b1c0d; Path=/; HttpOnly; Secure", "crm_last=C-1001; Path=/api"] {
                    reply.headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
                }
            }
            Self::Truncated
            | Self::GzipTwice
            | Self::Slow
            | Self::UnknownCoding
            | Self::Reset
            | Self::EarlyHints
            | Self::Trailers => {}
        }
    }
}

fn replaced(status: StatusCode, body: &Value) -> Reply {
    Reply::json(status, body)
}

fn plain(reply: &Reply) -> String {
    match &reply.body {
        Content::Whole(body) => String::from_utf8_lossy(body).into_owned(),
        Content::Export(..) => String::new(),
    }
}

fn edit(reply: &mut Reply, change: impl FnOnce(String) -> Vec<u8>) {
    let text = plain(reply);
    if !text.is_empty() {
        reply.body = Content::Whole(change(text));
        reply.headers.remove(ETAG);
    }
}

fn rewrite(reply: &mut Reply, style: Style) {
    edit(reply, |text| match serde_json::from_str(&text) {
        Ok(value) => {
            let mut out = String::with_capacity(text.len() * 2);
            write(&value, style, false, &mut out);
            out.into_bytes()
        }
        Err(_) => text.into_bytes(),
    });
}

/// A way to write JSON that parsers read differently or not at all.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// Each member twice, with the same value.
    Duplicates,
    /// Texts of the fields people write end in half of a surrogate pair.
    LoneSurrogate,
    /// Integers beyond 64 bits.
    BigNumbers,
}

fn write(value: &Value, style: Style, free: bool, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                if style == Style::BigNumbers && name == "email" {
                    out.push_str("\"ledger\":1234567890123456789,\"ratio\":1e400,");
                }
                let free = FREE.contains(&name.as_str());
                for copy in 0..if style == Style::Duplicates { 2 } else { 1 } {
                    if copy > 0 {
                        out.push(',');
                    }
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push(':');
                    write(member, style, free, out);
                }
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, style, free, out);
            }
            out.push(']');
        }
        Value::String(_) if style == Style::LoneSurrogate && free => {
            out.push_str(value.to_string().trim_end_matches('"'));
            out.push_str("\\ud83d\"");
        }
        Value::Number(number) if style == Style::BigNumbers => {
            out.push_str(&format!("{number}00000000000000000000"));
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Arrays in arrays of the quirk `deep`.
const DEPTH: usize = 20_000;

/// Fields that people write by hand.
const FREE: [&str; 5] = ["name", "notes", "subject", "description", "body"];

const NAMES: [(&str, Quirk); 25] = [
    ("truncated", Quirk::Truncated),
    ("not-json", Quirk::NotJson),
    ("lone-surrogate", Quirk::LoneSurrogate),
    ("bom", Quirk::Bom),
    ("text-plain", Quirk::TextPlain),
    ("no-type", Quirk::NoType),
    ("gzip-twice", Quirk::GzipTwice),
    ("redirect-away", Quirk::RedirectAway),
    ("redirect-here", Quirk::RedirectHere),
    ("big-numbers", Quirk::BigNumbers),
    ("duplicates", Quirk::Duplicates),
    ("partial", Quirk::Partial),
    ("html-error", Quirk::HtmlError),
    ("soap-fault", Quirk::SoapFault),
    ("table-error", Quirk::TableError),
    ("lines-error", Quirk::LinesError),
    ("echo-error", Quirk::EchoError),
    ("slow", Quirk::Slow),
    ("error-500", Quirk::Error500),
    ("unknown-coding", Quirk::UnknownCoding),
    ("reset", Quirk::Reset),
    ("early-hints", Quirk::EarlyHints),
    ("deep", Quirk::Deep),
    ("set-cookie", Quirk::SetCookie),
    ("trailers", Quirk::Trailers),
];
