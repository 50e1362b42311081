//! Media types: which of them carries which format, and that the text is UTF-8.

use super::request::is_json;
use crate::model::{BodyFormat, Delimiter};

/// Whether a body of the media type `media` may be read as `format`.
pub(super) fn carries(media: &[u8], format: BodyFormat) -> bool {
    match format {
        BodyFormat::Json => is_json(media),
        BodyFormat::Multipart
        | BodyFormat::Batch(_)
        | BodyFormat::Mcp
        | BodyFormat::GraphQl
        | BodyFormat::Opaque
        | BodyFormat::Empty => false,
        _ => kind(media).is_some_and(|kind| named(&kind).is_some_and(|found| same(found, format))),
    }
}

/// How an error body of this media type is read; none when it cannot be.
pub(super) fn of_error(media: &[u8]) -> Option<BodyFormat> {
    if is_json(media) {
        return Some(BodyFormat::Json);
    }
    kind(media).and_then(|kind| named(&kind)).filter(|format| *format != BodyFormat::Form)
}

/// What a caller writes as the media type of a body of `format`.
pub(super) fn example(format: BodyFormat) -> &'static str {
    match format {
        BodyFormat::Json
        | BodyFormat::Batch(_)
        | BodyFormat::Mcp
        | BodyFormat::GraphQl
        | BodyFormat::Opaque
        | BodyFormat::Empty => "application/json",
        BodyFormat::Multipart => "multipart/form-data",
        BodyFormat::Ndjson => "application/x-ndjson",
        BodyFormat::Csv(_) => "text/csv",
        BodyFormat::Sse => "text/event-stream",
        BodyFormat::Xml => "text/xml",
        BodyFormat::Form => "application/x-www-form-urlencoded",
    }
}

/// Whether `media` is plain text that the detectors read: UTF-8 or its part ASCII (the default, RFC 6657 §4).
pub(super) fn is_plain(media: &[u8]) -> bool {
    kind(media).is_some_and(|kind| kind == "text/plain")
}

fn same(found: BodyFormat, format: BodyFormat) -> bool {
    found == format || matches!((found, format), (BodyFormat::Csv(_), BodyFormat::Csv(_)))
}

fn named(kind: &str) -> Option<BodyFormat> {
    Some(match kind {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/jsonlines" => BodyFormat::Ndjson,
        "text/csv" | "application/csv" | "text/tab-separated-values" => BodyFormat::Csv(Delimiter::Auto),
        "text/event-stream" => BodyFormat::Sse,
        "application/x-www-form-urlencoded" => BodyFormat::Form,
        "text/xml" | "application/xml" => BodyFormat::Xml,
        kind if kind.starts_with("application/") && kind.ends_with("+xml") => BodyFormat::Xml,
        _ => return None,
    })
}

/// The type without its parameters, in lower case; none when a parameter names another charset than UTF-8.
fn kind(media: &[u8]) -> Option<String> {
    let mut parts = str::from_utf8(media).ok()?.split(';');
    let kind = parts.next()?.trim().to_ascii_lowercase();
    let utf8 = parts.all(|parameter| match parameter.trim().split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = value.trim().trim_matches('"');
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
        }
        _ => true,
    });
    utf8.then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_carried_by_its_media_types_in_utf8_only() {
        let csv = BodyFormat::Csv(Delimiter::Pipe);
        for (media, format) in [
            ("application/x-ndjson", BodyFormat::Ndjson),
            ("Application/JSONL; charset=utf-8", BodyFormat::Ndjson),
            ("text/csv; header=present; charset=\"UTF-8\"", csv),
            ("text/tab-separated-values", csv),
            ("text/event-stream;charset=utf-8", BodyFormat::Sse),
            ("text/xml; charset=us-ascii", BodyFormat::Xml),
            ("application/soap+xml; action=\"x\"", BodyFormat::Xml),
            ("application/json", BodyFormat::Json),
            ("application/x-www-form-urlencoded", BodyFormat::Form),
        ] {
            assert!(carries(media.as_bytes(), format), "{media}");
            let latin = format!("{media}; charset=iso-8859-1");
            assert!(!carries(latin.as_bytes(), format) || media.contains("charset"), "{latin}");
            let others = [BodyFormat::Json, BodyFormat::Ndjson, csv, BodyFormat::Sse, BodyFormat::Xml];
            let count = others.iter().filter(|other| carries(media.as_bytes(), **other)).count();
            assert_eq!(count, usize::from(format != BodyFormat::Form), "{media} is one format");
        }
        for media in ["text/xml; charset=utf-16", "text/csv; charset=windows-1252", "text/html", "", "\u{e9}"] {
            assert_eq!(of_error(media.as_bytes()), None, "{media}");
        }
    }
}
