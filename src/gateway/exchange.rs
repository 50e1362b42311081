//! The life of one exchange, on one screen: accept, identify, map, authorise, protect, intent, forward, view, release.

use std::sync::{Arc, atomic::Ordering};

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts as RequestHead};
use hyper::body::Incoming as Inbound;

use super::{
    batch,
    body::Body,
    budget::{self, Meter},
    call::{self, Call},
    ending::Ending,
    etag::ViewTag,
    graphql, mcp,
    paced::Reach,
    plan::Plan,
    request::{self, Outbound, OutboundBody, Trouble},
    respond::Refusal,
    response::{self, Answer, Sent},
    rpc::Rpc,
    snapshot::{RoutePlan, Site, Snapshot},
    trace::TraceParent,
    verify,
    worker::Worker,
};
use crate::{
    audit::Receipt,
    crm::Matched,
    crypto,
    listener::Incoming,
    model::{
        AccessKind, Actor, BodyFormat, ClassSet, Peer, Principal, Purpose, Sensitive, Sighting, Subject, Timestamp,
    },
    upstream::{self, UpstreamError},
};

/// What a stage gives back when it refuses.
pub(super) type Stage<T> = Result<T, Box<Refusal>>;

/// Answers one request. Every way out of here leaves exactly one `access.outcome`.
pub(super) async fn run(worker: &Arc<Worker>, incoming: Incoming) -> Response<Body> {
    let mut exchange = Exchange::begin(worker, &incoming.peer);
    let total = exchange.snapshot.timeouts.total.duration();
    let served = tokio::time::timeout(total, exchange.serve(incoming)).await;
    let late = || {
        Err(Box::new(Refusal::new(
            "timeout",
            StatusCode::GATEWAY_TIMEOUT,
            "the exchange took longer than `timeouts.total`",
        )))
    };
    match served.unwrap_or_else(|_| late()) {
        Ok(answer) => exchange.release(answer),
        Err(refusal) => exchange.refuse(*refusal).await,
    }
}

/// One exchange under way.
pub(super) struct Exchange<'w> {
    pub(super) worker: &'w Arc<Worker>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) peer: Arc<Peer>,
    pub(super) now: Timestamp,
    pub(super) ending: Ending,
    pub(super) trace: Option<TraceParent>,
    /// The budgets that bear on it.
    pub(super) meter: Option<Arc<Meter>>,
    /// The message it answers, where bodies are JSON-RPC.
    pub(super) rpc: Option<Rpc>,
    head_only: bool,
    /// The record a caller may quote when the body shows nothing: of a write, of a refusal.
    reference: Option<HeaderValue>,
}

impl<'w> Exchange<'w> {
    fn begin(worker: &'w Arc<Worker>, peer: &Arc<Peer>) -> Self {
        let snapshot = worker.shared.snapshot.load_full();
        let now = worker.shared.now();
        let actor = Arc::new(Actor { principal: None, address: peer.address.ip() });
        let ending =
            Ending::new(Arc::clone(&worker.shared), worker.request_id(now), actor, Arc::clone(&snapshot.classes));
        let (snapshot, peer) = (snapshot, Arc::clone(peer));
        Self {
            worker,
            snapshot,
            peer,
            now,
            ending,
            trace: None,
            meter: None,
            rpc: None,
            head_only: false,
            reference: None,
        }
    }

    async fn serve(&mut self, incoming: Incoming) -> Stage<Answer> {
        let (site, head, body) = self.accept(incoming)?;
        let principal = self.identify(&head)?;
        if verify::is_asked(&head) {
            return Box::pin(verify::answer(self, &site, &principal, head, body)).await;
        }
        let (matched, route) = self.map(&site, &head)?;
        let plan = self.authorise(&site, &route, &principal)?;
        if let BodyFormat::Batch(kind) = route.request_format {
            let call = Call { matched, route, plan };
            return Box::pin(batch::run(self, &site, &principal, call, kind, (head, body))).await;
        }
        if route.request_format == BodyFormat::Mcp {
            let mapped = mcp::Mapped { matched, route, plan };
            return Box::pin(mcp::answer(self, &site, &principal, mapped, head, body)).await;
        }
        if route.request_format == BodyFormat::GraphQl {
            return Box::pin(graphql::answer(self, &site, &principal, (&matched, &route, &plan), head, body)).await;
        }
        let outbound = request::protect(self, &site, &route, &matched, &plan, head, body).await?;
        self.meter = budget::open(self, &site, &route, &matched, &plan, outbound.written)?;
        self.intent(&route, &matched, outbound.written).await?;
        let Outbound { request, known, trouble, unnamed, .. } = outbound;
        let response = self.forward(&site, &plan, &route, request, &trouble).await?;
        let sent = Sent { known, unnamed };
        response::view(self, &site, &route, &matched, &plan, sent, response).await
    }

