//! Entity tags of a body that differs per caller: the CRM's tag plus a mark of the view it was seen in.

use http::{HeaderMap, HeaderValue, header};

use crate::crypto;

/// Eight hex digits that differ between views: of policy, classes and maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ViewTag([u8; 8]);

impl ViewTag {
    /// The tag of everything that shapes a view.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut tag = [0; 8];
        let digest = crypto::hex(&crypto::sha256(parts));
        tag.iter_mut().zip(digest.bytes()).for_each(|(slot, byte)| *slot = byte);
        Self(tag)
    }

    fn suffix(self) -> String {
        format!("-fg{}", String::from_utf8_lossy(&self.0))
    }

    /// Marks the CRM's `ETag`: two callers with different views never share one (RFC 9110 §8.8.3).
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        let Some(tag) = headers.remove(header::ETAG) else { return };
        let marked =
            tag.to_str().ok().and_then(|text| text.strip_suffix('"')).map(|open| format!("{open}{}\"", self.suffix()));
        if let Some(value) = marked.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(header::ETAG, value);
        }
    }

    /// Turns the caller's conditions back into the CRM's tags.
    ///
    /// `If-None-Match` keeps only tags of this view: a tag of another view must not become a 304. `If-Match` guards a write,
    /// which is about the record and not about a view, so any mark is taken off.
    pub(super) fn unmark(self, headers: &mut HeaderMap) {
        if let Some(list) = headers.remove(header::IF_NONE_MATCH) {
            let suffix = self.suffix();
            let kept = tags(&list).filter_map(|tag| {
                if tag == "*" {
                    return Some(tag.to_owned());
                }
                tag.strip_suffix('"')?.strip_suffix(&suffix).map(|open| format!("{open}\""))
            });
            put(headers, header::IF_NONE_MATCH, &kept.collect::<Vec<_>>());
        }
        if let Some(list) = headers.remove(header::IF_MATCH) {
            let plain: Vec<String> = tags(&list).map(strip_any_mark).collect();
            put(headers, header::IF_MATCH, &plain);
        }
        headers.remove(header::IF_MODIFIED_SINCE);
    }
}

fn strip_any_mark(tag: &str) -> String {
    let open = tag.strip_suffix('"').unwrap_or(tag);
    match open.rsplit_once("-fg") {
        Some((plain, mark)) if mark.len() == 8 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{plain}\"")
        }
        _ => tag.to_owned(),
    }
}

fn tags(list: &HeaderValue) -> impl Iterator<Item = &str> {
    list.to_str().unwrap_or_default().split(',').map(str::trim).filter(|tag| !tag.is_empty())
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, tags: &[String]) {
    if let (false, Ok(value)) = (tags.is_empty(), HeaderValue::try_from(tags.join(", "))) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_one_view_means_nothing_in_another() {
        let (agent, supervisor) = (ViewTag::of(&[b"agent"]), ViewTag::of(&[b"supervisor"]));
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, HeaderValue::from_static("W/\"7\""));
        agent.mark(&mut headers);
        let marked = headers.remove(header::ETAG).unwrap();
        assert!(marked.to_str().unwrap().starts_with("W/\"7-fg"));

        let asked = |view: ViewTag| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, marked.clone());
            headers.insert(header::IF_MATCH, marked.clone());
            view.unmark(&mut headers);
            let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
            (text(header::IF_NONE_MATCH), text(header::IF_MATCH))
        };
        assert_eq!(asked(agent), (Some("W/\"7\"".into()), Some("W/\"7\"".into())));
        assert_eq!(asked(supervisor), (None, Some("W/\"7\"".into())));
    }
}
