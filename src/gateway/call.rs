//! One call inside an exchange: method, target and body in; mapped, authorised, its queries answered, its body guarded and stored
//! out, and later its answer as far as the caller may see it. A batch has several; nothing here sends or records anything.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};

use super::{
    body::Held,
    budget::{self, Meter},
    exchange::{Exchange, Stage},
    media,
    opening::Opening,
    parts::PartError,
    plan::Plan,
    request::refused_as,
    respond::Refusal,
    response::stopped,
    search,
    snapshot::{RoutePlan, Site, Snapshot},
    stored::Sealed,
    upload,
};
use crate::{
    crm::Matched,
    model::{BodyFormat, ClassSet, Principal, Sensitive, Sighting, SubjectRef},
    protect,
    rewrite::{self, ResponseView},
};

/// A call that policy permits.
pub(super) struct Call {
    pub(super) matched: Matched,
    pub(super) route: Arc<RoutePlan>,
    pub(super) plan: Arc<Plan>,
}

impl Call {
    /// Asks policy about what [`find`] found.
    ///
    /// # Errors
    /// What the caller may not do.
    pub(super) fn permit(
        exchange: &Exchange<'_>,
        site: &Site,
        principal: &Arc<Principal>,
        (matched, route): (Matched, Arc<RoutePlan>),
    ) -> Stage<Self> {
        let plan = exchange.worker.plan(exchange, site, &route, principal)?;
        Ok(Self { matched, route, plan })
    }

    /// Makes what the CRM is sent out of a whole call.
    ///
    /// # Errors
    /// A stand-in in the target or the body, a query that cannot be answered, a body that is not what the map says.
    pub(super) async fn protect(
        &self,
        snapshot: &Snapshot,
        method: &Method,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Stage<Protected> {
        refuse_stand_ins(&self.matched)?;
        let target = search::target(snapshot, &self.matched).await?;
        let mut content = if self.route.request_format == BodyFormat::Empty {
            if !body.is_empty() {
                return Err(Box::new(super::request::Fault::Unexpected.refusal()));
            }
            Content::default()
        } else if self.route.request.is_pass_through() && search::body_rule(&self.matched).is_none() || body.is_empty()
        {
            Content { body: body.to_vec(), ..Content::default() }
        } else {
            content(snapshot, (&self.route, &self.plan, &self.matched), method, headers, body).await?
        };
        if !self.route.action.is_write() {
            content.written = content.written.union(content.looked_for).union(target.classes);
        }
        content.known.extend(target.known);
        content.known.extend(self.matched.protected.iter().map(|(_, value)| value.clone()));
        let Content { body, written, known, unnamed, .. } = content;
        Ok(Protected { target: target.text, body, written, known, unnamed })
    }

    /// What the caller may see of the whole JSON `body` with which the CRM answers the call; `success` says whether the map
    /// describes it, `known` what it may not echo otherwise. Nothing of it may be shown before its sightings are recorded.
    ///
    /// # Errors
    /// A body that is not what the map says, a budget that is used up, a vault that does not answer.
    pub(super) async fn view(
        &self,
        exchange: &Exchange<'_>,
        site: &Site,
        asked: &Asked,
        known: &[Sensitive<String>],
        success: bool,
        body: &[u8],
    ) -> Stage<Shown> {
        let error = (!success).then_some(BodyFormat::Json);
        let known = if success { Vec::new() } else { known.to_vec() };
        let subject = self.matched.subject.clone();
        let plan = exchange.snapshot.response_view(site, &self.route, &self.plan, known, subject, error);
        let mut view = ResponseView::new(Arc::clone(&plan));
        if success {
            (view, _) = budget::watch(view, asked.searched, asked.meter.as_ref());
        }
        let mut shown = Shown::default();
        let viewed = self.run(exchange, view, &plan, &asked.unnamed, body, &mut shown).await;
        viewed.map_err(|error| match asked.meter.as_ref().and_then(|meter| meter.stopped()) {
            Some(stop) => Box::new(stop.refusal()),
            None => stopped(&error),
        })?;
        if let (Some(meter), false) = (&asked.meter, shown.sightings.is_empty()) {
            meter.found_somebody();
        }
        Ok(shown)
    }

    async fn run(
        &self,
        exchange: &Exchange<'_>,
        mut view: ResponseView,
        plan: &Arc<rewrite::Plan>,
        unnamed: &[SubjectRef],
        body: &[u8],
        shown: &mut Shown,
    ) -> Result<(), PartError> {
        let ending = &exchange.ending;
        let mut out = Vec::with_capacity(body.len());
        let resolver = exchange.snapshot.resolver(&self.route);
        let opening = resolver.and_then(|resolver| Opening::new(resolver, plan, unnamed.to_vec()));
        if let Some(mut opening) = opening {
            opening.begin(&mut view);
            opening.push(&mut view, body, &mut out, ending).await?;
            shown.sightings = view.take_sightings();
            shown.sightings.extend(opening.finish(&mut view, &mut out, ending).await?);
            shown.hidden = opening.hidden();
        } else {
            view.push(body, &mut out)?;
            shown.sightings = view.take_sightings();
            shown.sightings.extend(view.finish(&mut out)?);
        }
        self.route.status.leaves.fetch_add(view.protected_leaves(), std::sync::atomic::Ordering::Relaxed);
        ending.drifted(view.take_drift());
        shown.body = Held::new(out);
        Ok(())
    }
}

/// A call as the CRM gets it.
pub(super) struct Protected {
    pub(super) target: String,
    pub(super) body: Vec<u8>,
    /// Classes that are written, or looked for by a call that changes nothing.
    pub(super) written: ClassSet,
    /// Protected values of the call: an error body must not echo them.
    pub(super) known: Vec<Sensitive<String>>,
    /// Subjects whose records the CRM is about to name.
    pub(super) unnamed: Vec<SubjectRef>,
}

/// What is remembered of a call until its answer is there.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) known: Vec<Sensitive<String>>,
    pub(super) unnamed: Vec<SubjectRef>,
    /// Classes it searches by.
    pub(super) searched: ClassSet,
    /// The budgets that bear on it.
    pub(super) meter: Option<Arc<Meter>>,
}