    fn accept(&mut self, incoming: Incoming) -> Stage<(Arc<Site>, RequestHead, Inbound)> {
        let (head, body) = incoming.request.into_parts();
        self.head_only = head.method == Method::HEAD;
        self.ending.operation = self.worker.bare_operation(&head.method);
        if let Some(refusal) = incoming.refusal {
            let mut refused = Refusal::new(refusal.code, refusal.status, refusal.detail);
            refused.closes = true;
            return Err(Box::new(refused));
        }
        if self.worker.shared.status.active.load(Ordering::Relaxed) > self.snapshot.limits.exchanges {
            return Err(Box::new(Refusal::overloaded()));
        }
        self.trace = TraceParent::of(&head.headers, crypto::nonce::<24>).ok();
        self.ending.trace = self.trace.map(|parent| parent.trace);
        let site = self.snapshot.site(&self.peer.listener).cloned().ok_or_else(|| {
            let detail = "this listener is not part of the configuration any more; connect again";
            Box::new(Refusal::new("gone", StatusCode::MISDIRECTED_REQUEST, detail))
        })?;
        Ok((site, head, body))
    }

    /// The record that a caller may quote, when the body shows nothing.
    pub(super) fn quote(&mut self, receipt: &Receipt) {
        self.reference = HeaderValue::try_from(receipt.reference()).ok();
    }

    fn identify(&mut self, head: &RequestHead) -> Stage<Arc<Principal>> {
        let principal = self.snapshot.identity.identify(&self.peer, &head.headers, self.now).map_err(|error| {
            tracing::info!(client.ip = %self.peer.address.ip(), code = error.code(), "not identified");
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
            let mut refusal = Refusal::new(error.code(), status, error.detail());
            if status == StatusCode::SERVICE_UNAVAILABLE {
                refusal = refusal.retry_after(5);
            }
            Box::new(match error.www_authenticate() {
                Some(challenge) => refusal.header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)),
                None => refusal,
            })
        })?;
        self.ending.actor =
            Arc::new(Actor { principal: Some(Arc::clone(&principal)), address: self.peer.address.ip() });
        let claimed = claimed_purpose(head)?;
        // Only a configured code may be recorded: anything else is text of the caller, and the log forgets nothing.
        if claimed.code.as_ref().is_some_and(|code| !self.snapshot.purposes.contains(code)) {
            return Err(Box::new(super::plan::unknown_purpose(&self.snapshot.purposes)));
        }
        self.ending.purpose = Arc::new(claimed);
        Ok(principal)
    }

    fn map(&mut self, site: &Arc<Site>, head: &RequestHead) -> Stage<(Matched, Arc<RoutePlan>)> {
        if METHOD_OVERRIDES.iter().any(|name| head.headers.contains_key(name)) {
            let detail = "headers that ask for another method than the request line are not served; send that method";
            return Err(Box::new(Refusal::new("method_override", StatusCode::BAD_REQUEST, detail)));
        }
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let (matched, route) = call::find(site, &head.method, target)?;
        self.ending.operation = Arc::clone(&route.operation);
        self.ending.route = Some(Arc::clone(&route.status));
        Ok((matched, route))
    }

    pub(super) fn authorise(
        &mut self,
        site: &Arc<Site>,
        route: &Arc<RoutePlan>,
        principal: &Arc<Principal>,
    ) -> Stage<Arc<Plan>> {
        let plan = self.worker.plan(self, site, route, principal);
        plan.inspect(|plan| self.ending.decision = Arc::clone(&plan.decision))
    }

    /// Writes only: the record is durable before the CRM changes (audit-log.md §4.1 P2).
    pub(super) async fn intent(&mut self, route: &RoutePlan, matched: &Matched, written: ClassSet) -> Stage<()> {
        if !route.action.is_write() {
            return Ok(());
        }
        let seen = Sighting { subject: matched.subject.clone(), ..Sighting::default() };
        let subjects = match matched.subject {
            Some(_) => vec![Subject { kind: Arc::clone(&route.resource), seen }],
            None => Vec::new(),
        };
        let recorded = self.ending.record(AccessKind::Intent, subjects, written).await;
        let receipt = recorded.map_err(|_| Box::new(Refusal::audit_unavailable()))?;
        self.quote(&receipt);
        Ok(())
    }

    pub(super) async fn forward(
        &mut self,
        site: &Site,
        plan: &Plan,
        route: &RoutePlan,
        request: Request<OutboundBody>,
        trouble: &Trouble,
    ) -> Stage<Response<upstream::Body>> {
        let started = self.ending.elapsed();
        let pool = self.worker.pool(&site.upstream);
        let sent = pool.send(&plan.permit, request);
        let response = sent.await;
        route.status.upstream.observe(self.ending.elapsed().saturating_sub(started));
        let response = response.map_err(|error| {
            // It was the caller who failed, not the CRM.
            if let Some(fault) = trouble.fault() {
                return Box::new(fault.refusal());
            }
            tracing::warn!(upstream.name = &*site.upstream_name, error = %error, "the CRM was not reached");
            Box::new(unreached(error))
        })?;
        self.ending.upstream_status = Some(response.status().as_u16());
        Ok(response)
    }

    fn release(mut self, mut answer: Answer) -> Response<Body> {
        if let (Some(reference), false) = (self.reference.take(), answer.head.headers.contains_key(&AUDIT_REF)) {
            answer.head.headers.insert(AUDIT_REF.clone(), reference);
        }
        self.ending.status = Some(answer.head.status.as_u16());
        self.ending.why = answer.why;
        let (timeouts, limits) = (&self.snapshot.timeouts, &self.snapshot.limits);
        let until = self.ending.started() + timeouts.total.duration();
        let reach = Reach { patience: timeouts.body.duration(), until: Some(until), bytes: limits.response_body_bytes };
        Response::from_parts(answer.head, answer.body.into_body(self.ending, until, reach))
    }

    /// A refusal is recorded like an access; it carries no data, so without a record it still says that there is none.
    async fn refuse(mut self, refusal: Refusal) -> Response<Body> {
        let mut refusal = refusal;
        self.ending.shared().status.refused(refusal.code);
        if refusal.code != "audit_unavailable" && refusal.code != "overloaded" {
            let mut decision = (*self.ending.decision).clone();
            decision.effect = crate::model::Effect::Deny;
            decision.why = Some(refusal.code);
            if !refusal.rules.is_empty() {
                decision.rules = refusal.rules.clone().into();
            }
            self.ending.decision = Arc::new(decision);
            let decision = &self.ending.decision;
            let deny = match &refusal.call {
                None => self.ending.event(AccessKind::Deny, Vec::new(), ClassSet::EMPTY),
                Some((number, inner)) => {
                    let inner = (*number, inner);
                    let classes = (ClassSet::EMPTY, ClassSet::EMPTY);
                    self.ending.call_event(inner, decision, AccessKind::Deny, Vec::new(), classes)
                }
            };
            match self.ending.shared().record(&deny).await {
                Ok(receipt) => self.reference = HeaderValue::try_from(receipt.reference()).ok(),
                Err(_) => refusal = Refusal::audit_unavailable(),
            }
        }
        self.ending.why = Some(refusal.code);
        self.ending.status = Some(refusal.status.as_u16());
        let request = uuid::Uuid::from_u128(self.ending.request).to_string();
        let (mut head, body) = match self.rpc.take() {
            Some(rpc) => rpc.refused(refusal, &request),
            None => refusal.into_response(&request),
        };
        if let Some(reference) = self.reference.take() {
            head.headers.insert(AUDIT_REF.clone(), reference);
        }
        Response::from_parts(head, Body::full(body, self.ending))
    }

    /// Whether the caller asked for the head only.
    pub(super) fn is_head(&self) -> bool {
        self.head_only
    }

    /// The tag that sets apart entity tags of different views of one record.
    pub(super) fn view_tag(&self, plan: &Plan) -> ViewTag {
        plan.tag
    }
}

