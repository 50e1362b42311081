//! Keyed references: a subject's or case's id in, an unlinkable name for it out.

use super::json::push_base64;
use crate::{crypto::MacKey, model::Sensitive};

/// `s1:`: a subject under the first reference key.
pub(super) const SUBJECT: &str = "s1:";
/// `c1:`: a case under the first reference key.
pub(super) const CASE: &str = "c1:";

/// What stands in records for the record `id` of `kind` at `upstream`: `s1:` and 128 bits of its HMAC as base64url.
#[must_use]
pub fn subject_reference(key: &MacKey, kind: &str, upstream: &str, id: &Sensitive<String>) -> String {
    text(SUBJECT, &subject(key, kind, upstream, id.expose()))
}

/// The 128 bits of [`subject_reference`], for who counts people and names nobody.
#[must_use]
pub fn subject_bits(key: &MacKey, kind: &str, upstream: &str, id: &Sensitive<String>) -> [u8; 16] {
    subject(key, kind, upstream, id.expose())
}

/// What stands in records for the case `id`.
#[must_use]
pub fn case_reference(key: &MacKey, id: &Sensitive<String>) -> String {
    text(CASE, &case(key, id.expose()))
}

pub(super) fn subject(key: &MacKey, kind: &str, upstream: &str, id: &str) -> [u8; 16] {
    half(&key.mac(&[b"subject", kind.as_bytes(), upstream.as_bytes(), id.as_bytes()]))
}

pub(super) fn case(key: &MacKey, id: &str) -> [u8; 16] {
    half(&key.mac(&[b"case", id.as_bytes()]))
}

fn half(tag: &[u8; 32]) -> [u8; 16] {
    tag.first_chunk().copied().unwrap_or_default()
}

fn text(prefix: &str, bytes: &[u8; 16]) -> String {
    let mut out = Vec::new();
    push_base64(&mut out, bytes);
    format!("{prefix}{}", String::from_utf8_lossy(&out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::subject_key;

    #[test]
    fn references_are_stable_and_differ_by_kind_upstream_and_id() {
        let key = subject_key();
        let of = |kind, upstream, id: &str| subject_reference(&key, kind, upstream, &id.to_owned().into());
        assert_eq!(of("customer", "crm", "C-1"), of("customer", "crm", "C-1"));
        let all = [
            of("customer", "crm", "C-1"),
            of("ticket", "crm", "C-1"),
            of("customer", "eu", "C-1"),
            of("customer", "crm", "C-2"),
        ];
        assert!(all.iter().enumerate().all(|(at, one)| !all[..at].contains(one) && one.starts_with("s1:")));
        assert!(case_reference(&key, &"C-1".to_owned().into()).starts_with("c1:"));
    }
}
