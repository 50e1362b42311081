//! A worker: one thread, one runtime, its own upstream pools and cached plans.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Method, Response};

use super::{
    body::Body,
    exchange::{self, Exchange, Stage},
    plan::{Plan, PlanCache},
    request::OutboundBody,
    shared::Shared,
    snapshot::{RoutePlan, Site},
};
use crate::{
    listener::{self, Incoming},
    model::{Operation, Principal, Timestamp},
    upstream::{Pool, Upstream},
};

/// What the exchanges of one thread share. The mutexes are never contended: one thread, never held across an await.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    plans: Mutex<PlanCache>,
    pools: Mutex<Pools>,
    operations: BTreeMap<&'static str, Arc<Operation>>,
}

#[derive(Default)]
struct Pools {
    generation: u64,
    pools: Vec<(Arc<Upstream>, Pool<OutboundBody>)>,
}

/// Methods a record names; others are `other`.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

impl Worker {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let operation = |method| (method, Arc::new(Operation { method, ..Operation::default() }));
        Self {
            shared,
            plans: Mutex::default(),
            pools: Mutex::default(),
            operations: METHODS.into_iter().chain(["other"]).map(operation).collect(),
        }
    }

    /// What is known of a request that no route matched yet.
    pub(super) fn bare_operation(&self, method: &Method) -> Arc<Operation> {
        let known = self.operations.get(method.as_str()).or_else(|| self.operations.get("other"));
        known.map(Arc::clone).unwrap_or_default()
    }

    /// A UUIDv7 (RFC 9562 §5.7).
    pub(super) fn request_id(&self, now: Timestamp) -> u128 {
        let micros = u64::try_from(now.micros()).unwrap_or_default();
        let nanos = (micros % 1_000_000) as u32 * 1_000;
        uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos)).as_u128()
    }

    /// The plan for an exchange, from the cache or from policy.
    pub(super) fn plan(
        &self,
        exchange: &Exchange<'_>,
        site: &Site,
        route: &Arc<RoutePlan>,
        principal: &Arc<Principal>,
    ) -> Stage<Arc<Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).plan(exchange, site, route, principal)
    }

    /// This worker's pool for `upstream`; pools of an earlier configuration end with their last exchange.
    pub(super) fn pool(&self, upstream: &Arc<Upstream>) -> Pool<OutboundBody> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.shared.snapshot.load();
        if pools.generation != snapshot.generation {
            pools.generation = snapshot.generation;
            pools.pools.retain(|(known, _)| snapshot.sites().any(|site| Arc::ptr_eq(&site.upstream, known)));
        }
        if let Some((_, pool)) = pools.pools.iter().find(|(known, _)| Arc::ptr_eq(known, upstream)) {
            return pool.clone();
        }
        let pool = Pool::new(Arc::clone(upstream));
        pools.pools.push((Arc::clone(upstream), pool.clone()));
        pool
    }
}

/// Hands the listener's requests to the exchange.
#[derive(Clone)]
pub(super) struct Handler(pub(super) Arc<Worker>);

impl listener::Handler for Handler {
    type Body = Body;

    async fn call(&self, incoming: Incoming) -> Response<Body> {
        exchange::run(&self.0, incoming).await
    }
}