/// An answer that waits for its record.
pub(super) struct Shown {
    pub(super) body: Held,
    pub(super) sightings: Vec<Sighting>,
    /// Values that could not be opened.
    pub(super) hidden: u64,
}

impl Default for Shown {
    fn default() -> Self {
        Self { body: Held::new(Vec::new()), sightings: Vec::new(), hidden: 0 }
    }
}

/// The route that maps `method` and `target`.
///
/// # Errors
/// When none does, or the target is not canonical.
pub(super) fn find(site: &Site, method: &Method, target: &str) -> Stage<(Matched, Arc<RoutePlan>)> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let matched = site
        .api
        .matches(method, target)
        .map_err(|error| Box::new(Refusal::new(error.code(), StatusCode::NOT_FOUND, error.to_string())))?;
    let route = site.route(matched.route.index).cloned().ok_or_else(|| {
        Box::new(Refusal::new("unmapped_route", StatusCode::NOT_FOUND, "no route of the API map matches"))
    })?;
    Ok((matched, route))
}

/// A masked value in a query or a path finds nothing and means that the caller searches with what it was shown.
pub(super) fn refuse_stand_ins(matched: &Matched) -> Stage<()> {
    if matched.protected.iter().any(|(_, value)| protect::is_stand_in(value.expose())) {
        let detail = "the query or path carries a masked value; search with the value itself or by another field";
        return Err(Box::new(Refusal::new("masked_value", StatusCode::CONFLICT, detail)));
    }
    Ok(())
}

/// A body that was looked into.
#[derive(Default)]
pub(super) struct Content {
    pub(super) body: Vec<u8>,
    pub(super) written: ClassSet,
    /// Classes of the values a query in the body looks for.
    pub(super) looked_for: ClassSet,
    pub(super) known: Vec<Sensitive<String>>,
    pub(super) unnamed: Vec<SubjectRef>,
    /// Its media type, where that is another than the caller's.
    pub(super) media: Option<String>,
}

