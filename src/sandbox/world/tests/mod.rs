//! The second surface by its answers.

mod records;
mod searches;

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::{World, answer};
use crate::sandbox::Crm;
use crate::sandbox::call::Call;
use crate::sandbox::reply::{Content, Reply};

/// A CRM whose first surface is empty.
fn crm(world: World) -> Crm {
    Crm::generate(1, 0).with_world(world)
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn code(&self) -> String {
        self.json()[0]["errorCode"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn send(crm: &Crm, method: Method, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let call = Call {
        method,
        target: target.to_owned(),
        headers: headers.iter().map(pair).collect(),
        body: Bytes::from(body.to_owned()),
        origin: "https://crm.example".to_owned(),
    };
    let Reply { status, headers, body } = answer(crm, &call, Instant::now());
    let body = match body {
        Content::Whole(body) => String::from_utf8(body).unwrap(),
        Content::Export(..) => panic!("there is no export here"),
    };
    Answer { status: status.as_u16(), headers, body }
}

fn get(crm: &Crm, target: &str) -> Answer {
    send(crm, Method::GET, target, &[], "")
}

fn json(crm: &Crm, method: Method, target: &str, body: &Value) -> Answer {
    send(crm, method, target, &[("content-type", "application/json")], &body.to_string())
}
