//! `multipart/form-data` (RFC 7578) from a caller: fields and text files guarded and stored like the members of a form, JSON parts
//! with fields of their own like JSON bodies, other files passed only where the map says so.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};

use super::{
    call::Content,
    exchange::Stage,
    plan::Plan,
    request::{is_json, refused},
    respond::Refusal,
    search,
    snapshot::{RoutePlan, Snapshot},
};
use crate::{
    crm::Matched,
    model::Files,
    protect,
    rewrite::{
        self, Layout, WriteBack, form,
        multipart::{self, Headers, Parameters, Part, value_of},
    },
};

/// Parts of one form.
const MAX_PARTS: usize = 1_024;

/// A part, by what is done with it.
struct Entry<'a> {
    name: String,
    headers: Headers,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// A field, or a text file that a field of the map names.
    Text(&'a str),
    /// Another text file.
    File(&'a str),
    /// A document with fields of its own.
    Document(&'a [u8], Arc<Layout>),
    /// A file that nobody looks into.
    Opaque(&'a [u8]),
}

/// Whether the media type is that of a form of parts, in which every reader finds the same boundary.
pub(super) fn is_form_data(headers: &HeaderMap) -> Option<String> {
    let media = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = Parameters::parse(media)?.kind;
    (kind == "multipart/form-data").then(|| multipart::boundary(media).ok())?
}

/// Refuses another media type.
pub(super) fn readable(headers: &HeaderMap) -> Stage<()> {
    if is_form_data(headers).is_some() {
        return super::call::not_coded(headers);
    }
    let detail = "this route takes a form of parts (`Content-Type: multipart/form-data; boundary=…`)";
    Err(Box::new(Refusal::new("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)))
}

/// The form as the CRM gets it, and its media type.
pub(super) async fn content(
    snapshot: &Snapshot,
    (route, plan, matched): (&RoutePlan, &Plan, &Matched),
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Stage<(Content, String)> {
    let boundary = is_form_data(headers).ok_or_else(|| bad(None, "the boundary is not valid"))?;
    let parts = multipart::read(&boundary, body, MAX_PARTS).map_err(|error| bad(None, &error.to_string()))?;
    let mut entries = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        entries.push(entry(route, part, index + 1)?);
    }
    let mut form = Form { snapshot, route, plan, matched, content: Content::default() };
    for (index, entry) in entries.iter().enumerate() {
        form.file_name(entry, index + 1)?;
    }
    let mut out: Vec<Option<Vec<u8>>> = vec![None; entries.len()];
    let texts = |wanted: fn(&Kind<'_>) -> bool| -> Vec<usize> {
        entries.iter().enumerate().filter(|(_, entry)| wanted(&entry.kind)).map(|(index, _)| index).collect()
    };
    let fields = texts(|kind| matches!(kind, Kind::Text(_)));
    form.texts(&entries, &fields, &route.request, route.write_back(method), &mut out).await?;
    let files = texts(|kind| matches!(kind, Kind::File(_)));
    form.texts(&entries, &files, &snapshot.texts, WriteBack::Refuse, &mut out).await?;
    for (entry, slot) in entries.iter().zip(&mut out) {
        match &entry.kind {
            Kind::Document(body, layout) => {
                *slot = Some(form.document(layout, body.to_vec(), route.write_back(method)).await?);
            }
            Kind::Opaque(bytes) => *slot = Some(bytes.to_vec()),
            Kind::Text(_) | Kind::File(_) => {}
        }
    }
    let mut content = form.content;
    if !route.action.is_write() {
        search::plain(snapshot, &content.known)?;
    }
    // A part that was left out is one whose masked value came back.
    let kept = entries.into_iter().zip(out).filter_map(|(entry, body)| Some((entry.headers, body?)));
    let (boundary, body) = multipart::write(&kept.collect::<Vec<_>>());
    content.body = body;
    Ok((content, format!("multipart/form-data; boundary={boundary}")))
}

struct Form<'f> {
    snapshot: &'f Snapshot,
    route: &'f RoutePlan,
    plan: &'f Plan,
    matched: &'f Matched,
    content: Content,
}

impl Form<'_> {
    /// Guards and stores the texts of `which` as the members of one object.
    async fn texts(
        &mut self,
        entries: &[Entry<'_>],
        which: &[usize],
        layout: &Arc<Layout>,
        write_back: WriteBack,
        out: &mut [Option<Vec<u8>>],
    ) -> Stage<()> {
        if which.is_empty() {
            return Ok(());
        }
        let text = |at: &usize| match entries.get(*at)? {
            Entry { name, kind: Kind::Text(text) | Kind::File(text), .. } => Some((name.as_str(), *text)),
            _ => None,
        };
        let object = form::object(which.iter().filter_map(text));
        let stored = self.document(layout, object, write_back).await?;
        let pairs = form::pairs(&stored).map_err(|_| bad(None, "it cannot be stored"))?;
        let mut pairs = pairs.into_iter().peekable();
        for at in which {
            let same = |pair: &(String, String)| entries.get(*at).is_some_and(|entry| entry.name == pair.0);
            if let (Some((_, text)), Some(slot)) = (pairs.next_if(same), out.get_mut(*at)) {
                *slot = Some(text.into_bytes());
            }
        }
        Ok(())
    }

    /// Guards and stores one JSON document.
    async fn document(&mut self, layout: &Arc<Layout>, body: Vec<u8>, write_back: WriteBack) -> Stage<Vec<u8>> {
        let view = rewrite::Plan { layout: Arc::clone(layout), ..self.snapshot.request_view(self.route, self.plan) };
        let guarded = rewrite::guard_request(&view, &body, write_back).map_err(|error| Box::new(refused(&error)))?;
        self.content.written = self.content.written.union(guarded.written);
        self.content.known.extend(guarded.known);
        let Some(resolver) = self.snapshot.resolver(self.route) else { return Ok(guarded.body) };
        let sealed = resolver.seal(&view, guarded.body, self.matched.subject.as_ref()).await?;
        self.content.known.extend(sealed.known);
        self.content.unnamed.extend(sealed.unnamed);
        Ok(sealed.body)
    }

    /// A file name goes to the CRM in clear.
    fn file_name(&mut self, entry: &Entry<'_>, number: usize) -> Stage<()> {
        let disposition = value_of(&entry.headers, "content-disposition").and_then(Parameters::parse);
        let Some(name) = disposition.as_ref().and_then(|disposition| disposition.get("filename")) else {
            return Ok(());
        };
        if protect::is_stand_in(name) {
            let detail = format!("the file name of part {number} carries a masked value; name the file otherwise");
            return Err(Box::new(
                Refusal::new("masked_value", StatusCode::CONFLICT, detail).member("position", number),
            ));
        }
        let found = rewrite::classes_in(&self.snapshot.tools, name);
        let stored = |class: &crate::model::ClassId| {
            self.snapshot.classes.get(*class).is_some_and(|class| class.storage.is_protected())
        };
        if found.iter().any(|class| stored(&class)) {
            let detail = format!(
                "the file name of part {number} holds a value that the CRM does not store in clear; name the file otherwise"
            );
            let refusal = Refusal::new("personal_file_name", StatusCode::UNPROCESSABLE_ENTITY, detail);
            return Err(Box::new(refusal.member("position", number)));
        }
        self.content.written = self.content.written.union(found);
        Ok(())
    }
}

/// What is done with `part`.
fn entry<'a>(route: &RoutePlan, part: &Part<'a>, number: usize) -> Stage<Entry<'a>> {
    let unclear = || bad(Some(number), "its header is not that of a form's part");
    let plain = |(name, value): &(String, String)| match name.to_ascii_lowercase().as_str() {
        "content-disposition" | "content-type" | "content-length" => true,
        "content-transfer-encoding" => ["binary", "8bit", "7bit"].iter().any(|known| value.eq_ignore_ascii_case(known)),
        _ => false,
    };
    if !part.headers.iter().all(plain) {
        return Err(unclear());
    }
    let disposition = value_of(&part.headers, "content-disposition").and_then(Parameters::parse);
    let disposition = disposition.filter(|disposition| disposition.kind == "form-data").ok_or_else(unclear)?;
    if !disposition.names().all(|name| matches!(name, "name" | "filename")) {
        return Err(unclear());
    }
    let name = disposition.get("name").filter(|name| !name.is_empty()).ok_or_else(unclear)?.to_owned();
    let media = match value_of(&part.headers, "content-type") {
        None => None,
        Some(media) => Some(Parameters::parse(media).ok_or_else(unclear)?),
    };
    let is_file = disposition.get("filename").is_some();
    let mut headers = part.headers.clone();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    let kind = if let Some(layout) = route.request.part(&name) {
        let json = value_of(&part.headers, "content-type").is_none_or(|media| is_json(media.as_bytes()));
        if !json || is_file {
            return Err(bad(Some(number), "the API map says that it is JSON, and no file"));
        }
        Kind::Document(part.body, Arc::clone(layout))
    } else {
        match text(part.body, media.as_ref()) {
            Some(text) if !is_file || route.request.names(&name) => Kind::Text(text),
            Some(text) => Kind::File(text),
            None if is_file && route.files == Files::Pass => Kind::Opaque(part.body),
            None => {
                let detail = format!(
                    "part {number} is no text in UTF-8, and nobody can look into it; send text, or let the API map say \
                     `files = \"pass\"`"
                );
                let refusal = Refusal::new("unreadable_file", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
                return Err(Box::new(refusal.member("position", number)));
            }
        }
    };
    Ok(Entry { name, headers, kind })
}

/// The text of a part whose media type is one of text, in UTF-8.
fn text<'a>(body: &'a [u8], media: Option<&Parameters>) -> Option<&'a str> {
    let is_text = media.is_none_or(|media| {
        let kind = media.kind.as_str();
        let utf8 = media.get("charset").is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
        });
        utf8 && (kind.starts_with("text/")
            || kind.ends_with("+json")
            || kind.ends_with("+xml")
            || ["application/json", "application/xml", "application/csv", "application/x-ndjson"].contains(&kind))
    });
    // UTF-16 that does not say so is valid UTF-8 full of NUL.
    std::str::from_utf8(body).ok().filter(|text| is_text && !text.contains('\0'))
}

fn bad(part: Option<usize>, why: &str) -> Box<Refusal> {
    let (what, position) = match part {
        Some(number) => (format!("part {number} of the form is not acceptable: {why}"), Some(number)),
        None => (format!("the form is not acceptable: {why}"), None),
    };
    let refusal = Refusal::new("invalid_form", StatusCode::BAD_REQUEST, what);
    Box::new(match position {
        Some(number) => refusal.member("position", number),
        None => refusal,
    })
}