/// Guards and stores the whole body of a call, or answers the query that it is.
pub(super) async fn content(
    snapshot: &Snapshot,
    call: (&RoutePlan, &Plan, &Matched),
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Stage<Content> {
    let (route, plan, matched) = call;
    readable(headers, route.request_format)?;
    if route.request_format == BodyFormat::Multipart {
        let (content, media) = upload::content(snapshot, call, method, headers, body).await?;
        return Ok(Content { media: Some(media), ..content });
    }
    if let Some(rule) = search::body_rule(matched) {
        let query = search::body(snapshot, rule, body).await?;
        let (body, looked_for, known) = (query.text.into_bytes(), query.classes, query.known);
        return Ok(Content { body, looked_for, known, ..Content::default() });
    }
    let guarded = guard(snapshot, route, plan, method, body)?;
    if !route.action.is_write() {
        search::plain(snapshot, &guarded.known)?;
    }
    let mut known = guarded.known;
    let sealed = store(snapshot, route, plan, matched, guarded.body).await?;
    known.extend(sealed.known);
    Ok(Content {
        body: sealed.body,
        written: guarded.written,
        looked_for: ClassSet::EMPTY,
        known,
        unnamed: sealed.unnamed,
        media: None,
    })
}

fn guard(
    snapshot: &Snapshot,
    route: &RoutePlan,
    plan: &Plan,
    method: &Method,
    bytes: &[u8],
) -> Stage<rewrite::Guarded> {
    if bytes.is_empty() {
        return Ok(rewrite::Guarded::default());
    }
    let view = snapshot.request_view(route, plan);
    let format = route.request_format;
    let form = format == BodyFormat::Form;
    let json = if form { Some(rewrite::form::to_json(bytes).map_err(|error| bad_form(&error))?) } else { None };
    let body = json.as_deref().unwrap_or(bytes);
    rewrite::guard_request(&view, body, route.write_back(method)).map_err(|error| Box::new(refused_as(format, &error)))
}

/// Whether the body is of the media type that the route takes, and not in a content coding.
pub(super) fn readable(headers: &HeaderMap, format: BodyFormat) -> Stage<()> {
    if format == BodyFormat::Multipart {
        return upload::readable(headers);
    }
    let media = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    if !media.is_some_and(|media| media::carries(media, format)) {
        let detail = format!("this route takes `Content-Type: {}`, in UTF-8", media::example(format));
        return Err(Box::new(Refusal::new("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)));
    }
    not_coded(headers)
}

/// A body that has to be read comes without a content coding.
pub(super) fn not_coded(headers: &HeaderMap) -> Stage<()> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "send the body without a content coding: its fields have to be read";
        return Err(Box::new(Refusal::new("unsupported_coding", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)));
    }
    Ok(())
}

/// The guarded body in the form in which the CRM stores it.
pub(super) async fn store(
    snapshot: &Snapshot,
    route: &RoutePlan,
    plan: &Plan,
    matched: &Matched,
    body: Vec<u8>,
) -> Stage<Sealed> {
    let sealed = match snapshot.resolver(route) {
        Some(resolver) if !body.is_empty() => {
            let view = snapshot.request_view(route, plan);
            resolver.seal(&view, body, matched.subject.as_ref()).await?
        }
        _ => Sealed { body, ..Sealed::default() },
    };
    if route.request_format != BodyFormat::Form || sealed.body.is_empty() {
        return Ok(sealed);
    }
    let body = rewrite::form::from_json(&sealed.body).map_err(|error| bad_form(&error))?;
    Ok(Sealed { body, ..sealed })
}

fn bad_form(error: &rewrite::form::FormError) -> Box<Refusal> {
    let detail = format!("the form is not acceptable: {error}; encode it as UTF-8, percent-encoded");
    Box::new(Refusal::new("invalid_form", StatusCode::BAD_REQUEST, detail))
}