/// Why there is no answer of the CRM.
fn unreached(error: UpstreamError) -> Refusal {
    let status = match error {
        UpstreamError::RequestBody => StatusCode::BAD_REQUEST,
        error if error.is_overload() => StatusCode::SERVICE_UNAVAILABLE,
        error if error.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let refusal = Refusal::new(error.code(), status, error.to_string());
    if error.is_overload() { refusal.retry_after(1) } else { refusal }
}

/// The response header that names the record of what was done, shown or refused.
pub(super) static AUDIT_REF: HeaderName = HeaderName::from_static("fieldgate-audit-ref");

/// `Fieldgate-Purpose` and `Fieldgate-Case`, as claimed.
fn claimed_purpose(head: &RequestHead) -> Stage<Purpose> {
    let text = |name: &HeaderName| -> Stage<Option<&str>> {
        let mut values = head.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let wrong = || {
            let detail = format!("`{name}` must be sent once, with 1 to {MAX_PURPOSE_BYTES} visible ASCII characters");
            Box::new(Refusal::new("bad_purpose", StatusCode::BAD_REQUEST, detail))
        };
        let text = value.to_str().map_err(|_| wrong())?.trim();
        if values.next().is_some() || text.is_empty() || text.len() > MAX_PURPOSE_BYTES {
            return Err(wrong());
        }
        Ok(Some(text))
    };
    let code = text(&PURPOSE)?.map(Arc::from);
    let case = text(&CASE)?.map(|case| Sensitive::new(case.to_owned()));
    Ok(Purpose { code, case })
}

static PURPOSE: HeaderName = HeaderName::from_static("fieldgate-purpose");
static CASE: HeaderName = HeaderName::from_static("fieldgate-case");

/// Headers by which frameworks serve another method than the one that was mapped and authorised.
static METHOD_OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// Longest purpose code or case reference, in bytes.
const MAX_PURPOSE_BYTES: usize = 128;
