//! The sample CRM that the demo and the integration tests run against: synthetic records in, a JSON API over TLS out. It keeps
//! what it received, so a test can look at what reached the CRM. It is not hardened and holds no real person's data.

mod api;
mod call;
mod canary;
mod coding;
mod customers;
mod export;
mod graphql;
mod mcp;
mod people;
mod quirk;
mod received;
mod records;
mod reply;
mod rng;
mod server;
mod shape;
mod sheet;
mod store;
mod tickets;
mod wire;
mod words;
mod world;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Sensitive;

pub use received::Received;
pub use server::serve;
pub use world::World;

use records::Records;
use store::Store;

/// The sample CRM: its records, its settings and what it received.
#[derive(Debug)]
pub struct Crm {
    store: Mutex<Store>,
    world: Mutex<World>,
    received: Mutex<received::Log>,
    token: Option<Sensitive<String>>,
    public_origin: Option<String>,
}

/// What stands at `pointer` (RFC 6901); `null` where nothing does.
fn at<'v>(value: &'v serde_json::Value, pointer: &str) -> &'v serde_json::Value {
    value.pointer(pointer).unwrap_or(&serde_json::Value::Null)
}

impl Crm {
    /// Synthetic people with orders and tickets; the same `seed` gives the same records on every machine.
    ///
    /// Customers are `C-1001` onwards with one to four orders each (`O-3001`…) and tickets for a third of them (`T-5001`…).
    pub fn generate(seed: u64, customers: usize) -> Self {
        Self::with_records(people::generate(seed, customers))
    }

    /// Records in which each field carries a value that occurs nowhere else and still has the shape of its class:
    /// `customers` customers with two orders and one ticket with two comments each.
    ///
    /// Only `card.expiry` repeats after 876 customers and `birth_date` after 25 000, because their shapes allow no more.
    pub fn canary(seed: u64, customers: usize) -> Self {
        Self::with_records(canary::canary(seed, customers))
    }

    /// Asks for `token` in the header `X-Api-Token` of every request but `GET /api/v1/health`; without this call none is asked for.
    #[must_use]
    pub fn with_token(mut self, token: String) -> Self {
        self.token = Some(Sensitive::new(token));
        self
    }

    /// Sets the origin of absolute links (`https://crm.example`, no slash at the end); without this call it is `https://` and
    /// the host the request names.
    #[must_use]
    pub fn with_public_origin(mut self, origin: String) -> Self {
        self.public_origin = Some(origin);
        self
    }

    /// Sets what stands below `/world/`; without this call it is there and empty.
    #[must_use]
    pub fn with_world(mut self, world: World) -> Self {
        self.world = Mutex::new(world);
        self
    }

    /// The whole database as lines of text (`object<TAB>id<TAB>column<TAB>value`, values unescaped): what somebody who
    /// steals a backup can search.
    pub fn dump(&self) -> Vec<u8> {
        let mut out = String::new();
        self.store().records.each(|table, id, record| {
            world::dump_record(&mut out, table, id, "", &serde_json::Value::Object(record.clone()));
        });
        self.world().dump(&mut out);
        out.into_bytes()
    }

    /// Every personal value that the CRM holds now, with its class, each pair once.
    ///
    /// Classes: `name`, `email`, `phone`, `address`, `birth_date`, `card_number`, `card_expiry`, `iban`, `ssn`, `free_text`
    /// (the whole text). Values that the initial free texts mention are listed under their own class in the spelling used
    /// there. Values under four bytes are left out.
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = self.store().records.secrets();
        secrets.extend(self.world().secrets());
        secrets
    }

    /// Answers one request without a socket and without recording it: what tests compare with. The credential is not asked
    /// for, a body is JSON, and absolute links start with `https://localhost`.
    pub fn ask(&self, method: http::Method, target: &str, body: &str) -> (http::StatusCode, Vec<u8>) {
        let token = self.token.as_ref().and_then(|token| http::HeaderValue::from_str(token.expose()).ok());
        let headers = token.map(|token| (http::HeaderName::from_static("x-api-token"), token)).into_iter().collect();
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        let origin = "https://localhost".to_owned();
        let reply = api::answer(self, &call::Call { method, target: target.to_owned(), headers, body, origin });
        match reply.body {
            reply::Content::Whole(body) => (reply.status, body),
            reply::Content::Export(..) => (reply.status, Vec::new()),
        }
    }

    /// What reached the CRM, oldest first: the last 4096 requests or 64 MiB of bodies, whichever is less.
    pub fn received(&self) -> Vec<Received> {
        self.log().all()
    }

    /// Forgets what reached the CRM so far.
    pub fn clear_received(&self) {
        self.log().clear();
    }

    /// The ids of all customers, in order.
    pub fn customer_ids(&self) -> Vec<String> {
        self.store().records.customers.keys().map(|number| format!("C-{number}")).collect()
    }

    /// The ids of all orders, in order.
    pub fn order_ids(&self) -> Vec<String> {
        self.store().records.orders.keys().map(|number| format!("O-{number}")).collect()
    }

    /// The ids of all tickets, in order.
    pub fn ticket_ids(&self) -> Vec<String> {
        self.store().records.tickets.keys().map(|number| format!("T-{number}")).collect()
    }

    /// The customer, order, ticket, contact or case `id` as the CRM holds it now; `self` links are empty or absent in it.
    pub fn stored(&self, id: &str) -> Option<serde_json::Value> {
        let found = self.store().record(id).cloned();
        found.or_else(|| self.world().stored(id)).map(serde_json::Value::Object)
    }

    fn with_records(records: Records) -> Self {
        Self {
            store: Mutex::new(Store::new(records)),
            world: Mutex::default(),
            received: Mutex::default(),
            token: None,
            public_origin: None,
        }
    }

    /// A panic in a test must not hide what the CRM holds: a poisoned lock is opened all the same.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, received::Log> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
